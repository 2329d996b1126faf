// Package disk says what can be done about errors of the file system that are the machine's fault, not the
// program's: a full disk, a folder that may not be written to.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

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
