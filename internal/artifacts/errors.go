package artifacts

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"unicode"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/retry"
)

// Error says why a location can't be read from here, and what to do. It is mlflowdb.ErrElsewhere: whether a file is there is not known.
type Error struct {
	Problem string
	next    string
	kind    fault.Kind
}

// nextServer is the next step where nothing but the server helps.
const nextServer = "try again, or name the MLflow server, which reads it, with --server"

func (e *Error) Error() string { return advice.Join(e.Problem, e.next) }

// NextStep says how to reach the files.
func (e *Error) NextStep() string { return e.next }

// Fault says what kind of fault is in the way.
func (e *Error) Fault() fault.Kind {
	if e.kind == "" {
		return fault.NotFound
	}
	return e.kind
}

// Is says that an *Error is mlflowdb.ErrElsewhere.
func (e *Error) Is(target error) bool { return target == mlflowdb.ErrElsewhere }

// refusal is what an object store has answered.
type refusal struct {
	status  int
	code    string // in the store's words
	message string
}

// judge makes an error of a refusal, other than that a file is not there. credentials says where those of the store come from.
func (r refusal) judge(credentials string) error {
	e := &Error{Problem: "the store answers " + clean(strings.Join([]string{r.code, r.message}, " ")), kind: fault.NotFound, next: nextServer}
	switch {
	case r.status == 401 || r.status == 403:
		e.kind = fault.Permission
		e.next = "give credentials that may read it (" + credentials + "), or name the MLflow server, which reads it, with --server"
	case r.status == 408 || r.status == 429 || r.status >= 500:
		e.kind = fault.Unreachable
		return retry.Again(e, 0)
	}
	return e
}

// noCredentials is the error of a store for which none were found.
func noCredentials(err error, credentials string) *Error {
	return &Error{
		Problem: "no credentials for it were found: " + clean(err.Error()), kind: fault.Credentials,
		next: "give some (" + credentials + "), or name the MLflow server, which reads it, with --server",
	}
}

// connection is the error of a request that got no answer. reached says whether the store has answered before: a wrong address is not
// tried for minutes.
func connection(err error, reached bool) error {
	var wrong bool
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		wrong = dns.IsNotFound
	}
	if wrong = wrong || errors.Is(err, syscall.ECONNREFUSED); wrong && !reached {
		return &Error{Problem: "the store does not answer: " + cause(err), kind: fault.Unreachable,
			next: "check its address, or name the MLflow server, which reads it, with --server"}
	}
	e := &Error{Problem: "the store does not answer: " + cause(err), kind: fault.Unreachable, next: nextServer}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return retry.Again(e, 0)
	}
	return e
}

// cause is the text of an error of the network without the address that was asked, whose query may hold a secret.
func cause(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op
	}
	return clean(err.Error())
}

// clean makes one line of at most 400 bytes of a text that others have written, without queries of addresses.
func clean(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	s = queries.ReplaceAllString(s, "$1?…")
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + "…"
	}
	return s
}
