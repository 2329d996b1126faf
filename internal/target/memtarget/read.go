package memtarget

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Spans returns all rows of spans in the order of their traces and IDs.
func (t *Target) Spans() []uctables.Span {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []uctables.Span
	for _, rows := range t.spans {
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(a, b uctables.Span) int {
		return cmp.Or(cmp.Compare(a.TraceID, b.TraceID), cmp.Compare(a.SpanID, b.SpanID), cmp.Compare(a.TimeMicros, b.TimeMicros))
	})
	return all
}

// Annotations returns all rows of annotations, all versions, in the order of their IDs and versions.
func (t *Target) Annotations() []uctables.Annotation {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []uctables.Annotation
	for _, rows := range t.annotations {
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(a, b uctables.Annotation) int {
		return cmp.Or(cmp.Compare(a.AnnotationID, b.AnnotationID), compareVersions(&a, &b))
	})
	return all
}

// Newest returns the newest version of each annotation, deleted ones included, in the order of their IDs.
func (t *Target) Newest() []uctables.Annotation {
	var rows []uctables.Annotation
	for _, v := range newest(t.Annotations()) {
		rows = append(rows, v.Annotation)
	}
	return rows
}

// DeleteSpans deletes all rows of spans.
func (t *Target) DeleteSpans() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.spans)
}

// compareVersions orders versions of an annotation: of two with one updated_at, the deleted one is newer.
func compareVersions(a, b *uctables.Annotation) int {
	deletedAt := func(a *uctables.Annotation) int64 {
		if a.DeletedAtMicros == nil {
			return math.MinInt64
		}
		return *a.DeletedAtMicros
	}
	return cmp.Or(cmp.Compare(a.UpdatedAtMicros, b.UpdatedAtMicros), cmp.Compare(deletedAt(a), deletedAt(b)))
}

// version is the newest version of an annotation.
type version struct {
	uctables.Annotation
	copies int // rows with its updated_at
}

// newest finds the newest versions among rows in the order of Annotations.
func newest(rows []uctables.Annotation) []version {
	var found []version
	for _, a := range rows {
		switch n := len(found) - 1; {
		case n < 0 || found[n].AnnotationID != a.AnnotationID:
			found = append(found, version{a, 1})
		case found[n].UpdatedAtMicros != a.UpdatedAtMicros:
			found[n] = version{a, 1}
		default:
			found[n] = version{a, found[n].copies + 1}
		}
	}
	return found
}

// check says why nothing can be read.
func (t *Target) check(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.usable(ctx)
}

// spansOf returns the spans of some traces within some times.
func (t *Target) spansOf(traceIDs []string, times target.Times) []uctables.Span {
	return slices.DeleteFunc(t.Spans(), func(s uctables.Span) bool {
		return !slices.Contains(traceIDs, s.TraceID) || !times.Contains(s.TimeMicros)
	})
}

// newestOf returns the newest versions, of those created within some times, of the annotations of some traces.
func (t *Target) newestOf(traceIDs []string, times target.Times) []version {
	return newest(slices.DeleteFunc(t.Annotations(), func(a uctables.Annotation) bool {
		return !slices.Contains(traceIDs, a.TraceID()) || !times.Contains(a.CreatedAtMicros)
	}))
}

// ReadSpans implements target.Reader.
func (t *Target) ReadSpans(ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Span) error) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	for _, s := range t.spansOf(traceIDs, times) {
		if err := yield(&s); err != nil {
			return err
		}
	}
	return nil
}

// ReadAnnotations implements target.Reader.
func (t *Target) ReadAnnotations(
	ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Annotation) error,
) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	for _, v := range t.newestOf(traceIDs, times) {
		if err := yield(&v.Annotation); err != nil {
			return err
		}
	}
	return nil
}

