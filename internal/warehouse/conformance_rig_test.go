//go:build rig

package warehouse

import (
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/target/targettest"
	"github.com/tracemig/tracemig/internal/uctables"
)

func TestConformance(t *testing.T) {
	server, prefix := rig.SharedWarehouse(t), rig.TablePrefix(t)
	targettest.Run(t, targettest.Options{
		Open: func(t *testing.T) target.Writer { return openAt(t, server, prefix, false, "") },
		Drop: func(t *testing.T) {
			location := uctables.Location{Catalog: "spark_catalog", Schema: "default", Prefix: prefix}
			server.SQL(t, "DROP TABLE "+location.Name(uctables.Spans))
		},
		Rounds: 1,
	})
	t.Logf("%d statements", server.Stats(t).Statements)
}
