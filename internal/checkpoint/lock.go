package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// LockedError says that another run works with the same checkpoint.
type LockedError struct {
	Path   string
	Holder Holder
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("checkpoint %s is in use by %s. Wait for it with --lock-wait 10m, or give this run a checkpoint of its own with --checkpoint", e.Path, e.Holder)
}

// Lock is the right to use a checkpoint. The operating system ends it with its process.
type Lock struct{ f *flock.Flock }

// TakeLock locks the checkpoint at path for h, waiting up to wait for another holder. The error is a
// *LockedError when it still is held then.
func TakeLock(ctx context.Context, path string, wait time.Duration, h Holder) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the checkpoint's folder: %w", err)
	}
	f := flock.New(path+".lock", flock.SetPermissions(0o600))
	if wait > 0 {
		wctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		if _, err := f.TryLockContext(wctx, 200*time.Millisecond); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("lock the checkpoint: %w", err)
		}
	} else if _, err := f.TryLock(); err != nil {
		return nil, fmt.Errorf("lock the checkpoint: %w", err)
	}
	if !f.Locked() {
		e := &LockedError{Path: path}
		if b, err := os.ReadFile(path + ".holder"); err == nil {
			_ = json.Unmarshal(b, &e.Holder) // half written: the holder stays unknown
		}
		f.Close()
		return nil, e
	}
	// The holder's name is for people; the lock itself is the file's, so a failure here is no obstacle.
	if b, err := json.Marshal(h); err == nil {
		_ = os.WriteFile(path+".holder", b, 0o600)
	}
	return &Lock{f}, nil
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.f.Unlock() }
