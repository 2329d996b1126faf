package migrate

import (
	"errors"
	"testing"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/uctables"
)

// shown is the value of a trace's tag "k" that readers see; "" for none.
func (m *memory) shown(trace string) string {
	for _, a := range m.Newest() {
		if a.Name == "k" && a.TargetID == trace && a.DeletedAtMicros == nil {
			return string(a.Value)
		}
	}
	return ""
}

func TestChangedTraces(t *testing.T) {
	src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
	changing, still := src.Add(0, "root", "child"), src.Add(1, "root")
	still.Tags["k"] = "still"
	m.want[targetID(0)], m.want[targetID(1)] = 2, 1
	run := func(change func(*Job)) Summary {
		t.Helper()
		j := job(src, m, c)
		j.Resync = true
		if change != nil {
			change(&j)
		}
		return mustRun(t, j)
	}
	run(nil)
	for _, step := range []struct {
		do      func()
		job     func(*Job)
		shown   string
		updated int64
		writes  int64
	}{
		{do: func() {}},
		{do: func() { changing.Tags["k"] = "1" }, job: func(j *Job) { j.Resync = false }},
		{do: func() {}, shown: `"1"`, updated: 1, writes: 1},
		{do: func() { changing.Tags["k"] = "2" }, shown: `"2"`, updated: 1, writes: 1},
		{do: func() { delete(changing.Tags, "k") }, updated: 1, writes: 1},
		{do: func() { changing.Tags["k"] = "3" }, shown: `"3"`, updated: 1, writes: 1},
		{do: func() {}, shown: `"3"`},
		{do: func() { src.Runs = map[string][]string{"r": {traceID(0)}} }, shown: `"3"`, updated: 1, writes: 1},
		{do: func() {}, shown: `"3"`, job: func(j *Job) { j.RunLinks = runlinks.None }},
		{do: func() {}, shown: `"3"`, job: func(j *Job) { j.Checkpoint = newCheckpoint(t) }},
	} {
		step.do()
		s := run(step.job)
		if got := m.shown(targetID(0)); got != step.shown || s.Updated != step.updated || s.TargetWrites != step.writes ||
			s.Present+s.Updated != 2 || s.Migrated != 0 {
			t.Errorf("shows %s, want %s; %+v", got, step.shown, s)
		}
	}
	links := 0
	for _, a := range m.Annotations() {
		if a.Type == uctables.RunLink {
			links++
		}
	}
	if links != 1 || len(m.Spans()) != 3 || m.shown(targetID(1)) != `"still"` || len(m.wrong) > 0 {
		t.Errorf("%d run links, %d spans; %v", links, len(m.Spans()), m.wrong)
	}
}

// A changed trace that can't be read keeps what the target has, and is tried again.
func TestChangedTraceThatFails(t *testing.T) {
	src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
	info := src.Add(0, "root")
	m.want[targetID(0)] = 1
	j := job(src, m, c)
	j.Resync = true
	mustRun(t, j)
	info.Tags["k"] = "1"
	good := src.Spans[info.TraceID]
	src.Spans[info.TraceID] = mlflowclient.Spans{Err: errors.New("500")}
	j = job(src, m, c)
	j.Resync = true
	if s := mustRun(t, j); s.Failed != 1 || s.Outcome != report.Partial {
		t.Errorf("%+v", s)
	}
	known, err := c.Get(t.Context(), []string{info.TraceID})
	if err != nil || known[info.TraceID].State != checkpoint.Migrated {
		t.Errorf("%+v, %v", known, err)
	}
	src.Spans[info.TraceID] = good
	j = job(src, m, c)
	j.Resync = true
	if s := mustRun(t, j); s.Updated != 1 || m.shown(targetID(0)) != `"1"` {
		t.Errorf("%+v", s)
	}
}

// A trace that changes after its annotations were written, and before its spans were, is shown in the
// end as it is at the source.
func TestChangeBetweenCrashAndRerun(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	info := src.Add(0, "root")
	info.Tags["k"], info.Tags["gone"] = "1", "soon"
	m.want[targetID(0)] = 1
	m.crashAt = 1
	if _, err := Run(t.Context(), t.Context(), job(src, m, newCheckpoint(t))); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	info.Tags["k"] = "2"
	delete(info.Tags, "gone")
	if s := mustRun(t, job(src, m, newCheckpoint(t))); s.Migrated != 1 || s.AnnotationsDeleted != 1 || m.shown(targetID(0)) != `"2"` {
		t.Errorf("%+v, shows %s", s, m.shown(targetID(0)))
	}
	if s := mustRun(t, job(src, m, newCheckpoint(t))); s.Present != 1 || s.TargetWrites != 0 {
		t.Errorf("%+v", s)
	}
}
