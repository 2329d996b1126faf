package deltalake

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/target"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	rig.Main(m)
}

func newLake(t *testing.T) *Lake {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "lake", "agent"))
	if err := l.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func open(t *testing.T, path string) *Lake {
	t.Helper()
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestRoundTrip writes rows and reads them back; a second write adds nothing, not even a commit.
func TestRoundTrip(t *testing.T) {
	l := newLake(t)
	ctx := t.Context()
	for i := range 3 {
		if i == 2 {
			l = open(t, l.path) // as another process would
		}
		spans, err := l.WriteSpans(ctx, sampleSpans())
		if err != nil {
			t.Fatal(err)
		}
		annotations, err := l.WriteAnnotations(ctx, sampleAnnotations())
		if err != nil {
			t.Fatal(err)
		}
		want := [2]int{3, 0}
		if i > 0 {
			want = [2]int{0, 3}
		}
		for _, w := range []target.Written{spans, annotations} {
			if got := [2]int{w.Inserted, w.Present}; got != want {
				t.Errorf("write %d: inserted and present %v, want %v", i, got, want)
			}
		}
	}
	for _, tbl := range []*table{l.spans(), l.annotations()} {
		if commits := commitCount(t, tbl); commits != 2 {
			t.Errorf("%s has %d commits, want 2", tbl.spec.Suffix, commits)
		}
	}
	var want []map[string]any
	for _, s := range sampleSpans() {
		want = append(want, expectedSpan(t, &s))
	}
	if d := cmp.Diff(want, readTable(t, l.spans())); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}
	want = nil
	for _, a := range sampleAnnotations() {
		want = append(want, expectedAnnotation(t, &a))
	}
	if d := cmp.Diff(want, readTable(t, l.annotations())); d != "" {
		t.Errorf("annotations (-want +got):\n%s", d)
	}
}

func commitCount(t *testing.T, tbl *table) int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(tbl.log.dir, logDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestConcurrentCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	var wg sync.WaitGroup
	for range 8 {
		l := open(t, path)
		wg.Go(func() {
			if err := l.Create(t.Context()); err != nil {
				t.Error(err)
			}
			if err := l.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, tbl := range open(t, path).tables {
		if n := commitCount(t, tbl); n != 1 {
			t.Errorf("%s: %d commits, want 1", tbl.spec.Suffix, n)
		}
		if hidden, _ := filepath.Glob(filepath.Join(tbl.log.dir, logDir, ".*")); len(hidden) > 0 {
			t.Errorf("left: %v, want nothing", hidden)
		}
	}
}

func TestMissing(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "agent"))
	err := l.Check(t.Context())
	if _, ok := errors.AsType[*target.TableError](err); !ok || !strings.Contains(err.Error(), "tracemig run") {
		t.Errorf("error %v, want a TableError that names tracemig run", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(l.path)); err != nil || len(entries) > 0 {
		t.Errorf("Check left %v, error %v; want nothing", entries, err)
	}
	for _, path := range []string{"", ".", "..", "/", "lake/", "lake/..", "a\x00b"} {
		if _, err := Open(path, Options{}); err == nil {
			t.Errorf("path %q was taken, want an error", path)
		}
	}
}
