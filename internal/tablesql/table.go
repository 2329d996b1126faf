package tablesql

import (
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// DescribeTable is the statement that lists the columns of a table and, after an empty name or a headline, its other properties.
func DescribeTable(l uctables.Location, t uctables.Table) string {
	return "DESCRIBE TABLE EXTENDED " + l.Quoted(t.Suffix)
}

// DescribeDetail is the statement that describes a Delta table as a whole. Its column id is the table's identity.
func DescribeDetail(l uctables.Location, t uctables.Table) string {
	return "DESCRIBE DETAIL " + l.Quoted(t.Suffix)
}

// ShowProperties is the statement that lists the table properties of a table.
func ShowProperties(l uctables.Location, t uctables.Table) string {
	return "SHOW TBLPROPERTIES " + l.Quoted(t.Suffix)
}

// ShowBetaProperties is the statement that lists the table properties of the beta form's table of spans in the same schema.
func ShowBetaProperties(l uctables.Location) string {
	return "SHOW TBLPROPERTIES " + uctables.QuoteName(l.Catalog) + "." + uctables.QuoteName(l.Schema) + "." +
		uctables.QuoteName(uctables.BetaSpansTable)
}

// CreateTable is the statement that makes a table where it is missing, with comments on it and its columns.
func CreateTable(l uctables.Location, t uctables.Table) string {
	var columns, properties []string
	for _, c := range t.Columns {
		column := c.Name + " " + c.Type
		if about := c.About(t); about != "" {
			column += " COMMENT '" + about + "'"
		}
		columns = append(columns, column)
	}
	for _, p := range uctables.Properties {
		properties = append(properties, fmt.Sprintf("'%s' = '%s'", p[0], p[1]))
	}
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
  %s
)
USING DELTA
CLUSTER BY (%s)
COMMENT '%s'
TBLPROPERTIES (%s)`, l.Quoted(t.Suffix), strings.Join(columns, ",\n  "),
		strings.Join(t.ClusterBy, ", "), t.About(), strings.Join(properties, ", "))
}

// DropTable is the statement that drops a table if it exists.
func DropTable(l uctables.Location, t uctables.Table) string {
	return "DROP TABLE IF EXISTS " + l.Quoted(t.Suffix)
}

// CreateVolume is the statement that makes the volume.
func CreateVolume(v uctables.Volume) string { return "CREATE VOLUME " + v.Quoted() }
