package tablesql

import (
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// CreateLedger is the statement that makes a ledger where it is missing.
func CreateLedger(l uctables.Location) string {
	var columns []string
	for _, c := range uctables.Ledger.Columns {
		columns = append(columns, c.Name+" "+c.Type)
	}
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
  %s
)
USING DELTA
COMMENT 'One row for each run of tracemig'`, l.Quoted(uctables.Ledger.Suffix), strings.Join(columns, ",\n  "))
}

// InsertRuns is the statement that adds those runs of ParamRows (see AppendRun) that the ledger lacks within [ParamLow, ParamHigh] of
// the time at which they started. Like InsertSpans it conflicts with another one at the same time.
func InsertRuns(l uctables.Location, ledger uctables.Table) string {
	return insert(l, ledger, "started", runKey)
}

// CountRuns is the query for how many runs of ParamRows (see AppendRunKey) the ledger has: column found.
func CountRuns(l uctables.Location) string {
	return countKeys(l, uctables.Ledger, "started", runKey)
}
