package deltalake

import (
	"fmt"

	"github.com/tracemig/tracemig/internal/uctables"
)

// span writes one row of uctables.Spans, with the same NULLs and empty values as
// uctables.AppendSpan gives a warehouse.
func (w *rowWriter) span(s *uctables.Span) error {
	w.string(s.RecordID)
	w.int64(s.TimeMicros)
	w.optInt32(s.Date, s.Date != uctables.NoDate)
	w.optString(s.ServiceName)
	w.string(s.TraceID)
	w.string(s.SpanID)
	w.optString(s.TraceState)
	w.optString(s.ParentSpanID)
	w.int32(s.Flags)
	w.string(s.Name)
	w.string(s.Kind)
	w.int64(s.StartTimeUnixNano)
	w.optInt64(s.EndTimeUnixNano)
	if err := w.variant(s.Attributes); err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	w.int32(s.DroppedAttributesCount)
	err := w.list(len(s.Events), func(i int) error {
		e := &s.Events[i]
		w.int64(e.TimeUnixNano)
		w.string(e.Name)
		if err := w.variant(e.Attributes); err != nil {
			return fmt.Errorf("attributes of event %d: %w", i, err)
		}
		w.int32(e.DroppedAttributesCount)
		return nil
	})
	if err != nil {
		return err
	}
	w.int32(s.DroppedEventsCount)
	err = w.list(len(s.Links), func(i int) error {
		l := &s.Links[i]
		w.string(l.TraceID)
		w.string(l.SpanID)
		w.optString(l.TraceState)
		if err := w.variant(l.Attributes); err != nil {
			return fmt.Errorf("attributes of link %d: %w", i, err)
		}
		w.int32(l.DroppedAttributesCount)
		w.int32(l.Flags)
		return nil
	})
	if err != nil {
		return err
	}
	w.int32(s.DroppedLinksCount)
	err = w.group(func() error {
		w.optString(s.StatusMessage)
		w.optString(s.StatusCode)
		return nil
	})
	if err != nil {
		return err
	}
	if s.ResourceAttributes == nil {
		w.skip()
	} else if err := w.group(func() error {
		if err := w.variant(s.ResourceAttributes); err != nil {
			return fmt.Errorf("attributes of the resource: %w", err)
		}
		w.int32(0)
		return nil
	}); err != nil {
		return err
	}
	w.skip() // resource_schema_url
	if s.ScopeName == nil {
		w.skip()
	} else if err := w.group(func() error {
		w.optString(s.ScopeName)
		w.optString(nil) // version
		if err := w.variant(nil); err != nil {
			return err
		}
		w.int32(0)
		return nil
	}); err != nil {
		return err
	}
	w.skip() // span_schema_url
	return w.endRow()
}

// annotation writes one row of uctables.Annotations.
func (w *rowWriter) annotation(a *uctables.Annotation) error {
	w.string(a.AnnotationID)
	w.string(string(a.TargetType))
	w.string(a.TargetID)
	w.string(string(a.Type))
	w.string(a.Name)
	if err := w.variant(a.Value); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	w.optString(a.Comment)
	if err := w.variant(a.Metadata); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	w.int64(a.CreatedAtMicros)
	w.optString(a.CreatedBy)
	w.int64(a.UpdatedAtMicros)
	w.optString(a.UpdatedBy)
	w.optInt64(a.DeletedAtMicros)
	w.optString(a.DeletedBy)
	if w.changeType {
		w.string(uctables.Insert)
	}
	return w.endRow()
}
