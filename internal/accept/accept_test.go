package accept

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
)

// store is a checkpoint with a trace in each state.
func store(t *testing.T) *checkpoint.Store {
	t.Helper()
	s, err := checkpoint.Open(t.Context(), "", checkpoint.Pair{Source: "s", Target: "t"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Put(t.Context(),
		checkpoint.Record{TraceID: "failed", State: checkpoint.Failed, Reason: migrate.ReasonFetch, Detail: "garbled"},
		checkpoint.Record{TraceID: "refused", State: checkpoint.Failed, Reason: migrate.ReasonRefused},
		checkpoint.Record{TraceID: "migrated", State: checkpoint.Migrated},
		checkpoint.Record{TraceID: "changed", State: checkpoint.Migrated, Reason: migrate.ReasonSpansChanged},
		checkpoint.Record{TraceID: "stuck", State: checkpoint.Migrated, Reason: migrate.ReasonUnlistable},
		checkpoint.Record{TraceID: "skipped", State: checkpoint.Skipped, Reason: "spans_lost"},
		checkpoint.Record{TraceID: "deferred", State: checkpoint.Deferred, Reason: migrate.ReasonInProgress},
		checkpoint.Record{TraceID: "elsewhere", State: checkpoint.Elsewhere},
	); err != nil {
		t.Fatal(err)
	}
	return s
}

// acceptances are all that the checkpoint has, as ID, state, what it is for, and why.
func acceptances(t *testing.T, s *checkpoint.Store) (all []string) {
	t.Helper()
	if err := s.EachAccepted(t.Context(), func(a checkpoint.AcceptedTrace) error {
		all = append(all, strings.Join([]string{a.TraceID, string(a.State), string(a.For), a.Why, a.By}, " "))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAcceptAllOrNone(t *testing.T) {
	s := store(t)
	var all []Trace
	for _, id := range []string{"failed", "migrated", "changed", "skipped", "deferred", "elsewhere", "none"} {
		all = append(all, Trace{id, "x"})
	}
	_, err := Accept(t.Context(), s, all, "ann@there", time.Now())
	wrong, ok := errors.AsType[*WrongError](err)
	if !ok {
		t.Fatalf("error %v, want a *WrongError", err)
	}
	if d := cmp.Diff([]Wrong{
		{"migrated", "is migrated"},
		{"changed", "is migrated"},
		{"skipped", "is skipped (spans_lost), which no run counts as a failure"},
		{"deferred", "is deferred (in_progress), and a later run takes it"},
		{"elsewhere", "belongs to another shard"},
		{"none", "is not known to the checkpoint; a trace can be accepted once a run has failed with it"},
	}, wrong.Wrong); d != "" || wrong.Of != len(all) {
		t.Errorf("of %d (-want +got):\n%s", wrong.Of, d)
	}
	if got := acceptances(t, s); len(got) != 0 {
		t.Errorf("accepted %q beside wrong ones, want none", got)
	}

	done, err := Accept(t.Context(), s, []Trace{{"failed", "x"}, {"stuck", "y"}, {"failed", "z"}}, "ann@there", time.Now())
	if err != nil || len(done) != 2 || done[0].State != checkpoint.Accepted || done[1].State != checkpoint.Migrated {
		t.Errorf("%+v, error %v, want failed and stuck", done, err)
	}
	if _, err := Accept(t.Context(), s, []Trace{{"failed", "again"}}, "bob@here", time.Now()); err != nil {
		t.Errorf("once more: %v", err)
	}
	want := []string{"failed accepted fetch_failed again bob@here", "stuck migrated unlistable y ann@there"}
	if d := cmp.Diff(want, acceptances(t, s)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}

	_, err = Undo(t.Context(), s, []Trace{{ID: "failed"}, {ID: "refused"}, {ID: "none"}})
	if wrong, ok = errors.AsType[*WrongError](err); !ok || len(wrong.Wrong) != 2 || len(acceptances(t, s)) != 2 {
		t.Errorf("error %v, want a *WrongError of refused and none, and nothing undone", err)
	}
	done, err = Undo(t.Context(), s, []Trace{{ID: "failed"}, {ID: "failed"}})
	if err != nil || len(done) != 1 || done[0].State != checkpoint.Failed || done[0].Detail != "garbled" {
		t.Errorf("undone %+v, error %v, want failed", done, err)
	}
	if d := cmp.Diff(want[1:], acceptances(t, s)); d != "" {
		t.Errorf("after Undo (-want +got):\n%s", d)
	}
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []Trace
		err  string
	}{
		"nothing":         {text: ""},
		"one a line":      {text: "tr-1\ntr-2", want: []Trace{{ID: "tr-1"}, {ID: "tr-2"}}},
		"blank, comments": {text: "# of May\r\n\r\n  tr-1  \r\n#tr-2\r\n", want: []Trace{{ID: "tr-1"}}},
		"commas":          {text: "a,b\nc", want: []Trace{{ID: "a,b"}, {ID: "c"}}},
		"sentences":       {text: "\ntr-1\nthe second\n", err: `line 3 is "the second", which is no trace ID: one a line is wanted`},
		"CSV": {
			text: "# of May\ntrace_id,state,accepted_why\n\"tr,1\",failed,\"so, \"\"it\"\" is\nagreed\"\n# no\ntr-2,failed,\n",
			want: []Trace{{"tr,1", "so, \"it\" is\nagreed"}, {ID: "tr-2"}},
		},
		"CSV without reasons": {text: "\ufeffstate,trace_id\nfailed,tr-1\n", want: []Trace{{ID: "tr-1"}}},
		"CSV without rows":    {text: "trace_id,state\n"},
		"CSV, a short row":    {text: "#\ntrace_id,state\ntr-1,failed\ntr-2\n", err: "line 4: wrong number of fields"},
		"CSV, no ID":          {text: "\ntrace_id,state\n,failed\n", err: "line 3 has no trace_id"},
		"CSV, broken":         {text: "trace_id,state\n\"tr-1,failed\n", err: `line 2: extraneous or missing " in quoted-field`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(strings.NewReader(c.text))
			if err != nil && err.Error() != c.err || err == nil && c.err != "" {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := Read(reader{broken}); !errors.Is(err, broken) {
		t.Errorf("error %v, want the reader's", err)
	}
}

type reader struct{ err error }

func (r reader) Read([]byte) (int, error) { return 0, r.err }
