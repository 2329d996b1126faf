package warehouse

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	dbsqlerr "github.com/databricks/databricks-sql-go/errors"

	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// executionError is what the driver makes of a statement that failed on the server.
type executionError struct {
	dbsqlerr.DBExecutionError
	text, state string
}

func (e executionError) Error() string {
	return "databricks: execution error: failed to execute query: unexpected operation state ERROR_STATE: " + e.text
}
func (e executionError) SqlState() string { return e.state }

// requestError is what the driver makes of a failed HTTP exchange.
func requestError(cause error) error {
	return fmt.Errorf("databricks: request error: execute statement request error: %w: %w", dbsqlerr.RequestError, cause)
}

// errBadSession is what the driver makes of an answer that says that the session is not known.
var errBadSession = fmt.Errorf("%w: Invalid SessionHandle: %w", dbsqlerr.RequestError, driver.ErrBadConn)

const secret = "payload-of-a-row"

func TestFailure(t *testing.T) {
	w := &Warehouse{}
	w.opts.Location = uctables.Location{Catalog: "main", Schema: "agents", Prefix: "prod"}
	w.opts.WarehouseID = "abc"
	w.needs = grants.ToWrite(w.opts.Location)
	sqlError := func(text, state string) *statementError {
		return &statementError{executionError{text: text, state: state}, &exchange{statement: true, requests: 2, status: http.StatusOK}}
	}
	httpError := func(statement bool, status int, after time.Duration) *statementError {
		err := requestError(errNotTaken)
		if !statement {
			err = requestError(fmt.Errorf("unexpected HTTP status %d", status))
		}
		return &statementError{err, &exchange{statement: statement, requests: 1, status: status, retryAfter: after}}
	}
	type want struct {
		outcome      outcome
		text         string // part of the error
		row          bool   // *target.RowError
		tooLarge     bool   // *target.TooLargeError
		after        time.Duration
		stopped      bool
		unrecognized bool
		busy         bool
	}
	// said is an HTTP answer with words.
	said := func(statement bool, requests, status int, words string) *statementError {
		e := httpError(statement, status, 0)
		e.exchange.requests, e.exchange.message = requests, words
		return e
	}
	// inStatus is what the driver makes of a status that is told inside of HTTP 200, for a session or a statement.
	inStatus := func(statement bool, text string) *statementError {
		err := error(executionError{text: text})
		if !statement {
			err = requestError(errors.New(text))
		}
		return &statementError{err, &exchange{statement: statement, requests: 1, status: http.StatusOK}}
	}
	for name, c := range map[string]struct {
		err  error
		want want
	}{
		"malformed row": {
			sqlError("[MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] Malformed records are detected in record parsing: "+
				"["+secret+",null]. SQLSTATE: 22023", ""),
			want{outcome: outcomeRefused, row: true, text: "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION (SQLSTATE 22023)"}},
		"malformed row in a failed task": {
			sqlError("[TASK_WRITE_FAILED] Task failed while writing rows. Caused by: "+
				"[MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] "+secret, "58030"),
			want{outcome: outcomeRefused, row: true, text: "TASK_WRITE_FAILED"}},
		"failed task": {
			sqlError("[TASK_WRITE_FAILED] Task failed while writing rows to s3://x. SQLSTATE: 58030", ""),
			want{outcome: outcomeTaskFailed, unrecognized: true, text: "could not write"},
		},
		"variant too large": {
			sqlError("[VARIANT_SIZE_LIMIT] Cannot build variant bigger than 16.0 MiB", "22023"),
			want{outcome: outcomeRefused, row: true},
		},
		"row without key": {sqlError("[USER_RAISED_EXCEPTION] a row has no trace_id", "P0001"), want{outcome: outcomeRefused, row: true}},
		"constraint": {
			sqlError("[DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] CHECK constraint "+secret, "23001"),
			want{outcome: outcomeRefused, row: true},
		},
		"conflict": {
			sqlError("[DELTA_CONCURRENT_APPEND.WITHOUT_HINT] Transaction conflict detected.", "2D521"),
			want{outcome: outcomeRaceLost, text: "another writer"},
		},
		"conflict, old words": {
			sqlError("ConcurrentAppendException: Files were added to the root of the table", ""),
			want{outcome: outcomeRaceLost},
		},
		"conflict by metadata": {sqlError("[DELTA_METADATA_CHANGED] MetadataChangedException", "2D521"), want{outcome: outcomeRaceLost}},
		"a row about conflicts": {
			sqlError("[MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] Malformed: "+
				"[[DELTA_CONCURRENT_APPEND] ConcurrentAppendException "+secret+"]", "22023"),
			want{outcome: outcomeRefused, row: true}},
		"no table": {
			sqlError("[TABLE_OR_VIEW_NOT_FOUND] The table or view `x` cannot be found.", "42P01"),
			want{outcome: outcomeRefused, text: "--create"},
		},
		"no schema": {
			sqlError("[SCHEMA_NOT_FOUND] The schema `x` cannot be found.", "42704"),
			want{outcome: outcomeRefused, text: "catalog or schema"},
		},
		"no permission": {
			sqlError("[INSUFFICIENT_PERMISSIONS] User does not have MODIFY on Table", "42501"),
			want{outcome: outcomeRefused, text: "GRANT SELECT, MODIFY ON TABLE `main`.`agents`.`prod_otel_spans`"},
		},
		"old permission words": {
			sqlError("PERMISSION_DENIED: User does not have USE CATALOG on Catalog 'main'.", ""),
			want{outcome: outcomeRefused, text: "GRANT USE CATALOG ON CATALOG `main`"}},
		"program limit": {sqlError("[STATEMENT_TOO_COMPLEX] x", "54001"), want{outcome: outcomeTooLarge, tooLarge: true}},
		"out of memory": {sqlError("java.lang.OutOfMemoryError: Java heap space", ""), want{outcome: outcomeTooLarge, tooLarge: true}},
		"parameter size": {
			sqlError("[INVALID_PARAMETER_VALUE] parameter rows exceeds the maximum size", ""),
			want{outcome: outcomeTooLarge, tooLarge: true},
		},
		"other statement": {
			sqlError("[PARSE_SYNTAX_ERROR] near "+secret, "42601"),
			want{outcome: outcomeRefused, text: "PARSE_SYNTAX_ERROR (SQLSTATE 42601)"},
		},
		"no file": {
			sqlError("[PATH_NOT_FOUND] Path does not exist: dbfs:/Volumes/"+secret, "42K03"),
			want{outcome: outcomeFileMissing, text: "can't read a file"},
		},
		"file gone": {
			sqlError("[FAILED_READ_FILE.FILE_NOT_EXIST] Encountered error while reading file "+secret, "KD001"),
			want{outcome: outcomeFileMissing},
		},
		"no files": {
			sqlError("[UNABLE_TO_INFER_SCHEMA] Unable to infer schema for Parquet.", "42KD9"),
			want{outcome: outcomeFileMissing},
		},
		"nameless":      {sqlError("something went wrong with "+secret, ""), want{outcome: outcomeUnknown, unrecognized: true, stopped: true}},
		"413":           {httpError(true, 413, 0), want{outcome: outcomeTooLarge, tooLarge: true}},
		"429":           {httpError(true, 429, 7*time.Second), want{outcome: outcomeNotRun, after: 7 * time.Second, text: "HTTP 429"}},
		"503":           {httpError(true, 503, 2*time.Second), want{outcome: outcomeNotRun, after: 2 * time.Second, stopped: true}},
		"502 statement": {httpError(true, 502, 0), want{outcome: outcomeUnknown, stopped: true}},
		"500 statement": {httpError(true, 500, 0), want{outcome: outcomeUnknown, stopped: true}},
		"500 session":   {httpError(false, 500, 0), want{outcome: outcomeNotRun, stopped: true}},
		"429 polling": {
			&statementError{requestError(errors.New("x")), &exchange{statement: true, requests: 9, status: 429, retryAfter: time.Second}},
			want{outcome: outcomeUnknown, after: time.Second, stopped: true},
		},
		"401": {httpError(false, 401, 0), want{outcome: outcomeRefused, text: "does not accept the credentials"}},
		"403": {httpError(false, 403, 0), want{outcome: outcomeRefused, text: "CAN USE"}},
		"404": {httpError(false, 404, 0), want{outcome: outcomeRefused, text: "--warehouse-id"}},
		"reset": {
			&statementError{requestError(io.ErrUnexpectedEOF), &exchange{statement: true, requests: 1, err: io.ErrUnexpectedEOF}},
			want{outcome: outcomeUnknown, text: "broke: unexpected EOF"},
		},
		"reset of session": {
			&statementError{requestError(io.ErrUnexpectedEOF), &exchange{requests: 1}},
			want{outcome: outcomeNotRun, stopped: true},
		},
		"session closed": {
			&statementError{errBadSession, &exchange{statement: true, requests: 1, status: 200}},
			want{outcome: outcomeNotRun, stopped: true},
		},
		"session unknown": {
			&statementError{requestError(errNotTaken), &exchange{statement: true, requests: 1, status: 404, noSession: true}},
			want{outcome: outcomeNotRun, stopped: true},
		},
		"no credentials": {
			&statementError{requestError(errors.New("x")), &exchange{auth: errors.New("token expired")}},
			want{outcome: outcomeRefused, text: "token expired"},
		},
		// In HTTP 200: issues of drivers and of tools that use them, see conditions.
		"session not there": {
			inStatus(true, "requirement failed: Session handle: SessionHandle [1b-2c] has not been initialized or had already closed."),
			want{outcome: outcomeUnknown, stopped: true, text: "the session"},
		},
		"session handle": {
			inStatus(true, "Invalid SessionHandle: SessionHandle [1b-2c]"),
			want{outcome: outcomeUnknown, stopped: true, text: "the session"},
		},
		"session is closed": {
			inStatus(true, "BAD_REQUEST: Invalid SessionHandle: Session [1b-2c] is closed."),
			want{outcome: outcomeUnknown, stopped: true, text: "the session"},
		},
		"handle without words": {
			inStatus(true, "thrift: invalid handle"),
			want{outcome: outcomeUnknown, stopped: true, text: "the session"},
		},
		"no session at its opening": {
			inStatus(false, "Session 1b-2c is not fully initialized yet: no SparkSession is attached."),
			want{outcome: outcomeNotRun, stopped: true, text: "the session"},
		},
		"no disk yet": {
			inStatus(true, "Couldn't create directory /local_disk0/tmp/1b-2c/_resources"),
			want{outcome: outcomeNotRun, stopped: true, busy: true, text: "is starting"},
		},
		"no disk for a session": {
			inStatus(false, "Couldn't create directory /local_disk0/tmp/1b-2c/_resources"),
			want{outcome: outcomeNotRun, stopped: true, busy: true, text: "is starting"},
		},
		"not ready": {
			inStatus(false, "SQL warehouse abc is not ready to accept connections (current state: STARTING)"),
			want{outcome: outcomeNotRun, stopped: true, busy: true},
		},
		"at capacity": {
			inStatus(true, "Query rejected: cannot handle query since max capacity reached"),
			want{outcome: outcomeNotRun, stopped: true, busy: true, text: "no room"},
		},
		"server busy": {sqlError("[SOMETHING_BUSY] x", "08KD1"), want{outcome: outcomeNotRun, stopped: true, busy: true}},
		"not for this protocol": {
			inStatus(false, "Lakehouse/RT is not supported for Thrift protocol"),
			want{outcome: outcomeRefused, text: "of a kind that tracemig can't use"},
		},
		"committed all the same": {
			sqlError("[DELTA_POST_COMMIT_HOOK_FAILED] Committing to the Delta table version 5 succeeded but", "2DKD0"),
			want{outcome: outcomeUnknown, text: "after the commit"},
		},
		"a trouble of connections": {
			sqlError("[SOME_CONNECTION_ERROR] x", "08006"),
			want{outcome: outcomeUnknown, stopped: true, text: "in trouble"},
		},
		"no memory": {
			sqlError("[UNABLE_TO_ACQUIRE_MEMORY] Unable to acquire 5 bytes", "53200"),
			want{outcome: outcomeUnknown, stopped: true, text: "in trouble"},
		},
		"an operator's doing": {sqlError("[SHUTTING_DOWN] x", "57P01"), want{outcome: outcomeUnknown, stopped: true, text: "in trouble"}},
		"a system error":      {sqlError("[SOME_IO_ERROR] x", "58000"), want{outcome: outcomeUnknown, stopped: true, text: "in trouble"}},
		"out of time": {
			sqlError("[QUERY_EXECUTION_TIMEOUT_EXCEEDED] Query exceeded", "57KD0"),
			want{outcome: outcomeTooSlow, tooLarge: true},
		},
		"out of time, by state": {sqlError("the query has been cancelled due to timeout", ""), want{outcome: outcomeTooSlow, tooLarge: true}},
		"cancelled by somebody": {
			sqlError("[OPERATION_CANCELED] Operation has been canceled.", "HY008"),
			want{outcome: outcomeUnknown, unrecognized: true, text: "cancelled"},
		},
		"400 for its length": {
			said(true, 1, 400, "Server received a request which exceeds maximum allowed content length. "+
				"RequestSize(bytes): 33967957, Limit(bytes): 33554432"),
			want{outcome: outcomeTooLarge, tooLarge: true}},
		"400 for its size": {
			said(true, 1, 400, "RequestSize(bytes): 33967957, Limit(bytes): 33554432"),
			want{outcome: outcomeTooLarge, tooLarge: true},
		},
		"exhausted": {
			said(true, 1, 500, "RESOURCE_EXHAUSTED: Received message larger than max"),
			want{outcome: outcomeTooLarge, tooLarge: true},
		},
		"exhausted, as SQL": {
			sqlError("RESOURCE_EXHAUSTED: Received message larger than max", ""),
			want{outcome: outcomeTooLarge, tooLarge: true},
		},
		"exhausted, by rate": {said(true, 1, 429, "RESOURCE_EXHAUSTED: Too many requests"), want{outcome: outcomeNotRun}},
		"400 for another cause": {
			said(true, 1, 400, "BAD_REQUEST: The parameter type FOO is unknown"),
			want{outcome: outcomeRefused, text: "BAD_REQUEST: The parameter type FOO is unknown"},
		},
		"403 of an ended token": {
			&statementError{requestError(errNotTaken), &exchange{statement: true, requests: 1, status: 403, tokenEnded: true}},
			want{outcome: outcomeRefused, text: "the token has ended"},
		},
		"cut while sent": {
			&statementError{requestError(io.ErrUnexpectedEOF), &exchange{statement: true, requests: 1, err: io.ErrUnexpectedEOF, unsent: true}},
			want{outcome: outcomeUnsent},
		},
		"session ended while polling": {&statementError{errBadSession, &exchange{statement: true, requests: 3, status: 404, noSession: true}},
			want{outcome: outcomeUnknown, stopped: true}},
		"no count": {errNoCount, want{outcome: outcomeUncounted, unrecognized: true, text: "does not say how many rows"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := w.failure(t.Context(), uctables.Spans, 1<<20, c.err)
			text := f.err.Error()
			_, row := errors.AsType[*target.RowError](f.err)
			_, large := errors.AsType[*target.TooLargeError](f.err)
			got := want{f.outcome, c.want.text, row, large, f.after, f.stopped, f.unrecognized, f.busy}
			if got != c.want || !strings.Contains(text, c.want.text) {
				t.Errorf("%+v (%s), want %+v", got, text, c.want)
			}
			if strings.Contains(text, secret) || strings.Contains(text, "databricks:") {
				t.Errorf("the server's or the driver's words leak: %s", text)
			}
			if !strings.Contains(text, "main.agents.prod_otel_spans") {
				t.Errorf("%s: want the name of the table", text)
			}
		})
	}

	// A small statement is not too large.
	if f := w.failure(t.Context(), uctables.Spans, 1000, sqlError("[RESOURCE_EXHAUSTED] x", "")); f.outcome != outcomeUnknown || !f.stopped {
		t.Errorf("exhausted by a small statement: %+v, want %s and stopped", f, outcomeUnknown)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrClosedPipe)
	f := w.failure(ctx, uctables.Spans, 0, httpError(true, 503, 0))
	if f.outcome != outcomeInterrupted || !errors.Is(f.err, io.ErrClosedPipe) {
		t.Errorf("cancelled: %+v, want %s by %v", f, outcomeInterrupted, io.ErrClosedPipe)
	}
}

