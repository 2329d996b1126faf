package warehouse

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dbsqlerr "github.com/databricks/databricks-sql-go/errors"

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

const secret = "payload-of-a-row"

func TestFailure(t *testing.T) {
	w := &Warehouse{}
	w.opts.Location = uctables.Location{Catalog: "main", Schema: "agents", Prefix: "prod"}
	w.opts.WarehouseID = "abc"
	sqlError := func(text, state string) *statementError {
		return &statementError{err: executionError{text: text, state: state}, exchange: &exchange{statement: true, requests: 2, status: http.StatusOK}}
	}
	httpError := func(statement bool, status int, after time.Duration) *statementError {
		err := requestError(errNotTaken)
		if !statement {
			err = requestError(fmt.Errorf("unexpected HTTP status %d", status))
		}
		return &statementError{err: err, exchange: &exchange{statement: statement, requests: 1, status: status, retryAfter: after}}
	}
	type want struct {
		kind     kind
		text     string // part of the error
		row      bool   // *target.RowError
		tooLarge bool   // *target.TooLargeError
		after    time.Duration
		asleep   bool
		unknown  bool
		lost     bool
		busy     bool
		unsent   bool
	}
	// said is an HTTP answer with words.
	said := func(statement bool, requests, status int, words string) *statementError {
		e := httpError(statement, status, 0)
		e.exchange.requests, e.exchange.said = requests, words
		return e
	}
	// inStatus is what the driver makes of a status that is told inside of HTTP 200, for a session or a statement.
	inStatus := func(statement bool, text string) *statementError {
		err := error(executionError{text: text})
		if !statement {
			err = requestError(errors.New(text))
		}
		return &statementError{err: err, exchange: &exchange{statement: statement, requests: 1, status: http.StatusOK}}
	}
	for name, c := range map[string]struct {
		err  error
		want want
	}{
		"malformed row": {
			sqlError("[MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] Malformed records are detected in record parsing: ["+secret+",null]. SQLSTATE: 22023", ""),
			want{kind: refused, row: true, text: "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION (SQLSTATE 22023)"}},
		"malformed row in a failed task": {
			sqlError("[TASK_WRITE_FAILED] Task failed while writing rows. Caused by: [MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] "+secret, "58030"),
			want{kind: refused, row: true, text: "TASK_WRITE_FAILED"}},
		"failed task":          {sqlError("[TASK_WRITE_FAILED] Task failed while writing rows to s3://x. SQLSTATE: 58030", ""), want{kind: unexplained, unknown: true, text: "could not write"}},
		"variant too large":    {sqlError("[VARIANT_SIZE_LIMIT] Cannot build variant bigger than 16.0 MiB", "22023"), want{kind: refused, row: true}},
		"row without key":      {sqlError("[USER_RAISED_EXCEPTION] a row has no trace_id", "P0001"), want{kind: refused, row: true}},
		"constraint":           {sqlError("[DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] CHECK constraint "+secret, "23001"), want{kind: refused, row: true}},
		"conflict":             {sqlError("[DELTA_CONCURRENT_APPEND.WITHOUT_HINT] Transaction conflict detected.", "2D521"), want{kind: again, lost: true, text: "another writer"}},
		"conflict, old words":  {sqlError("ConcurrentAppendException: Files were added to the root of the table", ""), want{kind: again, lost: true}},
		"conflict by metadata": {sqlError("[DELTA_METADATA_CHANGED] MetadataChangedException", "2D521"), want{kind: again, lost: true}},
		"a row about conflicts": {
			sqlError("[MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] Malformed: [[DELTA_CONCURRENT_APPEND] ConcurrentAppendException "+secret+"]", "22023"),
			want{kind: refused, row: true}},
		"no table":      {sqlError("[TABLE_OR_VIEW_NOT_FOUND] The table or view `x` cannot be found.", "42P01"), want{kind: refused, text: "--create"}},
		"no schema":     {sqlError("[SCHEMA_NOT_FOUND] The schema `x` cannot be found.", "42704"), want{kind: refused, text: "catalog or schema"}},
		"no permission": {sqlError("[INSUFFICIENT_PERMISSIONS] User does not have MODIFY on Table", "42501"), want{kind: refused, text: "GRANT SELECT, MODIFY ON TABLE `main`.`agents`.`prod_otel_spans`"}},
		"old permission words": {
			sqlError("PERMISSION_DENIED: User does not have USE CATALOG on Catalog 'main'.", ""), want{kind: refused, text: "GRANT USE CATALOG ON CATALOG `main`"}},
		"program limit":    {sqlError("[STATEMENT_TOO_COMPLEX] x", "54001"), want{kind: refused, tooLarge: true}},
		"out of memory":    {sqlError("java.lang.OutOfMemoryError: Java heap space", ""), want{kind: refused, tooLarge: true}},
		"parameter size":   {sqlError("[INVALID_PARAMETER_VALUE] parameter rows exceeds the maximum size", ""), want{kind: refused, tooLarge: true}},
		"other statement":  {sqlError("[PARSE_SYNTAX_ERROR] near "+secret, "42601"), want{kind: refused, text: "PARSE_SYNTAX_ERROR (SQLSTATE 42601)"}},
		"no file":          {sqlError("[PATH_NOT_FOUND] Path does not exist: dbfs:/Volumes/"+secret, "42K03"), want{kind: gone, text: "can't read a file"}},
		"file gone":        {sqlError("[FAILED_READ_FILE.FILE_NOT_EXIST] Encountered error while reading file "+secret, "KD001"), want{kind: gone}},
		"no files":         {sqlError("[UNABLE_TO_INFER_SCHEMA] Unable to infer schema for Parquet.", "42KD9"), want{kind: gone}},
		"nameless":         {sqlError("something went wrong with "+secret, ""), want{kind: doubtful, unknown: true, asleep: true}},
		"413":              {httpError(true, 413, 0), want{kind: refused, tooLarge: true}},
		"429":              {httpError(true, 429, 7*time.Second), want{kind: again, after: 7 * time.Second, text: "HTTP 429"}},
		"503":              {httpError(true, 503, 2*time.Second), want{kind: again, after: 2 * time.Second, asleep: true}},
		"502 statement":    {httpError(true, 502, 0), want{kind: doubtful, asleep: true}},
		"500 statement":    {httpError(true, 500, 0), want{kind: doubtful, asleep: true}},
		"500 session":      {httpError(false, 500, 0), want{kind: again, asleep: true}},
		"429 polling":      {&statementError{err: requestError(errors.New("x")), exchange: &exchange{statement: true, requests: 9, status: 429, retryAfter: time.Second}}, want{kind: doubtful, after: time.Second, asleep: true}},
		"401":              {httpError(false, 401, 0), want{kind: refused, text: "does not accept the credentials"}},
		"403":              {httpError(false, 403, 0), want{kind: refused, text: "CAN USE"}},
		"404":              {httpError(false, 404, 0), want{kind: refused, text: "--warehouse-id"}},
		"reset":            {&statementError{err: requestError(io.ErrUnexpectedEOF), exchange: &exchange{statement: true, requests: 1, err: io.ErrUnexpectedEOF}}, want{kind: doubtful, text: "broke: unexpected EOF"}},
		"reset of session": {&statementError{err: requestError(io.ErrUnexpectedEOF), exchange: &exchange{requests: 1}}, want{kind: again, asleep: true}},
		"session closed":   {&statementError{err: fmt.Errorf("%w: Invalid SessionHandle: %w", dbsqlerr.RequestError, driver.ErrBadConn), exchange: &exchange{statement: true, requests: 1, status: 200}}, want{kind: again, asleep: true}},
		"session unknown":  {&statementError{err: requestError(errNotTaken), exchange: &exchange{statement: true, requests: 1, status: 404, noSession: true}}, want{kind: again, asleep: true}},
		"no credentials":   {&statementError{err: requestError(errors.New("x")), exchange: &exchange{auth: errors.New("token expired")}}, want{kind: refused, text: "token expired"}},
		// In HTTP 200: issues of drivers and of tools that use them, see conditions.
		"session not there":         {inStatus(true, "requirement failed: Session handle: SessionHandle [1b-2c] has not been initialized or had already closed."), want{kind: doubtful, asleep: true, text: "the session"}},
		"session handle":            {inStatus(true, "Invalid SessionHandle: SessionHandle [1b-2c]"), want{kind: doubtful, asleep: true, text: "the session"}},
		"session is closed":         {inStatus(true, "BAD_REQUEST: Invalid SessionHandle: Session [1b-2c] is closed."), want{kind: doubtful, asleep: true, text: "the session"}},
		"handle without words":      {inStatus(true, "thrift: invalid handle"), want{kind: doubtful, asleep: true, text: "the session"}},
		"no session at its opening": {inStatus(false, "Session 1b-2c is not fully initialized yet: no SparkSession is attached."), want{kind: again, asleep: true, text: "the session"}},
		"no disk yet":               {inStatus(true, "Couldn't create directory /local_disk0/tmp/1b-2c/_resources"), want{kind: again, asleep: true, busy: true, text: "is starting"}},
		"no disk for a session":     {inStatus(false, "Couldn't create directory /local_disk0/tmp/1b-2c/_resources"), want{kind: again, asleep: true, busy: true, text: "is starting"}},
		"not ready":                 {inStatus(false, "SQL warehouse abc is not ready to accept connections (current state: STARTING)"), want{kind: again, asleep: true, busy: true}},
		"at capacity":               {inStatus(true, "Query rejected: cannot handle query since max capacity reached"), want{kind: again, asleep: true, busy: true, text: "no room"}},
		"server busy":               {sqlError("[SOMETHING_BUSY] x", "08KD1"), want{kind: again, asleep: true, busy: true}},
		"not for this protocol":     {inStatus(false, "Lakehouse/RT is not supported for Thrift protocol"), want{kind: refused, text: "of a kind that tracemig can't use"}},
		"committed all the same":    {sqlError("[DELTA_POST_COMMIT_HOOK_FAILED] Committing to the Delta table version 5 succeeded but", "2DKD0"), want{kind: doubtful, text: "after the commit"}},
		"a trouble of connections":  {sqlError("[SOME_CONNECTION_ERROR] x", "08006"), want{kind: doubtful, asleep: true, text: "in trouble"}},
		"no memory":                 {sqlError("[UNABLE_TO_ACQUIRE_MEMORY] Unable to acquire 5 bytes", "53200"), want{kind: doubtful, asleep: true, text: "in trouble"}},
		"an operator's doing":       {sqlError("[SHUTTING_DOWN] x", "57P01"), want{kind: doubtful, asleep: true, text: "in trouble"}},
		"a system error":            {sqlError("[SOME_IO_ERROR] x", "58000"), want{kind: doubtful, asleep: true, text: "in trouble"}},
		"out of time":               {sqlError("[QUERY_EXECUTION_TIMEOUT_EXCEEDED] Query exceeded", "57KD0"), want{kind: refused, tooLarge: true}},
		"out of time, by state":     {sqlError("the query has been cancelled due to timeout", ""), want{kind: refused, tooLarge: true}},
		"cancelled by somebody":     {sqlError("[OPERATION_CANCELED] Operation has been canceled.", "HY008"), want{kind: doubtful, unknown: true, text: "cancelled"}},
		"400 for its length": {
			said(true, 1, 400, "Server received a request which exceeds maximum allowed content length. RequestSize(bytes): 33967957, Limit(bytes): 33554432"), want{kind: refused, tooLarge: true}},
		"400 for its size":      {said(true, 1, 400, "RequestSize(bytes): 33967957, Limit(bytes): 33554432"), want{kind: refused, tooLarge: true}},
		"exhausted":             {said(true, 1, 500, "RESOURCE_EXHAUSTED: Received message larger than max"), want{kind: refused, tooLarge: true}},
		"exhausted, as SQL":     {sqlError("RESOURCE_EXHAUSTED: Received message larger than max", ""), want{kind: refused, tooLarge: true}},
		"exhausted, by rate":    {said(true, 1, 429, "RESOURCE_EXHAUSTED: Too many requests"), want{kind: again}},
		"400 for another cause": {said(true, 1, 400, "BAD_REQUEST: The parameter type FOO is unknown"), want{kind: refused, text: "BAD_REQUEST: The parameter type FOO is unknown"}},
		"403 of an ended token": {&statementError{err: requestError(errNotTaken), exchange: &exchange{statement: true, requests: 1, status: 403, ended: true}}, want{kind: refused, text: "the token has ended"}},
		"cut while sent":        {&statementError{err: requestError(io.ErrUnexpectedEOF), exchange: &exchange{statement: true, requests: 1, err: io.ErrUnexpectedEOF, unsent: true}}, want{kind: again, unsent: true}},
		"session ended while polling": {&statementError{err: fmt.Errorf("%w: Invalid SessionHandle: %w", dbsqlerr.RequestError, driver.ErrBadConn), exchange: &exchange{statement: true, requests: 3, status: 404, noSession: true}},
			want{kind: doubtful, asleep: true}},
		"no count": {errNoCount, want{kind: doubtful, unknown: true, text: "does not say how many rows"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := w.failure(t.Context(), uctables.Spans, 1<<20, c.err)
			var row *target.RowError
			var tooLarge *target.TooLargeError
			text := f.err.Error()
			if f.kind != c.want.kind || errors.As(f.err, &row) != c.want.row || errors.As(f.err, &tooLarge) != c.want.tooLarge ||
				f.after != c.want.after || f.asleep != c.want.asleep || f.unknown != c.want.unknown || f.lost != c.want.lost || f.busy != c.want.busy || f.unsent != c.want.unsent || !strings.Contains(text, c.want.text) {
				t.Errorf("%+v, want %+v", f, c.want)
			}
			if strings.Contains(text, secret) || strings.Contains(text, "databricks:") {
				t.Errorf("the server's or the driver's words leak: %s", text)
			}
			if !strings.Contains(text, "main.agents.prod_otel_spans") {
				t.Errorf("which table? %s", text)
			}
		})
	}

	// A small statement is not too large.
	if f := w.failure(t.Context(), uctables.Spans, 1000, sqlError("[RESOURCE_EXHAUSTED] x", "")); f.kind != doubtful || !f.asleep {
		t.Errorf("exhausted by a small statement: %+v", f)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrClosedPipe)
	if f := w.failure(ctx, uctables.Spans, 0, httpError(true, 503, 0)); f.kind != refused || !errors.Is(f.err, io.ErrClosedPipe) {
		t.Errorf("cancelled: %+v", f)
	}
}

