// Package warehouse writes rows into the OTEL tables of a Unity Catalog trace location through a
// Databricks SQL warehouse.
package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/databricks/databricks-sdk-go/config"
	dbsql "github.com/databricks/databricks-sql-go"
	dbsqllog "github.com/databricks/databricks-sql-go/logger"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// limits of one statement: large enough that its fixed cost (0.3 to 0.5 s) counts little, and within
// what servers were seen to take as one parameter.
var limits = target.Limits{Rows: 5000, Bytes: 8 << 20}

// LeastStatementBytes is how large a statement is, in bytes of rows, that no server refuses for its size.
const LeastStatementBytes = 64 << 10

// Rows of an answer: a trace in what is read of all has some 300 bytes.
const (
	pageRows  = 50_000 // of a statement, whose rows are held until they have all come
	fetchRows = 10_000 // of one request of the driver
)

// Options says which tables to write and how.
type Options struct {
	Config      *config.Config // one identity for REST and SQL, see databricks.Load
	WarehouseID string
	Location    uctables.Location
	UserAgent   string                              // product/version, shown in the workspace's query history
	Waiting     func(err error, wait time.Duration) // hears of every wait before another try; may be nil
	Progress    func(warehouseState string)         // hears of the warehouse's states while it starts; may be nil
	Retry       *retry.Policy                       // nil: retry.Default
	Volume      *uctables.Volume                    // to put large batches into, see Stage; nil for none
	MakeVolume  bool                                // Stage makes the volume where it is missing
	// StatementBytes is how many bytes of rows a statement has at most, 0 for 8 MiB. Rows that are staged are not
	// bound by it.
	StatementBytes int64
	Warn           func(error) // hears of what does no harm; may be nil
}

// Warehouse implements target.Writer. Its methods may be called at the same time.
type Warehouse struct {
	opts      Options
	policy    retry.Policy
	db        *sql.DB
	transport *http.Transport
	locks     map[string]chan struct{} // by table suffix: holds a token while a statement writes the table
	staging   *staging                 // nil until Stage
	pageRows  int                      // of a statement that reads of all traces
	most      atomic.Int64             // bytes that statements may have, after larger ones were refused; 0 for none was

	mu      sync.Mutex
	actual  map[string]uctables.Table // by suffix, as last described
	run     string                    // whose rows are written, see SetRun
	written int                       // writes of it
}

var _ target.Writer = (*Warehouse)(nil)

// quiet switches the driver's logger off: it writes failed statements with their texts to standard
// error.
var quiet = sync.OnceValue(func() error { return dbsqllog.SetLogLevel("disabled") })

// Open starts the warehouse if it is stopped and returns a writer. It opens no session yet.
func Open(ctx context.Context, opts Options) (*Warehouse, error) {
	if err := quiet(); err != nil {
		return nil, err
	}
	if err := databricks.EnsureRunning(ctx, opts.Config, opts.WarehouseID, opts.Progress); err != nil {
		return nil, err
	}
	w := &Warehouse{opts: opts, policy: retry.Default, pageRows: pageRows, actual: make(map[string]uctables.Table), locks: map[string]chan struct{}{
		uctables.Spans.Suffix:       make(chan struct{}, 1),
		uctables.Annotations.Suffix: make(chan struct{}, 1),
	}}
	if opts.Retry != nil {
		w.policy = *opts.Retry
	}
	u, err := url.Parse(opts.Config.Host)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("workspace host %q is no URL. Write it as https://<workspace>", opts.Config.Host)
	}
	if u.Scheme != "https" && !databricks.Loopback(u.Hostname()) {
		return nil, fmt.Errorf("the SQL warehouse of %s would be reached without encryption. Write the host as https://%s", u.Host, u.Host)
	}
	port := 443
	if u.Scheme == "http" {
		port = 80
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil {
			return nil, fmt.Errorf("workspace host %q has no valid port", opts.Config.Host)
		}
	}
	path := "/sql/1.0/warehouses/" + url.PathEscape(opts.WarehouseID)
	if id := opts.Config.WorkspaceID; id != "" {
		path += "?o=" + url.QueryEscape(id) // a unified host serves many workspaces
	}
	w.transport = newTransport(opts.Config)
	var base http.RoundTripper = w.transport
	if opts.Config.HTTPTransport != nil {
		base = opts.Config.HTTPTransport
	}
	login := authenticator{databricks.NewLogin(opts.Config)}
	connector, err := dbsql.NewConnector(
		dbsql.WithServerHostname(u.Scheme+"://"+u.Hostname()),
		dbsql.WithPort(port),
		dbsql.WithHTTPPath(path),
		dbsql.WithAuthenticator(login),
		dbsql.WithTransport(watcher{base, login}),
		dbsql.WithUserAgentEntry(opts.UserAgent),
		// The driver's own retries serve sessions, polling and fetching; a statement is ours, see watcher.
		dbsql.WithRetries(4, 500*time.Millisecond, 10*time.Second),
		// Results come in the answers. As links into the object storage behind the workspace, which the driver takes
		// by default, they would need a way there, which a firewall often leaves to the workspace alone.
		dbsql.WithCloudFetch(false),
		dbsql.WithMaxRows(fetchRows),
	)
	if err != nil {
		return nil, fmt.Errorf("SQL warehouse %s: %w", opts.WarehouseID, err)
	}
	w.db = sql.OpenDB(connector)
	w.db.SetMaxIdleConns(8)
	w.db.SetConnMaxIdleTime(5 * time.Minute) // the service closes idle sessions
	return w, nil
}

