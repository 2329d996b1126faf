// Package disk makes files durable, and says what to do about a full disk and a folder that may not be written to.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/tracemig/tracemig/internal/advice"
)

// Finish makes a file durable and closes it. It returns the first error, which is err, that of writing the file, where
// there was one.
func Finish(f *os.File, err error) error {
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// SyncFolder makes the names of a folder's files durable.
func SyncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows can't sync folders.
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return Finish(d, nil)
}

// Put writes data into f, a new file in the folder of name, and gives it that name once it is durable: whoever reads name finds
// all of the data, or what was there before. It closes f, and removes it where that fails.
func Put(f *os.File, data []byte, name string) error {
	_, err := f.Write(data)
	if err = Finish(f, err); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error that led here is the one to tell
		return err
	}
	return SyncFolder(filepath.Dir(name))
}

// Full says whether err is that of a full disk or an exhausted quota.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Forbidden says whether err is that of a file or folder that may not be written to.
func Forbidden(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// Explain adds the next step to err where that is Full or Forbidden. elsewhere is the clause that says how to choose
// another place.
func Explain(err error, elsewhere string) error {
	switch {
	case err == nil:
	case Full(err):
		return advice.With(err, "Make room on its disk, or "+elsewhere+", and run the same command again")
	case Forbidden(err):
		return advice.With(err, "Change its permissions, or "+elsewhere)
	}
	return err
}
