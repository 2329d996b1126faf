//go:build rig

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

// TestSecondRun proves that a run that finds nothing new writes nothing, nor asks to.
func TestSecondRun(t *testing.T) {
	t.Parallel()
	m, c := fill(t, smallCases+",no_spans,in_progress")
	for _, fx := range []*fixture{newFixture(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{}), newFixture(t, m.URI, c.Experiment).toLocal()} {
		first := fx.mustRun(0)
		if first.summary.Migrated == 0 || first.summary.SpansWritten == 0 || first.summary.AnnotationsWritten == 0 {
			t.Fatalf("first run: %+v", first.summary)
		}
		before, sent := fx.tableFiles(), 0
		if fx.warehouse != nil {
			sent = fx.warehouse.Stats(t).Statements
		}
		for _, again := range []string{"with its checkpoint", "with a new checkpoint", "with the checkpoint made anew"} {
			if again == "with a new checkpoint" {
				fx.deleteCheckpoint()
			}
			s := fx.mustRun(0).summary
			if s.SpansWritten+s.AnnotationsWritten+s.Migrated+s.Failed+s.TargetWrites != 0 || s.Present != first.summary.Migrated ||
				s.Deferred != first.summary.Deferred || s.Skipped != first.summary.Skipped || s.Listed != first.summary.Listed {
				t.Errorf("run %s: %+v\nafter a first with %+v", again, s, first.summary)
			}
			if after := fx.tableFiles(); !slices.Equal(before, after) || len(before) == 0 {
				t.Errorf("run %s changed the target from\n%q to\n%q", again, before, after)
			}
			if fx.warehouse == nil {
				continue
			}
			if writes := fx.writeStatements(sent); len(writes) > 0 {
				t.Errorf("run %s asked for %q", again, writes)
			}
		}
		if fx.warehouse != nil {
			// Asked to make tables that are there, it leaves them as they are.
			versions := func() int {
				return len(fx.warehouse.SQL(t, "DESCRIBE HISTORY "+fx.tables.spans)) + len(fx.warehouse.SQL(t, "DESCRIBE HISTORY "+fx.tables.annotations))
			}
			made := versions()
			fx.mustRun(0, "--create")
			if now := versions(); now != made || made == 0 {
				t.Errorf("--create on tables that are there: %d versions of them became %d", made, now)
			}
		}
		compareWithSource(t, c.Expected, fx.tables)
	}
}

// writeStatements are the statements after the warehouse's first n that are about the bed's tables and not mere
// questions.
func (fx *fixture) writeStatements(n int) (out []string) {
	fx.t.Helper()
	stats := fx.warehouse.Stats(fx.t)
	for _, s := range stats.Log[max(0, len(stats.Log)-(stats.Statements-n)):] { // other tests' too
		if strings.Contains(s.Statement, fx.prefix) && !slices.Contains([]string{"SELECT", "SHOW", "DESCRIBE"}, s.Kind) {
			out = append(out, s.Kind+" "+s.Table)
		}
	}
	return out
}

// tableFiles are those of the bed's tables: any commit adds some.
func (fx *fixture) tableFiles() (out []string) {
	fx.t.Helper()
	tables := fx.localPath
	if fx.warehouse != nil {
		tables = filepath.Join(fx.warehouse.Dir, "tables", fx.prefix)
	}
	dirs, err := filepath.Glob(tables + "_otel_*")
	for _, dir := range dirs {
		err = errors.Join(err, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				var info os.FileInfo
				if info, err = d.Info(); err == nil {
					out = append(out, path+info.ModTime().String())
				}
			}
			return err
		}))
	}
	if err != nil {
		fx.t.Fatal(err)
	}
	return out
}
