// Package fault says what kind of fault an error is, for programs: the exit code of tracemig goes by it, and error.code in
// its JSON. For people there are the error's words, and the next step of package advice.
package fault

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/tracemig/tracemig/internal/disk"
)

// Kind is what went wrong, as error.code says it.
type Kind string

// The kinds. Kinds says what each means.
const (
	Usage        Kind = "usage"
	Locked       Kind = "locked"
	Credentials  Kind = "credentials"
	Permission   Kind = "permission"
	Unreachable  Kind = "unreachable"
	NotFound     Kind = "not_found"
	TableMissing Kind = "table_missing"
	TableDiffers Kind = "table_differs"
	Checkpoint   Kind = "checkpoint"
	Disk         Kind = "disk"
	Other        Kind = "other"
)

// Kinds are all kinds, the exit code of a command that ends with each, and when that is.
var Kinds = []struct {
	Kind     Kind
	ExitCode int
	When     string
}{
	{Usage, 2, "flags, arguments or a variable of the environment can't be meant so"},
	{Locked, 11, "another run works with the same checkpoint"},
	{Credentials, 12, "there are no credentials, or the source or the workspace does not accept them"},
	{Permission, 12, "the identity may not read the source, use the SQL warehouse, or write the tables"},
	{Unreachable, 13, "the source, the workspace or the SQL warehouse does not answer, or gave no usable answer at any try"},
	{NotFound, 1, "there is no such experiment, SQL warehouse, catalog, schema, or file"},
	{TableMissing, 1, "a table of the target does not exist"},
	{TableDiffers, 1, "a table of the target is not of the form that tracemig writes"},
	{Checkpoint, 1, "the checkpoint can't be read, or is of another source and target"},
	{Disk, 1, "a file of this machine can't be written: its disk is full, or its permissions forbid it"},
	{Other, 1, "anything else: see error.message"},
}

// ExitCode is the exit code of a command that ends with a fault of this kind.
func (k Kind) ExitCode() int {
	for _, known := range Kinds {
		if known.Kind == k {
			return known.ExitCode
		}
	}
	return 1
}

// A Faulty is an error that knows its kind.
type Faulty interface {
	error
	Fault() Kind // empty where it is not known
}

// With says of what kind err is. It returns nil for nil.
func With(err error, k Kind) error {
	if err == nil {
		return nil
	}
	return &kinded{err, k}
}

type kinded struct {
	err  error
	kind Kind
}

func (e *kinded) Error() string { return e.err.Error() }
func (e *kinded) Unwrap() error { return e.err }
func (e *kinded) Fault() Kind   { return e.kind }

// Of is the kind of err. An error of the network counts as one wherever it came up: that a login failed because nothing
// answered says nothing about the credentials.
func Of(err error) Kind {
	if unreachable(err) {
		return Unreachable
	}
	for e := err; e != nil; {
		f, ok := errors.AsType[Faulty](e)
		if !ok {
			break
		}
		if k := f.Fault(); k != "" {
			return k
		}
		e = errors.Unwrap(f)
	}
	switch {
	case disk.Full(err), disk.Forbidden(err):
		return Disk
	case errors.Is(err, fs.ErrNotExist):
		return NotFound
	}
	return Other
}

// unreachable says whether err tells that a server does not answer, or that another one answers than the one that was meant.
func unreachable(err error) bool {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op != "listen" {
		return true
	}
	if u, ok := errors.AsType[*url.Error](err); ok && u.Op != "parse" {
		return true
	}
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	return plain || errors.Is(err, http.ErrSchemeMismatch) || errors.Is(err, syscall.ECONNREFUSED)
}