func TestWatcher(t *testing.T) {
	var status int
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		rw.Header().Set("Retry-After", "3")
		rw.WriteHeader(status)
	}))
	defer s.Close()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := http.Client{Transport: watcher{base: tr}}
	do := func(x *exchange, path string) error {
		req, err := http.NewRequestWithContext(withExchange(t.Context(), x), http.MethodPost, s.URL+path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}

	status = 503
	x := &exchange{statement: true}
	if err := do(x, "/sql/1.0/warehouses/a"); !errors.Is(err, errNotTaken) || x.status != 503 || x.retryAfter != 3*time.Second {
		t.Errorf("statement: %v, %+v", err, x)
	}
	if err := do(x, "/sql/1.0/warehouses/a"); err != nil || x.status != 503 {
		t.Errorf("polling is the driver's to retry: %v, %+v", err, x)
	}
	status = 200
	if err := do(x, "/sql/1.0/warehouses/a"); err != nil || x.status != 200 {
		t.Errorf("%v, %+v", err, x)
	}
	asked = nil
	s.CloseClientConnections()
	s.Close()
	if err := do(x, "/sql/1.0/warehouses/a"); err == nil || x.err == nil || x.status != 0 {
		t.Errorf("no server: %v, %+v", err, x)
	}
	if err := do(x, "/telemetry-ext"); err == nil || len(asked) != 0 {
		t.Errorf("telemetry got out: %v, %v", err, asked)
	}
}

// What was found of statements does not bind rows in files.
func TestLimitStatements(t *testing.T) {
	for _, staged := range []bool{false, true} {
		w, want := &Warehouse{}, int64(1<<20)
		if staged {
			w.staging, want = &staging{}, stagedLimits.Bytes
		}
		w.LimitStatements(1 << 20)
		if got := w.Limits().Bytes; got != want {
			t.Errorf("staged %t: %d bytes, want %d", staged, got, want)
		}
	}
}
