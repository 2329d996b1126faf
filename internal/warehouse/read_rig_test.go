//go:build rig

package warehouse

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// hardDocuments are documents that are hard to write: Spark and tracemig must write the same text.
var hardDocuments = []string{
	`{"z":1,"a":{"n":null,"t":true},"é":[1,2.50,1e2,-0.0,1.0],"":"empty key"}`,
	`"\b\f\n\r\t\u0001\u001f\u007f\u2028/\\\" <>&'😀"`,
	`[0.001,0.00099,1e7,9999999.0,12345678901234567890123456789012345678,1e-7,1.5e300,9007199254740993,123.4560e-1]`,
	`null`, `[]`, `{}`, `""`,
}

func TestReadBack(t *testing.T) {
	_, w := open(t, true)
	ctx := t.Context()
	all := spans(0, 3)
	for i, text := range hardDocuments {
		s := spans(1, 1)[0]
		s.TraceID, s.SpanID = fmt.Sprintf("%032x", 2), fmt.Sprintf("%016x", i+1)
		s.Attributes, s.ResourceAttributes = uctables.JSON(text), uctables.JSON(`{"service.name":"a"}`)
		s.ServiceName, s.TraceState, s.StatusMessage, s.StatusCode, s.EndTimeUnixNano = new("a"), new("x=y"), new(""), nil, nil
		s.Events = []uctables.Event{
			{TimeUnixNano: 1 << 60, Name: "e\x01"}, {Name: "", Attributes: uctables.JSON(text), DroppedAttributesCount: 1},
		}
		s.Links = []uctables.Link{{TraceID: "t", SpanID: "s"}, {TraceState: new(""), Attributes: uctables.JSON(text), Flags: 1}}
		all = append(all, s)
	}
	if _, err := w.WriteSpans(ctx, all); err != nil {
		t.Fatal(err)
	}
	notes := append(annotations(0, 3, "src"), annotations(1, 3, "src")...)
	for i, text := range hardDocuments {
		a := annotations(1, 0, "src")[1]
		a.AnnotationID, a.Value, a.Comment = fmt.Sprint("hard", i), uctables.JSON(text), new("c\x1f\n")
		a.CreatedBy, a.UpdatedBy = new("ann"), new("bob")
		a.Metadata = nil
		notes = append(notes, a)
	}
	notes[1].Value = nil
	if _, err := w.WriteAnnotations(ctx, notes); err != nil {
		t.Fatal(err)
	}

	ids := []string{all[0].TraceID, all[len(all)-1].TraceID, fmt.Sprintf("%032x", 99)}
	var d uctables.Digester
	for _, deep := range []bool{false, true} {
		sums := map[string]target.SpanSum{}
		if err := w.SumSpans(ctx, ids, target.AllTimes, deep, func(s target.SpanSum) error { sums[s.TraceID] = s; return nil }); err != nil {
			t.Fatal(err)
		}
		want := map[string]target.SpanSum{}
		for i, rows := range [][]uctables.Span{all[:3], all[3:]} {
			digest, err := d.Spans(rows, deep)
			if err != nil {
				t.Fatal(err)
			}
			records := len(rows)
			if i == 1 {
				records = 1
			}
			want[rows[0].TraceID] = target.SpanSum{TraceID: rows[0].TraceID, Rows: len(rows), Spans: len(rows), RecordIDs: records, Digest: digest}
		}
		if diff := cmp.Diff(want, sums); diff != "" {
			t.Errorf("deep %t (-want +got):\n%s", deep, diff)
		}
		got := map[string]target.AnnotationSum{}
		if err := w.SumAnnotations(ctx, ids, target.AllTimes, deep, func(s target.AnnotationSum) error {
			got[s.AnnotationID] = s
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		wantNotes := map[string]target.AnnotationSum{}
		for i := range notes {
			a := &notes[i]
			digest := ""
			if deep {
				var err error
				if digest, err = d.Annotation(a); err != nil {
					t.Fatal(err)
				}
			}
			wantNotes[a.AnnotationID] = target.AnnotationSum{TraceID: a.TargetID[:32], AnnotationID: a.AnnotationID, Type: a.Type, Name: a.Name,
				UpdatedAtMicros: a.UpdatedAtMicros, Copies: 1, Digest: digest}
		}
		if diff := cmp.Diff(wantNotes, got); diff != "" {
			t.Errorf("deep %t (-want +got):\n%s", deep, diff)
		}
	}

	spansBack := map[string]*uctables.Span{}
	if err := w.ReadSpans(ctx, ids, target.AllTimes, func(s *uctables.Span) error {
		spansBack[s.TraceID+s.SpanID] = s
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		s := &all[i]
		if got := spansBack[s.TraceID+s.SpanID]; got == nil || !uctables.SameSpan(s, got) || got.RecordID != s.RecordID {
			t.Errorf("wrote %+v, read back %+v", s, got)
		}
	}
	if err := w.ReadAnnotations(ctx, ids, target.AllTimes, func(a *uctables.Annotation) error {
		at := slices.IndexFunc(notes, func(n uctables.Annotation) bool { return n.AnnotationID == a.AnnotationID })
		if !uctables.SameAnnotation(&notes[at], a) || a.UpdatedAtMicros != notes[at].UpdatedAtMicros {
			t.Errorf("wrote %+v, read back %+v", notes[at], a)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// Pruned by time.
	if err := w.ReadSpans(ctx, ids, target.Times{Low: 0, High: 1}, func(s *uctables.Span) error {
		t.Errorf("span %s at %d is outside of the times", s.SpanID, s.TimeMicros)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestReplace(t *testing.T) {
	_, w := open(t, true)
	ctx := t.Context()
	first := annotations(0, 0, "src")[0]
	if _, err := w.WriteAnnotations(ctx, []uctables.Annotation{first}); err != nil {
		t.Fatal(err)
	}
	newer := func(value string, at, replaces int64) uctables.Replacement {
		a := first
		a.Value, a.UpdatedAtMicros = uctables.JSON(value), at
		return uctables.Replacement{Annotation: a, ReplacesMicros: replaces, ReplacesCreatedMicros: first.CreatedAtMicros}
	}
	now := int64(base + 1_000_000)
	for _, step := range []struct {
		row      uctables.Replacement
		inserted int
		value    string
	}{
		{newer(`"b"`, now, first.UpdatedAtMicros), 1, `"b"`},
		{newer(`"b"`, now, first.UpdatedAtMicros), 0, `"b"`},   // again, as after a lost answer
		{newer(`"c"`, now+5, first.UpdatedAtMicros), 0, `"b"`}, // by another run that does not know of the newer version
		{newer(`"d"`, now+5, now), 1, `"d"`},
	} {
		done, err := w.ReplaceAnnotations(ctx, []uctables.Replacement{step.row})
		if err != nil || done.Inserted != step.inserted {
			t.Errorf("%s: %d inserted, error %v; want %d", step.row.Value, done.Inserted, err, step.inserted)
		}
		if err := w.ReadAnnotations(ctx, []string{first.TargetID}, target.AllTimes, func(a *uctables.Annotation) error {
			if string(a.Value) != step.value {
				t.Errorf("newest is %s, want %s", a.Value, step.value)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
