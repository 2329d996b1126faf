// Package verify proves what was migrated: it reads every trace of the source again, converts it, and
// compares the rows with those of the target.
//
// The target answers with digests, and sends rows only where these differ; then the rows decide. What the source or
// others changed after the migration is told apart from loss.
package verify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tracemig/tracemig/internal/attachments"
	"github.com/tracemig/tracemig/internal/budget"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/disk"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Target is what is verified; every target.Writer is one.
type Target interface {
	target.Reader
	Migrated(ctx context.Context, source string, yield func(uctables.Provenance) error) error
	Official(ctx context.Context, experimentID string, yield func(targetTraceID string) error) error
	String() string
}

// Job says what to compare.
type Job struct {
	Source       source.Source
	ExperimentID string
	SourceName   string // the source's identity in the target's provenance
	ReadFrom     string // the address by which it is read, where that is another than runs read it by
	Target       Target
	Window       mlflowclient.Window
	Deep         bool        // compare all values, not only which rows are there and what the annotations' IDs are
	Sample       int         // so many traces, at random; 0 for all
	Shard        shard.Shard // of the source's traces; all of them if zero

	RunLinks      runlinks.Scope
	ServiceName   string             // as the runs were told
	Attachments   attachments.Policy // where to read attachments from; Inline and Folder don't matter
	Fetchers      int
	BytesInFlight int64
	Memory        *budget.Memory // of all runs of the process together, in place of BytesInFlight; nil for one alone

	// Covered is the request time up to which earlier runs have looked at all traces that are compared; zero if no
	// such run is known. A trace that the target lacks is Newer if it came later, else Pending. Reach is the latest
	// request time of a trace that those runs can have moved. If the target has later ones, then runs with other
	// checkpoints have looked further.
	Covered time.Time
	Reach   time.Time
	// Moved says which of some traces were moved, by a checkpoint; nil if there is none.
	Moved func(ctx context.Context, traceIDs []string) (map[string]bool, error)

	CountFirst bool // count the traces beside the verification, for an ETA
	// Accepted returns those of some traces of which somebody has accepted that runs can't migrate them, by a checkpoint; nil if
	// there is none.
	Accepted func(ctx context.Context, traceIDs []string) (map[string]*checkpoint.AcceptedTrace, error)

	Progress  *Progress     // counts the traces compared; nil for a new one
	OnFinding func(Finding) // is called for every trace that does not simply match; calls don't overlap
}

// Report is the result of a verification.
type Report struct {
	Source            string         `json:"source"`
	ReadFrom          string         `json:"read_from,omitempty"` // the way by which it was read, where that is another than that of runs
	Target            string         `json:"target"`
	Shard             shard.Shard    `json:"shard,omitzero"`
	Outcome           report.Outcome `json:"outcome"`           // done, stopped, interrupted or failed
	Stopped           report.Stop    `json:"stopped,omitempty"` // the limit at which it stopped
	Equal             bool           `json:"equal"`             // the target has what the source has of all ended traces that were compared
	Sample            int            `json:"sample,omitempty"`  // how many traces were to be taken at random; absent for all
	Error             *report.Error  `json:"error,omitempty"`   // what kept it from looking at every trace
	Deep              bool           `json:"deep"`              // every value was compared
	Started           time.Time      `json:"started"`
	Seconds           float64        `json:"seconds"`
	Listed            int64          `json:"traces_listed"`                // that the source has in the window
	Compared          int64          `json:"traces_compared"`              // of the listed ones
	Spans             int64          `json:"spans_compared"`               // rows
	Annotations       int64          `json:"annotations_compared"`         // rows
	AttachmentsProven int64          `json:"attachments_proven"`           // that were copied, or with deep put into spans
	AttachmentsLeft   int64          `json:"attachments_left"`             // at the source alone
	AttachmentTraces  int64          `json:"traces_with_attachments_left"` // whose attachments are at the source alone
	Kinds             map[Kind]int64 `json:"kinds"`                        // traces by what was found of them

	RunLinks       runlinks.Scope `json:"run_links"`                  // which runs were asked for links
	RunLinksHidden int64          `json:"run_links_hidden,omitempty"` // experiments, or runs, whose links the source does not show

	// Seen is which of the compared traces the source and the target have a day, and which the target has besides.
	Seen report.Seen `json:"-"`
}

// Wrong is how many traces are not at the target as they should be.
func (r *Report) Wrong() (n int64) {
	for k, count := range r.Kinds {
		if k.Wrong() {
			n += count
		}
	}
	return n
}

// chunkSize is how many traces are compared by one question to the target.
const chunkSize = 500

type verification struct {
	job      Job
	scratch  *checkpoint.Store // what the target has of the source, and the run links
	latest   time.Time         // of the request times that the target has
	budget   *budget.Budget
	attached *budget.Budget // for bytes of attachments. It is acquired while bytes of budget are held, never the other way round
	report   Report

	unlistable []*mlflowclient.UnlistableError // what the source has and can't list
}

