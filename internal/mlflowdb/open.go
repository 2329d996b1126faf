package mlflowdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/source"
)

// Source is a database that was opened. Its methods may be called at the same time.
type Source struct {
	address *Address
	opts    Options
	db      *sql.DB
	schema  schema
	engine  string        // its version, as it tells
	large   chan struct{} // holds an element while a large group of spans is read
	hint    string        // that the engine needs to find pages of traces quickly

	answered                 atomic.Bool // the database has
	requests, bytes, retries atomic.Int64
}

var (
	_ source.Opened = (*Source)(nil)
	_ source.Linked = (*Source)(nil)
)

// connections are open at the same time at most: servers allow few, which others need too. Each brings the spans of many
// traces, so that more were no faster.
const connections = 4

// Open connects to a database, and makes sure that its tables are of a form that is known.
func Open(ctx context.Context, a *Address, opts Options) (*Source, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Retry == (retry.Policy{}) {
		opts.Retry = retry.Default
	}
	if opts.MaxTraceBytes <= 0 {
		opts.MaxTraceBytes = mlflowclient.DefaultMaxTraceBytes
	}
	db, err := a.engine.open(a, opts)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	s := &Source{address: a, opts: opts, db: db, large: make(chan struct{}, 1)}
	err = s.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		if err := tx.QueryRowContext(ctx, a.engine.version).Scan(&s.engine); err != nil {
			return err
		}
		if s.schema, err = readSchema(ctx, tx, a); err != nil {
			return err
		}
		s.hint, err = pageHint(ctx, tx, a.engine)
		return err
	})
	if err == nil && opts.Workspace != "" && !s.schema.workspaces {
		err = advice.With(fmt.Errorf("the workspace %q can't be used: %s has no workspaces, which came with MLflow 3.10", opts.Workspace, a),
			"unset MLFLOW_WORKSPACE and leave out --workspace")
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("opening the database of the MLflow server: %w", err)
	}
	return s, nil
}

// pageHint is the hint with which pages of traces are read; "" where the engine needs none, or the index is not there.
func pageHint(ctx context.Context, tx *sql.Tx, e *engine) (string, error) {
	if e.hint == "" {
		return "", nil
	}
	var n int
	if err := tx.QueryRowContext(ctx, e.hasIndex, pageIndex).Scan(&n); err != nil || n == 0 {
		return "", err
	}
	return fmt.Sprintf(e.hint, pageIndex), nil
}

// Close ends the connections.
func (s *Source) Close() { _ = s.db.Close() }

// Identity is the database's address, without user and password.
func (s *Source) Identity() string { return s.address.String() }

// Credentials says which ones are used, for check.
func (s *Source) Credentials() string {
	switch {
	case s.address.engine.file:
		return "none are needed"
	case s.address.user == "":
		return "those of the environment"
	}
	return "user " + s.address.user
}

// Version says what stands behind the address, for check and logs.
func (s *Source) Version() string {
	engine := s.engine
	// Distributions add their own words to the version.
	if i := strings.IndexByte(engine, ' '); i > 0 {
		engine = engine[:i]
	}
	name := s.address.engine.name
	if strings.Contains(engine, "MariaDB") {
		name, engine = "MariaDB", strings.TrimSuffix(engine[:strings.Index(engine, "MariaDB")], "-")
	}
	return name + " " + engine + ", " + s.schema.version
}

// Warnings are what is to be told of the database before it is read.
func (s *Source) Warnings() []string { return s.schema.warnings }

// Stats counts the queries so far, and the bytes of spans that they brought.
func (s *Source) Stats() mlflowclient.Stats {
	return mlflowclient.Stats{Requests: s.requests.Load(), Bytes: s.bytes.Load(), Retries: s.retries.Load()}
}

func (o *Options) getenv(name string) string {
	if o.Getenv == nil {
		return ""
	}
	return o.Getenv(name)
}

// read runs f in a transaction that sees one state of the database. It runs f again after a fault that may pass, so f must begin
// anew each time it is called.
func (s *Source) read(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	op := s.opts.Waits.Operation()
	defer op.Over()
	err := retry.Do(ctx, s.opts.Retry, func(ctx context.Context) error {
		s.requests.Add(1)
		err := s.once(ctx, f)
		switch {
		case err == nil:
			s.answered.Store(true)
		case ctx.Err() != nil, !s.answered.Load() && fault.Of(err) == fault.Unreachable: // who named a wrong host need not wait
		case s.address.engine.transient(err), errors.Is(err, driver.ErrBadConn):
			return retry.Again(err, 0)
		}
		return err
	}, func(w retry.Wait) {
		s.retries.Add(1)
		op.Waits(fmt.Sprintf("the database asks for another try (%s)", s.address.engine.words(w.Err)), w)
		s.opts.Logger.Debug("the database asks for another try", "in", w.For.String(), "error", w.Err)
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	return s.judge(err)
}

func (s *Source) once(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, &s.address.engine.snapshot)
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing was written
	return f(ctx, tx)
}
