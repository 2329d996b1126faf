package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tracemig/tracemig/internal/checkpoint"
)

func (c *check) checkpoint(server, experimentID, target string) {
	var path string
	var p checkpoint.Pair
	err := errNoPair
	if server != "" && target != "" {
		path, p, err = c.Job.Checkpoint(server, experimentID, target)
	}
	if err != nil {
		for _, code := range []Code{CodeCheckpoint, CodeLock, CodeStateDisk} {
			if errors.Is(err, errNoPair) {
				c.needs(c.unknown, err.Error(), code)
			} else {
				c.failed(code, err, "")
			}
		}
		return
	}
	c.file(path, p)
	held, holder, err := checkpoint.Held(path)
	switch {
	case err != nil:
		c.failed(CodeLock, err, "Change the permissions of the file, or name another checkpoint with --checkpoint")
	case held:
		c.warning(CodeLock, "Wait for it: a run begun now is refused, but for --lock-wait 10m", "in use by %s", holder)
	default:
		c.ok(CodeLock, "no run has it")
	}
	c.disk(CodeStateDisk, filepath.Dir(path))
}

var errNoPair = errors.New("it goes by source and target, of which one is not known")

func (c *check) file(path string, p checkpoint.Pair) {
	const next = "Change its permissions, or name another file with --checkpoint"
	s, err := checkpoint.OpenReadOnly(c.ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		folder, err := writableFolder(filepath.Dir(path))
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			c.failed(CodeCheckpoint, fmt.Errorf("%s can't be made: %s can't be written to: %w", path, folder, err), next)
			return
		}
		c.ok(CodeCheckpoint, "%s will be made, or rebuilt from the target", path)
		return
	}
	if err != nil {
		c.failed(CodeCheckpoint, err, next)
		return
	}
	defer s.Close()
	if err := s.BelongsTo(p); err != nil {
		c.failed(CodeCheckpoint, err, "")
		return
	}
	// The folder must be writable too: SQLite makes files beside the checkpoint.
	for _, place := range []string{path, filepath.Dir(path)} {
		if err := access(place); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			c.failed(CodeCheckpoint, fmt.Errorf("%s can't be written to: %w", place, err), next)
			return
		}
	}
	c.ok(CodeCheckpoint, "%s is readable and of this source and target", path)
}

func (c *check) disk(code Code, folder string) {
	at, err := existing(folder)
	var free uint64
	files := true
	if err == nil {
		free, files, err = diskFree(at)
	}
	const next = "Make room, or name another place"
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		c.notChecked(code, "this system is not asked for its free space")
	case err != nil:
		c.notChecked(code, "the free space can't be read: %v", err)
	case free < diskFull:
		c.failed(code, fmt.Errorf("the disk is full: %d KiB are free at %s", free>>10, at), next)
	case !files:
		c.failed(code, fmt.Errorf("the disk takes no more files, though %d MiB are free at %s", free>>20, at),
			"Remove files there, or name another place")
	case free < diskWarning:
		c.warning(code, next, "only %d MiB are free at %s", free>>20, at)
	default:
		c.ok(code, "%d MiB are free at %s", free>>20, at)
	}
}

// existing is path, or the nearest folder above it that exists.
func existing(path string) (string, error) {
	for {
		_, err := os.Stat(path)
		up := filepath.Dir(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || up == path {
			return path, err
		}
		path = up
	}
}

// writableFolder says whether path, or the nearest folder above it that exists, can be written to. It writes nothing. The error
// is errors.ErrUnsupported where the system can't tell.
func writableFolder(path string) (at string, err error) {
	at, err = existing(path)
	if err != nil {
		return at, err
	}
	if info, err := os.Stat(at); err == nil && !info.IsDir() {
		return at, syscall.ENOTDIR
	}
	return at, access(at)
}
