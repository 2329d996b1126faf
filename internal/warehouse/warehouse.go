// Package warehouse writes rows into the OTEL tables of a Unity Catalog trace location through a Databricks SQL warehouse,
// and reads them back.
//
// A statement is SQL text that is sent to the warehouse. A commit is an atomic write of rows: one statement, of which several
// tries may be needed (commit.go). What came of a try that failed is judged by tables of causes (failure.go,
// failure_http.go, failure_sql.go) and by the list of the error conditions that are documented or reported (conditions.go).
package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v12/arrow" // the version that the driver uses
	"github.com/databricks/databricks-sdk-go/config"
	dbsql "github.com/databricks/databricks-sql-go"
	dbsqllog "github.com/databricks/databricks-sql-go/logger"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Options says which tables to write and how.
type Options struct {
	Config      *config.Config // one identity for REST and SQL, see databricks.Load
	WarehouseID string
	Location    uctables.Location
	UserAgent   string                              // product/version, shown in the workspace's query history
	Waiting     func(err error, wait time.Duration) // is called before every wait for another try; may be nil
	Waits       *retry.Waits                        // is told of operations that wait for another try; may be nil
	Progress    func(warehouseState string)         // is called for the warehouse's states while it starts; may be nil
	Retry       *retry.Policy                       // nil: retry.Default
	Volume      *uctables.Volume                    // for large batches, see Stage; nil for none
	MakeVolume  bool                                // Stage makes the volume where it is missing
	// StatementBytes is how many bytes of rows a statement has at most, 0 for 8 MiB. It does not bound rows in files.
	StatementBytes int64
	Warn           func(error) // is called for faults that do no harm; may be nil
}

// Warehouse implements target.Writer. Its methods may be called at the same time.
type Warehouse struct {
	opts        Options
	policy      retry.Policy
	db          *sql.DB
	transport   *http.Transport
	locks       map[string]chan struct{} // by table suffix: holds a token while a statement writes the table
	staging     *staging                 // nil until Stage
	pageRows    int                      // rows of a page, see pages
	needs       []grants.Grant           // what writing needs
	marks       *marks
	learntBytes atomic.Int64 // bytes of rows that a statement may have, after larger ones were refused; 0 if none was

	mu     sync.Mutex
	actual map[string]uctables.Table // by suffix: tables with the columns that they really have
}

var _ interface {
	target.Writer
	target.SpanProber
	target.DuplicateCounter
	target.Stager
	target.ViewCreator
	target.Marker
	target.TagSender
	target.LedgerKeeper
	target.StatementSender
	target.TableChecker
	target.LocationReader
	target.Remover
	target.SpanCopier
} = (*Warehouse)(nil)

// prepareDriver makes the driver fit for use, once a process. It switches the driver's logger off, which writes failed
// statements with their texts to standard error. And it has the type of timestamps find its time zone: the driver shares
// that type among its connections, and the first answers of two of them would find the zone at the same time, which is a
// data race.
var prepareDriver = sync.OnceValue(func() error {
	if _, err := driverTimestamp.GetZone(); err != nil {
		return fmt.Errorf("time zone of the driver's timestamps: %w", err)
	}
	return dbsqllog.SetLogLevel("disabled")
})

// driverTimestamp is the type that the driver takes times for.
var driverTimestamp = arrow.FixedWidthTypes.Timestamp_us.(*arrow.TimestampType)

// Open starts the warehouse if it is stopped and returns a writer. It opens no session yet.
func Open(ctx context.Context, opts Options) (*Warehouse, error) {
	if err := prepareDriver(); err != nil {
		return nil, err
	}
	if err := databricks.EnsureRunning(ctx, opts.Config, opts.WarehouseID, opts.Progress); err != nil {
		return nil, err
	}
	w := &Warehouse{
		opts: opts, policy: retry.Default, pageRows: pageRows, actual: make(map[string]uctables.Table), marks: &marks{},
		needs: grants.ToWrite(opts.Location), locks: newLocks(uctables.Spans, uctables.Annotations),
	}
	if opts.Volume != nil {
		w.needs = append(w.needs, grants.ToStage(*opts.Volume))
	}
	if opts.Retry != nil {
		w.policy = *opts.Retry
	}
	host, port, err := address(opts.Config.Host)
	if err != nil {
		return nil, err
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
		dbsql.WithServerHostname(host),
		dbsql.WithPort(port),
		dbsql.WithHTTPPath(path),
		dbsql.WithAuthenticator(login),
		dbsql.WithTransport(watcher{base, login}),
		dbsql.WithUserAgentEntry(opts.UserAgent),
		// The driver's own retries are for sessions, polling and fetching. It does not retry statements, see watcher.
		dbsql.WithRetries(4, 500*time.Millisecond, 10*time.Second),
		// Results come in the answers. By default the driver takes them by links into the object storage behind the workspace,
		// which a firewall often lets only the workspace reach.
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

func newLocks(tables ...uctables.Table) map[string]chan struct{} {
	locks := make(map[string]chan struct{})
	for _, t := range tables {
		locks[t.Suffix] = make(chan struct{}, 1)
	}
	return locks
}

// address is the host, with its scheme, and the port of a workspace.
func address(workspace string) (host string, port int, err error) {
	u, err := url.Parse(workspace)
	if err != nil || u.Hostname() == "" {
		return "", 0, advice.With(fmt.Errorf("workspace host %q is no URL", workspace), "Write it as https://<workspace>")
	}
	if u.Scheme != "https" && !databricks.Loopback(u.Hostname()) {
		return "", 0, advice.With(fmt.Errorf("the SQL warehouse of %s would be reached without encryption", u.Host),
			"Write the host as https://"+u.Host)
	}
	port = 443
	if u.Scheme == "http" {
		port = 80
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil {
			return "", 0, fmt.Errorf("workspace host %q has no valid port", workspace)
		}
	}
	return u.Scheme + "://" + u.Hostname(), port, nil
}

// Close ends the sessions, after files that are being removed are gone.
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
