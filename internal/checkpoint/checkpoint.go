// Package checkpoint remembers what became of every trace of one source-target pair, so that a rerun
// reads and writes only what is new. It only saves work: the target decides what is there, and a lost
// checkpoint is rebuilt from it.
//
// A checkpoint is one SQLite file. Its tables may be read with any SQLite tool while no run is active;
// traces and runs are the ones meant for people.
package checkpoint

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/tracemig/tracemig/internal/shard"
)

// State is what became of a trace.
type State string

// The states of a trace. Only Migrated and Elsewhere are final.
const (
	Migrated State = "migrated" // complete in the target
	Deferred State = "deferred" // not ended yet at the source
	Skipped  State = "skipped"  // the source lacks some or all of its spans; the rest was migrated
	Failed   State = "failed"   // could not be migrated, see the reason
	Accepted State = "accepted" // could not be migrated, for a reason that somebody has accepted, see Acceptance

	// Elsewhere is a trace of another shard, which only its spans or the target showed. It is remembered so that it need not
	// be read again. No listing and no count includes it.
	Elsewhere State = "elsewhere"
)

// Reason is a code that says why a trace is not, or not wholly, migrated.
type Reason string

// Record is what the checkpoint knows of one trace.
type Record struct {
	TraceID       string // as the source names it
	TargetTraceID string // column trace_id in the target; empty if nothing was written
	RequestTimeMs int64  // milliseconds since the Unix epoch
	State         State
	Reason        Reason // a code that says why it is not, or not wholly, migrated; empty where it is
	Detail        string // more about the reason, for people; may be empty
	Digest        string // of the source's listing when it was migrated
	Spans         int
	Annotations   int
	Bytes         int64
	RunID         string // the run that moved it to the target, empty where that is not known; of others, the run that last looked at it
}

// Pair names the source and the target that a checkpoint belongs to.
type Pair struct {
	Source string      // identity of the source experiment
	Target string      // catalog.schema.prefix or file:path
	Shard  shard.Shard // the part of the source's traces; zero for all of them
}

// Store is an open checkpoint. Its methods may be called at the same time.
type Store struct {
	db       *sql.DB
	path     string
	relocate string // says how to have the file in another place
	pair     Pair
	other    *sql.Stmt   // prepared, since it may be asked for every trace
	alike    atomic.Bool // every trace has at the target the ID of its source ID; false where that was not asked
}

