//go:build rig

package warehouse

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/target/targettest"
	"github.com/tracemig/tracemig/internal/uctables"
)

// renamed are the spans of a trace with another name.
func renamed(rows []uctables.Span, name string) []uctables.Span {
	rows = append([]uctables.Span(nil), rows...)
	for i := range rows {
		rows[i].Name = name
	}
	return rows
}

// named counts the table's spans by their names.
func named(t *testing.T, s *rig.Warehouse, w *Warehouse) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	for _, r := range s.SQL(t, "SELECT name, count(*) FROM "+w.opts.Location.Name(uctables.Spans)+" GROUP BY 1") {
		found[r[0].(string)] = r[1].(int64)
	}
	return found
}

func TestReplaceSpansFaults(t *testing.T) {
	s, w := open(t, true)
	rows := renamed(spans(0, 30), "old")
	if _, err := w.WriteSpans(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	merge := "MERGE.*" + w.opts.Location.Prefix
	for _, kind := range []string{rig.Refuse503, rig.Error500, rig.ResetBefore, rig.CutAfterEffect} {
		t.Run(kind, func(t *testing.T) {
			s.Reset(t)
			s.Fault(t, rig.Fault{Match: merge, Kind: kind})
			got, err := w.ReplaceSpans(t.Context(), renamed(rows, kind), target.NoTimes)
			if err != nil || got.Inserted != 30 || got.Present != 0 {
				t.Errorf("%+v, error %v; want 30 inserted", got, err)
			}
			if d := cmp.Diff(map[string]int64{kind: 30}, named(t, s, w)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	t.Run(rig.TooLarge, func(t *testing.T) {
		s.Reset(t)
		s.Fault(t, rig.Fault{Match: merge, Kind: rig.TooLarge})
		_, err := w.ReplaceSpans(t.Context(), renamed(rows, "large"), target.NoTimes)
		if large, ok := errors.AsType[*target.TooLargeError](err); !ok || large.Bytes == 0 {
			t.Errorf("error %v, want a TooLargeError with its bytes", err)
		}
		if n := named(t, s, w)["large"]; n != 0 {
			t.Errorf("%d rows of a refused statement, want none", n)
		}
	})
	// The predicate that Delta notes has the times as values, by which it prunes files.
	s.Reset(t)
	history := fmt.Sprint(s.SQL(t, "DESCRIBE HISTORY "+w.opts.Location.Name(uctables.Spans)+" LIMIT 1"))
	if strings.Contains(history, "timestamp_micros") || !strings.Contains(history, "2023-11-14") {
		t.Errorf("Delta can't prune files by %s", history)
	}
}

// TestReplaceSpansOtherColumns replaces rows of a table with more columns and fields, in another order.
func TestReplaceSpansOtherColumns(t *testing.T) {
	s, w := open(t, false)
	otherTables(t, s, w)
	targettest.ReplaceSpans(t, w)
}

// TestReplaceSpansStaged sends the rows by way of files.
func TestReplaceSpansStaged(t *testing.T) {
	s, w, folder := staged(t, nil)
	rows := largeSpans(0, 300)
	if _, err := w.WriteSpans(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	for _, inserted := range []int{300, 0} {
		if got, err := w.ReplaceSpans(t.Context(), renamed(rows, "new"), target.NoTimes); err != nil || got.Inserted != inserted {
			t.Errorf("%+v, error %v; want %d inserted", got, err, inserted)
		}
	}
	if got := named(t, s, w); len(got) != 1 || got["new"] != 300 {
		t.Errorf("spans by name are %v, want 300 of new", got)
	}
	if e := entries(t, w, folder); len(e) > 0 {
		t.Errorf("files are left: %v", e)
	}
}
