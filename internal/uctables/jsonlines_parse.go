package uctables

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// spanLine is a span as the keys of its line.
type spanLine struct {
	RecordID               string         `json:"record_id"`
	Time                   int64          `json:"time"`
	Date                   *int32         `json:"date"`
	ServiceName            *string        `json:"service_name"`
	TraceID                string         `json:"trace_id"`
	SpanID                 string         `json:"span_id"`
	TraceState             *string        `json:"trace_state"`
	ParentSpanID           *string        `json:"parent_span_id"`
	Flags                  int32          `json:"flags"`
	Name                   string         `json:"name"`
	Kind                   string         `json:"kind"`
	Start                  int64          `json:"start_time_unix_nano"`
	End                    *int64         `json:"end_time_unix_nano"`
	Attributes             jsontext.Value `json:"attributes"`
	DroppedAttributesCount int32          `json:"dropped_attributes_count"`
	Events                 []struct {
		Time                   int64          `json:"time_unix_nano"`
		Name                   string         `json:"name"`
		Attributes             jsontext.Value `json:"attributes"`
		DroppedAttributesCount int32          `json:"dropped_attributes_count"`
	} `json:"events"`
	DroppedEventsCount int32 `json:"dropped_events_count"`
	Links              []struct {
		TraceID                string         `json:"trace_id"`
		SpanID                 string         `json:"span_id"`
		TraceState             *string        `json:"trace_state"`
		Attributes             jsontext.Value `json:"attributes"`
		DroppedAttributesCount int32          `json:"dropped_attributes_count"`
		Flags                  int32          `json:"flags"`
	} `json:"links"`
	DroppedLinksCount int32 `json:"dropped_links_count"`
	Status            struct {
		Message *string `json:"message"`
		Code    *string `json:"code"`
	} `json:"status"`
	Resource struct {
		Attributes jsontext.Value `json:"attributes"`
	} `json:"resource"`
	Scope struct {
		Name *string `json:"name"`
	} `json:"instrumentation_scope"`
}

// ParseSpan reads a line in the form of AppendSpan, which a warehouse writes too.
func ParseSpan(line []byte) (*Span, error) {
	var l spanLine
	if err := json.Unmarshal(line, &l, jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, fmt.Errorf("a span row can't be read: %w", err)
	}
	s := &Span{
		RecordID: l.RecordID, TimeMicros: l.Time, Date: NoDate, ServiceName: l.ServiceName, TraceID: l.TraceID, SpanID: l.SpanID,
		TraceState: l.TraceState, ParentSpanID: l.ParentSpanID, Flags: l.Flags, Name: l.Name,
		Kind:              l.Kind,
		StartTimeUnixNano: l.Start, EndTimeUnixNano: l.End,
		Attributes: JSON(l.Attributes), DroppedAttributesCount: l.DroppedAttributesCount,
		DroppedEventsCount: l.DroppedEventsCount, DroppedLinksCount: l.DroppedLinksCount,
		StatusMessage: l.Status.Message, StatusCode: l.Status.Code,
		ResourceAttributes: JSON(l.Resource.Attributes), ScopeName: l.Scope.Name,
	}
	if l.Date != nil {
		s.Date = *l.Date
	}
	for _, e := range l.Events {
		s.Events = append(s.Events, Event{
			TimeUnixNano: e.Time, Name: e.Name, Attributes: JSON(e.Attributes), DroppedAttributesCount: e.DroppedAttributesCount,
		})
	}
	for _, k := range l.Links {
		s.Links = append(s.Links, Link{
			TraceID: k.TraceID, SpanID: k.SpanID, TraceState: k.TraceState, Attributes: JSON(k.Attributes),
			DroppedAttributesCount: k.DroppedAttributesCount, Flags: k.Flags,
		})
	}
	return s, nil
}

// ParseAnnotation reads a line in the form of AppendAnnotation, which a warehouse writes too.
func ParseAnnotation(line []byte) (*Annotation, error) {
	var l struct {
		AnnotationID string         `json:"annotation_id"`
		TargetType   TargetType     `json:"target_type"`
		TargetID     string         `json:"target_id"`
		Type         AnnotationType `json:"annotation_type"`
		Name         string         `json:"name"`
		Value        jsontext.Value `json:"value"`
		Comment      *string        `json:"comment"`
		Metadata     jsontext.Value `json:"metadata"`
		CreatedAt    int64          `json:"created_at"`
		CreatedBy    *string        `json:"created_by"`
		UpdatedAt    int64          `json:"updated_at"`
		UpdatedBy    *string        `json:"updated_by"`
		DeletedAt    *int64         `json:"deleted_at"`
		DeletedBy    *string        `json:"deleted_by"`
	}
	if err := json.Unmarshal(line, &l, jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, fmt.Errorf("an annotation row can't be read: %w", err)
	}
	return &Annotation{
		AnnotationID: l.AnnotationID, TargetType: l.TargetType, TargetID: l.TargetID, Type: l.Type, Name: l.Name,
		Value: JSON(l.Value), Comment: l.Comment, Metadata: JSON(l.Metadata),
		CreatedAtMicros: l.CreatedAt, CreatedBy: l.CreatedBy, UpdatedAtMicros: l.UpdatedAt, UpdatedBy: l.UpdatedBy,
		DeletedAtMicros: l.DeletedAt, DeletedBy: l.DeletedBy,
	}, nil
}
