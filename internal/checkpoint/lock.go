package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"
)

// Lock is the right to use a checkpoint. The operating system ends it with its process.
type Lock struct {
	f          *flock.Flock
	holderFile string // names the holder
}

// probeTime is how long TakeLock waits at least: Held may hold the lock for a moment while it looks.
const probeTime = 500 * time.Millisecond

// TakeLock locks the checkpoint at path for h, waiting up to wait for another holder. The error is a
// *LockedError when it still is held then.
func TakeLock(ctx context.Context, path string, wait time.Duration, h Holder) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, explain("make the checkpoint's folder: %w", err)
	}
	f := flock.New(path+".lock", flock.SetPermissions(0o600))
	wctx, cancel := context.WithTimeout(ctx, max(wait, probeTime))
	defer cancel()
	if _, err := f.TryLockContext(wctx, 100*time.Millisecond); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, explain("lock the checkpoint: %w", err)
	}
	if !f.Locked() {
		f.Close()
		return nil, &LockedError{path, readHolder(path)}
	}
	// The holder's name is only for people, and the lock holds without it, so errors don't matter.
	l := &Lock{f, path + ".holder"}
	if b, err := json.Marshal(h); err == nil {
		_ = os.WriteFile(l.holderFile, b, 0o600)
	}
	return l, nil
}

// Release gives the lock back.
func (l *Lock) Release() error {
	_ = os.Remove(l.holderFile) // only for people, see TakeLock
	return l.f.Unlock()
}

// Held says whether a process has the lock of the checkpoint at path, and who last wrote down to have taken it. What is written
// outlives a process that was killed; the lock does not.
func Held(path string) (bool, Holder, error) {
	if _, err := os.Stat(path + ".lock"); errors.Is(err, fs.ErrNotExist) {
		return false, Holder{}, nil // nobody ever took it
	}
	f := flock.New(path+".lock", flock.SetFlag(os.O_RDONLY))
	// A shared lock: two processes that look don't take each other for the holder.
	free, err := f.TryRLock()
	if err != nil {
		return false, Holder{}, fmt.Errorf("look at the lock of checkpoint %s: %w", path, err)
	}
	return !free, readHolder(path), f.Close()
}

// ClearLock removes what a process left that held the lock of the checkpoint at path when it was killed, and says who it
// was; the zero Holder where there is nothing to remove. h is the process that does so. The error is a *LockedError while a process
// holds the lock, which is never broken.
func ClearLock(ctx context.Context, path string, h Holder) (killed Holder, err error) {
	held, last, err := Held(path)
	switch {
	case err != nil:
		return Holder{}, err
	case held:
		return Holder{}, &LockedError{path, last}
	case last.PID == 0:
		return Holder{}, nil
	}
	lock, err := TakeLock(ctx, path, 0, h)
	if err != nil {
		return Holder{}, err
	}
	return last, lock.Release()
}

// readHolder reads who last wrote down to have taken the lock.
func readHolder(path string) (h Holder) {
	if b, err := os.ReadFile(path + ".holder"); err == nil {
		_ = json.Unmarshal(b, &h) // where the file is half written, the holder stays unknown
	}
	return h
}

// Holder is who holds the lock of a checkpoint, as the process wrote it down. It is zero where it wrote nothing.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	User  string    `json:"user"`
	Since time.Time `json:"since"`
	RunID string    `json:"run_id"`
}

// ThisProcess is this process as the holder of a lock, for the run runID.
func ThisProcess(runID string) Holder {
	h := Holder{PID: os.Getpid(), Since: time.Now(), RunID: runID, Host: "unknown host", User: "unknown user"}
	if host, err := os.Hostname(); err == nil {
		h.Host = host
	}
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	return h
}

// By is user@host, as in Run.By.
func (h Holder) By() string { return h.User + "@" + h.Host }

func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return "process " + strconv.Itoa(h.PID) + " of " + h.User + " on " + h.Host + " (run " + h.RunID + ", since " +
		h.Since.Format(time.RFC3339) + ")"
}
