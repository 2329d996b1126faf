package budget

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// acquired says whether an Acquire of n bytes returns before anything else happens. It goes on in the background if not.
func acquired(t *testing.T, b *Budget, n int64) (done chan struct{}, at1 bool) {
	t.Helper()
	done = make(chan struct{})
	go func() {
		defer close(done)
		if err := b.Acquire(t.Context(), n); err != nil {
			t.Error(err)
		}
	}()
	return done, isDone(done)
}

func isDone(done chan struct{}) bool {
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func isStarved(b *Budget) bool {
	select {
	case <-b.Starved():
		return true
	default:
		return false
	}
}

// A run alone has all of the pool, and one trace that is larger than all of it when nothing else is in flight.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(100)
		for _, n := range []int64{40, 60} {
			if _, ok := acquired(t, b, n); !ok {
				t.Errorf("%d bytes of 100 wait", n)
			}
		}
		if isStarved(b) {
			t.Error("starved, and nobody waits")
		}
		large, at1 := acquired(t, b, 500)
		if at1 || !isStarved(b) {
			t.Errorf("500 bytes are let into a full pool of 100: %v; starved %v", at1, isStarved(b))
		}
		b.Add(-99)
		if isDone(large) {
			t.Error("500 bytes are let in while one byte is in flight")
		}
		b.Add(-1)
		if !isDone(large) || isStarved(b) {
			t.Errorf("500 bytes wait for an empty pool; starved %v", isStarved(b))
		}
	})
}

// Who waits first is let in first, so that small traces don't keep a large one waiting for ever.
func TestLargeTraceIsNotPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(100)
		a, b, c := p.Join(), p.Join(), p.Join()
		acquired(t, a, 10)
		large, _ := acquired(t, b, 95)
		small, at1 := acquired(t, c, 1)
		if isDone(large) || at1 {
			t.Fatalf("large let in %v, small before it %v", isDone(large), at1)
		}
		if !isStarved(a) || !isStarved(b) || !isStarved(c) {
			t.Error("not all runs are told that one that holds nothing waits")
		}
		a.Add(-10)
		if !isDone(large) || !isDone(small) {
			t.Errorf("large let in %v, small %v", isDone(large), isDone(small))
		}
		if isStarved(a) {
			t.Error("starved, and nobody waits")
		}
	})
}

// A run that hangs leaves room for the others, which are not told to write early what would not help it.
func TestHangingRunLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(100)
		hangs, other := p.Join(), p.Join()
		for range 5 {
			acquired(t, hangs, 10)
		}
		waits, at1 := acquired(t, hangs, 10)
		if at1 {
			t.Error("a run takes more than half of the pool while another one is there")
		}
		if !isStarved(hangs) || isStarved(other) {
			t.Errorf("starved: the one that waits %v, the other %v; want true, false", isStarved(hangs), isStarved(other))
		}
		for range 100 {
			if _, ok := acquired(t, other, 20); !ok {
				t.Fatal("the other run waits")
			}
			other.Add(-20)
		}
		other.Leave()
		if !isDone(waits) {
			t.Error("the last run does not have all of the pool")
		}
		if got := hangs.Part(); got != 100 {
			t.Errorf("its part is %d, want 100", got)
		}
	})
}

// A run that ends in the middle gives back what it holds, and one that stops to wait holds nothing.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(100)
		a, b := p.Join(), p.Join()
		acquired(t, a, 50)
		waits, _ := acquired(t, b, 60)
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		cancel(stopped)
		if err := a.Acquire(ctx, 100); !errors.Is(err, stopped) {
			t.Errorf("got %v, want %v", err, stopped)
		}
		a.Leave()
		if !isDone(waits) {
			t.Error("what a run held that left is not given back")
		}
		b.Leave()
		if p.used != 0 || len(p.queue) != 0 || len(p.members) != 0 {
			t.Errorf("used %d, %d wait, %d runs; want none", p.used, len(p.queue), len(p.members))
		}
	})
}

// Runs of traces of all sizes, whose batches are written when they are told that somebody waits, all end without waiting for
// anything but each other.
func TestNobodyWaitsForEver(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			p := NewPool(1000)
			var runs sync.WaitGroup
			began := time.Now()
			for range 2 + random.IntN(6) {
				b := p.Join()
				readers := 1 + random.IntN(8)
				read := make(chan int64)
				var reading sync.WaitGroup
				for range readers {
					sizes := make([]int64, 20)
					for i := range sizes {
						sizes[i] = 1 + random.Int64N(1+random.Int64N(1500))
					}
					reading.Go(func() {
						for _, n := range sizes {
							if err := b.Acquire(t.Context(), n); err != nil {
								t.Error(err)
								return
							}
							read <- n
						}
					})
				}
				runs.Go(func() { reading.Wait(); close(read) })
				runs.Go(func() {
					defer b.Leave()
					var held int64
					for {
						var starved <-chan struct{}
						if held > 0 {
							starved = b.Starved()
						}
						select {
						case n, ok := <-read:
							if !ok {
								return
							}
							held += n
						case <-starved:
							time.Sleep(time.Millisecond) // it is written
							b.Add(-held)
							held = 0
						}
					}
				})
			}
			runs.Wait()
			if took := time.Since(began); p.used != 0 || took > 5*time.Second {
				t.Errorf("seed %d: %d bytes held at the end, after %v", seed, p.used, took)
			}
		})
	}
}
