package uctables

import (
	"math"
	"strings"
)

// Annotation is one row of <prefix>_otel_annotations. Nil pointers are NULL. Times are microseconds since the Unix epoch.
type Annotation struct {
	AnnotationID    string
	TargetType      TargetType
	TargetID        string // "{trace_id}" or "{trace_id}:{span_id}"
	Type            AnnotationType
	Name            string
	Value           JSON
	Comment         *string
	Metadata        JSON
	CreatedAtMicros int64
	CreatedBy       *string
	UpdatedAtMicros int64
	UpdatedBy       *string
	DeletedAtMicros *int64
	DeletedBy       *string
}

// TraceID is the trace that the annotation is about: TargetID up to its colon.
func (a *Annotation) TraceID() string {
	id, _, _ := strings.Cut(a.TargetID, ":")
	return id
}

// TargetType says what an annotation is attached to.
type TargetType string

// The values of column target_type.
const (
	TargetTrace TargetType = "TRACE"
	TargetSpan  TargetType = "SPAN"
)

// AnnotationType is the value of column annotation_type.
type AnnotationType string

// The annotation types of schema version v2.
const (
	Metadata    AnnotationType = "METADATA"
	Tag         AnnotationType = "TAG"
	Feedback    AnnotationType = "FEEDBACK"
	Expectation AnnotationType = "EXPECTATION"
	RunLink     AnnotationType = "RUN_LINK"
)

// Replacement is a newer version of an annotation that the table has.
type Replacement struct {
	Annotation
	// ReplacesMicros is the updated_at of the version that it replaces. The replacement is not written where the table has a
	// version that is newer than that: somebody has changed the annotation meanwhile. With NoVersion it is written only where
	// the table has no row of its annotation_id.
	ReplacesMicros int64
	// ReplacesCreatedMicros is the created_at of that version, or with NoVersion the created_at that a row might have. The
	// versions are looked for in the range of all these times and of CreatedAtMicros, so that the table is pruned.
	ReplacesCreatedMicros int64
}

// Version names one version of an annotation.
type Version struct {
	AnnotationID    string
	TargetID        string
	CreatedAtMicros int64 // where the table is looked through for it
	UpdatedAtMicros int64
}

// DeletedBy is deleted_by of the versions by which tracemig deletes what the source no longer has.
const DeletedBy = "tracemig"

// NoVersion is the Replacement.ReplacesMicros of a replacement of nothing. It is before the updated_at of every version.
const NoVersion = math.MinInt64