const schema = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS traces (
  trace_id TEXT PRIMARY KEY,
  target_trace_id TEXT NOT NULL,
  request_time_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  digest TEXT NOT NULL,
  spans INTEGER NOT NULL,
  annotations INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  run_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS traces_unlike ON traces (target_trace_id) WHERE ` + unlike + `;
CREATE INDEX IF NOT EXISTS traces_pending ON traces (trace_id) WHERE ` + unfinished + `;
CREATE TABLE IF NOT EXISTS runs (
  run_id TEXT PRIMARY KEY,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER,
  by TEXT NOT NULL,
  window_start_ms INTEGER,
  window_end_ms INTEGER,
  outcome TEXT NOT NULL,
  migrated INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  summary TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_links (trace_id TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (trace_id, run_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unsettled (trace_id TEXT PRIMARY KEY, due_ms INTEGER NOT NULL) WITHOUT ROWID; -- see SetUnsettled
CREATE TABLE IF NOT EXISTS looked_at (run_id TEXT PRIMARY KEY, other INTEGER NOT NULL) WITHOUT ROWID; -- see AddLinks
CREATE TABLE IF NOT EXISTS accepted ( -- see Acceptance
  trace_id TEXT PRIMARY KEY,
  accepted_for TEXT NOT NULL,
  why TEXT NOT NULL,
  by TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS official (trace_id TEXT PRIMARY KEY) WITHOUT ROWID; -- see ReadOfficial
`

// unfinished is the condition for traces that a later run may look at again, whatever its window: the ones that the index is for.
const unfinished = "state IN ('deferred', 'failed', 'accepted', 'skipped')"

// unlike is the condition for traces whose ID at the target is not that of their source ID. They are few: the others need no
// index, since their source ID follows from their ID at the target.
const unlike = "target_trace_id <> '' AND trace_id <> '" + ordinaryPrefix + "' || target_trace_id"

// ordinaryPrefix is what an ordinary source trace ID has before the trace's ID at the target.
const ordinaryPrefix = "tr-"

const formatVersion = "3"

// Open opens or makes the checkpoint of pair p at path. With an empty path it makes a temporary one, which is deleted when it is
// closed. Only the owner can read and write the file. The error is a *DamagedError where the file is not a checkpoint, and an
// *OtherPairError where it is that of another pair.
func Open(ctx context.Context, path string, p Pair) (*Store, error) {
	if path == "" {
		return openStore(ctx, "", p, relocateTemporary)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, explain("make the checkpoint's folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, explain("open the checkpoint: %w", err)
	}
	f.Close()
	return openStore(ctx, path, p, relocateByFlag)
}

// OpenScratch is Open for a file that only this process uses and that no user has named: its errors say how to choose another
// folder for temporary files.
func OpenScratch(ctx context.Context, path string, p Pair) (*Store, error) {
	return openStore(ctx, path, p, relocateTemporary)
}

func openStore(ctx context.Context, path string, p Pair, relocate string) (*Store, error) {
	s, err := connect(path, "")
	if err != nil {
		return nil, err
	}
	s.relocate = relocate
	if err := s.init(ctx, p); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// OpenReadOnly opens the checkpoint at path, which a run may have open too. Pair then says whose it is. The error is a
// *DamagedError where the file is not a checkpoint, and wraps fs.ErrNotExist where there is no file.
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the checkpoint: %w", err)
	}
	f.Close()
	s, err := connect(path, "?mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)") // mode=ro would leave files behind
	if err != nil {
		return nil, err
	}
	if err := s.identify(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connect opens the SQLite file at path, or a temporary database, of which SQLite keeps what does not fit its cache in a file
// without a name.
func connect(path, query string) (*Store, error) {
	dsn := ""
	if path != "" {
		// In an SQLite URI the characters ?, # and % have a meaning.
		dsn = "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path)) + query
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the checkpoint: %w", err)
	}
	// One connection: SQLite has one writer anyway, and a temporary database is per connection.
	db.SetMaxOpenConns(1)
	return &Store{db: db, path: path, relocate: relocateByFlag}, nil
}

func (s *Store) init(ctx context.Context, p Pair) error {
	// WAL with NORMAL can lose the last transactions in a power cut, but never corrupts the file. What is lost costs work, and
	// nothing else.
	for _, q := range []string{"PRAGMA busy_timeout = 5000", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", schema} {
		if _, err := s.db.ExecContext(ctx, q); err != nil {
			return s.unusable(err)
		}
	}
	for key, value := range map[string]string{"format": formatVersion, "source": p.Source, "target": p.Target, "shard": p.Shard.String()} {
		if _, err := s.db.ExecContext(ctx, "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING", key, value); err != nil {
			return s.unusable(err)
		}
	}
	if err := s.identify(ctx); err != nil {
		return err
	}
	var found bool
	if err := s.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM traces WHERE "+unlike+")").Scan(&found); err != nil {
		return s.unusable(err)
	}
	s.alike.Store(!found)
	return s.BelongsTo(p)
}

// identify reads whose checkpoint it is.
func (s *Store) identify(ctx context.Context) error {
	var format, part string
	for key, into := range map[string]*string{"format": &format, "source": &s.pair.Source, "target": &s.pair.Target, "shard": &part} {
		var err error
		if *into, err = s.meta(ctx, key); err != nil {
			return s.unusable(err)
		}
	}
	if format != formatVersion {
		return &DamagedError{s.path, fmt.Errorf("its format is %q, not %q", format, formatVersion)}
	}
	if part != "" {
		if err := s.pair.Shard.UnmarshalText([]byte(part)); err != nil {
			return &DamagedError{s.path, err}
		}
	}
	var err error
	s.other, err = s.db.PrepareContext(ctx, `
		SELECT trace_id FROM traces WHERE trace_id = '`+ordinaryPrefix+`' || ?1
			AND target_trace_id = ?1 AND trace_id <> ?2 AND state IN ('migrated', 'skipped')
		UNION ALL
		SELECT trace_id FROM traces WHERE `+unlike+`
			AND target_trace_id = ?1 AND trace_id <> ?2 AND state IN ('migrated', 'skipped')
		LIMIT 1`)
	if err != nil {
		return s.unusable(err)
	}
	return nil
}

// BelongsTo returns an *OtherPairError unless the checkpoint is that of p.
func (s *Store) BelongsTo(p Pair) error {
	switch {
	case s.pair.Source != p.Source:
		return &OtherPairError{s.path, "source", s.pair.Source, p.Source}
	case s.pair.Target != p.Target:
		return &OtherPairError{s.path, "target", s.pair.Target, p.Target}
	case s.pair.Shard != p.Shard:
		return &OtherPairError{s.path, "shard", s.pair.Shard.String(), p.Shard.String()}
	}
	return nil
}

// Pair names the source and the target that the checkpoint belongs to.
func (s *Store) Pair() Pair { return s.pair }

func (s *Store) meta(ctx context.Context, key string) (string, error) {
	var v string
	err := s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return v, err
}

// Close closes the checkpoint.
func (s *Store) Close() error { return s.db.Close() }

// Complete says whether the checkpoint knows all that the target holds. A new one does not, until it was rebuilt and
// SetComplete was called.
func (s *Store) Complete(ctx context.Context) (bool, error) {
	v, err := s.meta(ctx, "complete")
	return v == "yes", s.wrap(err)
}

// Bind ties the checkpoint to the target's tables as they are now. Where it was tied to other tables, which were dropped or
// replaced since, it forgets what those held.
func (s *Store) Bind(ctx context.Context, tables string) error {
	was, err := s.meta(ctx, "tables")
	if err != nil || was == tables {
		return s.wrap(err)
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		if was != "" {
			if err := forget(ctx, tx); err != nil {
				return err
			}
			// The runs stay on record, but they prove no longer what the target holds.
			if _, err := tx.ExecContext(ctx, "UPDATE runs SET outcome = ? WHERE end_ms IS NOT NULL", Lost); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO meta VALUES ('tables', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", tables)
		return err
	})
}

// Forget drops what is known of the target, so that the checkpoint has to be rebuilt. Traces that wait for a later run stay, and
// all acceptances: the target knows nothing of them, and the traces may lie outside that run's window.
func (s *Store) Forget(ctx context.Context) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return forget(ctx, tx) })
}

func forget(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM traces WHERE state NOT IN ('deferred', 'failed', 'accepted')"); err != nil {
		return err
	}
	for _, table := range []string{"official", "unsettled"} {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM meta WHERE key IN ('complete', 'official')")
	return err
}

// SetComplete records that the checkpoint was rebuilt from all that the target holds.
func (s *Store) SetComplete(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO meta VALUES ('complete', 'yes') ON CONFLICT (key) DO UPDATE SET value = 'yes'")
	return s.wrap(err)
}

func (s *Store) query(ctx context.Context, q string, args ...any) (rs []Record, err error) {
	err = s.each(ctx, func(rows *sql.Rows) error {
		r, err := scan(rows)
		rs = append(rs, r)
		return err
	}, q, args...)
	return rs, err
}

// each calls read for every row of a query's result.
func (s *Store) each(ctx context.Context, read func(*sql.Rows) error, q string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, q, args...)
	if err != nil {
		return s.wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows); err != nil {
			return s.wrap(err)
		}
	}
	return s.wrap(rows.Err())
}

// among is each for a query with one parameter: a list of IDs for json_each.
func (s *Store) among(ctx context.Context, ids []string, read func(*sql.Rows) error, q string) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return s.each(ctx, read, q, string(list))
}

func (s *Store) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.wrap(err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return s.wrap(err)
	}
	return s.wrap(tx.Commit())
}

// those says which of some IDs are in the result of a query, see among.
func (s *Store) those(ctx context.Context, ids []string, q string) (map[string]bool, error) {
	m := map[string]bool{}
	return m, s.among(ctx, ids, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		m[id] = true
		return err
	}, q)
}
