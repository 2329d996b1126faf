package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/disk"
	"github.com/tracemig/tracemig/internal/fault"
)

// DamagedError says that the file is not a checkpoint that can be read.
type DamagedError struct {
	Path string
	Err  error
}

func (e *DamagedError) Error() string {
	return advice.Join(fmt.Sprintf("checkpoint %s can't be read: %v", e.Path, e.Err), e.NextStep())
}

// NextStep says how to get another checkpoint.
func (e *DamagedError) NextStep() string {
	return "Move the file away and run again: it is rebuilt from the target"
}
func (e *DamagedError) Unwrap() error { return e.Err }

// Fault says that the checkpoint is at fault.
func (e *DamagedError) Fault() fault.Kind { return fault.Checkpoint }

// OtherPairError says that the checkpoint belongs to another source, target or shard.
type OtherPairError struct {
	Path      string
	What      string // "source", "target" or "shard"
	Have, Ask string // for a shard "" means all traces
}

func (e *OtherPairError) Error() string {
	what := e.What
	switch {
	case what == "shard" && e.Have == "":
		what = fmt.Sprintf("all traces, not for shard %s", e.Ask)
	case what == "shard" && e.Ask == "":
		what = fmt.Sprintf("shard %s, not for all traces", e.Have)
	default:
		what = fmt.Sprintf("%s %q, not for %q", what, e.Have, e.Ask)
	}
	return advice.Join("checkpoint "+e.Path+" is for "+what, e.NextStep())
}

// NextStep says how to use another checkpoint, or this one.
func (e *OtherPairError) NextStep() string {
	if e.What == "shard" && e.Have != "" && e.Ask == "" {
		return "Add --shard " + e.Have + ", name another file with --checkpoint, or leave the flag out"
	}
	address, id, _ := strings.Cut(e.Have, "#")
	if _, asked, ok := strings.Cut(e.Ask, "#"); ok && e.What == "source" && asked == id {
		return "Add --source-name '" + address + "' if this is another way to the same source, name another file with --checkpoint, or leave " +
			"the flag out"
	}
	return "Name another file with --checkpoint, or leave the flag out"
}

// Fault says that the checkpoint is at fault.
func (e *OtherPairError) Fault() fault.Kind { return fault.Checkpoint }

// LockedError says that another run works with the same checkpoint.
type LockedError struct {
	Path   string
	Holder Holder
}

func (e *LockedError) Error() string {
	return advice.Join(fmt.Sprintf("checkpoint %s is in use by %s", e.Path, e.Holder), e.NextStep())
}

// NextStep says how to wait, or not to.
func (e *LockedError) NextStep() string {
	return "Wait for it with --lock-wait 10m, or give this run a checkpoint of its own with --checkpoint"
}

// Fault says that the checkpoint is locked.
func (e *LockedError) Fault() fault.Kind { return fault.Locked }

// How to have the file in another place.
const (
	relocateByFlag    = "name another file with --checkpoint"
	relocateTemporary = "set TMPDIR to another folder"
)

// explain adds to an error of the file system what to do about it, and puts it into a format with %w.
func explain(format string, err error) error {
	if disk.Full(err) || disk.Forbidden(err) {
		err = disk.Explain(err, relocateByFlag)
	} else {
		err = advice.With(err, "Name another file with --checkpoint")
	}
	return fmt.Errorf(format, err)
}

// wrap names the checkpoint in an error, and says what to do where that is known. It returns nil for nil.
func (s *Store) wrap(err error) error {
	if err == nil {
		return nil
	}
	if refused := s.refused(err); refused != nil {
		return refused
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB) {
		return &DamagedError{s.path, err}
	}
	return fmt.Errorf("%s: %w", s.name(), err)
}

// unusable is wrap for an error at opening: unless the error says otherwise, the file is not a checkpoint.
func (s *Store) unusable(err error) error {
	if refused := s.refused(err); refused != nil {
		return refused
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &DamagedError{s.path, err}
}

// refused is err with what to do about it, where the file's place is at fault and not its content; nil for other errors.
func (s *Store) refused(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return nil
	}
	switch e.Code() & 0xff { // the other bits of an extended code say where it happened
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return advice.With(fault.With(fmt.Errorf("%s can't be written: %w", s.name(), err), fault.Disk),
			"Make room on its disk, or "+s.relocate+", and run the same command again")
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return advice.With(fault.With(fmt.Errorf("%s can't be written: %w", s.name(), err), fault.Disk),
			"Change the permissions of the file and its folder, or "+s.relocate)
	case sqlite3.SQLITE_BUSY:
		return advice.With(fmt.Errorf("%s is in use by another program: %w", s.name(), err), "Close it, and run the same command again")
	}
	return nil
}

func (s *Store) name() string {
	if s.relocate == relocateTemporary {
		return "a temporary file"
	}
	return "checkpoint " + s.path
}
