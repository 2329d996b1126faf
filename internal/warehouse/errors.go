package warehouse

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	dbsqlerr "github.com/databricks/databricks-sql-go/errors"

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
}

type kind int

const (
	refused     kind = iota // had no effect and would have none again
	again                   // had no effect, another try can help
	doubtful                // may have had its effect
	unexplained             // had no effect, perhaps for what the rows hold
	gone                    // had no effect, for a file it reads is not there
)

var (
	// A server's message names its error condition in brackets, and most name the SQLSTATE.
	conditions = regexp.MustCompile(`\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]`)
	sqlState   = regexp.MustCompile(`SQLSTATE: ([0-9A-Z]{5})`)
	// Older releases name only Delta's exception classes for conflicts.
	conflictClasses = regexp.MustCompile(`\b(Concurrent(Append|Write|DeleteRead|DeleteDelete|Transaction)|MetadataChanged|ProtocolChanged)Exception\b`)
	tooLargeWords   = regexp.MustCompile(`(?i)(request|statement|query|parameter|message|body)[^.]{0,80}(too large|too long|exceed)|OutOfMemoryError`)
)

// Conditions that say that a value can't be stored. All have SQLSTATEs of class 22 or 23, but tasks
// of a failed job may be quoted without one.
var dataConditions = []string{
	"MALFORMED_RECORD_IN_PARSING", "MALFORMED_VARIANT", "VARIANT_SIZE_LIMIT", "VARIANT_CONSTRUCTOR_SIZE_LIMIT",
	"VARIANT_DUPLICATE_KEY", "USER_RAISED_EXCEPTION", "DATETIME_OVERFLOW", "CAST_OVERFLOW", "CAST_INVALID_INPUT",
	"DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
}

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
		// The server no longer knows the session; it has not looked at the statement.
		return failure{kind: again, err: fmt.Errorf("%s: the session with SQL warehouse %s was closed by the server. Run again", table, w.opts.WarehouseID)}
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
		if !s.exchange.statement {
			return failure{kind: again, err: e, asleep: true}
		}
		return failure{kind: doubtful, err: e}
	}
	return w.sqlFailure(t, bytes, s)
}

func (w *Warehouse) httpFailure(table string, bytes int64, s *statementError) failure {
	x := s.exchange
	status := fmt.Sprintf("HTTP %d %s", x.status, http.StatusText(x.status))
	e := fmt.Errorf("%s: SQL warehouse %s answers %s. Run again later", table, w.opts.WarehouseID, status)
	started := x.statement && x.requests > 1 // it was polling or fetching that failed
	switch {
	case x.status == http.StatusRequestEntityTooLarge:
		return failure{kind: refused, err: &uctables.TooLargeError{Table: table, Bytes: bytes, Err: errors.New(status)}}
	case x.status == http.StatusTooManyRequests && !started:
		return failure{kind: again, err: e, after: x.retryAfter}
	case x.status == http.StatusServiceUnavailable && !started:
		return failure{kind: again, err: e, after: x.retryAfter, asleep: true}
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
	return failure{kind: refused, err: e}
}

// sqlFailure judges a statement that the server reports as failed. The server's text is not passed
// on: it quotes statements and rows.
func (w *Warehouse) sqlFailure(t uctables.Table, bytes int64, s *statementError) failure {
	table := w.opts.Location.Name(t)
	text := s.err.Error()
	state := ""
	var x dbsqlerr.DBExecutionError
	if errors.As(s.err, &x) {
		state = x.SqlState()
	}
	if m := sqlState.FindStringSubmatch(text); state == "" && m != nil {
		state = m[1]
	}
	var names []string
	for _, m := range conditions.FindAllStringSubmatch(text, 20) {
		names = append(names, m[1])
	}
	condition := "an error without a name"
	if len(names) > 0 {
		condition = names[0]
	}
	if state != "" {
		condition += " (SQLSTATE " + state + ")"
	}
	said := errors.New(condition)

	is := func(wanted ...string) bool {
		for _, n := range names {
			for _, want := range wanted {
				if n == want || strings.HasPrefix(n, want+".") {
					return true
				}
			}
		}
		return false
	}
	first := ""
	if len(names) > 0 {
		first = names[0]
	}
	switch {
	case strings.HasPrefix(first, "DELTA_CONCURRENT_") || is("DELTA_METADATA_CHANGED", "DELTA_PROTOCOL_CHANGED") ||
		state == "2D521" || strings.HasPrefix(state, "40") || (first == "" && conflictClasses.MatchString(text)):
		return failure{kind: again, lost: true, err: fmt.Errorf("%s: another writer commits at the same time: %w. Run again when it has ended", table, said)}
	case is("TABLE_OR_VIEW_NOT_FOUND", "DELTA_TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "NO_SUCH_CATALOG_EXCEPTION", "CATALOG_NOT_FOUND") || state == "42P01":
		e := fmt.Errorf("%s: %w (%s). Create an experiment with this location, or, where there is no service, run with --create", table, errNoTable, condition)
		if !is("TABLE_OR_VIEW_NOT_FOUND", "DELTA_TABLE_NOT_FOUND") && state != "42P01" {
			e = fmt.Errorf("%s: the catalog or schema does not exist (%s). Check its name, or create it", table, condition)
		}
		return failure{kind: refused, err: e}
	case is("INSUFFICIENT_PERMISSIONS", "PERMISSION_DENIED", "UNAUTHORIZED_ACCESS") || state == "42501" || strings.Contains(text, "PERMISSION_DENIED"):
		return failure{kind: refused, err: fmt.Errorf("%s: you lack permissions: %w. Have its owner run: %s", table, said, strings.Join(w.grants(), "; "))}
	case is(dataConditions...) || strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23"):
		return failure{kind: refused, err: &uctables.RowError{Table: table, Err: said}}
	case strings.HasPrefix(state, "54") || (bytes > 0 && tooLargeWords.MatchString(text)):
		return failure{kind: refused, err: &uctables.TooLargeError{Table: table, Bytes: bytes, Err: said}}
	case is("PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA", "FAILED_READ_FILE", "FILE_NOT_EXIST"):
		return failure{kind: gone, err: fmt.Errorf("%s: SQL warehouse %s can't read a file: %w. Look at its query history, then run again", table, w.opts.WarehouseID, said)}
	case is("TASK_WRITE_FAILED") || state == "58030" || strings.Contains(text, "Job aborted"):
		return failure{kind: unexplained, unknown: true, err: fmt.Errorf("%s: SQL warehouse %s could not write: %w. Look at its query history, then run again", table, w.opts.WarehouseID, said)}
	case state == "" && len(names) == 0:
		return failure{kind: doubtful, unknown: true, err: fmt.Errorf("%s: SQL warehouse %s reports %w. Look at its query history, then run again", table, w.opts.WarehouseID, said)}
	}
	return failure{kind: refused, err: fmt.Errorf("%s: the statement failed with %w. Look at the query history of SQL warehouse %s", table, said, w.opts.WarehouseID)}
}
