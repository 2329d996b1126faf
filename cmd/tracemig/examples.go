package main

import (
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/migrate"
)

// examples keeps a few trace IDs of each reason, and the first detail, to name them in a summary.
type examples struct {
	traces  map[string][]string
	details map[string]string
}

// examplesShown is how many trace IDs a reason names. One more is kept, which tells whether there are more.
const examplesShown = 5

func newExamples() examples { return examples{map[string][]string{}, map[string]string{}} }

// trace keeps a trace for all that there is to say of it.
func (e *examples) trace(t migrate.TraceReport) {
	keys := []string{string(t.State) + " " + string(t.Reason)}
	if t.Reason == "" {
		keys = nil
	}
	if t.Attachments > 0 {
		keys = append(keys, "attachments")
	}
	if t.AcceptanceEnded {
		keys = append(keys, "acceptance ended")
	}
	for _, n := range t.Notes {
		keys = append(keys, "note "+string(n.Code))
	}
	for _, k := range keys {
		e.example(k, t.TraceID, t.Detail)
	}
}

// example keeps a trace ID as an example for key, and the first detail.
func (e *examples) example(key, traceID, detail string) {
	if ids := e.traces[key]; traceID != "" && len(ids) <= examplesShown && !slices.Contains(ids, traceID) {
		e.traces[key] = append(ids, traceID)
	}
	if e.details[key] == "" {
		e.details[key] = detail
	}
}

// some are the trace IDs to show of a key, and whether there are more.
func (e *examples) some(key string) (ids []string, more bool) {
	ids = e.traces[key]
	return ids[:min(len(ids), examplesShown)], len(ids) > examplesShown
}

// ids lists the trace IDs of a key as text.
func (e *examples) ids(key string) string {
	ids, more := e.some(key)
	if len(ids) == 0 {
		return ""
	}
	text := "  " + strings.Join(ids, ", ")
	if more {
		text += ", … (-o json lists all)"
	}
	return text
}
