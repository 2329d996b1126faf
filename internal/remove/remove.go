// Package remove undoes a migration: it removes from a target what tracemig has written of the traces of a source, and nothing
// else. What somebody changed at the target since is kept.
//
// The target decides what there is to remove. Of each trace, spans go first, since readers begin with them, and the METADATA row
// goes last, since it is what finds the trace again: a removal that was cut off and is repeated ends the same. The checkpoint never
// says more than the target: it notes that a trace is being removed before the first row goes, and forgets the trace after the
// last.
package remove

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Job says what to remove.
type Job struct {
	Target  target.Writer
	Remover target.Remover    // of the same tables
	Store   *checkpoint.Store // nil where there is no checkpoint
	Pair    checkpoint.Pair
	Select  Selection
	DryRun  bool        // only say what would be removed
	OnGroup func(Group) // is called for each group of traces, once it is removed, or would be; may be nil

	group int // traces that are removed by the same commits, in tests; 0 for groupTraces
}

// Selection is which traces of the source are to be removed: those of one field, or all.
type Selection struct {
	RunID          string   // those that this run has migrated, as the checkpoint tells; without those that it skipped
	IDs            []string // nil for all: IDs at the source or at the target
	StartMs, EndMs *int64   // request times: start inclusive, end exclusive
}

// groupTraces is how many traces are removed by the same commits: a commit costs much, and its size little.
const groupTraces = 5000

// Run removes traces, and says what it did, or would do. It looks for no further traces once stop has ended, and finishes those that it
// has begun with; the error is then the cause.
func Run(ctx, stop context.Context, job Job) (Summary, error) {
	r := &removal{Job: job, sum: Summary{Absent: []string{}}, wanted: map[string]bool{}, folders: map[string]bool{}}
	err := r.run(ctx, stop)
	r.sum.Folders = sorted(r.folders)
	return r.sum, err
}

// removal is the state of one Run.
type removal struct {
	Job
	sum     Summary
	wanted  map[string]bool // the IDs that were named: whether a trace has it
	named   map[string][]string
	folders map[string]bool // with copies of attachments of the traces
}

