package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A listing has every trace of a state once, also across the ends of pages.
func TestRecordsPage(t *testing.T) {
	for _, n := range []int{0, 1, page - 1, page, page + 1, 2 * page, 2*page + 3} {
		s := open(t, "")
		var rs, moved []Record
		for i := range n {
			rs = append(rs, Record{TraceID: fmt.Sprintf("tr-%05d", i), TargetTraceID: fmt.Sprintf("%032x", i), State: Migrated})
		}
		moved = append(moved, rs...)
		part := Record{TraceID: "zz", TargetTraceID: "f", State: Skipped, Reason: "spans_lost", Spans: 1}
		moved = append(moved, part)
		for _, r := range []Record{
			part, {TraceID: "a1", TargetTraceID: "e", State: Skipped, Reason: "spans_lost"},
			{TraceID: "a2", TargetTraceID: "d", State: Failed, Reason: "row_refused", Spans: 1}, {TraceID: "a3", State: Deferred},
		} {
			if err := s.Put(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Put(t.Context(), rs...); err != nil {
			t.Fatal(err)
		}
		var got []Record
		keep := func(r Record) error { got = append(got, r); return nil }
		if err := s.Records(t.Context(), Migrated, keep); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(rs, got); d != "" {
			t.Errorf("%d records (-want +got):\n%s", n, d)
		}
		got = nil
		if err := s.Moved(t.Context(), keep); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(moved, got); d != "" {
			t.Errorf("%d moved (-want +got):\n%s", n, d)
		}
	}
	s := open(t, "")
	if err := s.Put(t.Context(), Record{TraceID: "a", State: Failed}); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	if err := s.Records(t.Context(), Failed, func(Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want the one of yield", err)
	}
}

func TestCounts(t *testing.T) {
	s := open(t, "")
	if got, err := s.Counts(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("an empty checkpoint: %v, error %v, want no count", got, err)
	}
	if ms, err := s.Newest(t.Context()); err != nil || ms != 0 {
		t.Errorf("newest of none: %d, error %v, want 0", ms, err)
	}
	if err := s.Put(t.Context(),
		Record{TraceID: "b", State: Failed, Reason: "row_refused", Detail: "of b", RequestTimeMs: 9},
		Record{TraceID: "a", State: Failed, Reason: "row_refused", Detail: "of a"},
		Record{TraceID: "c", State: Failed, Reason: "fetch_failed"},
		Record{TraceID: "d", State: Deferred, Reason: "in_progress", RequestTimeMs: 8},
		Record{TraceID: "e", State: Skipped, Reason: "deleted", RequestTimeMs: 7},
		Record{TraceID: "f", State: Migrated, RequestTimeMs: 5}, Record{TraceID: "g", State: Migrated, RequestTimeMs: 6},
	); err != nil {
		t.Fatal(err)
	}
	got, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]Count{
		{Deferred, "in_progress", 1, "d", ""},
		{Failed, "fetch_failed", 1, "c", ""},
		{Failed, "row_refused", 2, "a", "of a"},
		{Migrated, "", 2, "f", ""},
		{Skipped, "deleted", 1, "e", ""},
	}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	migrated, err := s.Migrated(t.Context(), []string{"a", "d", "e", "f", "none"})
	if d := cmp.Diff(map[string]bool{"f": true}, migrated); d != "" || err != nil {
		t.Errorf("migrated, error %v (-want +got):\n%s", err, d)
	}
	if ms, err := s.Newest(t.Context()); err != nil || ms != 7 {
		t.Errorf("newest %d, error %v, want 7", ms, err)
	}
}

func TestRuns(t *testing.T) {
	s := open(t, "")
	at := func(n int64) time.Time { return time.UnixMilli(n).UTC() }
	from, until := int64(-5), int64(0)
	done := Run{ID: "1", Start: at(1000), By: "ann@there", WindowStartMs: &from, WindowEndMs: &until}
	killed := Run{ID: "2", Start: at(2000), By: "bob@there", WindowEndMs: &until}
	for _, r := range []Run{done, killed} {
		if err := s.StartRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	done.End, done.Outcome, done.Migrated, done.Failed, done.Summary = at(1500), "partial", 7, 2, `{"a":1}`
	if err := s.FinishRun(t.Context(), done); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), Record{TraceID: "a", State: Migrated, RunID: "2"}, Record{TraceID: "b", State: Failed, RunID: "2"},
		Record{TraceID: "c", State: Migrated, RunID: "2"}, Record{TraceID: "d", State: Migrated, RunID: "1"}); err != nil {
		t.Fatal(err)
	}
	killed.Outcome, killed.Migrated, killed.Failed = Running, 2, 1
	runs := func() (rs []Run) {
		if err := s.Runs(t.Context(), func(r Run) error { rs = append(rs, r); return nil }); err != nil {
			t.Fatal(err)
		}
		return rs
	}
	if d := cmp.Diff([]Run{killed, done}, runs()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}

	// With other tables, what was migrated is no longer known, but what waits for a later run still waits.
	for _, tables := range []string{"t1", "t1", "t2"} {
		if err := s.Bind(t.Context(), tables); err != nil {
			t.Fatal(err)
		}
	}
	done.Outcome = Lost
	killed.Migrated = 0
	if d := cmp.Diff([]Run{killed, done}, runs()); d != "" {
		t.Errorf("of lost tables (-want +got):\n%s", d)
	}
	left, err := s.Get(t.Context(), []string{"a", "b", "c", "d"})
	if err != nil || len(left) != 1 || left["b"].State != Failed {
		t.Errorf("left of the traces: %v, error %v, want b, which failed", left, err)
	}
}

// A checkpoint that a run has open can be read and is not changed, whatever characters its name has.
func TestOpenReadOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a # %41?mode=memory.db")
	if _, err := OpenReadOnly(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: error %v, want %v", err, fs.ErrNotExist)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("it left %v, want no file", files)
	}
	s := open(t, path)
	if err := s.Put(t.Context(), Record{TraceID: "a", State: Migrated}); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := r.Get(t.Context(), []string{"a"}); err != nil || len(got) != 1 {
		t.Errorf("%v, error %v, want the record of a", got, err)
	}
	if r.Pair() != pair {
		t.Errorf("pair %v, want %v", r.Pair(), pair)
	}
	err = r.BelongsTo(Pair{Source: "elsewhere", Target: pair.Target})
	if other, ok := errors.AsType[*OtherPairError](err); !ok || other.Have != pair.Source {
		t.Errorf("another pair: error %v, want an *OtherPairError of %s", err, pair.Source)
	}
	if err := r.Forget(t.Context()); err == nil {
		t.Error("Forget returns no error, want one: it is read-only")
	}
	if _, err := s.db.ExecContext(t.Context(), "UPDATE meta SET value = '1' WHERE key = 'format'"); err != nil {
		t.Fatal(err)
	}
	junk := filepath.Join(dir, "junk.db")
	if err := os.WriteFile(junk, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, junk} { // one of another format, and none at all
		_, err := OpenReadOnly(t.Context(), path)
		if _, ok := errors.AsType[*DamagedError](err); !ok {
			t.Errorf("%s: error %v, want a *DamagedError", filepath.Base(path), err)
		}
	}
}

// TestOther finds a trace by its ID at the target, whether that is the one of its source ID or not, also after the checkpoint was
// opened again.
func TestOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	ask := func(s *Store, target, trace, want string) {
		t.Helper()
		if got, err := s.Other(t.Context(), target, trace); err != nil || got != want {
			t.Errorf("Other than %s with %s: %q, error %v; want %q", trace, target, got, err, want)
		}
	}
	s := open(t, path)
	put := func(trace, target string, state State) {
		t.Helper()
		if err := s.Put(t.Context(), Record{TraceID: trace, TargetTraceID: target, State: state}); err != nil {
			t.Fatal(err)
		}
	}
	put("tr-a", "a", Migrated)
	put("b", "", Deferred)
	ask(s, "a", "tr-a", "")
	ask(s, "a", "copy", "tr-a")
	ask(s, "", "tr-", "")
	put("tr-c", "c", Failed)
	ask(s, "c", "copy", "")
	put("copy", "d", Skipped)
	s.Close()
	s = open(t, path)
	ask(s, "d", "tr-d", "copy")
	ask(s, "d", "copy", "")
	ask(s, "d", "another", "copy")
	ask(s, "a", "tr-a", "")
}
