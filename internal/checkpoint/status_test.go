package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/shard"
)

func TestKilled(t *testing.T) {
	now := time.Now()
	before, after := now.Add(-time.Minute), now.Add(time.Millisecond)
	for name, c := range map[string]struct {
		held   bool
		holder string
		run    Run
		want   bool
	}{
		"nobody holds the lock":                 {run: Run{ID: "a", Start: before, Outcome: Running}, want: true},
		"another run holds the lock":            {held: true, holder: "b", run: Run{ID: "a", Start: before, Outcome: Running}, want: true},
		"it holds the lock":                     {held: true, holder: "a", run: Run{ID: "a", Start: before, Outcome: Running}},
		"it held the lock once":                 {holder: "a", run: Run{ID: "a", Start: before, Outcome: Running}, want: true},
		"it began after the lock was looked at": {run: Run{ID: "a", Start: after, Outcome: Running}},
		"it has ended":                          {run: Run{ID: "a", Start: before, Outcome: report.Done}},
	} {
		t.Run(name, func(t *testing.T) {
			a := activity{at: now, held: c.held, holder: Holder{RunID: c.holder}}
			if got := a.killed(c.run); got != c.want {
				t.Errorf("killed is %v, want %v", got, c.want)
			}
		})
	}
}

func TestClearLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	if killed, err := ClearLock(t.Context(), path, Holder{}); err != nil || killed != (Holder{}) {
		t.Errorf("never locked: %v, error %v, want nobody", killed, err)
	}
	cmd := holdLock(t, path)
	_, err := ClearLock(t.Context(), path, Holder{})
	if locked, ok := errors.AsType[*LockedError](err); !ok || locked.Holder.RunID != "r1" {
		t.Errorf("while it is held: error %v, want a *LockedError of the run r1", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it says that the process was killed
	if killed, err := ClearLock(t.Context(), path, Holder{PID: 1}); err != nil || killed.RunID != "r1" {
		t.Errorf("after the holder was killed: %v, error %v, want the run r1", killed, err)
	}
	if _, err := os.Stat(path + ".holder"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file that names the holder: error %v, want %v", err, os.ErrNotExist)
	}
}

func TestShards(t *testing.T) {
	state := filepath.Join(t.TempDir(), "[x]*") // characters that a pattern would not take for themselves
	getenv := func(string) string { return state }
	for _, s := range []shard.Shard{{}, {Index: 0, Count: 2}, {Index: 1, Count: 2}} {
		p := pair
		p.Shard = s
		path, err := DefaultPath(getenv, p)
		if err != nil {
			t.Fatal(err)
		}
		store, err := Open(t.Context(), path, p)
		if err != nil {
			t.Fatal(err)
		}
		store.Close()
	}
	if got, want := Shards(t.Context(), getenv, pair), []string{"0/2", "1/2"}; !slices.Equal(got, want) {
		t.Errorf("shards %q, want %q", got, want)
	}
	if _, paths, err := InDefaultDir(getenv); err != nil || len(paths) != 3 {
		t.Errorf("checkpoints %q, error %v, want 3", paths, err)
	}
}
