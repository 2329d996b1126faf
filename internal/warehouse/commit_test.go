package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databricks/databricks-sql-go/driverctx"

	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// server is a driver that answers the statements of one commit: by answers, one after the other, or where there are none,
// each INSERT or MERGE by columns and values, and each query for keys by there.
type server struct {
	answers []scripted
	columns []string
	values  []driver.Value // nil for an answer without rows
	there   int64
	inserts int
	log     []string // the kinds of the statements sent, and what happened between them
	sent    []sent
}

// sent is one statement with its query tags.
type sent struct {
	text string
	tags map[string]string
}

// scripted is the answer to one statement: an error together with what the HTTP layer saw, or a number of rows.
type scripted struct {
	failed *statementError
	rows   int64
}

func (s *server) Connect(context.Context) (driver.Conn, error) { return s, nil }
func (s *server) Driver() driver.Driver                        { return nil }
func (s *server) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("not prepared") }
func (s *server) Close() error                                 { return nil }
func (s *server) Begin() (driver.Tx, error)                    { return nil, errors.New("no transactions") }

func (s *server) QueryContext(ctx context.Context, text string, _ []driver.NamedValue) (driver.Rows, error) {
	kind := "LOOKUP"
	switch {
	case strings.HasPrefix(text, "INSERT"), strings.HasPrefix(text, "MERGE"):
		kind, _, _ = strings.Cut(text, " ")
		s.inserts++
	case strings.HasPrefix(text, "SELECT count(to_json(r)) AS parsed"):
		kind = "PARSE"
	}
	s.log = append(s.log, kind)
	s.sent = append(s.sent, sent{text, driverctx.QueryTagsFromContext(ctx)})
	switch {
	case s.answers != nil && len(s.answers) < len(s.statements()):
		return nil, errors.New("more statements than expected")
	case s.answers != nil:
		a := s.answers[len(s.statements())-1]
		if a.failed != nil {
			*ctx.Value(exchangeKey{}).(*exchange) = *a.failed.exchange
			return nil, a.failed.err
		}
		return &insertAnswer{[]string{"num_inserted_rows"}, []driver.Value{a.rows}}, nil
	case kind == "LOOKUP":
		return &insertAnswer{[]string{"count"}, []driver.Value{s.there}}, nil
	}
	return &insertAnswer{s.columns, s.values}, nil
}

// statements are the entries of the log that are statements.
func (s *server) statements() (kinds []string) {
	for _, l := range s.log {
		if l == strings.ToUpper(l) {
			kinds = append(kinds, l)
		}
	}
	return kinds
}

type insertAnswer struct {
	columns []string
	row     []driver.Value
}

func (a *insertAnswer) Columns() []string { return a.columns }
func (a *insertAnswer) Close() error      { return nil }
func (a *insertAnswer) Next(into []driver.Value) error {
	if a.row == nil {
		return io.EOF
	}
	copy(into, a.row)
	a.row = nil
	return nil
}

// warehouse is one whose statements s answers. Its log tells of waits, and of questions whether the warehouse runs.
func (s *server) warehouse(t *testing.T) *Warehouse {
	cfg := testConfig("token")
	cfg.HTTPTransport = roundTrip(func(r *http.Request) (*http.Response, error) {
		s.log = append(s.log, "running?")
		resp := reply(http.StatusOK)
		resp.Request, resp.Body = r, io.NopCloser(strings.NewReader(`{"id":"w1","state":"RUNNING"}`))
		return resp, nil
	})
	w := &Warehouse{
		opts: Options{
			Config: cfg, WarehouseID: "w1", Location: uctables.Location{Catalog: "c", Schema: "s", Prefix: "p"},
			Waiting: func(error, time.Duration) { s.log = append(s.log, "wait") },
		},
		policy: retry.Default, db: sql.OpenDB(s),
		actual: map[string]uctables.Table{uctables.Spans.Suffix: uctables.Spans, uctables.Annotations.Suffix: uctables.Annotations},
		marks:  &marks{}, locks: newLocks(uctables.Spans, uctables.Annotations),
	}
	t.Cleanup(func() { w.db.Close() })
	return w
}