// applying are the names of the causes that apply, in the order of the table.
func applying(causes []cause, e *evidence) (names []string) {
	for _, c := range causes {
		if c.applies(e) {
			names = append(names, c.name)
		}
	}
	return names
}

// checkRanks says which causes apply to each evidence, and in which order, and that each row of the table is the first one
// that applies somewhere.
func checkRanks(t *testing.T, causes []cause, samples map[string][]string, evidence func(sample string) *evidence) {
	t.Helper()
	first := map[string]bool{}
	for sample, want := range samples {
		got := applying(causes, evidence(sample))
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q apply, want %q", sample, got, want)
		}
		first[want[0]] = true
	}
	for _, c := range causes {
		if !first[c.name] {
			t.Errorf("no sample has %q as its cause", c.name)
		}
	}
}

// TestCauseRanks fixes the order between the kinds of failures, by errors to which several apply.
func TestCauseRanks(t *testing.T) {
	w := &Warehouse{}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	all := fmt.Errorf("%w, %w, %w", errNoCount, errNotTaken, driver.ErrBadConn)
	broken := requestError(io.ErrUnexpectedEOF)
	unauthenticated := errors.New("no token")
	type sample struct {
		ctx  context.Context
		err  error
		want []string
	}
	samples := map[string]sample{
		"all": {interrupted, &statementError{all, &exchange{auth: unauthenticated, noSession: true, status: 503}},
			[]string{"interrupted", "no count", "no credentials", "session closed", "HTTP status", "connection broken", "SQL error"}},
		"not interrupted": {t.Context(), &statementError{all, &exchange{auth: unauthenticated, status: 503}},
			[]string{"no count", "no credentials", "session closed", "HTTP status", "connection broken", "SQL error"}},
		"counted": {t.Context(), &statementError{broken, &exchange{auth: unauthenticated, noSession: true, status: 503}},
			[]string{"no credentials", "session closed", "HTTP status", "connection broken", "SQL error"}},
		"with credentials": {t.Context(), &statementError{broken, &exchange{noSession: true, status: 404}},
			[]string{"session closed", "HTTP status", "connection broken", "SQL error"}},
		"in a session": {t.Context(), &statementError{broken, &exchange{status: 503}},
			[]string{"HTTP status", "connection broken", "SQL error"}},
		"without a response": {t.Context(), &statementError{broken, &exchange{}},
			[]string{"connection broken", "SQL error"}},
		"with half a response": {t.Context(), &statementError{broken, &exchange{status: 200}},
			[]string{"connection broken", "SQL error"}},
		"said in HTTP 200": {t.Context(), &statementError{requestError(errors.New("thrift: invalid handle")), &exchange{status: 200}},
			[]string{"SQL error"}},
		"of the statement": {t.Context(), &statementError{executionError{text: "[X] x"}, &exchange{status: 200}},
			[]string{"SQL error"}},
	}
	wants := map[string][]string{}
	for name, s := range samples {
		wants[name] = s.want
	}
	driverCauses := slices.DeleteFunc(slices.Clone(causes), func(c cause) bool { return c.name == "not of the driver" })
	checkRanks(t, driverCauses, wants, func(name string) *evidence {
		return w.evidence(samples[name].ctx, uctables.Spans, 1<<20, samples[name].err)
	})
	// The causes after the third one look at what the driver saw.
	e := w.evidence(interrupted, uctables.Spans, 1<<20, errNoCount)
	if got, want := applying(causes[:3], e), []string{"interrupted", "no count", "not of the driver"}; !slices.Equal(got, want) {
		t.Errorf("without the driver %q apply, want %q", got, want)
	}
}