var _ interface {
	target.Writer
	target.SpanProber
	target.DuplicateCounter
	target.Stager
	target.ViewCreator
	target.StatementSender
} = (*Warehouse)(nil)

// Close ends the sessions.
func (w *Warehouse) Close() error {
	if w.staging != nil {
		w.staging.removals.Wait()
	}
	err := w.db.Close()
	w.transport.CloseIdleConnections()
	return err
}

// String is catalog.schema.prefix.
func (w *Warehouse) String() string { return w.opts.Location.String() }

// Limits says how much one statement should hold at most, by what was learnt so far.
func (w *Warehouse) Limits() target.Limits {
	l := limits
	if w.staging != nil {
		l = stagedLimits
	} else if w.opts.StatementBytes > 0 {
		l.Bytes = w.opts.StatementBytes
	}
	if learnt := w.most.Load(); learnt > 0 {
		l.Bytes = min(l.Bytes, learnt)
	}
	return l
}

// LimitStatements says that an earlier run found the warehouse to refuse statements of more than so many bytes. Rows
// that are staged are not bound by it.
func (w *Warehouse) LimitStatements(bytes int64) {
	if w.staging == nil {
		w.most.Store(bytes)
	}
}

// StatementBytes is the largest statement that the warehouse may be sent, in bytes of rows, after it has refused
// larger ones; 0 where it has refused none, or takes rows by files.
func (w *Warehouse) StatementBytes() int64 {
	if w.staging != nil {
		return 0
	}
	return w.most.Load()
}

// WriteAnnotations adds the annotations that the table lacks, in one commit.
func (w *Warehouse) WriteAnnotations(ctx context.Context, rows []uctables.Annotation) (target.Written, error) {
	type key struct {
		id string
		at int64
	}
	l := w.opts.Location
	return write(ctx, w, rows, batch[uctables.Annotation, key]{
		table: uctables.Annotations, insert: tablesql.InsertAnnotations, parse: tablesql.ParseAnnotations, count: tablesql.CountAnnotations(l),
		row: uctables.AppendAnnotation, rowKey: uctables.AppendAnnotationKey,
		key:   func(a *uctables.Annotation) key { return key{a.AnnotationID, a.UpdatedAtMicros} },
		times: func(a *uctables.Annotation, t *target.Times) { t.Include(a.CreatedAtMicros) },
	})
}

