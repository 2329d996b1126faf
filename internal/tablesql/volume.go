package tablesql

import (
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// CreateVolume is the statement that makes the volume.
func CreateVolume(v uctables.Volume) string { return "CREATE VOLUME " + v.Quoted() }

// Staged is a statement of this package with its rows read from the column line of the Parquet files in
// a folder of StagedFolder, in place of ParamRows. Nothing else about the statement changes.
func Staged(v uctables.Volume, statement, folder string) string {
	from := "SELECT line FROM parquet." + uctables.QuoteName(v.StagedFolder()+"/"+folder)
	return strings.Replace(statement, paramLines, from, 1)
}
