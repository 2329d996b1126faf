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

func init() { growthInWarehouse = warehouseGrowth }

// warehouseGrowth is the comparison growth in the warehouse stand-in. Each day of its tables is a file.
func warehouseGrowth(o options) error {
	return withEnvironment(0, func(e *environment) error {
		for name, value := range map[string]string{"DATABRICKS_HOST": e.host, "DATABRICKS_TOKEN": e.warehouse.Token} {
			if err := os.Setenv(name, value); err != nil {
				return err
			}
		}
		cfg, err := databricks.Load(databricks.Options{})
		if err != nil {
			return err
		}
		var tables []*growingTable
		for _, n := range existingSpans {
			at := uctables.Location{Catalog: "spark_catalog", Schema: "default", Prefix: fmt.Sprintf("grown_%d", n)}
			w, err := warehouse.Open(context.Background(),
				warehouse.Options{Config: cfg, WarehouseID: "rig", Location: at, UserAgent: "tracemig/bench"})
			if err != nil {
				return err
			}
			defer w.Close()
			statements := []string{tablesql.CreateTable(at, uctables.Spans)}
			if n > 0 {
				step := growthDays * microsPerDay / n
				statements = append(statements, fmt.Sprintf(`INSERT INTO %s
					(record_id, time, trace_id, span_id, name, start_time_unix_nano, attributes)
					SELECT /*+ REPARTITION_BY_RANGE(%d, time) */ concat('r', id), timestamp_micros(%d + id * %d) AS time,
					lpad(hex(id div 10), 32, '0'), lpad(hex(id), 16, '0'), 'step', %d + id * %d, parse_json('{}') FROM range(%d)`,
					at.Name(uctables.Spans), growthDays, growthStart, step, growthStart*1000, 1000*step, n))
			}
			for _, s := range statements {
				if _, err := e.warehouse.TrySQL(s); err != nil {
					return err
				}
			}
			tables = append(tables, &growingTable{Writer: w})
		}
		return timeBatches(o, "warehouse stand-in", tables)
	})
}
