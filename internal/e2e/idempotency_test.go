//go:build rig

package e2e

import (
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
	m, c := fill(t, small+",no_spans,in_progress")
	for _, b := range []*bed{newBed(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{}), newBed(t, m.URI, c.Experiment).toLocal()} {
		first := b.mustRun(0)
		if first.summary.Migrated == 0 || first.summary.SpansWritten == 0 || first.summary.AnnotationsWritten == 0 {
			t.Fatalf("first run: %+v", first.summary)
		}
		before := b.state()
		for _, again := range []string{"with its checkpoint", "with a new checkpoint", "with the checkpoint made anew"} {
			if again == "with a new checkpoint" {
				b.forget()
			}
			s := b.mustRun(0).summary
			if s.SpansWritten+s.AnnotationsWritten+s.Migrated+s.Failed+s.Statements != 0 || s.Present != first.summary.Migrated ||
				s.Deferred != first.summary.Deferred || s.Skipped != first.summary.Skipped || s.Listed != first.summary.Listed {
				t.Errorf("run %s: %+v\nafter a first with %+v", again, s, first.summary)
			}
			if after := b.state(); !slices.Equal(before, after) {
				t.Errorf("run %s changed the target from\n%q to\n%q", again, before, after)
			}
		}
		if b.wh != nil {
			// Asked to make tables that are there, it leaves them as they are.
			versions := func() int {
				return len(b.wh.SQL(t, "DESCRIBE HISTORY "+b.rowsOf.spans)) + len(b.wh.SQL(t, "DESCRIBE HISTORY "+b.rowsOf.annotations))
			}
			made := versions()
			b.mustRun(0, "--create")
			if now := versions(); now != made || made == 0 {
				t.Errorf("--create on tables that are there: %d versions of them became %d", made, now)
			}
		}
		compare(t, c.Expected, b.rowsOf)
	}
}

// state is what any write to the target changes: the write statements so far, or the files.
func (b *bed) state() []string {
	b.t.Helper()
	var out []string
	if b.wh != nil {
		for _, s := range b.wh.Stats(b.t).Log {
			if strings.Contains(s.Statement, b.prefix) && !slices.Contains([]string{"SELECT", "SHOW", "DESCRIBE"}, s.Kind) {
				out = append(out, s.Kind+" "+s.Table)
			}
		}
		return out
	}
	err := filepath.WalkDir(filepath.Dir(b.folder), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var info os.FileInfo
			if info, err = d.Info(); err == nil {
				out = append(out, path+info.ModTime().String())
			}
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}
