package deltalake

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// The table features that this writer supports: the form of VARIANT, and those that ask nothing of it here. Its
// check of the schema would see invariants, statistics of the clustering columns are always written, and mayRemove
// asks whether a table is append-only before rows are replaced.
var (
	knownReaderFeatures = []string{"variantType", "variantType-preview"}
	knownWriterFeatures = []string{"variantType", "variantType-preview", "appendOnly", "invariants", "domainMetadata", "clustering"}
)

// check says whether the snapshot is one of a table that can be written as t, and which part of t the table has.
func (s *snapshot) check(t uctables.Table) (part uctables.Table, err error) {
	clause := s.protocol.unknown()
	if clause == "" {
		clause = s.meta.unusable()
	}
	if clause == "" {
		part, clause = partOf(s.meta.SchemaString, t)
	}
	if clause != "" {
		return part, &problem{clause, "Migrate into a new path, or move this one away: tracemig run makes it anew."}
	}
	return part, nil
}

// unknown says, in a clause, what the protocol requires that tracemig does not know; empty for nothing.
func (p *protocol) unknown() (clause string) {
	for _, f := range p.ReaderFeatures {
		if !slices.Contains(knownReaderFeatures, f) {
			return "has the reader feature " + f + ", which tracemig does not know"
		}
	}
	for _, f := range p.WriterFeatures {
		if !slices.Contains(knownWriterFeatures, f) {
			return "has the writer feature " + f + ", which tracemig does not know"
		}
	}
	if p.MinReaderVersion > 3 || p.MinWriterVersion > 7 {
		return fmt.Sprintf("needs Delta reader version %d and writer version %d, which tracemig does not know",
			p.MinReaderVersion, p.MinWriterVersion)
	}
	return ""
}

// unusable says, in a clause, why a table with these properties can't be written; empty where it can.
func (m *metaData) unusable() (clause string) {
	if mode := m.Configuration["delta.columnMapping.mode"]; mode != "" && mode != "none" {
		return "maps its column names (delta.columnMapping.mode is " + mode + ")"
	}
	if len(m.PartitionColumns) > 0 {
		return "is partitioned by " + strings.Join(m.PartitionColumns, ", ")
	}
	if m.Configuration["delta.checkpointPolicy"] == "v2" {
		return "has v2 checkpoints"
	}
	switch v := m.Configuration[uctables.SchemaVersionProperty]; v {
	case uctables.SchemaVersion:
		return ""
	case uctables.BetaSchemaVersion:
		return "has the beta form of the OTEL tables (" + uctables.SchemaVersionProperty + " is v1)"
	case "":
		return "is no OTEL table: it lacks the property " + uctables.SchemaVersionProperty
	default:
		return fmt.Sprintf("has schema version %s, tracemig writes %s", v, uctables.SchemaVersion)
	}
}

// problem says in a clause why a table can't be used, and in a sentence what to do. The caller adds the table's name.
type problem struct{ clause, next string }

func (p *problem) Error() string { return p.clause + ". " + p.next }

var errNoTable = errors.New("no Delta table")

const nextRepair = "Restore the table's _delta_log, or migrate into a new path."

var deletionVectors = &problem{
	"has deletion vectors, which tracemig does not read",
	"Run REORG TABLE … APPLY (PURGE) in Spark, or migrate into a new path.",
}
