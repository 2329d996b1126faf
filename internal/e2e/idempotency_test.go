//go:build rig

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSecondRun checks that a run that finds nothing new writes nothing, and sends no statement that could write.
func TestSecondRun(t *testing.T) {
	t.Parallel()
	m, c := fill(t, smallCases+",no_spans,in_progress")
	for _, fx := range []*fixture{newFixture(t, m.URI, c.Experiment).toWarehouse(), newFixture(t, m.URI, c.Experiment).toLocal()} {
		first := fx.mustRun(0)
		if first.summary.Migrated == 0 || first.summary.SpansWritten == 0 || first.summary.AnnotationsWritten == 0 {
			t.Fatalf("first run: %+v, want traces, spans and annotations migrated", first.summary)
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
				t.Errorf("run %s: %+v\nwant no write, and the traces of the first run: %+v", again, s, first.summary)
			}
			if after := fx.tableFiles(); !slices.Equal(before, after) || len(before) == 0 {
				t.Errorf("run %s changed the target from\n%q to\n%q", again, before, after)
			}
			if fx.warehouse == nil {
				continue
			}
			if writes := fx.writeStatements(sent); len(writes) > 0 {
				t.Errorf("run %s sent the statements %q, want none that writes", again, writes)
			}
		}
		if fx.warehouse != nil {
			// With --create, a run leaves existing tables as they are.
			versions := func() (n int) {
				for _, table := range []string{fx.tables.spans, fx.tables.annotations} {
					n += len(fx.warehouse.SQL(t, "DESCRIBE HISTORY "+table))
				}
				return n
			}
			made := versions()
			fx.mustRun(0, "--create")
			if now := versions(); now != made || made == 0 {
				t.Errorf("after --create the existing tables have %d versions, want %d", now, made)
			}
		}
		compareWithSource(t, c.Expected, fx.tables)
	}
}

// writeStatements returns the statements after the warehouse's first n that are about the fixture's tables and do not only
// read.
func (fx *fixture) writeStatements(n int) (out []string) {
	fx.t.Helper()
	stats := fx.warehouse.Stats(fx.t)
	for _, s := range stats.Log[max(0, len(stats.Log)-(stats.Statements-n)):] { // The log has the statements of other tests too.
		if strings.Contains(s.Statement, fx.prefix) && !slices.Contains([]string{"SELECT", "SHOW", "DESCRIBE"}, s.Kind) {
			out = append(out, s.Kind+" "+s.Table)
		}
	}
	return out
}

// tableFiles returns the files of the fixture's tables with their times. Every commit adds files.
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