// ReplaceAnnotations adds newer versions of annotations where those they replace are the newest, in one
// commit.
func (w *Warehouse) ReplaceAnnotations(ctx context.Context, rows []uctables.Replacement) (target.Written, error) {
	l := w.opts.Location
	return write(ctx, w, rows, batch[uctables.Replacement, string]{
		table: uctables.Annotations, insert: tablesql.ReplaceAnnotations, parse: tablesql.ParseAnnotations, count: tablesql.CountAnnotations(l),
		row:    uctables.AppendReplacement,
		rowKey: func(b []byte, r *uctables.Replacement) []byte { return uctables.AppendAnnotationKey(b, &r.Annotation) },
		key:    func(r *uctables.Replacement) string { return r.AnnotationID },
		some:   true,
		times: func(r *uctables.Replacement, t *target.Times) {
			t.Include(r.CreatedAtMicros)
			t.Include(r.ReplacesCreatedMicros)
		},
	})
}

// WriteSpans adds the spans that the table lacks, in one commit.
func (w *Warehouse) WriteSpans(ctx context.Context, rows []uctables.Span) (target.Written, error) {
	return write(ctx, w, rows, w.spans())
}

type spanKey struct{ trace, span string }

func (w *Warehouse) spans() batch[uctables.Span, spanKey] {
	l := w.opts.Location
	return batch[uctables.Span, spanKey]{
		table: uctables.Spans, insert: tablesql.InsertSpans, parse: tablesql.ParseSpans, count: tablesql.CountSpans(l),
		row: uctables.AppendSpan, rowKey: uctables.AppendSpanKey,
		key:   func(s *uctables.Span) spanKey { return spanKey{s.TraceID, s.SpanID} },
		times: func(s *uctables.Span, t *target.Times) { t.Include(s.TimeMicros) },
	}
}

// ReplaceSpans puts spans in the place of those that the table has under their keys, in one commit.
func (w *Warehouse) ReplaceSpans(ctx context.Context, rows []uctables.Span, times target.Times) (target.Written, error) {
	b := w.spans()
	b.insert, b.count = tablesql.ReplaceSpans, ""
	b.times = func(s *uctables.Span, t *target.Times) {
		t.Join(times)
		t.Include(s.TimeMicros)
	}
	return write(ctx, w, rows, b)
}

// ProbeSpans says whether WriteSpans would take rows, by the same errors, and writes nothing. It finds
// the refused row of a trace of which no part may be written.
func (w *Warehouse) ProbeSpans(ctx context.Context, rows []uctables.Span) error {
	spans, err := w.table(ctx, uctables.Spans)
	if err != nil {
		return err
	}
	in, err := w.lay(ctx, len(rows), func(b []byte, i int) []byte { return uctables.AppendSpan(b, &rows[i]) })
	if err != nil {
		return err
	}
	defer w.remove(ctx, in)
	return w.ask(ctx, spans, in.statement(tablesql.ParseSpans(w.opts.Location, spans)), in.params, func(rows *sql.Rows) error { return nil }, nil)
}

// batch says how rows of one table become statements.
type batch[R any, K comparable] struct {
	table         uctables.Table
	insert, parse func(uctables.Location, uctables.Table) string // for the table as it is
	count         string                                         // after a lost answer; empty: the statement is sent again, whatever it did
	row, rowKey   func([]byte, *R) []byte
	key           func(*R) K
	times         func(*R, *target.Times) // adds those at which the statement has to look for a row
	some          bool                    // the statement leaves out rows that the table need not have
}

