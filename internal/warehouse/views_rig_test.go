//go:build rig

package warehouse

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// TestViews compares what the views show of the golden example rows of package uctables with a golden file.
func TestViews(t *testing.T) {
	s, w := open(t, true)
	views := func(want int) {
		t.Helper()
		own, err := w.OwnViews(t.Context())
		if err != nil || len(own) != want {
			t.Fatalf("own views %+v, error %v, want %d", own, err, want)
		}
	}
	views(0)
	for _, want := range []int{2, 0} {
		if made, err := w.CreateViews(t.Context()); err != nil || len(made) != want {
			t.Fatalf("made %v, error %v, want %d", made, err, want)
		}
		views(2)
	}
	insert := func(text, file string, lo, hi int64) {
		lines, err := os.ReadFile("../uctables/testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		params := append(rowsParam(strings.TrimSuffix(string(lines), "\n")), sql.Named(tablesql.ParamLow, lo), sql.Named(tablesql.ParamHigh, hi))
		if _, err := w.insert(t.Context(), text, params); err != nil {
			t.Fatal(err)
		}
	}
	insert(tablesql.InsertAnnotations(w.opts.Location, uctables.Annotations), "annotations.jsonl", 0, 1<<62)
	insert(tablesql.InsertSpans(w.opts.Location, uctables.Spans), "spans.jsonl", -1, 1<<61)
	name := w.opts.Location.Name(uctables.Table{Suffix: tablesql.UnifiedView})
	rows := s.SQL(t, `SELECT to_json(struct(*), map('ignoreNullFields', 'false')) FROM `+name+` ORDER BY trace_id`)
	var got bytes.Buffer
	for _, r := range rows {
		if err := json.Indent(&got, []byte(r[0].(string)), "", " "); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
	}
	const file = "testdata/unified.json"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("UPDATE=1 writes %s (-want +got):\n%s", file, diff)
	}

	// A view that somebody else made in the place of one of them does not count.
	s.SQL(t, tablesql.Views(w.opts.Location)[1].Drop)
	s.SQL(t, "CREATE VIEW "+name+" AS SELECT 1 AS one")
	views(1)
}
