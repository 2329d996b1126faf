package deltalake

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// The table features that this writer can honour: the form of VARIANT, and those that ask nothing of
// it here (no invariants, which the schema check sees; statistics of clustering columns are always
// written; a table that is append-only is asked about before rows are replaced, see mayRemove).
var (
	knownReaderFeatures = []string{"variantType", "variantType-preview"}
	knownWriterFeatures = []string{"variantType", "variantType-preview", "appendOnly", "invariants", "domainMetadata", "clustering"}
)

// check says whether the snapshot is a table that can be written as t, and which part of t it has.
func (s *snapshot) check(t uctables.Table) (part uctables.Table, err error) {
	const next = "Migrate into a new path, or make the table anew with --create."
	for _, f := range s.protocol.ReaderFeatures {
		if !slices.Contains(knownReaderFeatures, f) {
			return part, &problem{"has the reader feature " + f + ", which tracemig does not know", next}
		}
	}
	for _, f := range s.protocol.WriterFeatures {
		if !slices.Contains(knownWriterFeatures, f) {
			return part, &problem{"has the writer feature " + f + ", which tracemig does not know", next}
		}
	}
	if s.protocol.MinReaderVersion > 3 || s.protocol.MinWriterVersion > 7 {
		return part, &problem{fmt.Sprintf("needs Delta reader version %d and writer version %d, which tracemig does not know",
			s.protocol.MinReaderVersion, s.protocol.MinWriterVersion), next}
	}
	config := s.meta.Configuration
	if mode := config["delta.columnMapping.mode"]; mode != "" && mode != "none" {
		return part, &problem{"maps its column names (delta.columnMapping.mode is " + mode + ")", next}
	}
	if len(s.meta.PartitionColumns) > 0 {
		return part, &problem{"is partitioned by " + strings.Join(s.meta.PartitionColumns, ", "), next}
	}
	if policy := config["delta.checkpointPolicy"]; policy == "v2" {
		return part, &problem{"has v2 checkpoints", next}
	}
	switch v := config[uctables.SchemaVersionProperty]; v {
	case uctables.SchemaVersion:
	case uctables.BetaSchemaVersion:
		return part, &problem{"has the beta form of the OTEL tables (" + uctables.SchemaVersionProperty + " is v1)", next}
	case "":
		return part, &problem{"is no OTEL table: it lacks the property " + uctables.SchemaVersionProperty, next}
	default:
		return part, &problem{fmt.Sprintf("has schema version %s, tracemig writes %s", v, uctables.SchemaVersion), next}
	}
	part, clause := partOf(s.meta.SchemaString, t)
	if clause != "" {
		return part, &problem{clause, next}
	}
	return part, nil
}

// problem is a clause about a table that can't be used; the caller adds the table's name.
type problem struct{ clause, next string }

func (p *problem) Error() string { return p.clause + ". " + p.next }

var errNoTable = errors.New("no Delta table")

const nextRepair = "Restore the table's _delta_log, or migrate into a new path."

var deletionVectors = &problem{"has deletion vectors, which tracemig does not read", "Run REORG TABLE … APPLY (PURGE) in Spark, or migrate into a new path."}