// write sends the rows as one statement until it is known to have taken effect.
func write[R any, K comparable](ctx context.Context, w *Warehouse, rows []R, b batch[R, K]) (target.Written, error) {
	if len(rows) == 0 {
		return target.Written{}, nil
	}
	// The statement compares rows with the table but not with each other.
	distinct := make([]*R, 0, len(rows))
	seen := make(map[K]bool, len(rows))
	for i := range rows {
		if k := b.key(&rows[i]); !seen[k] {
			seen[k] = true
			distinct = append(distinct, &rows[i])
		}
	}
	within := target.NoTimes
	for _, r := range distinct {
		b.times(r, &within)
	}
	times := []any{sql.Named(tablesql.ParamLow, within.Low), sql.Named(tablesql.ParamHigh, within.High)}
	table, err := w.table(ctx, b.table)
	if err != nil {
		return target.Written{}, err
	}
	line := func(text []byte, i int) []byte { return b.row(text, distinct[i]) }
	in, err := w.lay(ctx, len(distinct), line)
	if err != nil {
		return target.Written{}, err
	}
	defer func() { w.remove(ctx, in) }()

	// Statements that read the table they write conflict with each other, and the loser has to run
	// again: of one process, one at a time is sent. Other processes are left to the retry.
	lock := w.locks[b.table.Suffix]
	select {
	case lock <- struct{}{}:
		defer func() { <-lock }()
	case <-ctx.Done():
		return target.Written{}, context.Cause(ctx)
	}

	var inserted int64
	var doubts, unsent int
	var unanswered bool // a statement of which nothing is known may have done it
	unsure := false
	mark := w.mark()
	err = retry.Do(ctx, w.policy, func(ctx context.Context) error {
		var err error
		inserted, err = w.insert(ctx, in.statement(b.insert(w.opts.Location, table))+mark, slices.Concat(in.params, times))
		if err == nil {
			if unanswered {
				inserted = int64(len(distinct)) // by this statement or by that one
			}
			return nil
		}
		f := w.failure(ctx, b.table, in.bytes, err)
		if f.unsent {
			if unsent++; unsent >= unsentTries && in.bytes >= LeastStatementBytes {
				f = failure{kind: refused, err: &target.TooLargeError{Table: w.opts.Location.Name(b.table), Bytes: in.bytes, Err: f.err}}
			}
		}
		switch f.kind {
		case again:
			if f.lost {
				return retry.Lost(f.err)
			}
			return w.again(ctx, f)
		case unexplained:
			// A failed task's error may lack its cause. Reading the rows without writing names it.
			if _, err := w.number(ctx, in.statement(b.parse(w.opts.Location, table)), in.params); err != nil {
				var row *target.RowError
				if p := w.failure(ctx, b.table, in.bytes, err); errors.As(p.err, &row) {
					return p.err
				}
			}
			if doubts++; doubts > unknownTries {
				return f.err
			}
			return retry.Again(f.err, 0)
		case gone:
			if doubts++; in.folder == "" || doubts > unknownTries {
				return f.err
			}
			w.remove(ctx, in)
			if in, err = w.lay(ctx, len(distinct), line); err != nil {
				return err
			}
			return retry.Again(f.err, 0)
		case doubtful:
			// The answer got lost, or it does not count. The rows may be there, or may yet come: a statement that the
			// server still runs can't be waited for without its handle. Trying again is safe all the
			// same: whichever of the two commits second has read the table before the first one's
			// commit, so Delta fails it with a conflict, and its next try finds the rows.
			uncounted := errors.Is(err, errNoCount) // It took effect.
			if b.count == "" {
				if uncounted {
					inserted, unsure = int64(len(distinct)), true
					return nil
				}
				unanswered = true // that the keys are there says nothing; whether the values are, the next try sees
			} else if found, lookupErr := w.number(ctx, b.count, append(rowsParam(lines(distinct, b.rowKey)), times...)); lookupErr == nil &&
				(found == int64(len(distinct)) || b.some && uncounted) {
				inserted, unsure = found, true
				return nil
			}
			if doubts++; f.unknown && doubts > unknownTries {
				return f.err
			}
			return w.again(ctx, f)
		}
		var large *target.TooLargeError
		if errors.As(f.err, &large) && !large.Slow {
			w.learn(in.bytes)
		}
		return f.err
	}, w.opts.Waiting)
	if err != nil {
		return target.Written{}, err
	}
	// What a MERGE affected, where it does not say what it inserted, are more rows than it was given.
	inserted = min(inserted, int64(len(distinct)))
	return target.Written{Inserted: int(inserted), Present: len(rows) - int(inserted), Bytes: in.bytes, Unsure: unsure}, nil
}

// lines are the rows in the form of ParamRows.
func lines[R any](rows []*R, line func([]byte, *R) []byte) string {
	var text []byte
	for i, r := range rows {
		if i > 0 {
			text = append(text, '\n')
		}
		text = line(text, r)
	}
	return string(text)
}

func rowsParam(lines string) []any { return []any{sql.Named(tablesql.ParamRows, lines)} }

// unknownTries bounds how often a statement is sent again after an error that nothing is known of.
const unknownTries = 3

