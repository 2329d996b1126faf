package warehouse

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	dbsqlerr "github.com/databricks/databricks-sql-go/errors"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// statementError is an error of the driver and what the HTTP layer saw of it. Its text can hold
// SQL and rows, so it is never shown: failure puts it into other words.
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

// failure is a judgement on an error.
type failure struct {
	kind    kind
	err     error         // for people, typed where a caller decides on it
	after   time.Duration // the server's own wish
	asleep  bool          // the warehouse may not be running
	unknown bool          // the error is of no known class
	lost    bool          // another writer's commit came first
	unsent  bool          // the connection broke while the statement was sent
	busy    bool          // the warehouse has no room, or is not there yet: it is waited for longer than for a fault
}

type kind int

const (
	refused     kind = iota // had no effect and would have none again
	again                   // had no effect, another try can help
	doubtful                // may have had its effect
	unexplained             // had no effect, perhaps for what the rows hold
	gone                    // had no effect, for a file it reads is not there
)

// failure judges what the driver returned for a statement on table t with bytes of rows.
func (w *Warehouse) failure(ctx context.Context, t uctables.Table, bytes int64, err error) failure {
	table := w.opts.Location.Name(t)
	if ctx.Err() != nil {
		return failure{kind: refused, err: fmt.Errorf("%s: interrupted while a statement ran, which has taken effect or not; running again completes it: %w", table, context.Cause(ctx))}
	}
	if errors.Is(err, errNoCount) {
		return failure{kind: doubtful, unknown: true, err: fmt.Errorf("%s: %w, and the table does not hold them all. Look at the query history of SQL warehouse %s, then run again", table, errNoCount, w.opts.WarehouseID)}
	}
	var s *statementError
	if !errors.As(err, &s) {
		return failure{kind: refused, err: fmt.Errorf("%s: %w", table, err)}
	}
	if s.exchange.auth != nil {
		return failure{kind: refused, err: fmt.Errorf("%s: no credentials for the SQL warehouse: %w. Log in again, or check the profile", table, s.exchange.auth)}
	}
	ofHTTP := errors.Is(err, errNotTaken) || errors.Is(err, dbsqlerr.RequestError)
	if s.exchange.noSession || errors.Is(err, driver.ErrBadConn) {
		f := failure{kind: again, asleep: true, err: fmt.Errorf("%s: the session with SQL warehouse %s was closed by the server. Run again", table, w.opts.WarehouseID)}
		if s.exchange.statement && s.exchange.requests > 1 {
			f.kind = doubtful // It ended while it was asked how far the statement was.
		}
		return f
	}
	if ofHTTP && s.exchange.status == http.StatusOK && reportOf(err).meaning() != unknownMeaning {
		ofHTTP = false // The driver wraps what the server says of a session, or of a page of a result.
	}
	if ofHTTP && s.exchange.status != 0 && s.exchange.status != http.StatusOK {
		return w.httpFailure(table, bytes, s)
	}
	if ofHTTP {
		cause := s.exchange.err
		if cause == nil {
			cause = io.ErrUnexpectedEOF // the answer's head came, but not all of its body
		}
		e := fmt.Errorf("%s: the connection to SQL warehouse %s broke: %w. Check the network and run again", table, w.opts.WarehouseID, cause)
		switch {
		case !s.exchange.statement:
			return failure{kind: again, err: e, asleep: true}
		case s.exchange.unsent && s.exchange.requests == 1:
			return failure{kind: again, err: e, unsent: true}
		}
		return failure{kind: doubtful, err: e}
	}
	return w.sqlFailure(t, bytes, s)
}

// unsentTries is how often a connection may break while a request goes out before it is taken for a gateway that
// does so with large ones.
const unsentTries = 3

func (w *Warehouse) httpFailure(table string, bytes int64, s *statementError) failure {
	x := s.exchange
	status := fmt.Sprintf("HTTP %d %s", x.status, http.StatusText(x.status))
	e := fmt.Errorf("%s: SQL warehouse %s answers %s. Run again later", table, w.opts.WarehouseID, status)
	started := x.statement && x.requests > 1 // it was polling or fetching that failed
	switch {
	case x.status == http.StatusRequestEntityTooLarge, bytes > 0 && !started && x.status != http.StatusTooManyRequests && readReport(x.said, "").meaningFor(bytes) == tooLarge:
		return failure{kind: refused, err: &target.TooLargeError{Table: table, Bytes: bytes, Err: errors.New(status)}}
	case x.status == http.StatusTooManyRequests && !started:
		return failure{kind: again, err: e, after: x.retryAfter}
	case x.status == http.StatusServiceUnavailable && !started:
		return failure{kind: again, err: e, after: x.retryAfter, asleep: true}
	case x.ended:
		return failure{kind: refused, err: fmt.Errorf("%s: SQL warehouse %s says that the token has ended (%s), and there is no newer one. Log in again, or give a new token, and run again", table, w.opts.WarehouseID, status)}
	case x.status == http.StatusUnauthorized:
		return failure{kind: refused, err: fmt.Errorf("%s: SQL warehouse %s does not accept the credentials (%s). Log in again, or check the token", table, w.opts.WarehouseID, status)}
	case x.status == http.StatusForbidden: // a wrong token as well as a lack of rights
		return failure{kind: refused, err: fmt.Errorf("%s: SQL warehouse %s may not be used with these credentials (%s). Check the token, or ask for CAN USE on the warehouse", table, w.opts.WarehouseID, status)}
	case x.status == http.StatusNotFound:
		return failure{kind: refused, err: fmt.Errorf("%s: there is no SQL warehouse %s (%s). Check --warehouse-id", table, w.opts.WarehouseID, status)}
	case started || x.status >= 500 && x.statement:
		// A gateway may answer for a server that goes on working.
		return failure{kind: doubtful, err: e, after: x.retryAfter, asleep: true}
	case x.status >= 500:
		return failure{kind: again, err: e, after: x.retryAfter, asleep: true}
	}
	said := ""
	if x.said != "" {
		said = ": " + x.said
	}
	return failure{kind: refused, err: fmt.Errorf("%s: SQL warehouse %s refuses the request (%s)%s. Look at its query history", table, w.opts.WarehouseID, status, said)}
}

