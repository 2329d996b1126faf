package mlflowdb

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
)

// databaseError is an error of a database in one line: drivers tell of each way that they tried to connect.
type databaseError struct {
	address *Address
	err     error
}

func (e *databaseError) Error() string {
	return e.address.String() + ": " + e.address.engine.words(e.err)
}
func (e *databaseError) Unwrap() error { return e.err }

// judge makes an error of the database one for the user: which database, what happened, and what to do.
func (s *Source) judge(err error) error {
	_, advised := errors.AsType[advice.Adviser](err)
	if advised {
		return err
	}
	told := &databaseError{s.address, err}
	next, kind := s.address.engine.judge(s.address, err)
	if next == "" && fault.Of(err) == fault.Unreachable {
		next = "Check the host and the port in the address, and that the database takes connections from this machine"
	}
	var out error = told
	if kind != "" {
		out = fault.With(out, kind)
	}
	if next != "" {
		out = advice.With(out, next)
	}
	return out
}

// innermost is the text of the last error in a chain: the outer ones repeat addresses and what was tried.
func innermost(err error) string {
	for {
		var inner error
		switch e := err.(type) { //nolint:errorlint // the chain is walked link by link
		case *net.OpError:
			inner = e.Err
		case *net.DNSError:
			return e.Error()
		case interface{ Unwrap() error }:
			inner = e.Unwrap()
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			inner = all[len(all)-1] // the last try
		}
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// lostConnection says whether err tells of a connection that broke or that could not be made.
func lostConnection(err error) bool {
	if n, ok := errors.AsType[*net.OpError](err); ok && !errors.Is(n, context.Canceled) {
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
