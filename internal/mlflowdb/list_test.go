package mlflowdb

import (
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
)

// TestListingWhileTracesComeAndGo writes to a store from within a listing. A writer that waits for nothing must be let in each
// time, and what was there all the time must be listed once and in order.
func TestListingWhileTracesComeAndGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlflow.db")
	makeStore(t, path, "3.17.2", "")
	s, err := Open(t.Context(), addressOf(t, path), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	writer, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	writer.SetMaxOpenConns(1)
	write := func(q string, args ...any) {
		t.Helper()
		if _, err := writer.ExecContext(t.Context(), q, args...); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	write("PRAGMA synchronous = OFF")
	rapid.Check(t, func(rt *rapid.T) {
		write("DELETE FROM trace_info")
		there := map[string]int64{} // request times of the traces that are there
		id := func(n int) string { return fmt.Sprintf("tr-%04x-%07d", n*40503%65536, n) }
		// Few times for many traces, so that several pages are of one millisecond.
		millis := rapid.Int64Range(1, 40).Draw(rt, "millis")
		count := rapid.IntRange(1, 4*pageTraces).Draw(rt, "traces")
		write("INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL"+
			" SELECT i + 1 FROM g LIMIT ?) SELECT printf('tr-%04x-%07d', i * 40503 % 65536, i), 7, i * 7 % ?, 'OK' FROM g", count, millis)
		for n := range count {
			there[id(n)] = int64(n) * 7 % millis
		}
		always := maps.Clone(there)
		next, seen := count, map[string]bool{}
		var last place
		err := s.ListTraces(t.Context(), "7", mlflowclient.Window{}, func(info *mlflow.TraceInfo) error {
			at := place{info.RequestTime.UnixMilli(), info.TraceID}
			if seen[at.id] || len(seen) > 0 && (at.ms < last.ms || at.ms == last.ms && at.id < last.id) {
				rt.Fatalf("%+v is listed after %+v", at, last)
			}
			seen[at.id], last = true, at
			if len(seen)%100 != 0 {
				return nil
			}
			next++
			there[id(next)] = rapid.Int64Range(0, millis).Draw(rt, "added")
			write("INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) VALUES (?, 7, ?, 'OK')", id(next), there[id(next)])
			ids := slices.Sorted(maps.Keys(there))
			gone := rapid.SampledFrom(ids).Draw(rt, "deleted")
			write("DELETE FROM trace_info WHERE request_id = ?", gone)
			delete(there, gone)
			delete(always, gone)
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		for id := range always {
			if !seen[id] {
				rt.Fatalf("%s was there all the time and is not listed", id)
			}
		}
	})
}
