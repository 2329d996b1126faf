package checkpoint

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	// The test binary runs itself as a process that holds a lock until it is killed.
	if path := os.Getenv("CHECKPOINT_HOLD"); path != "" {
		if _, err := TakeLock(context.Background(), path, 0, Holder{PID: os.Getpid(), Host: "there", User: "ann", RunID: "r1"}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		select {}
	}
	flag.Set("rapid.checks", "15") // each opens a file many times
	goleak.VerifyTestMain(m)
}

var pair = Pair{Source: "http://localhost:5000#1", Target: "main.agents.prod"}

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, pair)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A store must behave as a map from trace ID to the last record put, also after it was closed and opened again.
func TestStoreIsAMap(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprintf("%d # %%41?.db", n))
		s, err := Open(t.Context(), path, pair)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { s.Close() }()
		ids := rapid.SampledFrom([]string{"tr-1", "tr-2", "tr-'3'", "tr-ü", ""})
		want := map[string]Record{}
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				rs := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) Record {
					return Record{
						TraceID: ids.Draw(rt, "id"), State: rapid.SampledFrom([]State{Migrated, Deferred, Skipped, Failed}).Draw(rt, "state"),
						RequestTimeMs: rapid.Int64Range(0, 2000).Draw(rt, "time"), Reason: Reason(rapid.String().Draw(rt, "reason")),
						RunID: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "run"),
						Spans: rapid.IntRange(0, 1<<40).Draw(rt, "spans"), Bytes: rapid.Int64().Draw(rt, "bytes"), Digest: "d",
					}
				}), 0, 4).Draw(rt, "records")
				if err := s.Put(t.Context(), rs...); err != nil {
					rt.Fatal(err)
				}
				for _, r := range rs {
					want[r.TraceID] = r
				}
			},
			"reopen": func(rt *rapid.T) {
				s.Close()
				if s, err = Open(t.Context(), path, pair); err != nil {
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				got, err := s.Get(t.Context(), []string{"tr-1", "tr-2", "tr-'3'", "tr-ü", "", "none"})
				if err != nil {
					rt.Fatal(err)
				}
				if d := cmp.Diff(want, got); d != "" {
					rt.Fatalf("records differ (-want +got):\n%s", d)
				}
				pending := map[string]bool{}
				after := ""
				for {
					rs, err := s.Pending(t.Context(), "a", time.UnixMilli(1000), after, 2)
					if err != nil {
						rt.Fatal(err)
					}
					if len(rs) == 0 {
						break
					}
					for _, r := range rs {
						pending[r.TraceID], after = true, r.TraceID
					}
				}
				for id, r := range want {
					// The paging begins after "", which no source uses as an ID.
					if is := (r.State == Deferred || r.State == Failed || r.State == Skipped && r.RequestTimeMs >= 1000) &&
						r.RunID != "a" && id != ""; is != pending[id] {
						rt.Fatalf("%q pending: %v, want %v", id, pending[id], is)
					}
				}
			},
		})
	})
}

