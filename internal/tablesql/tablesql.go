// Package tablesql makes the text of every SQL statement that tracemig sends for the tables of a location. Each text
// is also a golden file in testdata.
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
