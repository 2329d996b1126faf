package retry

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

var errBusy = errors.New("busy")

func TestDoHonoursRetryAfterAndBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{Initial: time.Second, Max: 4 * time.Second, Budget: time.Hour}
		var waits []time.Duration
		tries := 0
		err := Do(t.Context(), p, func(context.Context) error {
			tries++
			switch tries {
			case 1, 2, 3, 4:
				return Again(errBusy, 0)
			case 5:
				return Again(errBusy, time.Minute)
			}
			return nil
		}, func(w Wait) { waits = append(waits, w.For) })
		if err != nil || tries != 6 {
			t.Fatalf("error %v after %d tries, want none after 6", err, tries)
		}
		for i, top := range []time.Duration{1, 2, 4, 4} {
			if w := waits[i]; w < top*time.Second/2 || w > top*time.Second {
				t.Errorf("wait %d is %v, want within half of %ds", i, w, top)
			}
		}
		if waits[4] != time.Minute {
			t.Errorf("wait after Retry-After is %v, want 1m", waits[4])
		}
	})
}

func TestDoStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{Initial: time.Second, Max: time.Second, Budget: 10 * time.Second}
		permanent := errors.New("permanent")
		if err := Do(t.Context(), p, func(context.Context) error { return permanent }, nil); err != permanent {
			t.Errorf("error %v, want %v at once", err, permanent)
		}
		start := time.Now()
		if err := Do(t.Context(), p, func(context.Context) error { return Again(errBusy, time.Minute) }, nil); err != errBusy {
			t.Errorf("a wait beyond the budget: error %v, want %v", err, errBusy)
		}
		if time.Since(start) != 0 {
			t.Errorf("slept %v before giving up, want no time", time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		err := Do(ctx, p, func(context.Context) error {
			tries++
			cancel()
			return Again(errBusy, 0)
		}, nil)
		if !errors.Is(err, context.Canceled) || tries != 1 {
			t.Errorf("cancelled: error %v after %d tries, want %v after 1", err, tries, context.Canceled)
		}
		err = Do(ctx, p, func(context.Context) error { t.Error("started on a cancelled context"); return nil }, nil)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: error %v, want %v", err, context.Canceled)
		}
	})
}

// Lost races are tried again soon and for longer than faults, and don't use up the budget for faults.
func TestDoGoesOnAfterLostRaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{Initial: time.Second, Max: 30 * time.Second, Budget: time.Minute}
		tries, longest := 0, time.Duration(0)
		err := Do(t.Context(), p, func(context.Context) error {
			if tries++; tries <= 200 {
				return Lost(errBusy)
			}
			if tries <= 203 {
				return Again(errBusy, 0)
			}
			return nil
		}, func(w Wait) {
			if tries <= 200 {
				longest = max(longest, w.For)
			}
		})
		if err != nil || longest > 4*time.Second {
			t.Errorf("error %v after %d tries, the longest wait %v, want none with waits of at most 4s", err, tries, longest)
		}

		began := time.Now()
		if err := Do(t.Context(), p, func(context.Context) error { return Lost(errBusy) }, nil); err != errBusy {
			t.Errorf("endless races: error %v, want %v", err, errBusy)
		}
		if d := time.Since(began); d < 59*time.Minute || d > time.Hour {
			t.Errorf("endless races were run for %v, want about an hour", d)
		}
	})
}

// A busy service is waited for longer than faults are tried again, with the waits of the policy or those it asks for. That does
// not use up the budget for faults.
func TestDoWaitsForTheBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{Initial: time.Second, Max: 30 * time.Second, Budget: time.Minute}
		tries, longest := 0, time.Duration(0)
		err := Do(t.Context(), p, func(context.Context) error {
			switch tries++; {
			case tries <= 20:
				return Busy(errBusy, 0)
			case tries == 21:
				return Again(errBusy, 0)
			case tries == 22:
				return Busy(errBusy, 50*time.Second)
			}
			return nil
		}, func(w Wait) { longest = max(longest, w.For) })
		if err != nil || longest != 50*time.Second {
			t.Errorf("error %v after %d tries, the longest wait %v, want none and 50s", err, tries, longest)
		}
		began := time.Now()
		if err := Do(t.Context(), p, func(context.Context) error { return Busy(errBusy, 0) }, nil); err != errBusy {
			t.Errorf("busy for ever: error %v, want %v", err, errBusy)
		}
		if d := time.Since(began); d < 59*time.Minute || d > time.Hour {
			t.Errorf("waited for %v, want about an hour", d)
		}
	})
}

func TestAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-1": 0, "x": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := After(http.Header{"Retry-After": {in}}, now); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

// Who watches is told until when an operation is tried again: after faults for the budget, as long as a service is busy for an hour.
func TestWaitsTellUntilWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{Initial: time.Second, Max: 2 * time.Second, Budget: 10 * time.Second}
		for _, c := range []struct {
			err  error
			most time.Duration
		}{{Again(errBusy, 0), p.Budget}, {Busy(errBusy, 0), time.Hour}, {Lost(errBusy), time.Hour}} {
			began := time.Now()
			var last Wait
			Do(t.Context(), p, func(context.Context) error { return c.err }, func(w Wait) {
				if last = w; w.Until != began.Add(c.most) || w.Err != errBusy {
					t.Errorf("%v until %v, want %v until %v", w.Err, w.Until.Sub(began), errBusy, c.most)
				}
			})
			if took := time.Since(began); took > c.most || took < c.most-4*time.Second || last == (Wait{}) {
				t.Errorf("given up after %v, want soon before %v", took, c.most)
			}
		}
	})
}

func TestNobodyIsToldOfWaits(t *testing.T) {
	var w *Waits
	o := w.Operation()
	o.Waits("nothing", Wait{})
	o.Over()
	w.Watch(true)
	if _, ok := w.Longest(); ok || w.Watched() {
		t.Error("nil waits for something")
	}
}
