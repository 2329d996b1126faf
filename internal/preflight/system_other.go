//go:build !linux && !darwin

package preflight

import "errors"

func diskFree(string) (uint64, bool, error) { return 0, false, errors.ErrUnsupported }

func access(string) error { return errors.ErrUnsupported }
