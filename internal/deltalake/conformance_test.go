package deltalake

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/target/targettest"
)

func TestConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lake", "agent")
	targettest.Run(t, targettest.Options{
		Open: func(t *testing.T) target.Writer { return open(t, path) },
		Drop: func(t *testing.T) {
			if err := os.RemoveAll(open(t, path).spans().log.dir); err != nil {
				t.Fatal(err)
			}
		},
		Rounds: 3,
	})
}

// TestReplaceSpansOtherColumns replaces rows of a table with more columns and fields, in another order.
func TestReplaceSpansOtherColumns(t *testing.T) { targettest.ReplaceSpans(t, otherLake(t)) }
