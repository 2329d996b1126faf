//go:build !linux && !darwin

package preflight

import "errors"

func diskFree(string) (uint64, error) { return 0, errors.ErrUnsupported }

func access(string) error { return errors.ErrUnsupported }
