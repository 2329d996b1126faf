package verify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/digest"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/target/memtarget"
	"github.com/tracemig/tracemig/internal/uctables"
)

// pair is a source of ten traces of three spans, and a target that has them all.
type pair struct {
	source *memsource.Experiment
	target *memtarget.Target
}

const tracesOfPair = 10

// newPair writes the traces that keep says. change sees what is written of each trace; it may be nil.
func newPair(t *testing.T, keep func(n int) bool, change func(n int, rows *uctables.Trace)) *pair {
	t.Helper()
	p := &pair{&memsource.Experiment{}, memtarget.New()}
	if err := p.target.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range tracesOfPair {
		info := p.source.Add(n, "root", "a", "b")
		if keep != nil && !keep(n) {
			continue
		}
		of := digest.Of(info, checkpoint.Links{}, runlinks.None, "")
		in := convert.Input{Info: info, Spans: p.source.Spans[info.TraceID].JSON, Digest: of}
		res, err := convert.Convert(in, convert.Options{Source: "s"})
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(n, &res.Trace)
		}
		if _, err := p.target.WriteAnnotations(t.Context(), res.Trace.Annotations); err != nil {
			t.Fatal(err)
		}
		if _, err := p.target.WriteSpans(t.Context(), res.Trace.Spans); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *pair) job() Job {
	return Job{
		Source: p.source, ExperimentID: "1", SourceName: "s", Target: p.target, Deep: true, RunLinks: runlinks.None,
		Fetchers: 4, BytesInFlight: 1 << 20,
	}
}

// verified is what a verification finds: kinds but for matches, by the number of the trace.
func verified(t *testing.T, job Job) (map[int]Kind, Report) {
	t.Helper()
	found := map[int]Kind{}
	job.OnFinding = func(f Finding) {
		for n := range tracesOfPair {
			if memsource.TraceID(n) == f.TraceID {
				found[n] = f.Kind
			}
		}
	}
	r, err := Run(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return found, r
}

func TestRun(t *testing.T) {
	all := func(int) bool { return true }
	but3 := func(n int) bool { return n != 3 }
	at := func(n int) time.Time { return memsource.Epoch.Add(time.Duration(n) * time.Millisecond) }
	for name, c := range map[string]struct {
		keep   func(n int) bool
		change func(n int, rows *uctables.Trace)
		since  func(p *pair) // what happened after the migration
		job    func(j *Job)
		want   map[int]Kind
		equal  bool
	}{
		"equal":                          {keep: all, equal: true},
		"not moved, and no run is known": {keep: but3, want: map[int]Kind{3: Pending}},
		"not moved by a run that saw it": {
			keep: but3, job: func(j *Job) { j.Covered, j.Reach = at(5), at(9) }, want: map[int]Kind{3: Pending},
		},
		"not moved, while later ones are": {
			keep: but3, job: func(j *Job) { j.Covered, j.Reach = at(1), at(1) }, want: map[int]Kind{3: Pending},
		},
		"newer than the last run": {
			keep: but3, job: func(j *Job) { j.Covered, j.Reach = at(1), at(9) }, want: map[int]Kind{3: Newer},
		},
		"lost": {
			keep: but3,
			job: func(j *Job) {
				j.Covered, j.Reach = at(1), at(9)
				j.Moved = func(_ context.Context, ids []string) (map[string]bool, error) {
					return map[string]bool{memsource.TraceID(3): slices.Contains(ids, memsource.TraceID(3))}, nil
				}
			},
			want: map[int]Kind{3: Missing},
		},
		"a span is missing": {
			keep: all,
			change: func(n int, rows *uctables.Trace) {
				if n == 3 {
					rows.Spans = rows.Spans[1:]
				}
			},
			want: map[int]Kind{3: Incomplete},
		},
		"a value differs": {keep: all, change: otherValue, want: map[int]Kind{3: Differ}},
		"a value differs, and values are not compared": {
			keep: all, change: otherValue, job: func(j *Job) { j.Deep = false }, equal: true,
		},
		"changed at the source": {
			keep: all, since: func(p *pair) { p.source.Traces[3].Tags["new"] = "1" }, want: map[int]Kind{3: Changed},
		},
		"gone at the source": {
			keep: all, since: func(p *pair) { p.source.Gone = map[string]bool{memsource.TraceID(3): true} }, want: map[int]Kind{3: Extra},
			equal: true,
		},
		"still open": {
			keep: but3,
			since: func(p *pair) {
				p.source.Traces[3].State, p.source.Traces[3].RequestTime = mlflow.StateInProgress, time.Now()
			},
			want: map[int]Kind{3: Open}, equal: true,
		},
		"unreadable": {
			keep: all, since: func(p *pair) { p.source.Spans[memsource.TraceID(3)] = mlflowclient.Spans{Err: errors.New("503")} },
			want: map[int]Kind{3: Unreadable},
		},
		"spans out of reach": {
			keep: all,
			since: func(p *pair) {
				p.source.Spans[memsource.TraceID(3)] = mlflowclient.Spans{Missing: mlflowclient.MissingElsewhere}
			},
			want: map[int]Kind{3: Unreadable},
		},
		"spans gone at the source": {
			keep: all,
			since: func(p *pair) {
				p.source.Spans[memsource.TraceID(3)] = mlflowclient.Spans{Missing: mlflowclient.MissingLost}
			},
			want: map[int]Kind{3: Changed},
		},
		"outside of the window": {
			keep: but3,
			job: func(j *Job) {
				from := at(5).UnixMilli()
				j.Window.StartMs = &from
			},
			equal: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, c.keep, c.change)
			if c.since != nil {
				c.since(p)
			}
			job := p.job()
			if c.job != nil {
				c.job(&job)
			}
			found, r := verified(t, job)
			if c.want == nil {
				c.want = map[int]Kind{}
			}
			if d := cmp.Diff(c.want, found); d != "" {
				t.Errorf("found (-want +got):\n%s", d)
			}
			if d := cmp.Diff(seen(p, c.keep, job.Window.StartMs), r.Seen.Days()); d != "" {
				t.Errorf("days (-want +got):\n%s", d)
			}
			if r.Outcome != report.Done || r.Equal != c.equal {
				t.Errorf("outcome %s, equal %t, want %s, %t: %+v", r.Outcome, r.Equal, report.Done, c.equal, r)
			}
		})
	}
}