// TestHTTPCauseRanks fixes the order in which HTTP statuses are judged.
func TestHTTPCauseRanks(t *testing.T) {
	w := &Warehouse{}
	const exhausted = "RESOURCE_EXHAUSTED: x"
	statement := func(x exchange) *exchange {
		x.statement, x.requests = true, 1
		return &x
	}
	polling := func(x exchange) *exchange {
		x.statement, x.requests = true, 2
		return &x
	}
	exchanges := map[string]*exchange{
		"413":                 statement(exchange{status: 413, tokenEnded: true}),
		"413 while polling":   polling(exchange{status: 413}),
		"503 too large":       statement(exchange{status: 503, message: exhausted}),
		"500 too large":       statement(exchange{status: 500, message: exhausted}),
		"500 polling":         polling(exchange{status: 500, message: exhausted}),
		"429":                 statement(exchange{status: 429, message: exhausted, tokenEnded: true}),
		"429 while polling":   polling(exchange{status: 429}),
		"503":                 statement(exchange{status: 503, tokenEnded: true}),
		"503 while polling":   polling(exchange{status: 503}),
		"401 of an old token": polling(exchange{status: 401, tokenEnded: true}),
		"403 of an old token": polling(exchange{status: 403, tokenEnded: true}),
		"401":                 polling(exchange{status: 401}),
		"403":                 polling(exchange{status: 403}),
		"404":                 polling(exchange{status: 404}),
		"404 of a session":    {status: 404},
		"500":                 statement(exchange{status: 500}),
		"500 of a session":    {status: 500},
		"400":                 statement(exchange{status: 400, message: "BAD_REQUEST"}),
	}
	checkRanks(t, httpCauses, map[string][]string{
		"413":                 {"too large", "token ended", "other status"},
		"413 while polling":   {"too large", "while it may run", "other status"},
		"503 too large":       {"too large", "unavailable", "while it may run", "server error", "other status"},
		"500 too large":       {"too large", "while it may run", "server error", "other status"},
		"500 polling":         {"while it may run", "server error", "other status"},
		"429":                 {"too many requests", "token ended", "other status"},
		"429 while polling":   {"while it may run", "other status"},
		"503":                 {"unavailable", "token ended", "while it may run", "server error", "other status"},
		"503 while polling":   {"while it may run", "server error", "other status"},
		"401 of an old token": {"token ended", "unauthorized", "while it may run", "other status"},
		"403 of an old token": {"token ended", "forbidden", "while it may run", "other status"},
		"401":                 {"unauthorized", "while it may run", "other status"},
		"403":                 {"forbidden", "while it may run", "other status"},
		"404":                 {"not found", "while it may run", "other status"},
		"404 of a session":    {"not found", "other status"},
		"500":                 {"while it may run", "server error", "other status"},
		"500 of a session":    {"server error", "other status"},
		"400":                 {"other status"},
	}, func(name string) *evidence {
		return w.evidence(t.Context(), uctables.Spans, 1<<20, &statementError{errNotTaken, exchanges[name]})
	})
}

