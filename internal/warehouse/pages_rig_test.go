//go:build rig

package warehouse

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/target/targettest"
	"github.com/tracemig/tracemig/internal/uctables"
)

func TestMigrated(t *testing.T) {
	_, w := open(t, true)
	ctx := t.Context()
	for i, present := range []int{3, 2, 0} { // of 3 spans that each trace has
		if _, err := w.WriteAnnotations(ctx, annotations(i, 3, "src")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteSpans(ctx, spans(i, 3)[:present]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.WriteAnnotations(ctx, annotations(3, 0, "src")); err != nil { // its spans are lost at the source
		t.Fatal(err)
	}
	if _, err := w.WriteAnnotations(ctx, annotations(4, 0, "another")); err != nil {
		t.Fatal(err)
	}
	got := map[string]uctables.Provenance{}
	if err := w.Migrated(ctx, "src", func(p uctables.Provenance) error { got[p.SourceTraceID] = p; return nil }); err != nil {
		t.Fatal(err)
	}
	want := map[string]uctables.Provenance{
		"tr-0": {Source: "src", SourceTraceID: "tr-0", TraceID: fmt.Sprintf("%032x", 1), Digest: "d0", Spans: 3, RequestMicros: base},
		"tr-3": {Source: "src", SourceTraceID: "tr-3", TraceID: fmt.Sprintf("%032x", 4), Digest: "d3", RequestMicros: base + 3000},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stop := errors.New("enough")
	if err := w.Migrated(ctx, "src", func(uctables.Provenance) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
}

func TestOfficial(t *testing.T) {
	_, w := open(t, true)
	targettest.Official(t, w)
}

// TestLargeResult reads, page by page, a result that is larger than a warehouse puts into an answer for clients that take
// links.
func TestLargeResult(t *testing.T) {
	s, w := open(t, true)
	const traces = 9_000 // a thousand have the same time, so that pages end between traces of one time
	s.SQL(t, `INSERT INTO `+w.opts.Location.Name(uctables.Annotations)+`
  (annotation_id, target_type, target_id, annotation_type, name, metadata, created_at, updated_at)
SELECT 'm' || id, 'TRACE', lpad(hex(id), 32, '0'), 'METADATA', 'metadata',
  parse_json(to_json(map('tracemig.source', 'src', 'tracemig.source_trace_id', 'tr-' || id,
    'tracemig.digest', repeat('d', 100), 'tracemig.spans', '0'))),
  timestamp_millis(1700000000000 + id div 1000), timestamp_millis(1700000000000) FROM range(`+fmt.Sprint(traces)+`)`)
	s.Reset(t)
	for _, w.pageRows = range []int{traces + 1, traces, 1300} {
		seen := map[string]bool{}
		var last int64
		if err := w.Migrated(t.Context(), "src", func(p uctables.Provenance) error {
			if seen[p.SourceTraceID] || p.RequestMicros < last || len(p.Digest) != 100 {
				return fmt.Errorf("%+v is there twice, out of order after %d, or cut", p, last)
			}
			seen[p.SourceTraceID], last = true, p.RequestMicros
			return nil
		}); err != nil || len(seen) != traces {
			t.Errorf("%d of %d traces in pages of %d: %v", len(seen), traces, w.pageRows, err)
		}
	}
	if stats := s.Stats(t); stats.Links > 0 || stats.Statements != 1+2+7 {
		t.Errorf("%d links, %d statements; want none, and 10 for as many pages", stats.Links, stats.Statements)
	}
}