// scanNamed reads some columns of a row, whichever others it has.
func scanNamed(rows *sql.Rows, into map[string]any) error {
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	for i, name := range columns {
		if values[i] = into[name]; values[i] == nil {
			values[i] = new(any)
		}
	}
	return rows.Scan(values...)
}

// insert runs one INSERT or MERGE and returns how many rows it added; errNoCount when it took effect, but the
// answer does not tell.
func (w *Warehouse) insert(ctx context.Context, text string, params []any) (int64, error) {
	inserted := int64(-1)
	err := w.query(ctx, text, params, func(rows *sql.Rows) error {
		// A warehouse answers an INSERT with one row of both.
		var affected, added sql.NullInt64
		if err := scanNamed(rows, map[string]any{"num_affected_rows": &affected, "num_inserted_rows": &added}); err != nil {
			return err
		}
		for _, n := range []sql.NullInt64{affected, added} {
			if n.Valid && n.Int64 >= 0 { // -1 is for not known
				inserted = n.Int64
			}
		}
		return nil
	})
	if err == nil && inserted < 0 {
		err = errNoCount
	}
	return inserted, err
}

// number runs a query that answers one number.
func (w *Warehouse) number(ctx context.Context, text string, params []any) (int64, error) {
	var n int64
	err := w.query(ctx, text, params, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

// query runs one statement and calls each for its rows. Errors are raw, for failure to judge.
func (w *Warehouse) query(ctx context.Context, text string, params []any, each func(*sql.Rows) error) error {
	// The session is opened apart, so that what fails there is known not to have executed.
	opening := &exchange{}
	conn, err := w.db.Conn(withExchange(ctx, opening))
	if err != nil {
		return &statementError{err: err, exchange: opening}
	}
	defer conn.Close()
	running := &exchange{statement: true}
	fail := func(err error) error {
		if r := reportOf(err); running.status != http.StatusOK || r.state == "" && len(r.names) == 0 {
			// After a lost answer, or a fault that is not the statement's, the session may be of no use; the driver does
			// not tell, and the pool must not hand it out again.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		return &statementError{err: err, exchange: running}
	}
	rows, err := conn.QueryContext(withExchange(ctx, running), text, params...)
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	return nil
}

// ask is query for statements that only read or create, retried as a whole; start forgets what an
// earlier try has seen.
func (w *Warehouse) ask(ctx context.Context, table uctables.Table, text string, params []any, each func(*sql.Rows) error, start func()) error {
	doubts := 0
	return retry.Do(ctx, w.policy, func(ctx context.Context) error {
		if start != nil {
			start()
		}
		err := w.query(ctx, text, params, each)
		if err == nil {
			return nil
		}
		var s *statementError
		if !errors.As(err, &s) {
			return err // of each
		}
		f := w.failure(ctx, table, 0, err)
		if f.kind == refused || f.kind == gone {
			return f.err
		}
		if doubts++; f.unknown && doubts > unknownTries {
			return f.err
		}
		return w.again(ctx, f)
	}, w.opts.Waiting)
}

// again asks for another try, before which it sees to it that the warehouse runs: it may have been stopped
// meanwhile. What is wrong with it is left to the try to say. To wait for it, a classic one takes minutes, is no
// fault.
func (w *Warehouse) again(ctx context.Context, f failure) error {
	waited := false
	if f.asleep {
		_ = databricks.EnsureRunning(ctx, w.opts.Config, w.opts.WarehouseID, func(state string) {
			waited = true
			if w.opts.Progress != nil {
				w.opts.Progress(state)
			}
		})
	}
	if waited || f.busy {
		return retry.Busy(f.err, f.after)
	}
	return retry.Again(f.err, f.after)
}

// SetRun names the run whose rows are written from now on.
func (w *Warehouse) SetRun(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.run, w.written = id, 0
}

var notPlain = regexp.MustCompile(`[^0-9A-Za-z._-]+`)

// mark is a comment at the end of a statement that writes, by which the query history (system.query.history) tells
// which run sent it; tries of one write have the same.
func (w *Warehouse) mark() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run == "" {
		return ""
	}
	w.written++
	return fmt.Sprintf("\n/* tracemig run %s, write %d */", notPlain.ReplaceAllString(w.run, "_"), w.written)
}

// learn notes that so many bytes were too much for one statement.
func (w *Warehouse) learn(bytes int64) {
	for {
		now := w.most.Load()
		next := max(LeastStatementBytes, bytes/2)
		if now != 0 && now <= next || w.most.CompareAndSwap(now, next) {
			return
		}
	}
}

// Migrated calls yield for each trace of source that is complete in the tables.
func (w *Warehouse) Migrated(ctx context.Context, source string, yield func(uctables.Provenance) error) error {
	last := uctables.Provenance{RequestMicros: math.MinInt64}
	return w.pages(ctx, func(limit int) (found int, err error) {
		params := []any{sql.Named(tablesql.ParamSource, source), sql.Named(tablesql.ParamLow, last.RequestMicros), sql.Named(tablesql.ParamAfter, last.TraceID)}
		err = collect(ctx, w, uctables.Annotations, tablesql.SelectMigrated(w.opts.Location, limit), params, func(rows *sql.Rows) (uctables.Provenance, error) {
			p := uctables.Provenance{Source: source}
			var sourceTrace, digest, missing, attachments sql.NullString
			var spans sql.NullInt64
			if err := rows.Scan(&sourceTrace, &p.TraceID, &digest, &spans, &missing, &p.RequestMicros, &attachments); err != nil {
				return p, fmt.Errorf("%s: read what was migrated: %w", w, err)
			}
			p.SourceTraceID, p.Digest, p.Spans, p.SpansMissing = sourceTrace.String, digest.String, int(spans.Int64), missing.String
			p.Attachments = attachments.String
			return p, nil
		}, func(p uctables.Provenance) error {
			found, last = found+1, p
			return yield(p)
		})
		return found, err
	})
}

// Official implements target.Writer.
func (w *Warehouse) Official(ctx context.Context, experimentID string, yield func(targetTraceID string) error) error {
	last := ""
	return w.pages(ctx, func(limit int) (found int, err error) {
		params := []any{sql.Named(tablesql.ParamExperiment, experimentID), sql.Named(tablesql.ParamAfter, last)}
		err = collect(ctx, w, uctables.Annotations, tablesql.SelectOfficial(w.opts.Location, limit), params, func(rows *sql.Rows) (id string, err error) {
			if err = rows.Scan(&id); err != nil {
				err = fmt.Errorf("%s: read what Databricks' own migration wrote: %w", w, err)
			}
			return id, err
		}, func(id string) error {
			found, last = found+1, id
			return yield(id)
		})
		return found, err
	})
}

// pages asks for one page after another until one is not full. What is read of all traces does not fit into
// memory, nor should it begin anew where a connection breaks.
func (w *Warehouse) pages(ctx context.Context, page func(limit int) (found int, err error)) error {
	for {
		if found, err := page(w.pageRows); err != nil || found < w.pageRows {
			return err
		}
	}
}

// Check says whether the tables of spans and annotations are there in schema version v2.
func (w *Warehouse) Check(ctx context.Context) error {
	for _, t := range []uctables.Table{uctables.Spans, uctables.Annotations} {
		if err := w.CheckTable(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// Identity is the Delta IDs of the tables of spans and annotations.
func (w *Warehouse) Identity(ctx context.Context) (string, error) {
	var ids []string
	for _, t := range []uctables.Table{uctables.Spans, uctables.Annotations} {
		var id string
		if err := w.ask(ctx, t, tablesql.DescribeDetail(w.opts.Location, t), nil, func(rows *sql.Rows) error {
			return scanNamed(rows, map[string]any{"id": &id})
		}, nil); err != nil {
			return "", err
		}
		if id == "" {
			return "", fmt.Errorf("%s is no Delta table: DESCRIBE DETAIL names no ID. Name a trace location of this workspace", w.opts.Location.Name(t))
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " "), nil
}

// CheckTable says whether one table of the location is there in schema version v2.
func (w *Warehouse) CheckTable(ctx context.Context, t uctables.Table) error {
	l := w.opts.Location
	properties, err := w.pairs(ctx, t, tablesql.ShowProperties(l, t), nil)
	if errors.Is(err, errNoTable) {
		beta, betaErr := w.pairs(ctx, t, tablesql.ShowBetaProperties(l), nil)
		if betaErr == nil && beta[uctables.SchemaVersionProperty] == uctables.BetaSchemaVersion {
			return &target.TableError{Table: l.Name(t), Missing: true,
				Problem: fmt.Sprintf("does not exist, and the schema holds %s, a table of the beta form (%s %s)", uctables.BetaSpansTable, uctables.SchemaVersionProperty, uctables.BetaSchemaVersion),
				Next:    "Create a new experiment with a table prefix, which makes tables of version " + uctables.SchemaVersion + ", or run with --create."}
		}
		return &target.TableError{Table: l.Name(t), Missing: true, Problem: "does not exist",
			Next: "Create an experiment with the location " + l.String() + ", upon which the service makes tables and views; only where there is no service, run with --create."}
	}
	if err != nil {
		return err
	}
	if v := properties[uctables.SchemaVersionProperty]; v != uctables.SchemaVersion {
		e := &target.TableError{Table: l.Name(t),
			Problem: fmt.Sprintf("has %s %q", uctables.SchemaVersionProperty, v), Next: "tracemig writes version " + uctables.SchemaVersion + ": name a location that has it."}
		switch v {
		case "":
			e.Problem = "has no table property " + uctables.SchemaVersionProperty + " and so is no trace table"
		case uctables.BetaSchemaVersion:
			e.Problem = fmt.Sprintf("is of the beta form (%s %s)", uctables.SchemaVersionProperty, v)
		}
		return e
	}
	_, err = w.describe(ctx, t)
	return err
}

// table is t as it is in the warehouse, which is asked once.
func (w *Warehouse) table(ctx context.Context, t uctables.Table) (uctables.Table, error) {
	w.mu.Lock()
	actual, ok := w.actual[t.Suffix]
	w.mu.Unlock()
	if ok {
		return actual, nil
	}
	return w.describe(ctx, t)
}

// describe asks for the columns of t. Its error is a TableError where rows can't be written to them, or where not all
// rows can be seen.
func (w *Warehouse) describe(ctx context.Context, t uctables.Table) (uctables.Table, error) {
	l := w.opts.Location
	hides := "" // what hides rows or values from some
	columns, err := w.pairs(ctx, t, tablesql.DescribeTable(l, t), func(name, value string) {
		switch title := strings.ToLower(strings.Trim(name, "# ")); {
		case title == "row filter" && (value != "" || strings.HasPrefix(name, "#")):
			hides = "a row filter"
		case title == "column masks" || title == "column mask":
			hides = "column masks"
		}
	})
	if err != nil {
		return t, err
	}
	if hides != "" {
		return t, &target.TableError{Table: l.Name(t), Problem: "has " + hides,
			Next: "A row that this identity can't see as it is would be written again by every run: have the table's owner take it away (ALTER TABLE … DROP ROW FILTER, ALTER COLUMN … DROP MASK), and keep it to views."}
	}
	var have []uctables.Column
	for name, typ := range columns {
		have = append(have, uctables.Column{Name: name, Type: typ})
	}
	actual, clauses := t.Actual(have)
	if len(clauses) > 0 {
		next := "Its columns are not those of version " + uctables.SchemaVersion + ": name another location."
		if slices.ContainsFunc(clauses, func(c string) bool { return strings.HasSuffix(c, uctables.ErrCut.Error()) }) {
			next = "Have the warehouse print types whole, by a higher spark.sql.debug.maxToStringFields, or name another location."
		}
		return t, &target.TableError{Table: l.Name(t), Problem: strings.Join(clauses, "; "), Next: next}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.actual[t.Suffix] = actual
	return actual, nil
}

// pairs reads a result whose first two columns are names and values, up to an empty name or a headline, with which
// DESCRIBE begins other matters than columns. further, which may be nil, hears of what follows.
func (w *Warehouse) pairs(ctx context.Context, t uctables.Table, text string, further func(name, value string)) (map[string]string, error) {
	var m map[string]string
	over := false
	err := w.ask(ctx, t, text, nil, func(rows *sql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		var name, value sql.NullString
		into := []any{&name, &value}
		for range len(columns) - 2 {
			into = append(into, new(any))
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("%s: %w", w.opts.Location.Name(t), err)
		}
		over = over || name.String == "" || strings.HasPrefix(name.String, "#")
		if !over {
			m[name.String] = value.String
		} else if further != nil {
			further(name.String, value.String)
		}
		return nil
	}, func() { m, over = map[string]string{}, false })
	return m, err
}

// Create makes the four tables where they are missing.
func (w *Warehouse) Create(ctx context.Context) error {
	l := w.opts.Location
	for _, t := range uctables.Tables {
		if _, err := w.createMissing(ctx, t, tablesql.CreateTable(l, t)); err != nil {
			return err
		}
	}
	return w.Check(ctx)
}

// Drop drops the tables of a scratch location; of no other.
func (w *Warehouse) Drop(ctx context.Context) error {
	l := w.opts.Location
	if !l.IsScratch() {
		return fmt.Errorf("%s is no scratch location: nothing is dropped", l)
	}
	for _, t := range uctables.Tables {
		if err := w.do(ctx, t, tablesql.DropTable(l, t)); err != nil {
			return err
		}
	}
	return nil
}

// CreateViews makes the two views where they are missing. The service makes its own, and refuses to bind
// an experiment to a location where others stand in their place: they are for where there is no service.
// It returns the names of those that it made.
func (w *Warehouse) CreateViews(ctx context.Context) (made []string, err error) {
	// The views read the tables: tell of a wrong table before they fail on it.
	if err := w.Check(ctx); err != nil {
		return nil, err
	}
	for _, v := range tablesql.Views(w.opts.Location) {
		view := uctables.Table{Suffix: v.Suffix}
		missing, err := w.createMissing(ctx, view, v.Create)
		if err != nil {
			return made, err
		}
		if missing {
			made = append(made, w.opts.Location.Name(view))
		}
	}
	return made, nil
}

// OwnViews are those of the location's views that CreateViews has made.
func (w *Warehouse) OwnViews(ctx context.Context) (own []tablesql.View, err error) {
	for _, v := range tablesql.Views(w.opts.Location) {
		properties, err := w.pairs(ctx, uctables.Table{Suffix: v.Suffix}, tablesql.ShowViewProperties(w.opts.Location, v), nil)
		switch {
		case errors.Is(err, errNoTable):
		case err != nil:
			return nil, err
		case properties[tablesql.MadeProperty] == "true":
			own = append(own, v)
		}
	}
	return own, nil
}

// OfficialSkips counts, by reason, the traces of a source experiment that Databricks' own migration has
// skipped on their way to the location; nil where it has not skipped any.
func (w *Warehouse) OfficialSkips(ctx context.Context, experimentID string) (map[string]int64, error) {
	l := w.opts.Location
	var skips map[string]int64
	params := []any{sql.Named(tablesql.ParamExperiment, experimentID), sql.Named(tablesql.ParamLocation, l.Catalog+"."+l.Schema+"."+l.Prefix)}
	err := w.ask(ctx, uctables.Table{Suffix: tablesql.OfficialSkippedTable}, tablesql.CountOfficialSkips(l), params, func(rows *sql.Rows) error {
		var reason string
		var traces int64
		err := rows.Scan(&reason, &traces)
		skips[reason] = traces
		return err
	}, func() { skips = map[string]int64{} })
	if errors.Is(err, errNoTable) {
		return nil, nil
	}
	return skips, err
}

// createMissing runs text unless t, which it makes, is there, and says whether it was missing: a nightly run with --create should send
// no statement that writes.
func (w *Warehouse) createMissing(ctx context.Context, t uctables.Table, text string) (missing bool, err error) {
	if _, err := w.pairs(ctx, t, tablesql.DescribeTable(w.opts.Location, t), nil); !errors.Is(err, errNoTable) {
		return false, err
	}
	return true, w.do(ctx, t, text)
}

func (w *Warehouse) do(ctx context.Context, t uctables.Table, text string) error {
	return w.ask(ctx, t, text, nil, func(*sql.Rows) error { return nil }, nil)
}
