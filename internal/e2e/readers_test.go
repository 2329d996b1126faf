//go:build rig

package e2e

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReaders holds a run before each of its writes and reads the views. Each trace is either complete or not visible at
// all, even one that takes several commits.
func TestReaders(t *testing.T) {
	t.Parallel()
	m, c := fillBulk(t, smallCases+",state_error,tags,trace_metadata,otlp_6000_spans,"+cookbookCases, 120)
	src := newRecordingProxy(t, m.URI)
	fx := newFixture(t, src.URL, c.Experiment).toWarehouse().withViews()
	fx.mustRun(0, "--end-time", "2015-01-01") // This run only creates the tables and views.

	readView := func() (map[string][]any, error) {
		rows, err := fx.warehouse.TrySQL(`SELECT trace_id, size(spans), size(tags), size(assessments), size(trace_metadata), state,
				md5(request), md5(response), client_request_id
			FROM default.` + fx.prefix + `_trace_unified`)
		seen := map[string][]any{}
		for _, row := range rows {
			seen[row[0].(string)] = row[1:]
		}
		return seen, err
	}
	var mu sync.Mutex
	var snapshots []map[string][]any
	p := newProxy(t, fx.front.URL)
	fx.setenv("DATABRICKS_HOST", p.URL)
	p.onRequest(everyRequest, "INSERT INTO", false, func() {
		mu.Lock() // Two stages of a run write at the same time.
		defer mu.Unlock()
		seen, err := readView()
		if err != nil {
			t.Error(err)
		}
		snapshots = append(snapshots, seen)
	})
	o := fx.mustRun(0, smallBatches...)
	p.reset()
	end, err := readView()
	if err != nil {
		t.Fatal(err)
	}
	if len(end) != c.Listed {
		t.Errorf("the view shows %d traces after the run, want %d", len(end), c.Listed)
	}
	large := strings.TrimPrefix(c.Cases["otlp_6000_spans"][0], "tr-")
	if spans := end[large][0]; spans != int64(6000) {
		t.Errorf("the large trace has %v spans after the run, want 6000", spans)
	}
	partial := 0
	for _, seen := range snapshots {
		if len(seen) > 0 && len(seen) < len(end) {
			partial++
		}
		for id, row := range seen {
			if d := cmp.Diff(end[id], row); d != "" {
				t.Errorf("trace %s was visible but incomplete (-want +got):\n%s", id, d)
			}
		}
	}
	t.Logf("%d writes; %d readings of the view, %d of them between the first and the last commit",
		o.summary.TargetWrites, len(snapshots), partial)
	// On any machine some reading falls between two commits: the large trace takes several, and the others take more.
	if partial == 0 {
		t.Error("no reading fell between two commits, want at least one: the test proves nothing without it")
	}
	checkCookbook(t, fx, newFixture(t, m.URI, c.Experiment).toLocal(), c)
}
