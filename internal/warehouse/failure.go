package warehouse

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	dbsqlerr "github.com/databricks/databricks-sql-go/errors"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/uctables"
)

// statementError is an error of the driver, together with what the HTTP layer saw of the call. Its text can hold SQL and
// rows, so it is never shown: failure puts it into other words.
type statementError struct {
	err      error
	exchange *exchange
}

func (e *statementError) Error() string { return e.err.Error() }
func (e *statementError) Unwrap() error { return e.err }

var (
	errNoTable = errors.New("the table does not exist")
	errNoCount = errors.New("the warehouse does not say how many rows it inserted")
)

// outcome is what is known about the effect of a statement after one try.
type outcome string

const (
	outcomeCommitted   outcome = "committed"    // it took effect
	outcomeUncounted   outcome = "uncounted"    // it took effect, but the answer does not say on how many rows
	outcomeUnknown     outcome = "unknown"      // it may have taken effect
	outcomeNotRun      outcome = "not run"      // it had no effect, and another try can help
	outcomeUnsent      outcome = "unsent"       // it had no effect: the connection broke while it was sent
	outcomeRaceLost    outcome = "race lost"    // it had no effect: another writer's commit came first
	outcomeTaskFailed  outcome = "task failed"  // it had no effect, perhaps because of what the rows hold
	outcomeFileMissing outcome = "file missing" // it had no effect: a file that it reads is not there
	outcomeTooLarge    outcome = "too large"    // it had no effect, and would have none again: it is too large
	outcomeTooSlow     outcome = "too slow"     // it had no effect, and would have none again: it runs out of time
	outcomeRefused     outcome = "refused"      // it had no effect, and would have none again
	outcomeInterrupted outcome = "interrupted"  // it may have taken effect, but the caller has stopped the try
)

// failure says what came of a try that failed, and what has to be known for another one.
type failure struct {
	outcome      outcome
	err          error         // for people; typed where a caller of the package decides by it
	after        time.Duration // how long the server asks to wait
	stopped      bool          // the warehouse may not be running
	busy         bool          // the warehouse has no room, or is starting: it is waited for longer than after a fault
	unrecognized bool          // nothing is known of the error, so only few more tries are made
}

// evidence is what a failed statement is judged by.
type evidence struct {
	w           *Warehouse
	table       string // full name
	bytes       int64  // of rows in the statement, 0 if it has none
	err         error
	interrupted error     // why the context has ended, nil if it has not
	exchange    *exchange // nil if the error is not one of the driver
	report      reported  // what the server says of the statement
}

// failure judges what the driver returned for a statement on table t with so many bytes of rows.
func (w *Warehouse) failure(ctx context.Context, t uctables.Table, bytes int64, err error) failure {
	return w.evidence(ctx, t, bytes, err).judge(causes)
}

func (w *Warehouse) evidence(ctx context.Context, t uctables.Table, bytes int64, err error) *evidence {
	e := &evidence{w: w, table: w.opts.Location.Name(t), bytes: bytes, err: err}
	if ctx.Err() != nil {
		e.interrupted = context.Cause(ctx)
	}
	if s, ok := errors.AsType[*statementError](err); ok {
		e.exchange, e.report = s.exchange, reportOf(s.err)
	}
	return e
}

// cause is one row of a table by which failures are judged. The first row that applies counts.
type cause struct {
	name    string
	applies func(*evidence) bool
	failure func(*evidence) failure
}

// judge finds the first cause that applies. The last row of every table applies always.
func (e *evidence) judge(causes []cause) failure {
	for _, c := range causes[:len(causes)-1] {
		if c.applies(e) {
			return c.failure(e)
		}
	}
	return causes[len(causes)-1].failure(e)
}

func always(*evidence) bool { return true }

