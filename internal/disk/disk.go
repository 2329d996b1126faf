// Package disk makes files durable, and says what can be done about errors of the file system that are the
// machine's fault, not the program's: a full disk, a folder that may not be written to.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// Finish makes a file durable and closes it. err is that of writing it, which comes first.
func Finish(f *os.File, err error) error {
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// SyncFolder makes the names in a folder durable.
func SyncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // folders can't be synced there
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return Finish(d, nil)
}

// Full says whether err tells of a disk or a quota that is used up.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Forbidden says whether err tells of a place that may not be written to.
func Forbidden(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// Explain adds the next step to err where it is one of the above. elsewhere is the clause that says how to
// name another place.
func Explain(err error, elsewhere string) error {
	switch {
	case err == nil:
	case Full(err):
		return fmt.Errorf("%w. Make room on its disk, or %s, and run the same command again", err, elsewhere)
	case Forbidden(err):
		return fmt.Errorf("%w. Change its permissions, or %s", err, elsewhere)
	}
	return err
}
