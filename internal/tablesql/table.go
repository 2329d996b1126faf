package tablesql

import (
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// DescribeTable lists the columns of a table and, after an empty name or a headline, what else there is to it.
func DescribeTable(l uctables.Location, t uctables.Table) string {
	return "DESCRIBE TABLE EXTENDED " + l.Quoted(t.Suffix)
}

// DescribeDetail tells of a Delta table as a whole; its column id is the table's identity.
func DescribeDetail(l uctables.Location, t uctables.Table) string {
	return "DESCRIBE DETAIL " + l.Quoted(t.Suffix)
}

// ShowProperties lists the table properties of a table.
func ShowProperties(l uctables.Location, t uctables.Table) string {
	return "SHOW TBLPROPERTIES " + l.Quoted(t.Suffix)
}

// ShowBetaProperties lists the table properties of the beta form's spans table in the same schema.
func ShowBetaProperties(l uctables.Location) string {
	return "SHOW TBLPROPERTIES " + uctables.QuoteName(l.Catalog) + "." + uctables.QuoteName(l.Schema) + "." + uctables.QuoteName(uctables.BetaSpansTable)
}

// CreateTable makes a table where it is missing.
func CreateTable(l uctables.Location, t uctables.Table) string {
	var columns, properties []string
	for _, c := range t.Columns {
		columns = append(columns, c.Name+" "+c.Type)
	}
	for _, p := range uctables.Properties {
		properties = append(properties, fmt.Sprintf("'%s' = '%s'", p[0], p[1]))
	}
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
  %s
)
USING DELTA
CLUSTER BY (%s)
TBLPROPERTIES (%s)`, l.Quoted(t.Suffix), strings.Join(columns, ",\n  "),
		strings.Join(t.ClusterBy, ", "), strings.Join(properties, ", "))
}

// DropTable drops a table if it is there.
func DropTable(l uctables.Location, t uctables.Table) string {
	return "DROP TABLE IF EXISTS " + l.Quoted(t.Suffix)
}
