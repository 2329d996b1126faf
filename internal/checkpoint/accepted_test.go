package checkpoint

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var acceptedAt = time.UnixMilli(1700000000123).UTC()

// accept accepts failed traces for a reason.
func accept(t *testing.T, s *Store, reason Reason, ids ...string) {
	t.Helper()
	var as []AcceptedTrace
	for _, id := range ids {
		as = append(as, AcceptedTrace{Record{TraceID: id}, Acceptance{For: reason, Why: "why " + id, By: "ann@there", At: acceptedAt}})
	}
	if err := s.Accept(t.Context(), as); err != nil {
		t.Fatal(err)
	}
}

// states are the states of all traces, and of those that have an acceptance whether it holds.
func states(t *testing.T, s *Store, ids ...string) map[string]string {
	t.Helper()
	records, err := s.Get(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := s.Acceptances(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	holding, err := s.Holding(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for id, r := range records {
		m[id] = string(r.State)
	}
	for id := range accepted {
		m[id] += ", accepted before"
	}
	for id := range holding {
		m[id] += ", which holds"
	}
	return m
}

// An acceptance lasts while its trace waits for a later run, whatever else becomes of the checkpoint, and ends when the trace is
// migrated or skipped.
func TestAcceptance(t *testing.T) {
	s := open(t, "")
	ids := []string{"a", "b", "c", "d", "e"}
	put := func(rs ...Record) {
		t.Helper()
		if err := s.Put(t.Context(), rs...); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, m map[string]string) {
		t.Helper()
		if d := cmp.Diff(m, states(t, s, ids...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", when, d)
		}
	}
	for _, id := range ids {
		put(Record{TraceID: id, State: Failed, Reason: "fetch_failed", Detail: "of " + id, RunID: "1"})
	}
	const holds = "accepted, accepted before, which holds"
	accept(t, s, "fetch_failed", "a", "b", "c", "d")
	want("after Accept", map[string]string{"a": holds, "b": holds, "c": holds, "d": holds, "e": "failed"})
	if got, err := s.Acceptances(t.Context(), []string{"b", "none"}); err != nil ||
		!cmp.Equal(got, map[string]*Acceptance{"b": {"fetch_failed", "why b", "ann@there", acceptedAt}}) {
		t.Errorf("acceptances %+v, error %v, want that of b", got, err)
	}
	if rs, err := s.Pending(t.Context(), "2", time.Now(), "", 10); err != nil || len(rs) != len(ids) {
		t.Errorf("a later run looks at %v, error %v, want all", rs, err)
	}

	put(Record{TraceID: "a", State: Migrated}, Record{TraceID: "b", State: Skipped, Reason: "deleted"},
		Record{TraceID: "c", State: Failed, Reason: "row_refused"}, Record{TraceID: "d", State: Deferred, Reason: "repair"})
	want("after another run", map[string]string{
		"a": "migrated", "b": "skipped", "c": "failed, accepted before", "d": "deferred, accepted before", "e": "failed",
	})
	put(Record{TraceID: "c", State: Accepted, Reason: "fetch_failed"}, Record{TraceID: "d", State: Accepted, Reason: "fetch_failed"})

	for _, tables := range []string{"t1", "t2"} {
		if err := s.Bind(t.Context(), tables); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("after the tables were replaced", map[string]string{"c": holds, "d": holds, "e": "failed"})

	if err := s.Withdraw(t.Context(), []string{"c", "e"}); err != nil {
		t.Fatal(err)
	}
	want("after Withdraw", map[string]string{"c": "failed", "d": holds, "e": "failed"})
}

// A migrated trace that can't follow the source stays migrated. Its acceptance outlives a rebuilt checkpoint, and ends with the
// next update that is written.
func TestAcceptanceOfAnUpdate(t *testing.T) {
	s := open(t, "")
	r := Record{TraceID: "a", TargetTraceID: "0a", State: Migrated, Digest: "d", Spans: 2, RunID: "1"}
	if err := s.Put(t.Context(), r, Record{TraceID: "b", State: Failed, Reason: "fetch_failed"}); err != nil {
		t.Fatal(err)
	}
	failed := r
	failed.Reason, failed.Detail = "fetch_failed", "garbled"
	for _, u := range []Record{failed, {TraceID: "b", Reason: "never"}} {
		if err := s.UpdateFailed(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Get(t.Context(), []string{"a", "b"})
	if d := cmp.Diff(map[string]Record{"a": failed, "b": {TraceID: "b", State: Failed, Reason: "fetch_failed"}}, got); d != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
	accept(t, s, "fetch_failed", "a")
	want := func(when, state string) {
		t.Helper()
		if d := cmp.Diff(map[string]string{"a": state}, states(t, s, "a")); d != "" {
			t.Errorf("%s (-want +got):\n%s", when, d)
		}
	}
	want("after Accept", "migrated, accepted before, which holds")
	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(t.Context(), []Record{r}); err != nil {
		t.Fatal(err)
	}
	want("after Restore", "migrated, accepted before")
	if err := s.UpdateFailed(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	want("after the next run", "migrated, accepted before, which holds")
	if err := s.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	want("after the update was written", "migrated")
}

func TestEachAccepted(t *testing.T) {
	for _, n := range []int{0, 1, page, page + 1} {
		s := open(t, "")
		var want, ids []string
		var rs []Record
		for i := range n {
			id := fmt.Sprintf("tr-%05d", i)
			rs = append(rs, Record{TraceID: id, State: Failed, Reason: "r", RequestTimeMs: 7, RunID: "1"})
			ids = append(ids, id)
			want = append(want, id+" accepted why "+id)
		}
		if err := s.Put(t.Context(), rs...); err != nil {
			t.Fatal(err)
		}
		accept(t, s, "r", ids...)
		var got []string
		if err := s.EachAccepted(t.Context(), func(a AcceptedTrace) error {
			got = append(got, fmt.Sprintf("%s %s %s", a.TraceID, a.State, a.Why))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%d acceptances (-want +got):\n%s", n, d)
		}
	}
}

func TestStatusTellsOfAcceptances(t *testing.T) {
	s := open(t, "")
	if err := s.Put(t.Context(), Record{TraceID: "a", State: Failed, Reason: "r", Detail: "of a"},
		Record{TraceID: "b", State: Failed, Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	accept(t, s, "r", "a")
	if err := s.SetSourceName(t.Context(), "/Shared/old"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSourceName(t.Context(), "/Shared/agent"); err != nil {
		t.Fatal(err)
	}
	st, err := s.Status(t.Context(), t.TempDir()+"/c.db", func(Run) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if st.SourceName != "/Shared/agent" || st.Traces[Accepted] != 1 || st.Traces[Failed] != 1 || st.Accepted["a"] == nil {
		t.Errorf("%+v, want /Shared/agent with a trace accepted and one failed", st)
	}
	if d := cmp.Diff([]Count{{Accepted, "r", 1, "a", "of a"}, {Failed, "r", 1, "b", ""}}, st.Reasons); d != "" {
		t.Errorf("reasons (-want +got):\n%s", d)
	}
}