// seen is how many traces the source and the target of p have a day; keep says which were written into the target.
func seen(p *pair, keep func(n int) bool, startMs *int64) []report.Day {
	days := map[time.Time]report.Day{}
	for n, info := range p.source.Traces {
		if startMs != nil && info.RequestTime.UnixMilli() < *startMs {
			continue
		}
		date := info.RequestTime.UTC().Truncate(24 * time.Hour)
		d := days[date]
		if d.Date = date; !p.source.Gone[info.TraceID] {
			d.Source++
		}
		if keep(n) {
			d.Target++
		}
		days[date] = d
	}
	return slices.SortedFunc(maps.Values(days), func(a, b report.Day) int { return a.Date.Compare(b.Date) })
}

func otherValue(n int, rows *uctables.Trace) {
	if n == 3 {
		rows.Spans[0].Attributes = uctables.JSON(`{"i":"other"}`)
	}
}

// The shards of a source are all of it, each trace once.
func TestRunByShards(t *testing.T) {
	p := newPair(t, func(n int) bool { return n != 3 }, nil)
	kinds, listed := map[Kind]int64{}, int64(0)
	for i := range 3 {
		job := p.job()
		job.Shard = shard.Shard{Index: i, Count: 3}
		_, r := verified(t, job)
		listed += r.Listed
		for k, n := range r.Kinds {
			kinds[k] += n
		}
	}
	want := map[Kind]int64{Match: tracesOfPair - 1, Pending: 1}
	if !maps.Equal(kinds, want) || listed != tracesOfPair {
		t.Errorf("%v of %d traces, want %v of %d", kinds, listed, want, tracesOfPair)
	}
}

func TestRunBySample(t *testing.T) {
	job := newPair(t, nil, nil).job()
	job.Sample = 4
	if _, r := verified(t, job); r.Compared != 4 || r.Listed != tracesOfPair || r.Kinds[Match] != 4 || !r.Equal {
		t.Errorf("%+v, want 4 traces compared of %d, all equal", r, tracesOfPair)
	}
}

// broken is a target that fails to answer.
type broken struct {
	*memtarget.Target
	err error
}

func (b *broken) SumAnnotations(context.Context, []string, target.Times, bool, func(target.AnnotationSum) error) error {
	return b.err
}

func TestRunThatBreaksOff(t *testing.T) {
	p := newPair(t, nil, nil)
	job := p.job()
	errLost := errors.New("no answer")
	job.Target = &broken{p.target, errLost}
	if r, err := Run(t.Context(), job); !errors.Is(err, errLost) || r.Outcome != report.Failed || r.Error == nil || r.Equal {
		t.Errorf("%+v, error %v, want %v and outcome %s", r, err, errLost, report.Failed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.source.OnRead = func(int) { cancel() }
	if r, err := Run(ctx, p.job()); err != nil || r.Outcome != report.Interrupted || r.Equal {
		t.Errorf("%+v, error %v, want outcome %s", r, err, report.Interrupted)
	}
}