// A MERGE that replaces two spans affects four rows: two that go and two that come.
func TestReplaceWithoutCount(t *testing.T) {
	s := &server{columns: []string{"num_affected_rows", "num_inserted_rows"}, values: []driver.Value{int64(4), nil}}
	rows := []uctables.Span{{TraceID: "1", SpanID: "1"}, {TraceID: "1", SpanID: "2"}}
	got, err := s.warehouse(t).ReplaceSpans(t.Context(), rows, target.AllTimes)
	if err != nil || got.Inserted != 2 || got.Present != 0 {
		t.Errorf("%+v, error %v; want 2 inserted", got, err)
	}
}

// Where the answer to an INSERT of three rows does not count them, the table is asked. The rows count neither as present
// before, nor as inserted if the table lacks some.
func TestInsertWithoutCount(t *testing.T) {
	rows := []uctables.Span{{TraceID: "1", SpanID: "1"}, {TraceID: "1", SpanID: "2"}, {TraceID: "1", SpanID: "3"}}
	const problem = "c.s.p_otel_spans: the warehouse does not say how many rows it inserted, and the table does not hold them all. Look at"
	both := []string{"num_affected_rows", "num_inserted_rows"}
	for name, try := range map[string]struct {
		columns []string
		values  []driver.Value
		there   int64
		want    target.Written
		fails   bool
		inserts int
	}{
		"counted":                 {both, []driver.Value{int64(2), int64(2)}, 3, target.Written{Inserted: 2, Present: 1}, false, 1},
		"none were missing":       {both, []driver.Value{int64(0), int64(0)}, 3, target.Written{Present: 3}, false, 1},
		"only affected rows":      {both[:1], []driver.Value{int64(2)}, 3, target.Written{Inserted: 2, Present: 1}, false, 1},
		"inserted rows not known": {both, []driver.Value{int64(2), int64(-1)}, 3, target.Written{Inserted: 2, Present: 1}, false, 1},
		"not known":               {both, []driver.Value{int64(-1), int64(-1)}, 3, target.Written{Inserted: 3, Unsure: true}, false, 1},
		"null":                    {both, []driver.Value{nil, nil}, 3, target.Written{Inserted: 3, Unsure: true}, false, 1},
		"no such column":          {[]string{"result"}, []driver.Value{"OK"}, 3, target.Written{Inserted: 3, Unsure: true}, false, 1},
		"no row":                  {both, nil, 3, target.Written{Inserted: 3, Unsure: true}, false, 1},
		"not known, not there":    {both, []driver.Value{int64(-1), int64(-1)}, 2, target.Written{}, true, 1 + unrecognizedTries},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{columns: try.columns, values: try.values, there: try.there}
				w := s.warehouse(t)
				began := time.Now()
				got, err := w.WriteSpans(t.Context(), rows)
				if (err != nil) != try.fails || err != nil && !strings.Contains(err.Error(), problem) {
					t.Errorf("after %v: error %v, want one: %t", time.Since(began), err, try.fails)
				}
				if got.Bytes = 0; got != try.want || s.inserts != try.inserts {
					t.Errorf("%+v after %d statements, want %+v after %d", got, s.inserts, try.want, try.inserts)
				}
			})
		})
	}
}

// failed is the answer by which a statement fails.
func failed(err error, x exchange) scripted {
	x.statement = true
	x.requests = max(1, x.requests)
	return scripted{failed: &statementError{err: err, exchange: &x}}
}

// failedAs is the answer of a server that says why the statement failed.
func failedAs(text, state string) scripted {
	return failed(executionError{text: text, state: state}, exchange{requests: 2, status: http.StatusOK})
}

// failedBy is the answer of a server that refuses the statement by an HTTP status.
func failedBy(status int) scripted {
	return failed(requestError(errNotTaken), exchange{status: status})
}

// fastRetry repeats as retry.Default does, without its waits.
var fastRetry = retry.Policy{Initial: time.Microsecond, Max: time.Microsecond, Budget: time.Minute}

