//go:build rig

package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
)

// TestReaders looks at the views, again and again, while a run writes in small batches: a trace is
// there as it will be in the end, or it is not there.
func TestReaders(t *testing.T) {
	m, c := fill(t, small+",state_error,tags,trace_metadata,token_usage_cost")
	m.AddBulk(t, c.Experiment, 240)
	src := newRecording(t, m.URI)
	b := newBed(t, src.URL, c.Experiment).toWarehouse(rig.FrontOptions{})
	b.mustRun(0, "--end-time", "2001-01-01")

	look := func() (map[string][]any, error) {
		rows, err := b.wh.TrySQL(`SELECT trace_id, size(spans), size(tags), size(assessments), size(trace_metadata), state, md5(request), md5(response), client_request_id
			FROM default.` + b.prefix + `_trace_unified`)
		seen := map[string][]any{}
		for _, row := range rows {
			seen[row[0].(string)] = row[1:]
		}
		return seen, err
	}
	var looks []map[string][]any
	stop, stopped := make(chan struct{}), make(chan error)
	run := b.start(smallBatches...)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			seen, err := look()
			if err != nil {
				stopped <- err
				return
			}
			looks = append(looks, seen)
		}
	}()
	o := run.wait()
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if o.code != 0 {
		t.Fatalf("exit code %d: %s", o.code, tail(o.stderr))
	}
	end, err := look()
	if err != nil {
		t.Fatal(err)
	}
	if len(end) != c.Listed+240 {
		t.Errorf("the view shows %d traces in the end, want %d", len(end), c.Listed+240)
	}
	between := 0
	for _, seen := range looks {
		if len(seen) > 0 && len(seen) < len(end) {
			between++
		}
		for id, row := range seen {
			if d := cmp.Diff(end[id], row); d != "" {
				t.Errorf("trace %s was seen incomplete (-end +seen):\n%s", id, d)
			}
		}
	}
	t.Logf("%d writes; %d looks, %d of them between the first and the last", o.summary.Statements, len(looks), between)
	if between < 1 {
		t.Error("no look fell between two commits: this proves nothing")
	}
}