// Run compares. The error, also told in the report, is what kept it from looking at every trace.
func Run(ctx context.Context, job Job) (Report, error) {
	if job.Progress == nil {
		job.Progress = &Progress{}
	}
	memory := job.Memory
	if memory == nil {
		memory = budget.NewMemory(job.BytesInFlight, false)
	}
	v := &verification{job: job, budget: memory.Payload.Join(), attached: memory.Attachments.Join()}
	defer v.budget.Leave()
	defer v.attached.Leave()
	began := time.Now()
	v.report = Report{
		Source: job.SourceName, ReadFrom: job.ReadFrom, Target: job.Target.String(), Shard: job.Shard, Deep: job.Deep, Sample: job.Sample,
		Started: began.UTC(), RunLinks: job.RunLinks,
		Outcome: report.Done, Kinds: map[Kind]int64{},
	}
	err := v.run(ctx)
	v.report.Seconds = time.Since(began).Seconds()
	switch {
	case ctx.Err() != nil:
		v.report.Outcome, v.report.Stopped = report.Ended(ctx)
		err = nil
	case err != nil:
		v.report.Outcome, v.report.Error = report.Failed, report.ErrorOf(err)
	default:
		k := v.report.Kinds
		v.report.Equal = v.report.Compared > 0 && v.report.Wrong()+k[Unreadable]+k[Changed]+k[Newer]+k[Accepted] == 0
	}
	return v.report, err
}

func (v *verification) run(ctx context.Context) error {
	// What grows with the number of traces is kept in a file.
	dir, err := os.MkdirTemp("", "tracemig-verify-")
	if err != nil {
		return disk.Explain(fmt.Errorf("make a folder for temporary files: %w", err), "set TMPDIR to another folder")
	}
	defer os.RemoveAll(dir)
	pair := checkpoint.Pair{Source: v.report.Source, Target: v.report.Target, Shard: v.job.Shard}
	v.scratch, err = checkpoint.OpenScratch(ctx, filepath.Join(dir, "notes.db"), pair)
	if err != nil {
		return err
	}
	defer v.scratch.Close()
	if err := v.readTarget(ctx); err != nil {
		return fmt.Errorf("list what %s has of the source: %w", v.job.Target, err)
	}
	v.report.RunLinksHidden, err = runlinks.Read(ctx, v.scratch, v.job.Source, v.job.ExperimentID, v.job.RunLinks, v.job.Window)
	if err != nil {
		return fmt.Errorf("read the experiment's run links: %w", err)
	}
	if err := v.compareAll(ctx); err != nil {
		return err
	}
	if err := v.findUnlistable(ctx); err != nil {
		return err
	}
	if v.job.Sample > 0 {
		return nil
	}
	return v.findExtra(ctx)
}

// readTarget notes the traces that the target has of the source. They count as deferred until the source lists them.
func (v *verification) readTarget(ctx context.Context) error {
	var rs []checkpoint.Record
	err := v.job.Target.Migrated(ctx, v.job.SourceName, func(p uctables.Provenance) error {
		if !v.job.Shard.MayHave(p.SourceTraceID) {
			return nil
		}
		if at := time.UnixMicro(p.RequestMicros); at.After(v.latest) {
			v.latest = at
		}
		rs = append(rs, checkpoint.Record{
			TraceID: p.SourceTraceID, TargetTraceID: p.TraceID, RequestTimeMs: p.RequestMicros / 1000,
			State: checkpoint.Deferred, Digest: p.Digest, Spans: p.Spans, RunID: "target", Detail: p.Attachments,
		})
		if len(rs) < chunkSize {
			return nil
		}
		err := v.scratch.Put(ctx, rs...)
		rs = rs[:0]
		return err
	})
	if err != nil {
		return err
	}
	if err := v.scratch.Put(ctx, rs...); err != nil {
		return err
	}
	return v.scratch.ReadOfficial(ctx, func(yield func(string) error) error {
		return v.job.Target.Official(ctx, v.job.ExperimentID, yield)
	})
}

// findExtra reports the traces that the target has and the source did not list.
func (v *verification) findExtra(ctx context.Context) error {
	return v.scratch.Records(ctx, checkpoint.Deferred, func(rec checkpoint.Record) error {
		w := v.job.Window
		for _, u := range v.unlistable { // it may be this trace
			if rec.TraceID == u.TraceID || u.TraceID == "" && u.FromMs <= rec.RequestTimeMs && rec.RequestTimeMs <= u.ToMs {
				return nil
			}
		}
		inWindow := (w.StartMs == nil || rec.RequestTimeMs >= *w.StartMs) && (w.EndMs == nil || rec.RequestTimeMs < *w.EndMs)
		if inWindow && v.job.Shard.Has(rec.TraceID, rec.TargetTraceID) {
			v.atTarget(rec.TraceID, rec.TargetTraceID, time.UnixMilli(rec.RequestTimeMs))
			v.found(Finding{rec.TraceID, rec.TargetTraceID, Extra, errGone.Error()})
		}
		return nil
	})
}

// atTarget counts a trace that the target has rows of.
func (v *verification) atTarget(traceID, targetTraceID string, requested time.Time) {
	v.report.Seen.AtTarget(report.IDs{TraceID: traceID, TargetTraceID: targetTraceID, Requested: requested})
}

// found counts a finding and reports it.
func (v *verification) found(f Finding) {
	v.report.Kinds[f.Kind]++
	if f.Kind != Match && v.job.OnFinding != nil {
		v.job.OnFinding(f)
	}
}
