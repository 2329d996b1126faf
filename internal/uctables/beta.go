package uctables

import (
	"fmt"

	"github.com/tracemig/tracemig/internal/advice"
)

// BetaPrefix is the prefix of the tables of the beta form (schema version v1). It is fixed, so that a schema has one set of them.
const BetaPrefix = "mlflow_experiment_trace"

const betaAttributes = "MAP<STRING, STRING>"

// BetaSpans are the columns of the table of spans in the beta form that are read, and BetaLogs those of the table that has what
// annotations has in schema version v2: a row for each change.
var (
	BetaSpans = Table{
		Suffix: Spans.Suffix,
		Columns: []Column{
			{"trace_id", "STRING"},
			{"span_id", "STRING"},
			{"trace_state", "STRING"},
			{"parent_span_id", "STRING"},
			{"flags", "INT"},
			{"name", "STRING"},
			{"kind", "STRING"},
			{"start_time_unix_nano", "BIGINT"},
			{"end_time_unix_nano", "BIGINT"},
			{"attributes", betaAttributes},
			{"dropped_attributes_count", "INT"},
			{"events", "ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: " + betaAttributes + ", dropped_attributes_count: INT>>"},
			{"dropped_events_count", "INT"},
			{"links", "ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: " + betaAttributes +
				", dropped_attributes_count: INT, flags: INT>>"},
			{"dropped_links_count", "INT"},
			{"status", "STRUCT<message: STRING, code: STRING>"},
			{"resource", "STRUCT<attributes: " + betaAttributes + ">"},
			{"instrumentation_scope", "STRUCT<name: STRING>"},
		},
	}
	BetaLogs = Table{
		Suffix: Logs.Suffix,
		Columns: []Column{
			{"event_name", "STRING"},
			{"trace_id", "STRING"},
			{"span_id", "STRING"},
			{"time_unix_nano", "BIGINT"},
			{"body", "STRING"},
			{"attributes", betaAttributes},
		},
	}
)

// ParseBeta reads "catalog.schema", which names the tables of the beta form in a schema. ok is false for a text of another form,
// such as the path of an experiment; the error is about a text of that form.
func ParseBeta(s string) (l Location, ok bool, err error) {
	parts, err := splitName(s)
	if err != nil || len(parts) != 2 {
		return Location{}, false, nil
	}
	l = Location{parts[0], parts[1], BetaPrefix}
	if err := l.Validate(); err != nil {
		return Location{}, true, advice.With(fmt.Errorf("source %q: %w", s, err), "name the schema of tables of the beta form as catalog.schema")
	}
	return l, true, nil
}

// SchemaName is catalog.schema, with backquotes where SQL needs them.
func (l Location) SchemaName() string { return bare(l.Catalog) + "." + bare(l.Schema) }

// SpanCopy are the spans of one trace in tables of the beta form, which a SQL warehouse may copy into other tables.
type SpanCopy struct {
	TraceID string
	Spans   int // rows, each with a span ID of its own
	// Sum tells the rows from those of any other state. Of a trace that has another sum by now, nothing is copied.
	Sum        string
	UserID     string // attribute user.id of root spans that have none, or empty
	SessionID  string // the same of session.id
	Service    string // of spans whose resource names none, or empty
	AllService string // of all spans, whatever their resource names; empty for that

	LowMicros  int64 // the earliest start
	HighMicros int64 // the latest
	Bytes      int64 // of the spans as JSON
}

// AppendSpanCopy appends what tablesql.CopySpans has to know of the trace as one line without its newline.
func AppendSpanCopy(b []byte, c *SpanCopy) []byte {
	b = append(b, `{"trace_id":`...)
	b = appendString(b, c.TraceID)
	b = appendText(b, "sum", c.Sum)
	b = appendText(b, "user_id", c.UserID)
	b = appendText(b, "session_id", c.SessionID)
	b = appendText(b, "service", c.Service)
	b = appendText(b, "all_service", c.AllService)
	return append(b, '}')
}