// causes are the kinds of failures, in the order in which they are looked for.
var causes = []cause{
	{"interrupted", func(e *evidence) bool { return e.interrupted != nil }, func(e *evidence) failure {
		return failure{outcome: outcomeInterrupted, err: e.sayf("interrupted while a statement ran, which has taken effect or not; "+
			"running again completes it: %w", e.interrupted)}
	}},
	{"no count", func(e *evidence) bool { return errors.Is(e.err, errNoCount) }, func(e *evidence) failure {
		return failure{outcome: outcomeUncounted, unrecognized: true, err: advice.With(
			e.sayf("%w, and the table does not hold them all", errNoCount),
			"Look at the query history of SQL warehouse "+e.warehouse()+", then run again")}
	}},
	{"not of the driver", func(e *evidence) bool { return e.exchange == nil }, func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: e.sayf("%w", e.err)}
	}},
	{"no credentials", func(e *evidence) bool { return e.exchange.auth != nil }, func(e *evidence) failure {
		return failure{outcome: outcomeRefused,
			err: advice.With(e.faultf(fault.Credentials, "no credentials for the SQL warehouse: %w", e.exchange.auth),
				"Log in again, or check the profile")}
	}},
	{"session closed", func(e *evidence) bool {
		return e.exchange.noSession || errors.Is(e.err, driver.ErrBadConn)
	}, sessionClosed},
	{"HTTP status", func(e *evidence) bool {
		return e.ofTransport() && e.exchange.status != 0 && e.exchange.status != http.StatusOK
	}, func(e *evidence) failure { return e.judge(httpCauses) }},
	{"connection broken", func(e *evidence) bool {
		// The driver reports as an error of the transport also what the server says, in HTTP 200, of a session or of a page of a
		// result.
		said := e.exchange.status == http.StatusOK && e.report.meaning() != unknownMeaning
		return e.ofTransport() && !said
	}, connectionBroken},
	{"SQL error", always, sqlFailure},
}

// ofTransport says whether the driver's error is about the exchange by HTTP.
func (e *evidence) ofTransport() bool {
	return errors.Is(e.err, errNotTaken) || errors.Is(e.err, dbsqlerr.RequestError)
}

// started says whether the server had already taken the statement: a later request, for its state or its rows, failed.
func (e *evidence) started() bool { return e.exchange.statement && e.exchange.requests > 1 }

// warehouse is the warehouse's ID.
func (e *evidence) warehouse() string { return e.w.opts.WarehouseID }

// sayf is an error that begins with the table's name.
func (e *evidence) sayf(format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{e.table}, args...)...)
}

// faultf is sayf for an error of which the kind is known.
func (e *evidence) faultf(k fault.Kind, format string, args ...any) error {
	return fault.With(e.sayf(format, args...), k)
}

func sessionClosed(e *evidence) failure {
	f := failure{outcome: outcomeNotRun, stopped: true,
		err: advice.With(e.faultf(fault.Unreachable, "the session with SQL warehouse %s was closed by the server", e.warehouse()), "Run again")}
	if e.started() {
		f.outcome = outcomeUnknown // The session ended while the driver asked how far the statement was.
	}
	return f
}

func connectionBroken(e *evidence) failure {
	why := e.exchange.err
	if why == nil {
		why = io.ErrUnexpectedEOF // the head of the answer came, but not all of its body
	}
	f := failure{outcome: outcomeUnknown,
		err: advice.With(e.faultf(fault.Unreachable, "the connection to SQL warehouse %s broke: %w", e.warehouse(), why),
			"Check the network and run again")}
	switch {
	case !e.exchange.statement:
		f.outcome, f.stopped = outcomeNotRun, true
	case e.exchange.unsent && e.exchange.requests == 1:
		f.outcome = outcomeUnsent
	}
	return f
}

// reportOf is what the server says of a failed statement, as the driver passes it on.
func reportOf(err error) reported {
	state := ""
	if x, ok := errors.AsType[dbsqlerr.DBExecutionError](err); ok {
		state = x.SqlState()
	}
	return readReport(err.Error(), state)
}