// Every meaning that a condition has leads to a failure of its own, but for those that leave it at the other ones.
func TestSQLFailuresAreComplete(t *testing.T) {
	for _, c := range conditions {
		_, ok := sqlFailures[c.means]
		if general := c.means == permanent || c.means == exhausted; ok == general {
			t.Errorf("the meaning of %q has a failure: %t, want %t", c.names, ok, !general)
		}
	}
}

// What programs decide by is of the kind that the server's answer tells.
func TestKindsOfFailures(t *testing.T) {
	w := &Warehouse{}
	w.opts.Location = uctables.Location{Catalog: "main", Schema: "agents", Prefix: "prod"}
	status := func(status int) error {
		return &statementError{requestError(errNotTaken), &exchange{statement: true, requests: 1, status: status}}
	}
	says := func(text string) error {
		return &statementError{executionError{text: text}, &exchange{statement: true, requests: 1, status: http.StatusOK}}
	}
	for _, c := range []struct {
		what string
		err  error
		want fault.Kind
	}{
		{"no login", &statementError{io.EOF, &exchange{auth: errors.New("no token")}}, fault.Credentials},
		{"401", status(401), fault.Credentials},
		{"403", status(403), fault.Permission},
		{"404", status(404), fault.NotFound},
		{"429", status(429), fault.Unreachable},
		{"503", status(503), fault.Unreachable},
		{"a broken connection", &statementError{requestError(io.EOF), &exchange{statement: true, err: io.EOF}}, fault.Unreachable},
		{"a closed session", &statementError{errBadSession, &exchange{statement: true, noSession: true}}, fault.Unreachable},
		{"no room", says("the cluster is not ready to accept connections"), fault.Unreachable},
		{"a missing table", says("[TABLE_OR_VIEW_NOT_FOUND] x"), fault.TableMissing},
		{"a missing schema", says("[SCHEMA_NOT_FOUND] x"), fault.NotFound},
		{"a missing grant", says("[INSUFFICIENT_PERMISSIONS] x"), fault.Permission},
		{"anything else", says("[DELTA_DUPLICATE_ACTIONS_FOUND] x"), fault.Other},
	} {
		if got := fault.Of(w.failure(t.Context(), uctables.Spans, 0, c.err).err); got != c.want {
			t.Errorf("%s is of kind %s, want %s", c.what, got, c.want)
		}
	}
}
