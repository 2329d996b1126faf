//go:build rig

package warehouse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

func TestFaults(t *testing.T) {
	s, w := open(t, true)
	insert := "INSERT.*" + w.opts.Location.Prefix
	trace := 0
	// next is a new trace of n spans.
	next := func(n int) []uctables.Span {
		trace++
		return spans(trace, n)
	}
	for _, kind := range []string{rig.Refuse429, rig.Refuse503, rig.Error500, rig.ResetBefore, rig.CutAfterEffect} {
		t.Run(kind, func(t *testing.T) {
			s.Reset(t)
			s.Fault(t, rig.Fault{Match: insert, Kind: kind, Times: 2})
			got, err := w.WriteSpans(t.Context(), next(30))
			if err != nil || got.Inserted != 30 {
				t.Errorf("%+v, error %v; want 30 inserted", got, err)
			}
			if n := count(t, s, w, uctables.Spans); n != int64(30*trace) {
				t.Errorf("%d rows in all, want 30 of each of %d traces", n, trace)
			}
			var inserts, lookups int
			for _, e := range s.Stats(t).Log {
				switch {
				case strings.HasPrefix(e.Statement, "INSERT"):
					inserts++
				case strings.HasPrefix(e.Statement, "SELECT count(*) AS found"):
					lookups++
				}
			}
			// Rows whose statement was refused are not looked up; after any other fault they are. A statement that took effect, and
			// whose answer was lost, is not sent again.
			want := map[string]int{rig.Refuse429: 0, rig.Refuse503: 0, rig.Error500: 2, rig.ResetBefore: 2, rig.CutAfterEffect: 1}[kind]
			if inserts != 1 || lookups != want {
				t.Errorf("%d inserts, %d lookups; want 1, %d", inserts, lookups, want)
			}
		})
	}
	t.Run("Retry-After", func(t *testing.T) {
		s.Reset(t)
		var waits []time.Duration
		w.opts.Waiting = func(_ error, d time.Duration) { waits = append(waits, d) }
		s.Fault(t, rig.Fault{Match: insert, Kind: rig.Refuse429, RetryAfter: 2})
		if _, err := w.WriteSpans(t.Context(), next(1)); err != nil {
			t.Fatal(err)
		}
		if len(waits) != 1 || waits[0] < 2*time.Second {
			t.Errorf("waited %v, want once, for at least 2s", waits)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		s.Reset(t)
		s.Fault(t, rig.Fault{Match: insert, Kind: rig.Hang})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rows := next(1)
		done := make(chan error, 1)
		go func() {
			_, err := w.WriteSpans(ctx, rows)
			done <- err
		}()
		for s.Stats(t).Faults == 0 { // until the statement hangs
			select {
			case err := <-done:
				t.Fatalf("it ended before: %v", err)
			case <-time.After(50 * time.Millisecond):
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		if got, err := w.WriteSpans(t.Context(), rows); err != nil || got.Inserted != 1 {
			t.Errorf("afterwards: %+v, error %v; want 1 inserted", got, err)
		}
	})
	t.Run(rig.TooLarge, func(t *testing.T) {
		s.Reset(t)
		s.Fault(t, rig.Fault{Match: insert, Kind: rig.TooLarge})
		_, err := w.WriteSpans(t.Context(), next(2))
		if large, ok := errors.AsType[*target.TooLargeError](err); !ok || large.Bytes == 0 {
			t.Errorf("error %v, want a TooLargeError with its bytes", err)
		}
	})
}

// TestReports has an INSERT fail in the ways that users and drivers report of warehouses: inside of HTTP 200, or by statuses
// that say little. In each case the rows are there once afterwards. conditions has the sources.
func TestReports(t *testing.T) {
	s, w := open(t, true)
	written := 0
	insert := "INSERT.*" + w.opts.Location.Prefix
	for i, c := range []struct {
		name    string
		fault   rig.Fault
		lookups int
		fails   string // part of the error, where no other try can help
	}{
		{"session closed", rig.Fault{Kind: rig.SessionError,
			Message: "requirement failed: Session handle: SessionHandle [0f8f] has not been initialized or had already closed."}, 1, ""},
		{"session broken for an unknown reason", rig.Fault{Kind: rig.SessionError, Message: "something else"}, 1, ""},
		{"starting", rig.Fault{Kind: rig.StatusError, Message: "Couldn't create directory /local_disk0/tmp/0f8f/_resources", Times: 2}, 0, ""},
		{"starting, while it is polled", rig.Fault{Kind: rig.SQLError,
			Message: "Couldn't create directory /local_disk0/tmp/0f8f/_resources"}, 0, ""},
		{"at capacity", rig.Fault{Kind: rig.StatusError,
			Message: "Query rejected: cannot handle query since max capacity reached", Times: 3}, 0, ""},
		{"class 08", rig.Fault{Kind: rig.SQLErrorAfterEffect, Message: "[SOME_CONNECTION] x. SQLSTATE: 08006", State: "08006"}, 1, ""},
		{"class 57", rig.Fault{Kind: rig.SQLError, Message: "[SHUTTING_DOWN] x. SQLSTATE: 57P01", State: "57P01", Times: 2}, 2, ""},
		{"failed after its commit", rig.Fault{Kind: rig.SQLErrorAfterEffect,
			Message: "[DELTA_POST_COMMIT_HOOK_FAILED] x. SQLSTATE: 2DKD0", State: "2DKD0"}, 1, ""},
		{"403 of a token's age", rig.Fault{Kind: rig.HTTPError, Status: 403, Message: `{"error_code":403,"message":"JWT has expired"}`}, 0, ""},
		{"403 of a token's age, twice", rig.Fault{Kind: rig.HTTPError, Status: 403,
			Message: `{"error_code":403,"message":"JWT has expired"}`, Times: 2}, 0, "the token has ended"},
		{"400", rig.Fault{Kind: rig.HTTPError, Status: 400,
			Message: "BAD_REQUEST: no such parameter type"}, 0, "BAD_REQUEST: no such parameter type"},
		{"out of time", rig.Fault{Kind: rig.SQLError,
			Message: "[QUERY_EXECUTION_TIMEOUT_EXCEEDED] x. SQLSTATE: 57KD0", State: "57KD0"}, 0, "QUERY_EXECUTION_TIMEOUT_EXCEEDED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Reset(t)
			c.fault.Match = insert
			s.Fault(t, c.fault)
			rows := spans(5000+i, 4)
			got, err := w.WriteSpans(t.Context(), rows)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("%+v, error %v; want %q", got, err, c.fails)
				}
				got, err = w.WriteSpans(t.Context(), rows)
			}
			if err != nil || got.Inserted != 4 {
				t.Errorf("%+v, error %v; want 4 inserted", got, err)
			}
			written += len(rows)
			lookups := 0
			for _, e := range s.Stats(t).Log {
				if strings.HasPrefix(e.Statement, "SELECT count(*) AS found") {
					lookups++
				}
			}
			if lookups != c.lookups {
				t.Errorf("%d lookups, want %d", lookups, c.lookups)
			}
		})
	}
	// A session that is forgotten while nothing runs.
	s.ForgetSessions(t)
	if got, err := w.WriteSpans(t.Context(), spans(6000, 4)); err != nil || got.Inserted != 4 {
		t.Errorf("after the sessions were forgotten: %+v, error %v; want 4 inserted", got, err)
	}
	if n := count(t, s, w, uctables.Spans); n != int64(written+4) {
		t.Errorf("%d rows, want %d", n, written+4)
	}
}