func (r *removal) run(ctx, stop context.Context) error {
	if err := r.Remover.CheckRemoval(stop); err != nil {
		return err
	}
	var group []target.Marked
	size := cmp.Or(r.Job.group, groupTraces)
	flush := func() error {
		err := r.removeGroup(ctx, group)
		group = group[:0]
		return err
	}
	err := r.Remover.Marked(stop, r.Pair.Source, r.wantedTraces(), func(m target.Marked) error {
		if err := context.Cause(stop); err != nil {
			return err
		}
		r.see(m.SourceTraceID, m.TraceID)
		if !r.Pair.Shard.Has(m.SourceTraceID, m.TraceID) {
			return nil
		}
		if group = append(group, m); len(group) < size {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	r.sum.Absent = r.absent()
	return r.finish(ctx)
}

// wantedTraces are the traces that the target is asked for.
func (r *removal) wantedTraces() target.Wanted {
	s := r.Select
	w := target.Wanted{Requested: target.AllTimes}
	if s.StartMs != nil {
		w.Requested.Low = *s.StartMs * 1000
	}
	if s.EndMs != nil {
		w.Requested.High = *s.EndMs*1000 - 1
	}
	if s.IDs == nil {
		return w
	}
	w.IDs = []string{}
	r.named = make(map[string][]string, len(s.IDs))
	for _, id := range s.IDs {
		if _, twice := r.wanted[id]; twice {
			continue
		}
		r.wanted[id] = false
		plain := plainID(id, r.Pair.Target)
		r.named[plain] = append(r.named[plain], id)
		w.IDs = append(w.IDs, plain)
	}
	return w
}

// plainID is the trace_id of a new ID, trace:/catalog.schema.prefix/trace_id, of the target. Other IDs stay as they are.
func plainID(id, location string) string {
	const scheme = "trace:/"
	at := strings.LastIndex(id, "/")
	if !strings.HasPrefix(id, scheme) || at < len(scheme) {
		return id
	}
	l, err := uctables.ParseLocation(location)
	if err == nil && strings.EqualFold(id[len(scheme):at], l.Catalog+"."+l.Schema+"."+l.Prefix) {
		return id[at+1:]
	}
	return id
}

// see notes that the target has the trace with these IDs.
func (r *removal) see(ids ...string) {
	for _, id := range ids {
		for _, given := range r.named[id] {
			r.wanted[given] = true
		}
	}
}

// absent are the IDs that were named and that no trace of the source in the target has, in the order in which they were given.
func (r *removal) absent() []string {
	ids := []string{}
	for _, id := range r.Select.IDs {
		if seen, left := r.wanted[id]; left && !seen {
			ids = append(ids, id)
			delete(r.wanted, id) // once
		}
	}
	return ids
}

// removeGroup removes some traces.
func (r *removal) removeGroup(ctx context.Context, found []target.Marked) error {
	found, err := r.ofRun(ctx, found)
	if err != nil || len(found) == 0 {
		return err
	}
	g, err := r.plan(ctx, found)
	if err != nil {
		return err
	}
	if !r.DryRun {
		if err := r.remove(ctx, &g); err != nil {
			return err
		}
	}
	for i, m := range found {
		if g.Traces[i].Kept == "" {
			r.noteFolders(m.Attachments)
		}
	}
	r.sum.add(&g)
	if r.OnGroup != nil {
		r.OnGroup(g)
	}
	return nil
}

// ofRun are the traces that the selected run has migrated; all where none is selected. Of skipped traces the checkpoint tells only
// which run has last looked at them.
func (r *removal) ofRun(ctx context.Context, found []target.Marked) ([]target.Marked, error) {
	if r.Select.RunID == "" || len(found) == 0 {
		return found, nil
	}
	ids := make([]string, len(found))
	for i, m := range found {
		ids[i] = m.SourceTraceID
	}
	known, err := r.Store.Get(ctx, ids)
	return slices.DeleteFunc(found, func(m target.Marked) bool {
		rec := known[m.SourceTraceID]
		moved := rec.State == checkpoint.Migrated || rec.Reason == checkpoint.ReasonRemoving
		return !moved || rec.RunID != r.Select.RunID
	}), err
}

// plan decides what goes of some traces.
func (r *removal) plan(ctx context.Context, found []target.Marked) (Group, error) {
	ids, times := make([]string, len(found)), target.NoTimes
	for i, m := range found {
		ids[i] = m.TraceID
		times.Join(m.AnnotationTimes)
	}
	versions := make(map[string][]*uctables.Annotation, len(found))
	if err := r.Remover.ReadVersions(ctx, ids, times, func(a *uctables.Annotation) error {
		versions[a.TraceID()] = append(versions[a.TraceID()], a)
		return nil
	}); err != nil {
		return Group{}, fmt.Errorf("read the annotations of the traces: %w", err)
	}
	g := Group{SpanTimes: target.NoTimes}
	var last []uctables.Version
	for _, m := range found {
		p := judge(m, r.Pair.Source, versions[m.TraceID])
		g.Traces = append(g.Traces, p.Trace)
		if p.Kept != "" {
			continue
		}
		g.sourceIDs = append(g.sourceIDs, m.SourceTraceID)
		if m.Spans > 0 {
			g.WithSpans = append(g.WithSpans, m.TraceID)
			g.SpanTimes.Join(m.SpanTimes)
		}
		g.Versions = append(g.Versions, p.others...)
		last = append(last, p.metadata...)
	}
	g.Versions = append(g.Versions, last...)
	return g, nil
}

// remove removes what a group says.
func (r *removal) remove(ctx context.Context, g *Group) error {
	if r.Store != nil {
		if err := r.Store.BeginRemoval(ctx, g.sourceIDs); err != nil {
			return err
		}
	}
	if err := inParts(g.WithSpans, func(ids []string) error { return r.Remover.RemoveSpans(ctx, ids, g.SpanTimes) }); err != nil {
		return fmt.Errorf("remove spans: %w", err)
	}
	for versions := range slices.Chunk(g.Versions, r.Target.Limits().Rows) {
		if err := inParts(versions, func(v []uctables.Version) error { return r.Remover.RemoveAnnotations(ctx, v) }); err != nil {
			return fmt.Errorf("remove annotations: %w", err)
		}
	}
	if r.Store != nil {
		return r.Store.EndRemoval(ctx, g.sourceIDs)
	}
	return nil
}

// inParts calls do with all rows at once, or in order with parts of them, where the target does not take so many.
func inParts[R any](rows []R, do func([]R) error) error {
	if len(rows) == 0 {
		return nil
	}
	err := do(rows)
	if _, tooLarge := errors.AsType[*target.TooLargeError](err); !tooLarge || len(rows) == 1 {
		return err
	}
	if err := inParts(rows[:len(rows)/2], do); err != nil {
		return err
	}
	return inParts(rows[len(rows)/2:], do)
}

// finish has the checkpoint forget the selected traces whose removal an earlier call began: the target has none of their rows any
// more, since otherwise it would have listed them.
func (r *removal) finish(ctx context.Context) error {
	if r.Store == nil || r.DryRun {
		return nil
	}
	var ids []string
	if err := r.Store.Removing(ctx, func(rec checkpoint.Record) error {
		if r.selects(&rec) {
			ids = append(ids, rec.TraceID)
		}
		return nil
	}); err != nil {
		return err
	}
	return r.Store.EndRemoval(ctx, ids)
}

// selects says whether a trace that the checkpoint knows is among the selected ones.
func (r *removal) selects(rec *checkpoint.Record) bool {
	s := &r.Select
	return (s.RunID == "" || rec.RunID == s.RunID) &&
		(s.StartMs == nil || rec.RequestTimeMs >= *s.StartMs) && (s.EndMs == nil || rec.RequestTimeMs < *s.EndMs) &&
		(s.IDs == nil || r.named[rec.TraceID] != nil || r.named[rec.TargetTraceID] != nil)
}