func TestLinks(t *testing.T) {
	s := open(t, "")
	for _, run := range []string{"r2", "r1", "r2", "r0", "half"} {
		if err := s.AddLinks(t.Context(), run, []string{"a", "b"}); err != nil {
			t.Fatal(err)
		}
	}
	for run, other := range map[string]bool{"r1": false, "r2": false, "r0": true, "none": true} {
		if err := s.LookedAt(t.Context(), run, other); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Links(t.Context(), []string{"a", "c"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]Links{"a": {Source: []string{"r1", "r2"}, Others: []string{"r0"}}}, got); d != "" {
		t.Errorf("links (-want +got):\n%s", d)
	}
	seen, err := s.HasLookedAt(t.Context(), []string{"r0", "none", "half", "unknown"})
	if d := cmp.Diff(map[string]bool{"r0": true, "none": true}, seen); d != "" || err != nil {
		t.Errorf("looked at, error %v (-want +got):\n%s", err, d)
	}
	if err := s.ResetLinks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ = s.Links(t.Context(), []string{"a"}); len(got) != 0 {
		t.Errorf("links after reset: %v, want none", got)
	}
	if seen, _ = s.HasLookedAt(t.Context(), []string{"r0"}); len(seen) != 0 {
		t.Errorf("looked at after reset: %v, want none", seen)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.db")
	open(t, path).Close()
	if fi, _ := os.Stat(path); fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", fi.Mode())
	}
	_, err := Open(t.Context(), path, Pair{Source: pair.Source, Target: "main.agents.other"})
	if other, ok := errors.AsType[*OtherPairError](err); !ok || other.Have != "main.agents.prod" {
		t.Errorf("another pair's file: error %v, want an *OtherPairError of main.agents.prod", err)
	}
	junk := filepath.Join(dir, "junk.db")
	os.WriteFile(junk, []byte(strings.Repeat("no database\n", 1000)), 0o600)
	_, err = Open(t.Context(), junk, pair)
	if _, ok := errors.AsType[*DamagedError](err); !ok {
		t.Errorf("junk: error %v, want a *DamagedError", err)
	}
}

// holdLock starts a process that holds the lock of the checkpoint at path.
func holdLock(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CHECKPOINT_HOLD="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	if _, err := out.Read(buf); err != nil || string(buf) != "held" {
		t.Fatalf("the child said %q, %v, want held", buf, err)
	}
	return cmd
}

func TestLockNamesItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	cmd := holdLock(t, path)
	_, err := TakeLock(t.Context(), path, 0, Holder{})
	locked, ok := errors.AsType[*LockedError](err)
	if !ok || locked.Holder.PID != cmd.Process.Pid || !strings.Contains(err.Error(), "ann on there (run r1") {
		t.Errorf("taken while held: error %v, want a *LockedError of process %d, ann on there (run r1)", err, cmd.Process.Pid)
	}
	if held, h, err := Held(path); err != nil || !held || h.RunID != "r1" {
		t.Errorf("held: %v by %v, error %v, want by the run r1", held, h, err)
	}
	// A run that waits gets the lock when its holder is killed.
	got := make(chan error, 1)
	go func() {
		l, err := TakeLock(t.Context(), path, time.Minute, Holder{})
		if err == nil {
			err = l.Release()
		}
		got <- err
	}()
	cmd.Process.Kill()
	cmd.Wait()
	if err := <-got; err != nil {
		t.Errorf("after the holder died: error %v, want the lock", err)
	}
	if held, h, err := Held(path); err != nil || held || h != (Holder{}) {
		t.Errorf("after the release held: %v by %v, error %v, want by nobody", held, h, err)
	}
}

// Processes that look at a lock don't take one another for its holder.
func TestHeldIsShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	if held, _, err := Held(path); err != nil || held {
		t.Errorf("never taken: held %v, error %v, want false", held, err)
	}
	if _, err := os.Stat(path + ".lock"); err == nil {
		t.Error("Held made the lock file, want no file")
	}
	look := flock.New(path + ".lock") // as Held does, but for longer
	if ok, err := look.TryRLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if held, _, err := Held(path); err != nil || held {
		t.Errorf("while another process looks: held %v, error %v, want false", held, err)
	}
	look.Close()
}

func TestDefaultPath(t *testing.T) {
	env := map[string]string{"XDG_STATE_HOME": "/state"}
	a, _ := DefaultPath(func(k string) string { return env[k] }, pair)
	b, _ := DefaultPath(func(k string) string { return env[k] }, Pair{Source: pair.Source, Target: "file:./lake/ag ent"})
	if !strings.HasPrefix(a, "/state/tracemig/main.agents.prod-") || !strings.HasPrefix(b, "/state/tracemig/ag_ent-") {
		t.Errorf("%s and %s, want /state/tracemig/main.agents.prod-… and /state/tracemig/ag_ent-…", a, b)
	}
	env["XDG_STATE_HOME"] = "relative"
	if p, err := DefaultPath(func(k string) string { return env[k] }, pair); err != nil || !filepath.IsAbs(p) {
		t.Errorf("relative XDG_STATE_HOME: %s, error %v, want an absolute path", p, err)
	}
}
