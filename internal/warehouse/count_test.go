package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// server is a driver that answers an INSERT with columns and values, and a question for keys with there.
type server struct {
	columns []string
	values  []driver.Value // nil for an answer without rows
	there   int64
	inserts int
}

func (s *server) Connect(context.Context) (driver.Conn, error) { return s, nil }
func (s *server) Driver() driver.Driver                        { return nil }
func (s *server) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("not prepared") }
func (s *server) Close() error                                 { return nil }
func (s *server) Begin() (driver.Tx, error)                    { return nil, errors.New("no transactions") }

func (s *server) QueryContext(_ context.Context, text string, _ []driver.NamedValue) (driver.Rows, error) {
	if !strings.HasPrefix(text, "INSERT") && !strings.HasPrefix(text, "MERGE") {
		return &insertAnswer{[]string{"count"}, []driver.Value{s.there}}, nil
	}
	s.inserts++
	return &insertAnswer{s.columns, s.values}, nil
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

// warehouse is one whose statements s answers.
func (s *server) warehouse(t *testing.T) *Warehouse {
	w := &Warehouse{
		opts:   Options{WarehouseID: "w1", Location: uctables.Location{Catalog: "c", Schema: "s", Prefix: "p"}},
		policy: retry.Default, db: sql.OpenDB(s),
		actual: map[string]uctables.Table{uctables.Spans.Suffix: uctables.Spans},
		locks:  map[string]chan struct{}{uctables.Spans.Suffix: make(chan struct{}, 1)},
	}
	t.Cleanup(func() { w.db.Close() })
	return w
}

// A MERGE that replaces two spans affects four rows: two that go and two that come.
func TestReplaceWithoutCount(t *testing.T) {
	s := &server{columns: []string{"num_affected_rows", "num_inserted_rows"}, values: []driver.Value{int64(4), nil}}
	got, err := s.warehouse(t).ReplaceSpans(t.Context(), []uctables.Span{{TraceID: "1", SpanID: "1"}, {TraceID: "1", SpanID: "2"}}, target.AllTimes)
	if err != nil || got.Inserted != 2 || got.Present != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// An INSERT of three rows whose answer does not count is looked up in the table: its rows are not told as
// having been there, nor as written where the table lacks some.
func TestInsertWithoutCount(t *testing.T) {
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
		"not known, not there":    {both, []driver.Value{int64(-1), int64(-1)}, 2, target.Written{}, true, 1 + unknownTries},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{columns: try.columns, values: try.values, there: try.there}
				w := s.warehouse(t)
				began := time.Now()
				got, err := w.WriteSpans(t.Context(), []uctables.Span{{TraceID: "1", SpanID: "1"}, {TraceID: "1", SpanID: "2"}, {TraceID: "1", SpanID: "3"}})
				if (err != nil) != try.fails || err != nil && !strings.Contains(err.Error(), "c.s.p_otel_spans: the warehouse does not say how many rows it inserted, and the table does not hold them all. Look at") {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
				if got.Bytes = 0; got != try.want || s.inserts != try.inserts {
					t.Errorf("%+v after %d statements, want %+v after %d", got, s.inserts, try.want, try.inserts)
				}
			})
		})
	}
}
