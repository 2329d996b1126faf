//go:build rig

package rig

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dbsql "github.com/databricks/databricks-sql-go"
	dbsqlerr "github.com/databricks/databricks-sql-go/errors"
	dbsqllog "github.com/databricks/databricks-sql-go/logger"
	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) { Main(m) }

type bearer string

func (b bearer) Authenticate(r *http.Request) error {
	r.Header.Set("Authorization", "Bearer "+string(b))
	return nil
}

// counter counts the requests that the driver sends to the warehouse. It refuses its requests for feature flags, which would
// go elsewhere. It reads answers to their end, because the driver does not close those with another status than 200, nor
// a session's last one, and their connections would stay open.
type counter struct {
	base     http.RoundTripper
	path     string
	storage  bool   // requests for results by links are let through as well
	token    string // the token that those requests are given, or ""
	mu       sync.Mutex
	requests int
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.storage && strings.HasPrefix(r.URL.Path, "/results/") {
		if c.token != "" {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		return c.base.RoundTrip(r)
	}
	if r.URL.Path != c.path {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, fmt.Errorf("no request to %s in a test", r.URL)
	}
	c.mu.Lock()
	c.requests++
	c.mu.Unlock()
	resp, err := c.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// connect opens the warehouse with the real driver, without retries longer than a test takes.
func connect(t *testing.T, w *Warehouse, token string, more ...dbsql.ConnOption) (*sql.DB, *counter) {
	t.Helper()
	if err := dbsqllog.SetLogLevel("disabled"); err != nil {
		t.Fatal(err)
	}
	c := &counter{base: &http.Transport{}, path: w.HTTPPath}
	connector, err := dbsql.NewConnector(append([]dbsql.ConnOption{
		dbsql.WithServerHostname("http://" + w.Host),
		dbsql.WithPort(w.Port),
		dbsql.WithHTTPPath(w.HTTPPath),
		dbsql.WithAuthenticator(bearer(token)),
		dbsql.WithTransport(c),
		dbsql.WithCloudFetch(false),
		dbsql.WithRetries(2, 10*time.Millisecond, 100*time.Millisecond),
	}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() {
		db.Close()
		c.base.(*http.Transport).CloseIdleConnections()
	})
	return db, c
}

func mustExec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
}

// counts runs a write and returns what its result row says: affected rows and inserted rows.
func counts(t *testing.T, db *sql.DB, query string, args ...any) (affected, inserted int64) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%v\n%.500s", err, query)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatalf("no result row: %v\n%.500s", rows.Err(), query)
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(int64)
	}
	if err := rows.Scan(values...); err != nil {
		t.Fatal(err)
	}
	if columns[0] != "num_affected_rows" || columns[len(columns)-1] != "num_inserted_rows" {
		t.Fatalf("result columns %q, want num_affected_rows first and num_inserted_rows last", columns)
	}
	return *values[0].(*int64), *values[len(values)-1].(*int64)
}

const insertLines = `INSERT INTO %s (id, attributes)
SELECT r.id, r.attributes FROM (
  SELECT from_json(line, 'STRUCT<id: BIGINT, attributes: VARIANT>') AS r
  FROM (SELECT explode(split(:rows, '\n')) AS line))`

func rowsParam(text string) dbsql.Parameter {
	return dbsql.Parameter{Name: "rows", Type: dbsql.SqlString, Value: text}
}

