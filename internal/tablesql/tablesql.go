// Package tablesql makes the text of every SQL statement that tracemig sends for the tables of a location. Each text is also a
// golden file in testdata/sql.
//
// Rows come in parameter ParamRows as JSON lines, or from files that hold such lines (lines.go). They are written idempotently
// by their keys (keys.go, insert.go, replace.go). What the tables hold is read for comparison (read.go), and to find what an
// earlier run, or Databricks' own migration, has migrated (migrated.go). Tables and volumes are made, described and dropped
// (table.go); views are made and dropped (views.go). A ledger has a row for each run (ledger.go).
//
// Statements that write or read rows are made for a table as it really is, see uctables.Table.Actual.
package tablesql

// The parameters of the statements.
const (
	ParamRows       = "rows"       // STRING: JSON lines, see AppendSpan and its siblings
	ParamLow        = "lo"         // BIGINT: the earliest time of the rows, in microseconds
	ParamHigh       = "hi"         // BIGINT: the latest
	ParamSource     = "source"     // STRING: Provenance.Source
	ParamTraces     = "traces"     // STRING: trace IDs of the target, one a line
	ParamExperiment = "experiment" // STRING: the ID of an experiment
	ParamLocation   = "location"   // STRING: catalog.schema.prefix
	ParamAfter      = "after"      // STRING: the trace ID of the target with which the page before ended
)
