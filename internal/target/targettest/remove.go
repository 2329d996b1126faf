package targettest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// marked are the spans with the record_id that tracemig gives them.
func marked(spans ...uctables.Span) []uctables.Span {
	spans = slices.Clone(spans)
	for i := range spans {
		s := &spans[i]
		s.RecordID = uctables.RecordID(s.StartTimeUnixNano, s.TraceID, s.SpanID)
	}
	return spans
}

// markRow is the METADATA row of a trace that tracemig has migrated from source.
func markRow(trace, source string, at int64) uctables.Annotation {
	return uctables.Annotation{
		AnnotationID: uctables.MetadataID(trace), TargetType: uctables.TargetTrace, TargetID: trace, Type: uctables.Metadata, Name: "metadata",
		Value:           uctables.JSON(`{"trace_metadata":{}}`),
		Metadata:        uctables.JSON(fmt.Sprintf(`{"tracemig.source":%q,"tracemig.source_trace_id":"tr-%s"}`, source, trace)),
		CreatedAtMicros: at, UpdatedAtMicros: at,
	}
}

// versionOf names a version.
func versionOf(a uctables.Annotation) uctables.Version {
	return uctables.Version{
		AnnotationID: a.AnnotationID, TargetID: a.TargetID, CreatedAtMicros: a.CreatedAtMicros, UpdatedAtMicros: a.UpdatedAtMicros,
	}
}

