package deltalake

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/seed"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// childEnv holds, in a process that the tests started, the path of the lake it writes to.
const childEnv = "TRACEMIG_TEST_LAKE"

// childReplaces is set in a process that replaces spans instead.
const childReplaces = "TRACEMIG_TEST_REPLACE"

const (
	childBatches = 6
	childRows    = 40
)

// child writes the same rows as every other child: overlapping batches of spans and annotations.
func child() int {
	ctx := context.Background()
	l, err := Open(os.Getenv(childEnv), Options{})
	if err == nil {
		err = l.Create(ctx)
	}
	if err == nil && os.Getenv(childReplaces) != "" {
		if err = replaceChild(ctx, l); err == nil {
			return 0
		}
	}
	for i := 0; err == nil && i < childBatches; i++ {
		var annotations []uctables.Annotation
		for j := range childRows {
			annotations = append(annotations, metadataRow("s", fmt.Sprintf("%032x", i*childRows/2+j), 1))
		}
		if _, err = l.WriteAnnotations(ctx, annotations); err == nil {
			_, err = l.WriteSpans(ctx, randomSpans(1, i*childRows/2, childRows))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func childCommand(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

const childKeys = (childBatches + 1) * childRows / 2

// checkChildren looks for rows of both tables that are missing or there twice.
func checkChildren(t *testing.T, path string) {
	t.Helper()
	l := open(t, path)
	checkKeys(t, l, childKeys)
	ids := make(map[string]int)
	if err := l.annotations().scanAll(t.Context(), target.AllTimes, []string{"annotation_id"}, func(r *rowReader) error {
		ids[string(r.text(0))]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(ids) != childKeys {
		t.Errorf("%d annotations, want %d", len(ids), childKeys)
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("annotation %s is there %d times, want once", id, n)
		}
	}
}

func TestConcurrentProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	var wg sync.WaitGroup
	for range 4 {
		cmd := childCommand(t, path)
		wg.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	checkChildren(t, path)
}

// TestKill kills writers at random moments, again and again, and lets one finish. With -seed they are killed after
// the same shares of the time that a whole run takes.
func TestKill(t *testing.T) {
	random := seed.Rand(t)
	rounds, kills := 2, 8
	if testing.Short() {
		rounds, kills = 1, 4
	}
	began := time.Now()
	if err := childCommand(t, filepath.Join(t.TempDir(), "agent")).Run(); err != nil {
		t.Fatal(err)
	}
	lasts := int64(time.Since(began)) // It depends on the machine and on the race detector.
	for range rounds {
		path := filepath.Join(t.TempDir(), "agent")
		killed := 0
		for range kills {
			cmd := childCommand(t, path)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Duration(random.Int64N(lasts)), func() { _ = cmd.Process.Kill() })
			if cmd.Wait() != nil {
				killed++
			}
			timer.Stop()
		}
		t.Logf("%d of %d children were killed, the others ended before", killed, kills)
		if err := childCommand(t, path).Run(); err != nil {
			t.Fatal(err)
		}
		checkChildren(t, path)
	}
}
