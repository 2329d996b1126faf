package migrate

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tracemig/tracemig/internal/attachments"
	"github.com/tracemig/tracemig/internal/budget"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/source/memsource"
)

// together are runs that share little memory.
type together struct {
	t        *testing.T
	memory   *budget.Memory
	pictures album
	jobs     []Job
	wants    []error
}

const tracesTogether = 60

// add adds a run that ends with the error want, nil for all traces migrated.
func (r *together) add(want error) (*memsource.Experiment, *memory) {
	src, m := &memsource.Experiment{}, newMemory()
	m.limits.Rows, m.limits.Bytes = 1<<20, 1<<30
	for n := range tracesTogether {
		if n%2 == 0 {
			r.pictures.attach(src, n, 20<<10)
		} else {
			src.Add(n, strings.Repeat("x", 1+n%7*4<<10))
		}
		m.want[targetID(n)] = 1
	}
	j := job(src, m, newCheckpoint(r.t))
	j.Memory, j.Fetchers = r.memory, 16
	j.Attachments = attachments.Policy{Source: &r.pictures, Inline: true}
	r.jobs, r.wants = append(r.jobs, j), append(r.wants, want)
	return src, m
}

// run runs them all. last is called once all but the last have ended.
func (r *together) run(last func()) {
	began := time.Now() // of the bubble's clock, which moves only while all runs wait
	var all, others sync.WaitGroup
	for i, j := range r.jobs {
		if i < len(r.jobs)-1 {
			others.Add(1)
		}
		all.Go(func() {
			s, err := Run(r.t.Context(), r.t.Context(), j)
			took := time.Since(began)
			if !errors.Is(err, r.wants[i]) || err == nil && s.Migrated != tracesTogether || took >= flushAfter {
				r.t.Errorf("run %d: %d traces migrated after %v, error %v; want %d, %v, and less than %v: half-full batches are written when "+
					"others wait for their bytes", i, s.Migrated, took, err, tracesTogether, r.wants[i], flushAfter)
			}
			if i < len(r.jobs)-1 {
				others.Done()
			}
		})
	}
	others.Wait()
	last()
	all.Wait()
	// Only an empty pool takes more than its bound.
	for name, p := range map[string]*budget.Pool{"payload": r.memory.Payload, "attachments": r.memory.Attachments} {
		b := p.Join()
		if err := b.Acquire(r.t.Context(), 1<<40); err != nil {
			r.t.Errorf("%s: %v", name, err)
		}
	}
}

// Runs that share little memory wait for nothing but each other: a batch that is half full when another run waits for its bytes is
// written, and a run that fails gives back what it held.
func TestRunsShareMemory(t *testing.T) {
	for room := 64 << 10; room <= 1<<20; room *= 4 {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &together{t: t, memory: budget.NewMemory(int64(room), true)}
				for range 5 {
					r.add(nil)
				}
				_, m := r.add(errCrash)
				m.crashAt = 3
				large, _ := r.add(nil)
				large.Traces[7].Metadata[mlflow.MetadataSizeBytes] = "100000000" // more than there is room for
				r.run(func() {})
			})
		})
	}
}

// A run whose source hangs leaves room for the others.
func TestHangingSourceLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &together{t: t, memory: budget.NewMemory(256<<10, true)}
		for range 3 {
			r.add(nil)
		}
		src, _ := r.add(nil)
		answers := make(chan struct{})
		src.OnRead = func(n int) {
			if n > 5 {
				<-answers
			}
		}
		r.run(func() { close(answers) })
	})
}