func TestWarehouse(t *testing.T) {
	w := SharedWarehouse(t)
	db, _ := connect(t, w, w.Token)
	table := TablePrefix(t) + "_t"
	mustExec(t, db, "CREATE TABLE spark_catalog.default."+table+" (id BIGINT, attributes VARIANT, time TIMESTAMP) CLUSTER BY (id)")

	var lines strings.Builder
	n := 0
	for lines.Len() < 5<<20 {
		if n > 0 {
			lines.WriteByte('\n')
		}
		fmt.Fprintf(&lines, `{"id": %d, "attributes": {"big": 9007199254740993, "f": 1.5E0, "s": "snow \u2603 ${x} '; \n", "pad": %q}}`,
			n, strings.Repeat("x", 2000))
		n++
	}
	affected, inserted := counts(t, db, fmt.Sprintf(insertLines, table), rowsParam(lines.String()))
	if affected != int64(n) || inserted != int64(n) {
		t.Errorf("INSERT says %d affected and %d inserted rows, want %d", affected, inserted, n)
	}

	var count, big int64
	var text string
	err := db.QueryRowContext(t.Context(), "SELECT count(*), max(variant_get(attributes, '$.big', 'bigint')), "+
		"max(variant_get(attributes, '$.s', 'string')) FROM "+table).Scan(&count, &big, &text)
	if err != nil {
		t.Fatal(err)
	}
	if want := "snow ☃ ${x} '; \n"; count != int64(n) || big != 9007199254740993 || text != want {
		t.Errorf("read back %d rows, %d, %q, want %d, 9007199254740993, %q", count, big, text, n, want)
	}

	// A VARIANT column comes as JSON text, and a result of many pages whole and in order.
	rows, err := db.QueryContext(t.Context(), "SELECT id, attributes FROM "+table+" ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for want := int64(0); rows.Next(); want++ {
		var id int64
		var attributes string
		if err := rows.Scan(&id, &attributes); err != nil {
			t.Fatal(err)
		}
		if id != want || !strings.HasPrefix(attributes, `{"big":9007199254740993,"f":1.5,"pad":"xxx`) {
			t.Fatalf("row %d: %d, %.100s", want, id, attributes)
		}
		count--
	}
	if err := rows.Err(); err != nil || count != 0 {
		t.Errorf("%d rows are missing, error %v, want none of either", count, err)
	}

	// The control API reads the same table.
	got := w.SQL(t, "SELECT id, variant_get(attributes, '$.f', 'double'), attributes IS NULL, named_struct('d', 1.25, 'l', array(id)), "+
		"timestamp_micros(1700000000123456) FROM "+table+" WHERE id = 1")
	want := [][]any{{int64(1), 1.5, false, map[string]any{"d": "1.25", "l": []any{int64(1)}}, "2023-11-14T22:13:20.123456+00:00"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPages reads a large result both ways: in answers, and by links into the storage, which the driver takes by default. The
// storage serves only requests without a token.
func TestPages(t *testing.T) {
	w := SharedWarehouse(t)
	for name, links := range map[string]bool{"answers": false, "links": true} {
		t.Run(name, func(t *testing.T) {
			w.Reset(t)
			db, c := connect(t, w, w.Token, dbsql.WithCloudFetch(links))
			c.storage = links
			rows, err := db.QueryContext(t.Context(), "SELECT id, repeat('x', 100) FROM range(300000) ORDER BY id")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			n := int64(0)
			for ; rows.Next(); n++ {
				var id int64
				var text string
				if err := rows.Scan(&id, &text); err != nil {
					t.Fatal(err)
				}
				if id != n || len(text) != 100 {
					t.Fatalf("row %d: %d, %q, want its number and 100 characters", n, id, text)
				}
			}
			if err := rows.Err(); err != nil || n != 300000 {
				t.Errorf("%d rows, error %v, want 300000", n, err)
			}
			if got := w.Stats(t).Links; links != (got > 0) {
				t.Errorf("%d links, want some: %t", got, links)
			}
		})
	}
	t.Run("a link with a token", func(t *testing.T) {
		db, c := connect(t, w, w.Token, dbsql.WithCloudFetch(true))
		c.storage, c.token = true, w.Token
		rows, err := db.QueryContext(t.Context(), "SELECT repeat('x', 100) FROM range(20000)")
		if err == nil {
			defer rows.Close()
			for rows.Next() {
			}
			err = rows.Err()
		}
		if err == nil {
			t.Error("the storage takes a token")
		}
	})
}

func TestParameterTypes(t *testing.T) {
	w := SharedWarehouse(t)
	db, _ := connect(t, w, w.Token)
	at := time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)
	var types, s, ts string
	var big, small int64
	var f float64
	var null sql.NullString
	err := db.QueryRowContext(t.Context(), `SELECT concat_ws(',', typeof(:big), typeof(:small), typeof(:f), typeof(:s), typeof(:at),
			typeof(:b), typeof(:null), typeof(:d)),
		:big, :small, :f, :s, date_format(:at, 'yyyy-MM-dd HH:mm:ss.SSSSSS'), :null`,
		sql.Named("big", int64(-9223372036854775808)), dbsql.Parameter{Name: "small", Type: dbsql.SqlInteger, Value: "7"},
		sql.Named("f", 1.5e-7), sql.Named("s", "a'b\\c ☃ 😀 ${x}"),
		sql.Named("at", at), sql.Named("b", true), sql.Named("null", nil),
		dbsql.Parameter{Name: "d", Type: dbsql.SqlDecimal, Value: "1.25"},
	).Scan(&types, &big, &small, &f, &s, &ts, &null)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(types, " ", big, small, f, " ", s, " ", ts, null.Valid)
	want := "bigint,int,double,string,timestamp,boolean,void,decimal(3,2) -9223372036854775808 7 1.5e-07 a'b\\c ☃ 😀 ${x} " +
		"2024-02-29 23:59:59.123456false"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStatementErrors(t *testing.T) {
	w := SharedWarehouse(t)
	db, _ := connect(t, w, w.Token)
	for _, c := range []struct{ query, state, text string }{
		{"SELEC 1", "42601", "[PARSE_SYNTAX_ERROR]"},
		{"SELECT * FROM no_such_table", "42P01", "[TABLE_OR_VIEW_NOT_FOUND]"},
		{"SELECT :missing", "42P02", "[UNBOUND_SQL_PARAMETER]"},
		{"SELECT 1/0", "22012", "[DIVIDE_BY_ZERO]"},
		{"SELECT raise_error('no such luck')", "P0001", "no such luck"},
		{`SELECT parse_json('{"a":1,"a":2}')`, "22023", "[VARIANT_DUPLICATE_KEY]"},
	} {
		_, err := db.ExecContext(t.Context(), c.query)
		e, ok := errors.AsType[dbsqlerr.DBExecutionError](err)
		if !ok || e.SqlState() != c.state || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want SQLSTATE %s and %s", c.query, err, c.state, c.text)
		}
	}
}

func TestToken(t *testing.T) {
	w := SharedWarehouse(t)
	db, _ := connect(t, w, "wrong")
	err := db.PingContext(t.Context())
	if !errors.Is(err, dbsqlerr.RequestError) || !strings.Contains(err.Error(), "Invalid access token") ||
		!strings.Contains(err.Error(), "403") {
		t.Errorf("wrong token: error %v, want a request error 403 Invalid access token", err)
	}
	resp, err := w.client.Post(w.URL()+w.HTTPPath, "application/x-thrift", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("no token: %s, want 401", resp.Status)
	}
}

func TestConcurrentWrites(t *testing.T) {
	w := SharedWarehouse(t)
	db, _ := connect(t, w, w.Token)
	table := TablePrefix(t)
	mustExec(t, db, "CREATE TABLE "+table+" (id BIGINT, attributes VARIANT)")

	// Blind inserts don't conflict, and each says its own count.
	var group sync.WaitGroup
	for i := 1; i <= 4; i++ {
		group.Go(func() {
			lines := strings.TrimSuffix(strings.Repeat(`{"id":`+strconv.Itoa(i)+`}`+"\n", i), "\n")
			if _, n := counts(t, db, fmt.Sprintf(insertLines, table), rowsParam(lines)); n != int64(i) {
				t.Errorf("an insert says %d rows, want %d", n, i)
			}
		})
	}
	group.Wait()
	// A write that adds nothing says so.
	insertMissing := "INSERT INTO %[1]s (id) SELECT s.id FROM range(%[2]d, %[3]d) s LEFT ANTI JOIN %[1]s t ON t.id = s.id"
	affected, inserted := counts(t, db, fmt.Sprintf(insertMissing, table, 1, 5))
	if affected != 0 || inserted != 0 {
		t.Errorf("an insert of nothing says %d affected and %d inserted rows, want 0 and 0", affected, inserted)
	}
	affected, inserted = counts(t, db, "MERGE INTO "+table+" t USING (SELECT * FROM range(4, 9)) s ON t.id = s.id "+
		"WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)")
	if affected != 4 || inserted != 4 {
		t.Errorf("a merge says %d affected and %d inserted rows, want 4 and 4", affected, inserted)
	}

	// Statements that read the table they write conflict, and one of two wins. Two may also miss each other in time, so this
	// tries until they conflict.
	for try := range 20 {
		var failed []error
		var mu sync.Mutex
		for range 2 {
			group.Go(func() {
				_, err := db.ExecContext(t.Context(), fmt.Sprintf(insertMissing, table, 1000*(try+1), 1000*(try+1)+50))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed = append(failed, err)
				}
			})
		}
		group.Wait()
		if len(failed) == 0 {
			continue
		}
		t.Logf("try %d: %v", try, failed[0])
		e, ok := errors.AsType[dbsqlerr.DBExecutionError](failed[0])
		if len(failed) != 1 || !ok || e.SqlState() != "2D521" || !strings.Contains(e.Error(), "[DELTA_CONCURRENT_APPEND") {
			t.Errorf("errors %v, want one with SQLSTATE 2D521 and [DELTA_CONCURRENT_APPEND", failed)
		}
		if got := w.SQL(t, "SELECT count(*) - count(DISTINCT id) FROM "+table+" WHERE id >= 1000"); !cmp.Equal(got, [][]any{{int64(0)}}) {
			t.Errorf("duplicates: %v, want 0", got)
		}
		return
	}
	t.Error("two statements never conflicted")
}

// TestFaults holds what testdata/rig/README.md says of how the driver takes each fault.
func TestFaults(t *testing.T) {
	w := SharedWarehouse(t)
	table := TablePrefix(t)
	w.SQL(t, "CREATE TABLE "+table+" (id BIGINT)")
	total := int64(0)
	for _, c := range []struct {
		fault    Fault
		fails    string // part of the error, "" if the statement succeeds
		effect   bool
		requests int
	}{
		{Fault{Kind: Refuse429, Times: 2}, "", true, 3},
		{Fault{Kind: Refuse429, Times: 9, RetryAfter: 1}, "429 Too Many Requests", false, 3},
		{Fault{Kind: Refuse503, Times: 1}, "", true, 2},
		{Fault{Kind: Refuse503, Times: 9}, "503 Service Unavailable", false, 3},
		{Fault{Kind: Error500}, "500 Internal Server Error", false, 1},
		{Fault{Kind: ResetBefore}, "connection reset by peer", false, 1},
		{Fault{Kind: CutAfterEffect}, "EOF", true, 1},
		{Fault{Kind: TooLarge}, "413 Request Entity Too Large", false, 1},
		{Fault{Kind: Hang}, "context deadline exceeded", false, 1},
	} {
		t.Run(fmt.Sprintf("%s_%d", c.fault.Kind, c.fault.Times), func(t *testing.T) {
			db, counter := connect(t, w, w.Token)
			db.SetMaxOpenConns(1)
			if err := db.PingContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.Reset(t)
			c.fault.Match = "INSERT INTO " + table
			w.Fault(t, c.fault)
			counter.requests = 0
			ctx := t.Context()
			if c.fault.Kind == Hang {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 3*time.Second) // enough for the statement to get there
				defer cancel()
			}
			_, err := db.ExecContext(ctx, "INSERT INTO "+table+" VALUES (1)")
			requests := counter.requests
			t.Log(err)
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("error %v, want %q", err, c.fails)
			}
			if err != nil {
				e, ok := errors.AsType[dbsqlerr.DBExecutionError](err)
				if !ok {
					t.Fatalf("error is %T, want a DBExecutionError", err)
				}
				refused, after := strings.HasPrefix(c.fault.Kind, "refuse"), time.Duration(c.fault.RetryAfter)*time.Second
				if e.SqlState() != "" || e.IsRetryable() != refused || e.RetryAfter() != after {
					t.Errorf("error is retryable %t after %v, SQLSTATE %q, want %t after %v and none",
						e.IsRetryable(), e.RetryAfter(), e.SqlState(), refused, after)
				}
				if errors.Is(err, dbsqlerr.RequestError) != (c.fault.Kind != Hang) ||
					errors.Is(err, context.DeadlineExceeded) != (c.fault.Kind == Hang) ||
					errors.Is(err, syscall.ECONNRESET) != (c.fault.Kind == ResetBefore) ||
					errors.Is(err, io.EOF) != (c.fault.Kind == CutAfterEffect) {
					t.Errorf("the error wraps %+v, want what %s causes", err, c.fault.Kind)
				}
			}
			if requests != c.requests {
				t.Errorf("the driver sent %d requests, want %d", requests, c.requests)
			}
			if c.effect {
				total++
			}
			if got := w.SQL(t, "SELECT count(*) FROM "+table); !cmp.Equal(got, [][]any{{total}}) {
				t.Errorf("%v rows, want %d", got, total)
			}
			if stats := w.Stats(t); stats.Faults == 0 || stats.Writes == 1 != c.effect {
				t.Errorf("stats %+v, want a fault, and one write: %t", stats, c.effect)
			}
			// The session can be used afterwards.
			w.Reset(t)
			if err := db.PingContext(t.Context()); err != nil {
				t.Errorf("afterwards: error %v, want none", err)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	w := SharedWarehouse(t)
	db, _ := connect(t, w, w.Token)
	table := TablePrefix(t)
	mustExec(t, db, "CREATE TABLE "+table+" (id BIGINT)")
	w.Set(t, WarehouseSettings{MaxParamBytes: 1000, DirectSeconds: 0.2})
	t.Cleanup(func() { w.Set(t, WarehouseSettings{}) })
	_, err := db.ExecContext(t.Context(), "SELECT :rows", rowsParam(strings.Repeat("x", 1001)))
	if err == nil || !strings.Contains(err.Error(), "413 Request Entity Too Large") {
		t.Errorf("large parameter: error %v, want 413", err)
	}
	// A statement that takes longer than that is polled for.
	_, n := counts(t, db, "INSERT INTO "+table+" SELECT 8L FROM range(1) WHERE reflect('java.lang.Thread', 'sleep', 500L) IS NOT NULL")
	if n != 1 {
		t.Errorf("inserted %d rows, want 1", n)
	}
	// The driver takes a session that the server forgot for a bad connection: database/sql sends the statement
	// again in a new one.
	w.ForgetSessions(t)
	mustExec(t, db, "INSERT INTO "+table+" VALUES (9)")
}