// TestCommitTries has a commit meet each outcome of a try. It compares the statements that are sent, the waits between
// them, the questions whether the warehouse runs, and the result.
func TestCommitTries(t *testing.T) {
	spans := func(bytes int) []uctables.Span {
		long := uctables.Span{TraceID: "1", SpanID: "1", Name: strings.Repeat("x", bytes)}
		return []uctables.Span{long, {TraceID: "1", SpanID: "2"}, {TraceID: "1", SpanID: "3"}}
	}
	small := func(w *Warehouse) (target.Written, error) { return w.WriteSpans(t.Context(), spans(1)) }
	large := func(w *Warehouse) (target.Written, error) { return w.WriteSpans(t.Context(), spans(200<<10)) }
	merge := func(w *Warehouse) (target.Written, error) {
		return w.ReplaceSpans(t.Context(), spans(1), target.NoTimes)
	}
	replace := func(w *Warehouse) (target.Written, error) {
		return w.ReplaceAnnotations(t.Context(), []uctables.Replacement{{}, {Annotation: uctables.Annotation{AnnotationID: "2"}}})
	}
	var (
		lost      = failed(requestError(io.ErrUnexpectedEOF), exchange{err: io.ErrUnexpectedEOF})
		cut       = failed(requestError(io.ErrUnexpectedEOF), exchange{err: io.ErrUnexpectedEOF, unsent: true})
		race      = failedAs("[DELTA_CONCURRENT_APPEND] x", "2D521")
		task      = failedAs("[TASK_WRITE_FAILED] x", "58030")
		malformed = failedAs("[MALFORMED_RECORD_IN_PARSING] x", "22023")
		timeout   = failedAs("[STATEMENT_TIMEOUT] x", "57KD0")
		noFile    = failedAs("[PATH_NOT_FOUND] x", "42K03")
		nameless  = failedAs("something went wrong", "")
		uncounted = scripted{rows: -1}
	)
	rows := func(n int64) scripted { return scripted{rows: n} }
	// repeat is n times the answers, and then the last ones.
	repeat := func(n int, answers []scripted, last ...scripted) []scripted {
		return append(slices.Repeat(answers, n), last...)
	}
	for name, c := range map[string]struct {
		write   func(*Warehouse) (target.Written, error)
		answers []scripted
		log     string
		want    target.Written
		err     string
		limit   int64 // of statements afterwards, 0 for none
	}{
		"committed": {write: small, answers: []scripted{rows(2)}, log: "INSERT", want: target.Written{Inserted: 2, Present: 1}},
		"not taken": {
			write: small, answers: []scripted{failedBy(429), rows(3)},
			log: "INSERT wait INSERT", want: target.Written{Inserted: 3},
		},
		"may not run": {
			write: small, answers: []scripted{failedBy(503), rows(3)},
			log: "INSERT running? wait INSERT", want: target.Written{Inserted: 3},
		},
		"refused":        {write: small, answers: []scripted{failedBy(403)}, log: "INSERT", err: "CAN USE"},
		"a row refused":  {write: small, answers: []scripted{malformed}, log: "INSERT", err: "refuses a row"},
		"a file is gone": {write: small, answers: []scripted{noFile}, log: "INSERT", err: "can't read a file"},
		"too large":      {write: large, answers: []scripted{failedBy(413)}, log: "INSERT", err: "bytes in one write", limit: 100 << 10},
		"413, but small": {
			write: small, answers: []scripted{failedBy(413)},
			log: "INSERT", err: "bytes in one write", limit: LeastStatementBytes,
		},
		"out of time": {write: large, answers: []scripted{timeout}, log: "INSERT", err: "bytes in one write"},
		"races lost": {
			write: small, answers: repeat(5, []scripted{race}, rows(3)),
			log: strings.Repeat("INSERT wait ", 5) + "INSERT", want: target.Written{Inserted: 3},
		},
		"no answer, committed": {
			write: small, answers: []scripted{lost, rows(3)}, log: "INSERT LOOKUP", want: target.Written{Inserted: 3, Unsure: true}},
		"no answer, not committed": {
			write: small, answers: []scripted{lost, rows(0), rows(2)},
			log: "INSERT LOOKUP wait INSERT", want: target.Written{Inserted: 2, Present: 1},
		},
		"no answer, nor to the lookup": {
			write: small, answers: []scripted{lost, lost, rows(0)}, log: "INSERT LOOKUP wait INSERT", want: target.Written{Present: 3}},
		"no answers at all, many times": {
			write: small, answers: repeat(6, []scripted{lost, rows(1)}, rows(3)), log: strings.Repeat("INSERT LOOKUP wait ", 6) + "INSERT",
			want: target.Written{Inserted: 3}},
		"nameless": {
			write: small, answers: repeat(4, []scripted{nameless, rows(0)}),
			log: strings.Repeat("INSERT LOOKUP running? wait ", 3) + "INSERT LOOKUP", err: "reports an error without a name",
		},
		"task failed by a row": {
			write: small, answers: []scripted{task, malformed},
			log: "INSERT PARSE", err: "refuses a row: MALFORMED_RECORD_IN_PARSING",
		},
		"task failed": {
			write: small, answers: repeat(4, []scripted{task, rows(3)}),
			log: strings.Repeat("INSERT PARSE wait ", 3) + "INSERT PARSE", err: "could not write",
		},
		"task failed once": {
			write: small, answers: []scripted{task, rows(3), rows(3)},
			log: "INSERT PARSE wait INSERT", want: target.Written{Inserted: 3},
		},
		"cut while large rows are sent": {
			write: large, answers: repeat(3, []scripted{cut}), log: "INSERT wait INSERT wait INSERT", err: "bytes in one write", limit: 100 << 10},
		"cut while small rows are sent": {
			write: small, answers: repeat(5, []scripted{cut}, rows(3)),
			log: strings.Repeat("INSERT wait ", 5) + "INSERT", want: target.Written{Inserted: 3},
		},
		"merge, no answer": {write: merge, answers: []scripted{lost, rows(0)}, log: "MERGE wait MERGE", want: target.Written{Inserted: 3}},
		"merge, uncounted": {write: merge, answers: []scripted{uncounted}, log: "MERGE", want: target.Written{Inserted: 3, Unsure: true}},
		"replacements, uncounted": {
			write: replace, answers: []scripted{uncounted, rows(1)},
			log: "INSERT LOOKUP", want: target.Written{Inserted: 1, Present: 1, Unsure: true},
		},
		"replacements, no answer": {
			write: replace, answers: []scripted{lost, rows(1), rows(0)}, log: "INSERT LOOKUP wait INSERT", want: target.Written{Present: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{answers: c.answers}
			w := s.warehouse(t)
			w.policy = fastRetry
			got, err := c.write(w)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if got.Bytes = 0; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if log := strings.Join(s.log, " "); log != c.log {
				t.Errorf("it did\n%s, want\n%s", log, c.log)
			}
			if limit := w.StatementBytes(); limit/(1<<10) != c.limit/(1<<10) {
				t.Errorf("statements are limited to %d bytes, want %d", limit, c.limit)
			}
		})
	}
}

// Lost races, and waiting for a warehouse that has no room, do not use up the budget for faults. Other failures do.
func TestCommitBudgets(t *testing.T) {
	for name, c := range map[string]struct {
		failure scripted
		err     string
	}{
		"races":   {failedAs("[DELTA_CONCURRENT_APPEND] x", "2D521"), ""},
		"no room": {failedAs("Query rejected: max capacity reached", ""), ""},
		"faults":  {failedBy(http.StatusTooManyRequests), "HTTP 429"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{answers: append(slices.Repeat([]scripted{c.failure}, 30), scripted{rows: 1})}
				w := s.warehouse(t)
				w.policy = retry.Policy{Initial: time.Second, Max: time.Second, Budget: 10 * time.Second} // of waits of 15 s at least
				_, err := w.WriteSpans(t.Context(), []uctables.Span{{TraceID: "1", SpanID: "1"}})
				if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
					t.Errorf("error %v after %d statements, want %q", err, s.inserts, c.err)
				}
			})
		})
	}
}