// TestSlowStart stops the warehouse before a statement, twice. Its start takes longer than the budget for faults, and is
// waited for all the same.
func TestSlowStart(t *testing.T) {
	s := rig.SharedWarehouse(t)
	var mu sync.Mutex
	polls := 0 // until it runs
	w := openWith(t, s, rig.TablePrefix(t), false, "", nil, func(r *http.Request) *http.Response {
		if !strings.HasPrefix(r.URL.Path, "/api/2.0/sql/warehouses/") {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if polls--; polls >= 0 {
			return answer(r, http.StatusOK, `{"id":"rig","state":"STARTING"}`)
		}
		return nil
	})
	if err := w.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.policy.Budget = time.Second // a poll for the warehouse's state takes longer
	var states []string
	w.opts.Progress = func(state string) { states = append(states, state) }
	w.opts.Waiting = func(error, time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		polls = 1 // for the next time
	}
	polls = 1
	s.Fault(t, rig.Fault{Match: "INSERT.*" + w.opts.Location.Prefix, Kind: rig.Refuse503, Times: 2})
	if got, err := w.WriteSpans(t.Context(), spans(1, 3)); err != nil || got.Inserted != 3 {
		t.Errorf("%+v, error %v; want 3 inserted", got, err)
	}
	if want := []string{"STARTING", "RUNNING", "STARTING", "RUNNING"}; !slices.Equal(states, want) {
		t.Errorf("the states are %v, want %v", states, want)
	}
}

// TestLearnsSize has the warehouse refuse large requests in each of the forms that are reported.
func TestLearnsSize(t *testing.T) {
	s, w := open(t, true)
	t.Cleanup(func() { s.Set(t, rig.WarehouseSettings{}) })
	for i, form := range []string{"413", "400", "exhausted", "cut"} {
		t.Run(form, func(t *testing.T) {
			w.learntBytes.Store(0)
			rows := spans(7000+i, 4)
			for j := range rows {
				rows[j].Attributes = uctables.JSON(fmt.Sprintf(`{"text":%q}`, strings.Repeat("x", 1<<20)))
			}
			s.Set(t, rig.WarehouseSettings{MaxRequestBytes: 3 << 20, TooLargeAs: form})
			_, err := w.WriteSpans(t.Context(), rows)
			if large, ok := errors.AsType[*target.TooLargeError](err); !ok || large.Slow {
				t.Fatalf("error %v, want a TooLargeError for the size", err)
			}
			if l := w.Limits().Bytes; l < 2<<20 || l > 3<<20 || w.StatementBytes() != l {
				t.Errorf("statements may have %d bytes, or %d; want one number between 2 and 3 MiB", l, w.StatementBytes())
			}
			if got, err := w.WriteSpans(t.Context(), rows[:2]); err != nil || got.Inserted != 2 {
				t.Errorf("%+v, error %v; want 2 inserted", got, err)
			}
		})
	}
	w.LimitStatements(1 << 20) // as an earlier run has found
	if l := w.Limits().Bytes; l != 1<<20 {
		t.Errorf("statements may have %d bytes, want %d", l, 1<<20)
	}
}

func TestWrongToken(t *testing.T) {
	s := rig.SharedWarehouse(t)
	w := openAt(t, s, rig.TablePrefix(t), false, "wrong-token")
	err := w.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "credentials") || strings.Contains(err.Error(), "wrong-token") {
		t.Errorf("error %v, want one about credentials without the token", err)
	}
}
