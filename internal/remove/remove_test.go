package remove

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/target/memtarget"
	"github.com/tracemig/tracemig/internal/uctables"
)

var pair = checkpoint.Pair{Source: "s", Target: "main.agents.support"}

// rig is a target that holds traces of a source, and rows of others.
type rig struct {
	t      *testing.T
	src    *memsource.Experiment
	tables *memtarget.Target
	path   string // of the checkpoint
	runs   int
}

// newRig migrates n traces, the first two by a run of their own. The third one was moved by Databricks' own migration before. Traces
// of another experiment are in the same tables.
func newRig(t *testing.T, n int) *rig {
	t.Helper()
	r := &rig{t: t, src: &memsource.Experiment{}, tables: memtarget.New(), path: filepath.Join(t.TempDir(), "c.db")}
	if err := r.tables.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		info := r.src.Add(i, "root", "child")
		info.Tags["k"] = "v"
		info.Assessments = []mlflow.Assessment{{
			ID: fmt.Sprint("a-", i), Name: "good", CreateTime: info.RequestTime.Add(time.Hour), LastUpdateTime: info.RequestTime.Add(time.Hour),
			Feedback: &mlflow.Feedback{Value: []byte("true")}, SourceType: "HUMAN", SourceID: "ann",
		}}
	}
	other := &memsource.Experiment{}
	other.Add(1000, "root")
	other.Add(1001, "root").Tags["k"] = "v"
	r.migrate(other, checkpoint.Pair{Source: "other", Target: pair.Target}, filepath.Join(t.TempDir(), "other.db"), n)
	r.official(2)
	r.run(2)
	r.run(n)
	return r
}

// run migrates the traces of the source that come first.
func (r *rig) run(traces int) migrate.Summary { return r.migrate(r.src, pair, r.path, traces) }

func (r *rig) migrate(src *memsource.Experiment, p checkpoint.Pair, path string, traces int) migrate.Summary {
	r.t.Helper()
	c, err := checkpoint.Open(r.t.Context(), path, p)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	r.runs++
	id := fmt.Sprint("run-", r.runs)
	if err := c.StartRun(r.t.Context(), checkpoint.Run{ID: id, Start: time.Now()}); err != nil {
		r.t.Fatal(err)
	}
	few := &memsource.Experiment{Traces: src.Traces[:min(traces, len(src.Traces))], Spans: src.Spans}
	s, err := migrate.Run(r.t.Context(), r.t.Context(), migrate.Job{
		RunID: id, Source: few, ExperimentID: "1", SourceName: p.Source, Target: r.tables, Checkpoint: c, Resync: true,
		RunLinks: runlinks.None, Fetchers: 2, BytesInFlight: 1 << 20, Recorder: &migrate.Recorder{},
	})
	if err != nil || s.Failed > 0 {
		r.t.Fatalf("%+v, %v", s, err)
	}
	return s
}

// official writes a trace as Databricks' own migration does.
func (r *rig) official(n int) {
	info := r.src.Traces[n]
	id, at := memsource.TargetID(n), info.RequestTime.UnixMicro()
	span := uctables.Span{RecordID: "random", TraceID: id, SpanID: fmt.Sprintf("%016x", 1), Name: "root", Kind: "UNKNOWN", TimeMicros: at,
		StartTimeUnixNano: at * 1000}
	row := func(annotation, name, value string, typ uctables.AnnotationType) uctables.Annotation {
		return uctables.Annotation{AnnotationID: annotation, TargetType: uctables.TargetTrace, TargetID: id, Type: typ, Name: name,
			Value: uctables.JSON(value), CreatedAtMicros: at, UpdatedAtMicros: at}
	}
	r.put(row(uctables.MetadataID(id), "metadata", `{"trace_metadata":{"mlflow.migration.sourceExperimentId":"1"}}`, uctables.Metadata),
		row(uctables.OfficialTagID(id, "k"), "k", `"v"`, uctables.Tag))
	if _, err := r.tables.WriteSpans(r.t.Context(), []uctables.Span{span}); err != nil {
		r.t.Fatal(err)
	}
}

// put writes annotations.
func (r *rig) put(rows ...uctables.Annotation) {
	r.t.Helper()
	if w, err := r.tables.WriteAnnotations(r.t.Context(), rows); err != nil || w.Inserted != len(rows) {
		r.t.Fatalf("%+v, %v", w, err)
	}
}

