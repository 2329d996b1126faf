package checkpoint

import (
	"fmt"
	"path/filepath"
	"testing"
)

// benchStore returns a store with n traces, and the records of the next batch.
func benchStore(t testing.TB, n, batch int) (s *Store, next []Record) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "c.db"), pair)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for i := range n + batch {
		id := fmt.Sprintf("%032x", i*7919)
		next = append(next, Record{
			TraceID: "tr-" + id, TargetTraceID: id, RequestTimeMs: 1_760_000_000_000 + int64(i), State: Migrated,
			Digest: id + id, Spans: 6, Annotations: 5, Bytes: 12_000, RunID: "01a1fecc-1634-7b7f-890b-ebd6b73219e9",
		})
		if len(next) == 1000 && i < n {
			if err := s.Put(t.Context(), next...); err != nil {
				t.Fatal(err)
			}
			next = next[:0]
		}
	}
	return s, next
}

// BenchmarkPut records what became of a batch of traces, beside 100,000 known ones.
func BenchmarkPut(b *testing.B) {
	s, batch := benchStore(b, 100_000, 500)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Put(b.Context(), batch...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/trace")
}

// BenchmarkGet looks up a part of a listing among 100,000 known traces.
func BenchmarkGet(b *testing.B) {
	s, batch := benchStore(b, 100_000, 200)
	if err := s.Put(b.Context(), batch...); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if m, err := s.Get(b.Context(), ids(batch)); err != nil || len(m) != len(batch) {
			b.Fatal(len(m), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/trace")
}

func ids(rs []Record) (ids []string) {
	for _, r := range rs {
		ids = append(ids, r.TraceID)
	}
	return ids
}

// The allocations for one trace must not grow with the number of known traces.
func TestAllocationsOfATrace(t *testing.T) {
	const putCeiling, getCeiling = 24, 16
	for _, known := range []int{0, 2000} {
		s, batch := benchStore(t, known, 500)
		put := testing.AllocsPerRun(3, func() {
			if err := s.Put(t.Context(), batch...); err != nil {
				t.Fatal(err)
			}
		}) / float64(len(batch))
		names := ids(batch)
		get := testing.AllocsPerRun(3, func() {
			if m, err := s.Get(t.Context(), names); err != nil || len(m) != len(batch) {
				t.Fatal(len(m), err)
			}
		}) / float64(len(batch))
		if put > putCeiling || get > getCeiling {
			t.Errorf("beside %d traces: %.1f allocations to record one and %.1f to look it up, want at most %d and %d",
				known, put, get, putCeiling, getCeiling)
		}
	}
}