// remove tests target.Remover.
func (s *suite) remove(t *testing.T) {
	r, ok := s.w.(target.Remover)
	if !ok {
		t.Skip("the target can't remove rows")
	}
	if err := r.CheckRemoval(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Run("Marked", func(t *testing.T) { s.listMarked(t, r) })
	t.Run("Spans", func(t *testing.T) { s.removeSpans(t, r) })
	t.Run("Annotations", func(t *testing.T) { s.removeAnnotations(t, r) })
}

// listMarked tests that traces are found by their METADATA rows alone, in order, with the counts of their spans.
func (s *suite) listMarked(t *testing.T, r target.Remover) {
	ids := []string{traceID(t, 0), traceID(t, 1), traceID(t, 2)}
	slices.Sort(ids)
	const source = "listMarked"
	first, second, none := ids[1], ids[2], ids[0] // two of one time, and one that is requested later and has no spans
	foreign := span(first, 3, base+7)
	mustWriteSpans(t, s.w, append(marked(span(first, 1, base), span(first, 2, base+5), span(second, 1, base-day)), foreign)...)
	edited := version(markRow(first, source, base), `{"trace_metadata":{"a":"b"}}`, base+day)
	edited.Metadata = nil
	later := annotation(first, "late")
	later.CreatedAtMicros, later.UpdatedAtMicros = base+3*day, base+3*day
	mustWriteAnnotations(t, s.w,
		markRow(first, source, base), edited, later, markRow(second, source, base), markRow(none, source, base+1),
		deleted(version(markRow(none, source, base+1), `{}`, base+2)), markRow(traceID(t, 3), "another source", base),
		markRow(traceID(t, 4), "another source", base), version(markRow(traceID(t, 4), source, base), `{}`, base-1),
	)
	a := target.Marked{SourceTraceID: "tr-" + first, TraceID: first, RequestMicros: base, Spans: 2, Others: 1,
		SpanTimes: target.Times{Low: base, High: base + 7}, AnnotationTimes: target.Times{Low: base, High: base + 3*day}}
	b := target.Marked{SourceTraceID: "tr-" + second, TraceID: second, RequestMicros: base, Spans: 1,
		SpanTimes: target.Times{Low: base - day, High: base - day}, AnnotationTimes: target.Times{Low: base, High: base}}
	c := target.Marked{SourceTraceID: "tr-" + none, TraceID: none, RequestMicros: base + 1,
		SpanTimes: target.NoTimes, AnnotationTimes: target.Times{Low: base + 1, High: base + 1}}
	for name, test := range map[string]struct {
		wanted target.Wanted
		want   []target.Marked
	}{
		"all":    {target.Wanted{Requested: target.AllTimes}, []target.Marked{a, b, c}},
		"a time": {target.Wanted{Requested: target.Times{Low: base - day, High: base}}, []target.Marked{a, b}},
		"no ID":  {target.Wanted{Requested: target.AllTimes, IDs: []string{}}, nil},
		"IDs of the source and the target, at a time": {
			target.Wanted{Requested: target.Times{Low: base, High: base + day}, IDs: []string{first, "tr-" + none, "tr-x"}}, []target.Marked{a, c},
		},
	} {
		var got []target.Marked
		err := r.Marked(t.Context(), source, test.wanted, func(m target.Marked) error {
			got = append(got, m)
			return nil
		})
		if d := gocmp.Diff(test.want, got); err != nil || d != "" {
			t.Errorf("%s: error %v, traces (-want +got):\n%s", name, err, d)
		}
	}
	stop := errors.New("stop")
	late := target.Wanted{Requested: target.Times{Low: base + 1, High: base + 1}}
	if err := r.Marked(t.Context(), source, late, func(target.Marked) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want that of yield", err)
	}
}

// removeSpans tests that tracemig's spans of the named traces go, and no other.
func (s *suite) removeSpans(t *testing.T, r target.Remover) {
	one, two, other := traceID(t, 0), traceID(t, 1), traceID(t, 2)
	gone := marked(span(one, 1, base), span(one, 2, base+day), span(two, 1, base+1))
	stays := append(marked(span(two, 2, base+9*day), span(other, 1, base)), span(one, 3, base), span(two, 4, base+2))
	early := span(two, 5, 4_000_000) // its start is before the epoch, which a record_id can't tell
	early.StartTimeUnixNano, early.RecordID = -5, uctables.RecordID(-5, two, early.SpanID)
	moved := span(two, 6, base+3) // tracemig's hash, at another time
	moved.RecordID = uctables.RecordID(moved.StartTimeUnixNano+1e9, two, moved.SpanID)
	stays = append(stays, moved)
	mustWriteSpans(t, s.w, append(append(slices.Clone(gone), stays...), early)...)
	for _, step := range []string{"first", "again"} {
		if err := r.RemoveSpans(t.Context(), []string{one, two}, target.Times{Low: 4_000_000, High: base + day}); err != nil {
			t.Fatal(err)
		}
		sameSpans(t, step, spansOf(t, s.w, target.AllTimes, one, two, other), stays...)
	}
	got, err := s.w.WriteSpans(t.Context(), gone) // also of a writer that knew the rows
	wrote(t, "after the removal", got, err, len(gone), 0)
	if err := r.RemoveSpans(t.Context(), nil, target.AllTimes); err != nil {
		t.Error(err)
	}
	sameSpans(t, "in the end", spansOf(t, s.w, target.AllTimes, one, two, other), append(gone, stays...)...)
}

// removeAnnotations tests that the named versions go, and no other.
func (s *suite) removeAnnotations(t *testing.T, r target.Remover) {
	trace, other := traceID(t, 0), traceID(t, 1)
	a, b := annotation(trace, "a"), annotation(trace, "it's ${x}\n\\")
	a2 := version(a, `"a2"`, base+1)
	elsewhere := a // the same annotation_id in another trace, as a copy of an experiment has it
	elsewhere.TargetID, elsewhere.UpdatedAtMicros = other, base+2
	sameKey := b
	sameKey.TargetID, sameKey.UpdatedAtMicros = other+":00000000000000ff", base+5
	byOthers := deleted(version(a, `"a"`, base+3))
	byUs := byOthers
	byUs.UpdatedAtMicros, byUs.DeletedBy = base+4, new(uctables.DeletedBy)
	all := []uctables.Annotation{a, a2, b, elsewhere, sameKey, byOthers, byUs, markRow(trace, "s", base)}
	mustWriteAnnotations(t, s.w, all...)
	wrong := versionOf(elsewhere)
	wrong.TargetID = trace
	gone := []uctables.Version{versionOf(a), versionOf(b), versionOf(byOthers), versionOf(byUs), wrong, versionOf(markRow(trace, "s", base))}
	for _, step := range []string{"first", "again"} {
		if err := r.RemoveAnnotations(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		sameVersions(t, step, r, []string{trace, other}, target.AllTimes, a2, elsewhere, sameKey, byOthers)
	}
	if err := r.RemoveAnnotations(t.Context(), nil); err != nil {
		t.Error(err)
	}
	sameVersions(t, "of one trace", r, []string{trace}, target.AllTimes, a2, byOthers)
	sameVersions(t, "at no time", r, []string{trace}, target.Times{Low: base + 1, High: base + day})
}

// sameVersions checks that the traces have the wanted versions of annotations, with what tells who wrote them.
func sameVersions(t *testing.T, step string, r target.Remover, traces []string, times target.Times, want ...uctables.Annotation) {
	t.Helper()
	text := func(a *uctables.Annotation) string {
		by := func(s *string) string {
			if s == nil {
				return "-"
			}
			return *s
		}
		return strings.Join([]string{a.AnnotationID, a.TargetID, string(a.Type), a.Name, fmt.Sprint(a.CreatedAtMicros, a.UpdatedAtMicros),
			fmt.Sprint(a.DeletedAtMicros != nil), by(a.UpdatedBy), by(a.DeletedBy)}, " ")
	}
	var wanted, got []string
	for _, a := range want {
		wanted = append(wanted, text(&a))
	}
	if err := r.ReadVersions(t.Context(), traces, times, func(a *uctables.Annotation) error {
		got = append(got, text(a))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(wanted)
	slices.Sort(got)
	if d := gocmp.Diff(wanted, got); d != "" {
		t.Errorf("%s: versions (-want +got):\n%s", step, d)
	}
}