// edits changes annotations at the target as its users do. It returns the annotation_ids of which every version is to stay.
func (r *rig) edits() (kept []string) {
	find := func(typ uctables.AnnotationType, name, id string) uctables.Annotation {
		for _, a := range r.tables.Newest() {
			if a.Type == typ && a.Name == name && (a.TargetID == id) {
				return a
			}
		}
		r.t.Fatalf("no %s %s of %s", typ, name, id)
		return uctables.Annotation{}
	}
	const day = 24 * 60 * 60 * 1_000_000
	tag := find(uctables.Tag, "k", memsource.TargetID(0))
	tag.Value, tag.UpdatedAtMicros, tag.UpdatedBy = uctables.JSON(`"edited"`), tag.UpdatedAtMicros+day, new("bob")
	gone := find(uctables.Feedback, "good", memsource.TargetID(1))
	gone.UpdatedAtMicros += day
	gone.DeletedAtMicros, gone.DeletedBy = new(gone.UpdatedAtMicros), new("bob")
	inPlace := func(a uctables.Annotation) uctables.Annotation { // deleted without a later updated_at
		a.CreatedAtMicros++ // so that the target takes the key twice
		a.DeletedAtMicros, a.DeletedBy = new(a.UpdatedAtMicros+day), new("bob")
		return a
	}
	tagInPlace := inPlace(find(uctables.Tag, "mlflow.traceName", memsource.TargetID(0)))
	listedInPlace := inPlace(find(uctables.Feedback, "good", memsource.TargetID(3)))
	added := find(uctables.Feedback, "good", memsource.TargetID(0))
	added.AnnotationID, added.Name = "of-bob", "also good"
	meta := find(uctables.Metadata, "metadata", memsource.TargetID(3))
	meta.UpdatedAtMicros, meta.Metadata, meta.Value = meta.UpdatedAtMicros+day, nil, uctables.JSON(`{"trace_metadata":{"a":"b"}}`)
	for _, a := range []uctables.Annotation{tag, gone, tagInPlace, listedInPlace, added, meta} {
		r.put(a)
		kept = append(kept, a.AnnotationID)
	}
	foreign := uctables.Span{RecordID: uctables.RecordID(1e18, memsource.TargetID(0), "00000000000000aa"), TraceID: memsource.TargetID(0),
		SpanID: "00000000000000aa", Name: "of another exporter", TimeMicros: tag.CreatedAtMicros, StartTimeUnixNano: tag.CreatedAtMicros * 1000}
	if _, err := r.tables.WriteSpans(r.t.Context(), []uctables.Span{foreign}); err != nil {
		r.t.Fatal(err)
	}
	return kept
}

// rows are all rows of the tables as texts, for which keep is true.
func (r *rig) rows(keepSpan func(*uctables.Span) bool, keepAnnotation func(*uctables.Annotation) bool) (texts []string) {
	for _, s := range r.tables.Spans() {
		if keepSpan(&s) {
			texts = append(texts, string(uctables.AppendSpan(nil, &s)))
		}
	}
	for _, a := range r.tables.Annotations() {
		if keepAnnotation(&a) {
			texts = append(texts, string(uctables.AppendAnnotation(nil, &a)))
		}
	}
	slices.Sort(texts)
	return texts
}

func (r *rig) all() []string {
	return r.rows(func(*uctables.Span) bool { return true }, func(*uctables.Annotation) bool { return true })
}

// firstMetadata are all rows but newer versions of METADATA: a run that finds an edited assessment no longer lists it there as its own.
func (r *rig) firstMetadata() []string {
	return r.rows(func(*uctables.Span) bool { return true }, func(a *uctables.Annotation) bool {
		return a.Type != uctables.Metadata || a.UpdatedBy != nil || a.Metadata == nil || a.UpdatedAtMicros == a.CreatedAtMicros
	})
}

// without are all rows but those that are removed with the traces of the source for which gone is true.
func (r *rig) without(kept []string, gone func(n int) bool) []string {
	traces := map[string]bool{}
	for n := range r.src.Traces {
		traces[memsource.TargetID(n)] = gone(n) && n != 2
	}
	return r.rows(func(s *uctables.Span) bool { return !traces[s.TraceID] || s.Name == "of another exporter" },
		func(a *uctables.Annotation) bool {
			return !traces[a.TraceID()] || slices.Contains(kept, a.AnnotationID)
		})
}

// remove removes what a selection says, with the checkpoint unless that is lost.
func (r *rig) remove(sel Selection, dry bool, lost bool) (Summary, error) {
	r.t.Helper()
	j := Job{Target: fewRows{r.tables}, Remover: r.tables, Pair: pair, Select: sel, DryRun: dry, group: 2}
	if !lost {
		c, err := checkpoint.Open(r.t.Context(), r.path, pair)
		if err != nil {
			r.t.Fatal(err)
		}
		defer c.Close()
		j.Store = c
	}
	return Run(r.t.Context(), r.t.Context(), j)
}

// fewRows takes few annotations in one commit, so that one trace's go in several.
type fewRows struct{ *memtarget.Target }

