package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/accept"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/uctables"
)

// tracePrinted is a trace of status --list as JSON.
type tracePrinted struct {
	Type          string            `json:"type"`
	TraceID       string            `json:"trace_id"`
	TargetTraceID string            `json:"target_trace_id,omitempty"`
	RequestTime   *time.Time        `json:"request_time,omitempty"`
	State         checkpoint.State  `json:"state"`
	Reason        checkpoint.Reason `json:"reason,omitempty"`
	Detail        string            `json:"detail,omitempty"`
	RunID         string            `json:"run_id,omitempty"`

	Accepted *checkpoint.Acceptance `json:"accepted,omitempty"`
}

func (a *app) listTraces(s *checkpoint.Store, state checkpoint.State, output string) error {
	if state == checkpoint.Accepted {
		return a.listAccepted(s, output)
	}
	l := a.newLister(output, traceColumns...)
	return l.flush(s.Records(a.stop, state, func(r checkpoint.Record) error {
		t, cells := printedTrace(r)
		return l.line(t, cells...)
	}))
}

var traceColumns = []string{accept.ColumnTraceID, "target_trace_id", "request_time", "state", "reason", "detail", "run_id"}

// printedTrace is a trace as JSON, and its cells in traceColumns.
func printedTrace(r checkpoint.Record) (tracePrinted, []string) {
	var at *time.Time
	if r.RequestTimeMs != 0 { // earlier versions of tracemig did not write it into the target
		at = timeOf(&r.RequestTimeMs)
	}
	return tracePrinted{"trace", r.TraceID, r.TargetTraceID, at, r.State, r.Reason, r.Detail, r.RunID, nil},
		[]string{r.TraceID, r.TargetTraceID, stamp(at), string(r.State), string(r.Reason), r.Detail, r.RunID}
}

// listAccepted lists the traces that have an acceptance, which package accept reads back. Where that does not hold, the state says
// what the trace is instead.
func (a *app) listAccepted(s *checkpoint.Store, output string) error {
	l := a.newLister(output, append(slices.Clone(traceColumns), "accepted_for", accept.ColumnWhy, "accepted_by", "accepted_at")...)
	return l.flush(s.EachAccepted(a.stop, func(t checkpoint.AcceptedTrace) error {
		printed, cells := printedTrace(t.Record)
		printed.Accepted = &t.Acceptance
		return l.line(printed, append(cells, string(t.For), t.Why, t.By, stamp(&t.At))...)
	}))
}

// mapping is a trace of status --map as JSON.
type mapping struct {
	Type    string `json:"type"`
	TraceID string `json:"trace_id"`
	NewID   string `json:"new_id"` // at the target
	Target  string `json:"target"`
	linked
}

// listIDs prints old and new IDs, and what l tells besides; nil for nothing.
func (a *app) listIDs(s *checkpoint.Store, output string, l *links) error {
	target := s.Pair().Target
	prefix, err := newIDPrefix(target)
	if err != nil {
		return err
	}
	columns := []string{"trace_id", "new_id", "target"}
	if l != nil {
		columns = append(columns, linkColumns...)
	}
	out := a.newLister(output, columns...)
	return out.flush(s.Moved(a.stop, func(r checkpoint.Record) error {
		m := mapping{Type: "mapping", TraceID: r.TraceID, NewID: prefix + r.TargetTraceID, Target: target}
		cells := []string{m.TraceID, m.NewID, target}
		if l != nil {
			var more []string
			m.linked, more = l.of(&r, m.NewID)
			cells = append(cells, more...)
		}
		return out.line(m, cells...)
	}))
}

// newIDPrefix is what new IDs of traces begin with. In local tables a trace's new ID is the target trace ID alone.
func newIDPrefix(target string) (string, error) {
	if strings.HasPrefix(target, "file:") {
		return "", nil
	}
	l, err := uctables.ParseLocation(target)
	if err != nil {
		return "", err
	}
	return "trace:/" + l.Catalog + "." + l.Schema + "." + l.Prefix + "/", nil
}

// lister prints one line for each trace, in the form of --output.
type lister struct {
	output string
	out    *bufio.Writer
	csv    *csv.Writer
}

func (a *app) newLister(output string, columns ...string) *lister {
	l := &lister{output: output, out: bufio.NewWriter(a.stdout)}
	l.csv = csv.NewWriter(l.out)
	if output == "csv" {
		_ = l.csv.Write(columns) // flush returns its error
	}
	return l
}

// line prints v as JSON, or the cells as CSV or text.
func (l *lister) line(v any, cells ...string) error {
	switch l.output {
	case "csv":
		return l.csv.Write(cells)
	case "json":
		return json.NewEncoder(l.out).Encode(v)
	}
	for i, c := range cells {
		if cells[i] = plain(c); c == "" {
			cells[i] = "-"
		}
	}
	_, err := fmt.Fprintln(l.out, strings.Join(cells, "  "))
	return err
}

// flush writes out what was printed, also where the listing ended early with err.
func (l *lister) flush(err error) error {
	l.csv.Flush()
	return errors.Join(err, l.csv.Error(), l.out.Flush())
}
