//go:build rig

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/warehouse"
)

func init() { growWarehouse = intoGrownTables }

// intoGrownTables is growth in the warehouse stand-in, where each day of the tables is a file.
func intoGrownTables(o options) error {
	return inLab(0, func(l *lab) error {
		for name, value := range map[string]string{"DATABRICKS_HOST": l.host, "DATABRICKS_TOKEN": l.warehouse.Token} {
			if err := os.Setenv(name, value); err != nil {
				return err
			}
		}
		cfg, err := databricks.Load(databricks.Options{})
		if err != nil {
			return err
		}
		var tables []*grown
		for _, n := range known {
			at := uctables.Location{Catalog: "spark_catalog", Schema: "default", Prefix: fmt.Sprintf("grown_%d", n)}
			w, err := warehouse.Open(context.Background(), warehouse.Options{Config: cfg, WarehouseID: "rig", Location: at, UserAgent: "tracemig/bench"})
			if err != nil {
				return err
			}
			defer w.Close()
			statements := []string{tablesql.CreateTable(at, uctables.Spans)}
			if n > 0 {
				statements = append(statements, fmt.Sprintf(`INSERT INTO %s (record_id, time, trace_id, span_id, name, start_time_unix_nano, attributes)
					SELECT /*+ REPARTITION_BY_RANGE(%d, time) */ concat('r', id), timestamp_micros(%d + id * %d) AS time, lpad(hex(id div 10), 32, '0'),
					lpad(hex(id), 16, '0'), 'step', %d + id * %d, parse_json('{}') FROM range(%d)`,
					at.Name(uctables.Spans), growthDays, growthStart, growthDays*microsPerDay/n, growthStart*1000, 1000*growthDays*microsPerDay/n, n))
			}
			for _, s := range statements {
				if _, err := l.warehouse.TrySQL(s); err != nil {
					return err
				}
			}
			tables = append(tables, &grown{Writer: w})
		}
		return grow(o, "warehouse stand-in", tables)
	})
}