func (fewRows) Limits() target.Limits { return target.Limits{Rows: 3, Bytes: 1 << 20} }

// states are the states of the traces that the checkpoint knows.
func (r *rig) states() map[string]string {
	c, err := checkpoint.OpenReadOnly(r.t.Context(), r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	var ids []string
	for _, info := range r.src.Traces {
		ids = append(ids, info.TraceID)
	}
	known, err := c.Get(r.t.Context(), ids)
	if err != nil {
		r.t.Fatal(err)
	}
	m := map[string]string{}
	for id, rec := range known {
		m[id] = strings.TrimSpace(string(rec.State) + " " + string(rec.Reason))
	}
	return m
}

func same(t *testing.T, step string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", step, d)
	}
}

func everyOne(int) bool { return true }

// What tracemig wrote goes, and what others wrote or changed stays. A dry run changes nothing and says the same. A later run brings
// the traces back.
func TestRemove(t *testing.T) {
	r := newRig(t, 6)
	first := r.all()
	kept := r.edits()
	edited := r.firstMetadata()
	// Traces change at the source, so that there are several versions of tracemig's, and deletions.
	r.src.Traces[4].Tags["k"] = "v2"
	delete(r.src.Traces[5].Tags, "k")
	if s := r.run(6); s.Updated != 2 || s.AnnotationsDeleted != 1 {
		t.Fatalf("%+v", s)
	}
	before, want := r.all(), r.without(kept, everyOne)
	planned, err := r.remove(Selection{}, true, false)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after a dry run", before, r.all())
	same(t, "what a dry run says", Summary{
		Traces: 5, Spans: 10, Annotations: 5*4 - 5 + 4, TracesKept: 1, SpansKept: 1, AnnotationsEdited: 5, AnnotationsAdded: 1,
		Folders: []string{}, Absent: []string{},
	}, planned)
	done, err := r.remove(Selection{}, false, false)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "what the removal says", planned, done)
	same(t, "what is left", want, r.all())
	same(t, "what the checkpoint knows", map[string]string{memsource.TraceID(2): "migrated"}, r.states())
	again, err := r.remove(Selection{}, false, false)
	same(t, "a second removal", Summary{TracesKept: 1, AnnotationsEdited: 2, Folders: []string{}, Absent: []string{}}, again)
	same(t, "what is left then", want, r.all())
	if err != nil {
		t.Fatal(err)
	}

	r.src.Traces[4].Tags["k"], r.src.Traces[5].Tags["k"] = "v", "v"
	if s := r.run(6); s.Migrated != 5 {
		t.Errorf("the next run migrated %d traces, want 5: %+v", s.Migrated, s)
	}
	same(t, "after another run", edited, r.firstMetadata())
	if s := r.run(6); s.TargetWrites != 0 {
		t.Errorf("a further run: %+v, want no write", s)
	}
	if len(first) == len(edited) {
		t.Error("there were no edits")
	}
	// What was kept is kept again.
	if _, err := r.remove(Selection{}, false, true); err != nil {
		t.Fatal(err)
	}
	same(t, "what is left in the end", want, r.all())
}

var errCrash = errors.New("crash")

// A removal that is cut off before or after any of its commits, with or without its checkpoint, and repeated, leaves the same rows.
// A run in between brings the traces back.
func TestCutOff(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for commits := 0; ; commits++ {
			r := newRig(t, 5)
			kept := r.edits()
			full, want := r.firstMetadata(), r.without(kept, everyOne)
			left := commits
			crash := func() error {
				if left--; left < 0 {
					return errCrash
				}
				return nil
			}
			if commits%2 == 0 {
				r.tables.Before = func([]uctables.Span, []uctables.Annotation) error { return crash() }
			} else {
				r.tables.After = crash
			}
			_, err := r.remove(Selection{}, false, false)
			r.tables.Before, r.tables.After = nil, nil
			step := fmt.Sprintf("checkpoint lost %t, crash at commit %d", lost, commits)
			if err == nil {
				if commits < 4 {
					t.Errorf("%s: the removal needed fewer commits", step)
				}
				same(t, step, want, r.all())
				break
			}
			if !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			for _, s := range r.tables.Spans() { // No trace is there with a part of its spans.
				if n := len(r.rows(func(o *uctables.Span) bool { return o.TraceID == s.TraceID && o.Name != "of another exporter" },
					func(*uctables.Annotation) bool { return false })); n == 1 && s.Name != "root" {
					t.Errorf("%s: trace %s has a part of its spans", step, s.TraceID)
				}
			}
			back := commits%3 == 2
			if back {
				r.run(5)
				same(t, step+", run again", full, r.firstMetadata())
			}
			if _, err := r.remove(Selection{}, false, lost); err != nil {
				t.Fatal(err)
			}
			same(t, step, want, r.all())
			if !lost {
				same(t, step+": what the checkpoint knows", map[string]string{memsource.TraceID(2): "migrated"}, r.states())
			}
		}
	}
}