// sqlFailure judges a statement that the server reports as failed. The server's text is not passed
// on: it quotes statements and rows.
func (w *Warehouse) sqlFailure(t uctables.Table, bytes int64, s *statementError) failure {
	table, id := w.opts.Location.Name(t), w.opts.WarehouseID
	r := reportOf(s.err)
	said := errors.New(r.String())
	sayf := func(format string, args ...any) error {
		return fmt.Errorf("%s: "+format, append([]any{table}, args...)...)
	}
	// What was told when a session was to be opened is not about a statement.
	uncertain := doubtful
	if !s.exchange.statement {
		uncertain = again
	}
	switch r.meaningFor(bytes) {
	case conflict:
		return failure{kind: again, lost: true, err: sayf("another writer commits at the same time: %w. Run again when it has ended", said)}
	case committed:
		return failure{kind: doubtful, err: sayf("SQL warehouse %s failed after the commit: %w. Run again", id, said)}
	case noTable:
		return failure{kind: refused, err: sayf("%w (%s). Create an experiment with this location, or, where there is no service, run with --create", errNoTable, r)}
	case noSchema:
		return failure{kind: refused, err: sayf("the catalog or schema does not exist (%s). Check its name, or create it", r)}
	case noRight:
		return failure{kind: refused, err: sayf("you lack permissions: %w. Have its owner run: %s", said, strings.Join(w.grants(), "; "))}
	case badRow:
		return failure{kind: refused, err: &target.RowError{Table: table, Err: said}}
	case tooLarge:
		if bytes > 0 {
			return failure{kind: refused, err: &target.TooLargeError{Table: table, Bytes: bytes, Err: said}}
		}
	case tooLong:
		if bytes > 0 {
			return failure{kind: refused, err: &target.TooLargeError{Table: table, Bytes: bytes, Slow: true, Err: said}}
		}
		return failure{kind: refused, err: sayf("the statement ran out of time: %w. Raise STATEMENT_TIMEOUT of SQL warehouse %s, or use a larger one", said, id)}
	case noFile:
		return failure{kind: gone, err: sayf("SQL warehouse %s can't read a file: %w. Look at its query history, then run again", id, said)}
	case writeFailed:
		return failure{kind: unexplained, unknown: true, err: sayf("SQL warehouse %s could not write: %w. Look at its query history, then run again", id, said)}
	case noSession:
		return failure{kind: uncertain, asleep: true, err: sayf("the session with SQL warehouse %s was closed by the server. Run again", id)}
	case notReady:
		return failure{kind: again, asleep: true, busy: true, err: sayf("SQL warehouse %s is starting, or has no room for another statement. Run again later, or use a larger one", id)}
	case passing:
		return failure{kind: uncertain, asleep: true, err: sayf("SQL warehouse %s is in trouble: %w. Run again later", id, said)}
	case cancelled:
		return failure{kind: uncertain, unknown: true, err: sayf("somebody has cancelled the statement: %w. Look at the query history of SQL warehouse %s, then run again", said, id)}
	case noThrift:
		return failure{kind: refused, err: sayf("SQL warehouse %s is of a kind that tracemig can't use (%s). Name a serverless, pro or classic one", id, r)}
	}
	if r.state == "" && len(r.names) == 0 {
		return failure{kind: uncertain, unknown: true, asleep: true, err: sayf("SQL warehouse %s reports %w. Look at its query history, then run again", id, said)}
	}
	return failure{kind: refused, err: sayf("the statement failed with %w. Look at the query history of SQL warehouse %s", said, id)}
}

// reportOf is what the server says of a failed statement, as the driver passes it on.
func reportOf(err error) reported {
	state := ""
	var x dbsqlerr.DBExecutionError
	if errors.As(err, &x) {
		state = x.SqlState()
	}
	return readReport(err.Error(), state)
}
