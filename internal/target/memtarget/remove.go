package memtarget

import (
	"cmp"
	"context"
	"slices"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// CheckRemoval implements target.Remover.
func (t *Target) CheckRemoval(ctx context.Context) error { return t.check(ctx) }

// Marked implements target.Remover.
func (t *Target) Marked(ctx context.Context, source string, wanted target.Wanted, yield func(target.Marked) error) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	newest := make(map[string]uctables.Provenance)
	for _, a := range t.Annotations() { // the oldest first
		p, err := uctables.ParseProvenance(a.Metadata)
		if a.Type == uctables.Metadata && err == nil && p.Source != "" {
			p.TraceID, p.RequestMicros = a.TraceID(), a.CreatedAtMicros
			newest[a.AnnotationID] = p
		}
	}
	var found []target.Marked
	for _, p := range newest {
		if p.Source != source || !wanted.Requested.Contains(p.RequestMicros) ||
			wanted.IDs != nil && !slices.Contains(wanted.IDs, p.SourceTraceID) && !slices.Contains(wanted.IDs, p.TraceID) {
			continue
		}
		found = append(found, t.marked(p))
	}
	slices.SortFunc(found, func(a, b target.Marked) int {
		return cmp.Or(cmp.Compare(a.RequestMicros, b.RequestMicros), cmp.Compare(a.TraceID, b.TraceID))
	})
	for _, m := range found {
		if err := yield(m); err != nil {
			return err
		}
	}
	return nil
}

// marked is what the tables hold of a trace.
func (t *Target) marked(p uctables.Provenance) target.Marked {
	m := target.Marked{
		SourceTraceID: p.SourceTraceID, TraceID: p.TraceID, RequestMicros: p.RequestMicros, Attachments: p.Attachments,
		SpanTimes: target.NoTimes, AnnotationTimes: target.NoTimes,
	}
	for _, s := range t.spansOf([]string{p.TraceID}, target.AllTimes) {
		m.SpanTimes.Include(s.TimeMicros)
		if own(&s) {
			m.Spans++
		} else {
			m.Others++
		}
	}
	for _, a := range t.Annotations() {
		if a.TraceID() == p.TraceID {
			m.AnnotationTimes.Include(a.CreatedAtMicros)
		}
	}
	return m
}

func own(s *uctables.Span) bool {
	return s.RecordID == uctables.RecordID(s.StartTimeUnixNano, s.TraceID, s.SpanID)
}

// ReadVersions implements target.Remover.
func (t *Target) ReadVersions(
	ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Annotation) error,
) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	for _, a := range t.Annotations() {
		if slices.Contains(traceIDs, a.TraceID()) && times.Contains(a.CreatedAtMicros) {
			if err := yield(&a); err != nil {
				return err
			}
		}
	}
	return nil
}

// RemoveSpans implements target.Remover.
func (t *Target) RemoveSpans(ctx context.Context, traceIDs []string, times target.Times) error {
	return t.remove(ctx, func() {
		for k, rows := range t.spans {
			t.spans[k] = slices.DeleteFunc(slices.Clone(rows), func(s uctables.Span) bool {
				return slices.Contains(traceIDs, s.TraceID) && times.Contains(s.TimeMicros) && own(&s)
			})
		}
	})
}

// RemoveAnnotations implements target.Remover.
func (t *Target) RemoveAnnotations(ctx context.Context, versions []uctables.Version) error {
	return t.remove(ctx, func() {
		for id, rows := range t.annotations {
			t.annotations[id] = slices.DeleteFunc(slices.Clone(rows), func(a uctables.Annotation) bool {
				deleted := a.DeletedAtMicros != nil && (a.DeletedBy == nil || *a.DeletedBy != uctables.DeletedBy)
				return !deleted && slices.Contains(versions, uctables.Version{
					AnnotationID: a.AnnotationID, TargetID: a.TargetID, CreatedAtMicros: a.CreatedAtMicros, UpdatedAtMicros: a.UpdatedAtMicros,
				})
			})
		}
	})
}

// remove makes one removal, as write makes a write.
func (t *Target) remove(ctx context.Context, apply func()) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.Before != nil {
		if err := t.Before(nil, nil); err != nil {
			return err
		}
	}
	t.mu.Lock()
	err := t.usable(ctx)
	if err == nil {
		apply()
	}
	t.mu.Unlock()
	if err == nil && t.After != nil {
		err = t.After()
	}
	return err
}
