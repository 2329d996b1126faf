//go:build rig

package warehouse

import (
	"fmt"
	"testing"

	"github.com/tracemig/tracemig/internal/uctables"
)

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
	// Each reading asks first whether the table has files.
	if stats := s.Stats(t); stats.Links > 0 || stats.Statements != 3+1+2+7 {
		t.Errorf("%d links, %d statements; want none, and 13 for three questions and ten pages", stats.Links, stats.Statements)
	}
}
