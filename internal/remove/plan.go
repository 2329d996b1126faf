package remove

import (
	"maps"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/tracemig/tracemig/internal/attachments"
	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/resync"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Reason is why something is kept.
type Reason string

// The reasons.
const (
	Official Reason = "official" // Databricks' own migration wrote the trace, and tracemig took it over: it stays as it is
	Edited   Reason = "edited"   // somebody changed or deleted the annotation at the target since
	Added    Reason = "added"    // somebody else wrote the annotation
)

// Group is what goes and what stays of some traces.
type Group struct {
	Traces    []Trace
	WithSpans []string           // trace IDs at the target of which spans go
	SpanTimes target.Times       // of all spans of these
	Versions  []uctables.Version // of annotations that go, in the order in which they have to go

	sourceIDs []string // of the traces that do not stay
}

// Trace is a trace that tracemig has written.
type Trace struct {
	TraceID         string           `json:"trace_id"`                   // at the source
	TargetTraceID   string           `json:"target_trace_id"`            // its ID in the target
	RequestTime     time.Time        `json:"request_time"`               // UTC
	Kept            Reason           `json:"kept,omitempty"`             // why the whole trace stays
	Spans           int              `json:"spans_removed"`              // rows that go
	Annotations     int              `json:"annotations_removed"`        // rows that go: every version counts
	SpansKept       int              `json:"spans_kept"`                 // rows that others have written
	AnnotationsKept []KeptAnnotation `json:"annotations_kept,omitempty"` // of a trace that does not stay whole
}

// KeptAnnotation is an annotation of which all versions stay.
type KeptAnnotation struct {
	AnnotationID string                  `json:"annotation_id"`   // its ID
	Type         uctables.AnnotationType `json:"annotation_type"` // its type
	Name         string                  `json:"name"`            // its name
	Reason       Reason                  `json:"reason"`          // why it stays
}

// Summary is what was removed, or would be.
type Summary struct {
	Traces            int64    `json:"traces_removed"`      // of which rows went
	Spans             int64    `json:"spans_removed"`       // rows
	Annotations       int64    `json:"annotations_removed"` // rows: every version counts
	TracesKept        int64    `json:"traces_kept"`         // whole: they were Databricks' own migration's, and taken over
	SpansKept         int64    `json:"spans_kept"`          // rows that others have written, of the other traces
	AnnotationsEdited int64    `json:"annotations_edited"`  // kept, since somebody changed them at the target
	AnnotationsAdded  int64    `json:"annotations_added"`   // kept, since somebody else wrote them
	Folders           []string `json:"attachment_folders"`  // with copies of attachments of the traces, which stay
	Absent            []string `json:"absent"`              // IDs that were named, of which the target has no trace of the source
}

// add counts a group.
func (s *Summary) add(g *Group) {
	for i := range g.Traces {
		t := &g.Traces[i]
		if t.Kept != "" {
			s.TracesKept++
			continue
		}
		if t.Spans+t.Annotations > 0 {
			s.Traces++
		}
		s.Spans += int64(t.Spans)
		s.Annotations += int64(t.Annotations)
		s.SpansKept += int64(t.SpansKept)
		for _, a := range t.AnnotationsKept {
			if a.Reason == Edited {
				s.AnnotationsEdited++
			} else {
				s.AnnotationsAdded++
			}
		}
	}
}

// verdict is a trace, and the versions of its annotations that go.
type verdict struct {
	Trace
	others, metadata []uctables.Version
}

// judge decides what goes of a trace of source, of whose annotations these are all versions. An annotation goes if tracemig wrote
// every version of it.
func judge(m target.Marked, source string, versions []*uctables.Annotation) verdict {
	v := verdict{Trace: Trace{
		TraceID: m.SourceTraceID, TargetTraceID: m.TraceID, RequestTime: time.UnixMicro(m.RequestMicros).UTC(), SpansKept: m.Others,
	}}
	if slices.ContainsFunc(versions, func(a *uctables.Annotation) bool { return a.Type == uctables.Metadata && official.Metadata(a) }) {
		v.Kept, v.SpansKept = Official, m.Spans+m.Others
		return v
	}
	v.Spans = m.Spans
	own := resync.OwnOf(m.TraceID, source, versions)
	byID := make(map[string][]*uctables.Annotation)
	for _, a := range versions {
		byID[a.AnnotationID] = append(byID[a.AnnotationID], a)
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		all := byID[id]
		mine := 0
		for _, a := range all {
			if own.Has(a) {
				mine++
			}
		}
		if mine == len(all) {
			v.remove(all)
			continue
		}
		kept := KeptAnnotation{AnnotationID: id, Type: all[0].Type, Name: all[0].Name, Reason: Added}
		if mine > 0 {
			kept.Reason = Edited
		}
		v.AnnotationsKept = append(v.AnnotationsKept, kept)
	}
	return v
}

// remove has all versions of an annotation go.
func (v *verdict) remove(all []*uctables.Annotation) {
	into := &v.others
	if all[0].Type == uctables.Metadata {
		into = &v.metadata
	}
	for _, a := range all {
		*into = append(*into, uctables.Version{
			AnnotationID: a.AnnotationID, TargetID: a.TargetID, CreatedAtMicros: a.CreatedAtMicros, UpdatedAtMicros: a.UpdatedAtMicros,
		})
	}
	v.Annotations += len(all)
}

// noteFolders notes the folders of copies that a trace's list of attachments names: FOLDER/TRACE/ATTACHMENT.
func (r *removal) noteFolders(list string) {
	var all []uctables.Attachment
	if list == "" || json.Unmarshal([]byte(list), &all) != nil {
		return
	}
	for _, a := range all {
		switch {
		case a.Path == "":
		case attachments.InVolume(a.Path):
			r.folders[path.Dir(path.Dir(a.Path))] = true
		default:
			r.folders[filepath.Dir(filepath.Dir(a.Path))] = true
		}
	}
}

func sorted(set map[string]bool) []string {
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(set))))
}
