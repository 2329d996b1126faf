package uctables

import (
	"fmt"

	"github.com/tracemig/tracemig/internal/advice"
)

// Ledger is a table with one row for each run. It belongs to no trace location: it is wherever a team wants it, and may have further
// columns.
var Ledger = Table{
	Columns: []Column{
		{"run_id", "STRING"},
		{"started", "TIMESTAMP"},
		{"ended", "TIMESTAMP"},
		{"version", "STRING"},
		{"run_by", "STRING"},
		{"source", "STRING"},
		{"source_name", "STRING"},
		{"target", "STRING"},
		{"shard", "STRING"},
		{"window_start", "TIMESTAMP"},
		{"window_end", "TIMESTAMP"},
		{"outcome", "STRING"},
		{"exit_code", "INT"},
		{"traces_listed", "BIGINT"},
		{"traces_migrated", "BIGINT"},
		{"traces_updated", "BIGINT"},
		{"traces_already_there", "BIGINT"},
		{"traces_deferred", "BIGINT"},
		{"traces_skipped", "BIGINT"},
		{"traces_failed", "BIGINT"},
		{"traces_accepted", "BIGINT"},
		{"spans_written", "BIGINT"},
		{"annotations_written", "BIGINT"},
		{"bytes", "BIGINT"},
		{"summary", "STRING"},
	},
}

// ParseLedger reads "catalog.schema.name", each part of which may be in backquotes. A ledger is named like a location: Ledger, whose
// suffix is empty, is its one table.
func ParseLedger(s string) (Location, error) {
	parts, err := splitName(s)
	if err != nil {
		return Location{}, fmt.Errorf("table %q: %w", s, err)
	}
	if len(parts) != 3 {
		return Location{}, advice.With(fmt.Errorf("table %q has %s", s, count(len(parts), "part")),
			"name it as catalog.schema.name, such as main.ops.tracemig_runs")
	}
	for i, what := range []string{"catalog", "schema", "name"} {
		if err := validateName(what, parts[i]); err != nil {
			return Location{}, fmt.Errorf("table %q: %w", s, err)
		}
	}
	return Location{parts[0], parts[1], parts[2]}, nil
}

// Run is a row of the ledger.
type Run struct {
	RunID                      string
	StartedMicros, EndedMicros int64
	Version                    string // of tracemig
	By                         string // user@host
	Source                     string // identity of the source
	SourceName                 string // of the experiment
	Target                     string
	Shard                      string // empty for all of the source
	WindowStartMicros          *int64 // nil for no bound, as WindowEndMicros
	WindowEndMicros            *int64
	Outcome                    string
	ExitCode                   int
	Listed, Migrated, Updated  int64 // traces, as the next line
	Present, Deferred, Skipped int64
	Failed, Accepted           int64
	Spans, Annotations         int64 // rows written
	Bytes                      int64
	Summary                    string // JSON
}

// AppendRun appends the run as one line without its newline.
func AppendRun(b []byte, r *Run) []byte {
	b = append(b, `{"run_id":`...)
	b = appendString(b, r.RunID)
	b = appendInt(b, "started", r.StartedMicros)
	b = appendInt(b, "ended", r.EndedMicros)
	b = appendText(b, "version", r.Version)
	b = appendText(b, "run_by", r.By)
	b = appendText(b, "source", r.Source)
	b = appendText(b, "source_name", r.SourceName)
	b = appendText(b, "target", r.Target)
	if r.Shard != "" {
		b = appendText(b, "shard", r.Shard)
	}
	if r.WindowStartMicros != nil {
		b = appendInt(b, "window_start", *r.WindowStartMicros)
	}
	if r.WindowEndMicros != nil {
		b = appendInt(b, "window_end", *r.WindowEndMicros)
	}
	b = appendText(b, "outcome", r.Outcome)
	b = appendInt(b, "exit_code", int64(r.ExitCode))
	b = appendInt(b, "traces_listed", r.Listed)
	b = appendInt(b, "traces_migrated", r.Migrated)
	b = appendInt(b, "traces_updated", r.Updated)
	b = appendInt(b, "traces_already_there", r.Present)
	b = appendInt(b, "traces_deferred", r.Deferred)
	b = appendInt(b, "traces_skipped", r.Skipped)
	b = appendInt(b, "traces_failed", r.Failed)
	b = appendInt(b, "traces_accepted", r.Accepted)
	b = appendInt(b, "spans_written", r.Spans)
	b = appendInt(b, "annotations_written", r.Annotations)
	b = appendInt(b, "bytes", r.Bytes)
	b = appendText(b, "summary", r.Summary)
	return append(b, '}')
}

// AppendRunKey appends the key of a run as a line that the statements read like one of AppendRun.
func AppendRunKey(b []byte, r *Run) []byte {
	b = append(b, `{"run_id":`...)
	return append(appendString(b, r.RunID), '}')
}