// SumSpans implements target.Reader.
func (t *Target) SumSpans(
	ctx context.Context, traceIDs []string, times target.Times, deep bool, yield func(target.SpanSum) error,
) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	var d uctables.Digester
	for rows := range byTrace(t.spansOf(traceIDs, times)) {
		spans, records := make(map[string]bool), make(map[string]bool)
		for i := range rows {
			spans[rows[i].SpanID], records[rows[i].RecordID] = true, true
		}
		digest, err := d.Spans(rows, deep)
		if err != nil {
			return err
		}
		if err := yield(target.SpanSum{
			TraceID: rows[0].TraceID, Rows: len(rows), Spans: len(spans), RecordIDs: len(records), Digest: digest,
		}); err != nil {
			return err
		}
	}
	return nil
}

// byTrace yields the rows of one trace after another's.
func byTrace(rows []uctables.Span) func(yield func([]uctables.Span) bool) {
	return func(yield func([]uctables.Span) bool) {
		for from := 0; from < len(rows); {
			to := from + 1
			for to < len(rows) && rows[to].TraceID == rows[from].TraceID {
				to++
			}
			if !yield(rows[from:to]) {
				return
			}
			from = to
		}
	}
}

// SumAnnotations implements target.Reader.
func (t *Target) SumAnnotations(
	ctx context.Context, traceIDs []string, times target.Times, deep bool, yield func(target.AnnotationSum) error,
) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	var d uctables.Digester
	for _, v := range t.newestOf(traceIDs, times) {
		sum := target.AnnotationSum{
			TraceID: v.TraceID(), AnnotationID: v.AnnotationID, Type: v.Type, Name: v.Name,
			UpdatedAtMicros: v.UpdatedAtMicros, Deleted: v.DeletedAtMicros != nil, Copies: v.copies,
		}
		if deep {
			var err error
			if sum.Digest, err = d.Annotation(&v.Annotation); err != nil {
				return err
			}
		}
		if err := yield(sum); err != nil {
			return err
		}
	}
	return nil
}

// metadataRows returns the newest versions of the METADATA rows that are not deleted.
func (t *Target) metadataRows() []uctables.Annotation {
	rows := slices.DeleteFunc(t.Annotations(), func(a uctables.Annotation) bool { return a.Type != uctables.Metadata })
	var live []uctables.Annotation
	for _, v := range newest(rows) {
		if v.DeletedAtMicros == nil {
			live = append(live, v.Annotation)
		}
	}
	return live
}

// Migrated implements target.Writer.
func (t *Target) Migrated(ctx context.Context, source string, yield func(uctables.Provenance) error) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	spans := make(map[string]map[string]bool) // the IDs of a trace's spans
	for _, s := range t.Spans() {
		if spans[s.TraceID] == nil {
			spans[s.TraceID] = make(map[string]bool)
		}
		spans[s.TraceID][s.SpanID] = true
	}
	for _, a := range t.metadataRows() {
		p, err := uctables.ParseProvenance(a.Metadata)
		if err != nil || p.Source != source || len(spans[a.TargetID]) < p.Spans {
			continue
		}
		p.TraceID, p.RequestMicros = a.TargetID, a.CreatedAtMicros
		if err := yield(p); err != nil {
			return err
		}
	}
	return nil
}

// Official implements target.Writer.
func (t *Target) Official(ctx context.Context, experimentID string, yield func(targetTraceID string) error) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	for _, a := range t.metadataRows() {
		var own map[string]json.RawMessage
		_ = json.Unmarshal(a.Metadata, &own) // another writer's metadata may be of any form
		var info struct {
			Metadata map[string]json.RawMessage `json:"trace_metadata"`
		}
		if own[uctables.KeySource] != nil || json.Unmarshal(a.Value, &info) != nil {
			continue
		}
		// The ID may be a string or a number.
		if id := info.Metadata[uctables.SourceExperimentID]; strings.Trim(string(id), `"`) != experimentID {
			continue
		}
		if err := yield(a.TargetID); err != nil {
			return err
		}
	}
	return nil
}