// A selection leaves all other traces as they are, in the target and in the checkpoint.
func TestSelections(t *testing.T) {
	ms := func(n int) *int64 { return new(memsource.Epoch.UnixMilli() + int64(n)) }
	numbers := func(wanted ...int) func(int) bool { return func(n int) bool { return slices.Contains(wanted, n) } }
	for name, c := range map[string]struct {
		sel    Selection
		gone   []int
		absent []string
	}{
		"run":              {sel: Selection{RunID: "run-2"}, gone: []int{0, 1}},
		"a later run":      {sel: Selection{RunID: "run-3"}, gone: []int{2, 3, 4}},
		"another run":      {sel: Selection{RunID: "run-9"}},
		"window":           {sel: Selection{StartMs: ms(1), EndMs: ms(4)}, gone: []int{1, 2, 3}},
		"from a time on":   {sel: Selection{StartMs: ms(4)}, gone: []int{4}},
		"before all times": {sel: Selection{EndMs: ms(0)}},
		"IDs": {
			sel: Selection{IDs: []string{memsource.TraceID(0), memsource.TargetID(3), "trace:/Main.agents.support/" + memsource.TargetID(4),
				memsource.TraceID(0), "trace:/main.agents.other/" + memsource.TargetID(1), "tr-none", memsource.TraceID(1000), "trace:/"}},
			gone:   []int{0, 3, 4},
			absent: []string{"trace:/main.agents.other/" + memsource.TargetID(1), "tr-none", memsource.TraceID(1000), "trace:/"},
		},
		"no ID": {sel: Selection{IDs: []string{}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 5)
			r.src.Traces[0].Tags["k"] = "changed"
			r.run(5) // It updates a trace, which stays one of the run that moved it.
			want := r.without(nil, numbers(c.gone...))
			known := r.states()
			for _, n := range c.gone {
				if n != 2 {
					delete(known, memsource.TraceID(n))
				}
			}
			s, err := r.remove(c.sel, false, false)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "rows", want, r.all())
			same(t, "absent", append([]string{}, c.absent...), s.Absent)
			same(t, "what the checkpoint knows", known, r.states())
		})
	}
}

// A removal that was cut off is completed for the selection of the next one alone.
func TestCutOffSelection(t *testing.T) {
	r := newRig(t, 5)
	n := 0
	r.tables.After = func() error {
		if n++; n == 7 { // All of two groups are gone; of the second the checkpoint does not know that yet.
			return errCrash
		}
		return nil
	}
	if _, err := r.remove(Selection{}, false, false); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	r.tables.After = nil
	cut := map[string]string{memsource.TraceID(2): "migrated", memsource.TraceID(3): "deferred removing", memsource.TraceID(4): "migrated"}
	same(t, "after the crash", cut, r.states())
	if _, err := r.remove(Selection{RunID: "run-2"}, false, false); err != nil {
		t.Fatal(err)
	}
	same(t, "another selection", cut, r.states())
	if _, err := r.remove(Selection{RunID: "run-3"}, false, false); err != nil {
		t.Fatal(err)
	}
	same(t, "the same selection", map[string]string{memsource.TraceID(2): "migrated"}, r.states())
	same(t, "rows", r.without(nil, everyOne), r.all())
}

// A target that takes only small removals gets smaller ones, METADATA still last.
func TestParts(t *testing.T) {
	var got [][]int
	err := inParts([]int{1, 2, 3, 4, 5}, func(part []int) error {
		if len(part) > 2 {
			return fmt.Errorf("no: %w", &target.TooLargeError{Table: "t", Err: errors.New("413")})
		}
		got = append(got, slices.Clone(part))
		return nil
	})
	same(t, "parts", [][]int{{1, 2}, {3}, {4, 5}}, got)
	if err != nil {
		t.Error(err)
	}
	large := &target.TooLargeError{Table: "t", Err: errors.New("413")}
	calls := 0
	if err := inParts([]int{1, 2, 3}, func([]int) error { calls++; return large }); !errors.Is(err, large) || calls != 2 {
		t.Errorf("error %v after %d calls, want the target's after 2", err, calls)
	}
}

// A removal ends between two groups when it is stopped.
func TestStopped(t *testing.T) {
	r := newRig(t, 5)
	stop, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("stop")
	r.tables.After = func() error { cancel(cause); return nil }
	_, err := Run(t.Context(), stop, Job{Target: r.tables, Remover: r.tables, Pair: pair, group: 2})
	if !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
	r.tables.After = nil
	same(t, "rows", r.without(nil, func(n int) bool { return n < 2 }), r.all())
}
