package migrate

import (
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source/memsource"
)

// Missing spans are waited for within a day of the request; a request time far in the future is a wrong
// clock's, and waiting for it would never end.
func TestLateSpans(t *testing.T) {
	for age, deferred := range map[time.Duration]bool{
		time.Minute: true, 23 * time.Hour: true, 25 * time.Hour: false, 100 * 365 * 24 * time.Hour: false,
		-time.Hour: true, -25 * time.Hour: false, -100 * 365 * 24 * time.Hour: false,
	} {
		src, m := &memsource.Experiment{}, newMemory()
		info := src.Add(0, "ok")
		info.RequestTime = time.Now().Add(-age)
		src.Spans[info.TraceID] = mlflowclient.Spans{JSON: src.Spans[info.TraceID].JSON, Missing: mlflowclient.MissingIncomplete}
		m.want = map[string]int{targetID(0): 1}
		if s := mustRun(t, job(src, m, newCheckpoint(t))); (s.Deferred == 1) != deferred || (s.Skipped == 1) == deferred {
			t.Errorf("%v old: %+v", age, s)
		}
	}
}
