package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// Get returns the records of the given source trace IDs that the checkpoint has, by trace ID.
func (s *Store) Get(ctx context.Context, traceIDs []string) (map[string]Record, error) {
	m := make(map[string]Record, len(traceIDs))
	return m, s.among(ctx, traceIDs, func(rows *sql.Rows) error {
		r, err := scan(rows)
		m[r.TraceID] = r
		return err
	}, "SELECT "+columns+" FROM traces WHERE trace_id IN (SELECT value FROM json_each(?))")
}

// Migrated says which of the given source trace IDs are those of traces that are Migrated.
func (s *Store) Migrated(ctx context.Context, traceIDs []string) (map[string]bool, error) {
	return s.those(ctx, traceIDs, "SELECT trace_id FROM traces WHERE state = 'migrated' AND trace_id IN (SELECT value FROM json_each(?))")
}

// Pending returns records of traces that the run runID should look at and has not: those that wait for a later run (deferred, failed
// and accepted), and skipped ones that were requested since the given time, whose spans may have come since. It returns up to limit
// records, in the order of their trace IDs, beginning after the given ID.
func (s *Store) Pending(ctx context.Context, runID string, since time.Time, after string, limit int) ([]Record, error) {
	return s.query(ctx, "SELECT "+columns+` FROM traces
		WHERE `+unfinished+` AND (state <> 'skipped' OR request_time_ms >= ?) AND run_id <> ? AND trace_id > ?
		ORDER BY trace_id LIMIT ?`, since.UnixMilli(), runID, after, limit)
}

// Other returns the ID of a source trace other than traceID that has the given ID at the target; "" where there is none.
func (s *Store) Other(ctx context.Context, targetTraceID, traceID string) (string, error) {
	if ordinary(traceID, targetTraceID) && s.alike.Load() {
		return "", nil // No other trace can have it. Asking would cost a run 4 % of its processor time.
	}
	var other string
	err := s.other.QueryRowContext(ctx, targetTraceID, traceID).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return other, s.wrap(err)
}

// ordinary says whether a trace's ID at the target is that of its source ID.
func ordinary(traceID, targetTraceID string) bool {
	id, ok := strings.CutPrefix(traceID, ordinaryPrefix)
	return ok && id == targetTraceID
}

// Put stores records in one transaction, in place of what was known of their traces. The acceptances of those that are migrated
// or skipped end with it.
func (s *Store) Put(ctx context.Context, rs ...Record) error { return s.put(ctx, rs, endAcceptances) }

// Restore is Put for what the target tells. It ends no acceptance: one of a migrated trace is about what the source has now.
func (s *Store) Restore(ctx context.Context, rs []Record) error {
	return s.put(ctx, rs, func(context.Context, *sql.Tx, []Record) error { return nil })
}

func (s *Store) put(ctx context.Context, rs []Record, then func(context.Context, *sql.Tx, []Record) error) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		st, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO traces ("+columns+") VALUES (?,?,?,?,?,?,?,?,?,?,?)")
		if err != nil {
			return err
		}
		defer st.Close()
		for _, r := range rs {
			if r.TargetTraceID != "" && !ordinary(r.TraceID, r.TargetTraceID) {
				s.alike.Store(false)
			}
			_, err := st.ExecContext(ctx, r.TraceID, r.TargetTraceID, r.RequestTimeMs, r.State, r.Reason, r.Detail, r.Digest,
				r.Spans, r.Annotations, r.Bytes, r.RunID)
			if err != nil {
				return err
			}
		}
		return then(ctx, tx, rs)
	})
}

const columns = "trace_id, target_trace_id, request_time_ms, state, reason, detail, digest, spans, annotations, bytes, run_id"

func scan(rows *sql.Rows) (Record, error) {
	var r Record
	err := rows.Scan(&r.TraceID, &r.TargetTraceID, &r.RequestTimeMs, &r.State, &r.Reason, &r.Detail, &r.Digest,
		&r.Spans, &r.Annotations, &r.Bytes, &r.RunID)
	return r, err
}

// page is how many rows are read into memory at a time while all traces are listed.
const page = 1000

// Records yields the records in a state in the order of their trace IDs.
func (s *Store) Records(ctx context.Context, state State, yield func(Record) error) error {
	return s.pages(ctx, "state = ?", []any{state}, yield)
}

// Moved yields the records of traces that can be found in the target, in the order of their trace IDs.
func (s *Store) Moved(ctx context.Context, yield func(Record) error) error {
	return s.pages(ctx, "(state = 'migrated' OR state = 'skipped' AND spans > 0) AND target_trace_id <> ''", nil, yield)
}

// pages reads one page at a time: during a long read SQLite could not truncate the write-ahead log of a run.
func (s *Store) pages(ctx context.Context, where string, args []any, yield func(Record) error) error {
	after := ""
	for {
		rs, err := s.query(ctx, "SELECT "+columns+" FROM traces WHERE "+where+" AND trace_id > ? ORDER BY trace_id LIMIT ?",
			append(args, after, page)...)
		if err != nil {
			return err
		}
		for _, r := range rs {
			if err := yield(r); err != nil {
				return err
			}
		}
		if len(rs) < page {
			return nil
		}
		after = rs[page-1].TraceID
	}
}

// Count is how many traces are in a state for a reason, with the trace ID and the detail of one of them.
type Count struct {
	State   State
	Reason  Reason
	Traces  int64
	Example string
	Detail  string
}

// Counts counts the traces by state and reason, in that order.
func (s *Store) Counts(ctx context.Context) ([]Count, error) {
	// One GROUP BY over all traces would have SQLite sort them. Those that are not migrated have an index, and are few.
	// SQLite takes a bare column such as detail from the row with the least trace ID, because of the min().
	var cs []Count
	err := s.each(ctx, func(rows *sql.Rows) error {
		var c Count
		err := rows.Scan(&c.State, &c.Reason, &c.Traces, &c.Example, &c.Detail)
		cs = append(cs, c)
		return err
	}, `
		SELECT state, reason, count(*), min(trace_id), detail FROM traces WHERE `+unfinished+` GROUP BY 1, 2
		UNION ALL
		SELECT 'migrated', '', count(*), min(trace_id), '' FROM traces WHERE state = 'migrated' HAVING count(*) > 0
		ORDER BY 1, 2`)
	return cs, err
}

// Newest is the latest request time of a trace that is in the target, in milliseconds since the Unix
// epoch; 0 when there is none.
func (s *Store) Newest(ctx context.Context) (int64, error) {
	var ms sql.NullInt64
	err := s.db.QueryRowContext(ctx, "SELECT max(request_time_ms) FROM traces WHERE state IN ('migrated', 'skipped')").Scan(&ms)
	return ms.Int64, s.wrap(err)
}
