package checkpoint

import (
	"context"
	"database/sql"
	"time"
)

// page is how many rows are in memory at a time while all traces are listed.
const page = 1000

// Records yields the records in a state in the order of their trace IDs.
func (s *Store) Records(ctx context.Context, state State, yield func(Record) error) error {
	return s.pages(ctx, "state = ?", []any{state}, yield)
}

// Moved yields the records of traces that can be found in the target, in the order of their trace IDs.
func (s *Store) Moved(ctx context.Context, yield func(Record) error) error {
	return s.pages(ctx, "(state = 'migrated' OR state = 'skipped' AND spans > 0) AND target_trace_id <> ''", nil, yield)
}

// pages asks for a page at a time: a long read would keep a run from shortening its log.
func (s *Store) pages(ctx context.Context, where string, args []any, yield func(Record) error) error {
	after := ""
	for {
		rs, err := s.query(ctx, "SELECT "+columns+" FROM traces WHERE "+where+" AND trace_id > ? ORDER BY trace_id LIMIT ?", append(args, after, page)...)
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

// Count is how many traces are in a state for a reason, with the trace ID and the detail of one.
type Count struct {
	State   State
	Reason  string
	Traces  int64
	Example string
	Detail  string
}

// Counts counts the traces by state and reason, sorted so.
func (s *Store) Counts(ctx context.Context) ([]Count, error) {
	// Not one GROUP BY over all traces: SQLite would sort them. The others have an index, and are few.
	// The detail is that of the row with the least trace ID, as SQLite has it for bare columns.
	var cs []Count
	err := s.each(ctx, func(rows *sql.Rows) error {
		var c Count
		err := rows.Scan(&c.State, &c.Reason, &c.Traces, &c.Example, &c.Detail)
		cs = append(cs, c)
		return err
	}, `
		SELECT state, reason, count(*), min(trace_id), detail FROM traces WHERE state IN ('deferred', 'failed', 'skipped') GROUP BY 1, 2
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

// StartRun notes that a run began; FinishRun how it ended.
func (s *Store) StartRun(ctx context.Context, r Run) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO runs (run_id, start_ms, by, window_start_ms, window_end_ms, outcome, migrated, failed, summary) VALUES (?, ?, ?, ?, ?, ?, 0, 0, '')",
		r.ID, r.Start.UnixMilli(), r.By, r.WindowStartMs, r.WindowEndMs, Running)
	return s.wrap(err)
}

// FinishRun notes the end, outcome, counts and summary of the run r.ID.
func (s *Store) FinishRun(ctx context.Context, r Run) error {
	_, err := s.db.ExecContext(ctx, "UPDATE runs SET end_ms = ?, outcome = ?, migrated = ?, failed = ?, summary = ? WHERE run_id = ?",
		r.End.UnixMilli(), r.Outcome, r.Migrated, r.Failed, r.Summary, r.ID)
	return s.wrap(err)
}

// Runs yields the runs, the latest first. For one that has not noted its end the counts are those of
// the traces that it was the last to look at.
func (s *Store) Runs(ctx context.Context, yield func(Run) error) error {
	rows, err := s.db.QueryContext(ctx, `
		SELECT run_id, start_ms, end_ms, by, outcome, window_start_ms, window_end_ms, summary,
			CASE WHEN end_ms IS NULL THEN (SELECT count(*) FROM traces t WHERE t.run_id = r.run_id AND state = 'migrated') ELSE migrated END,
			CASE WHEN end_ms IS NULL THEN (SELECT count(*) FROM traces t WHERE t.run_id = r.run_id AND state = 'failed') ELSE failed END
		FROM runs r ORDER BY start_ms DESC, run_id DESC`)
	if err != nil {
		return s.wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Run
		var start int64
		var end sql.NullInt64
		if err := rows.Scan(&r.ID, &start, &end, &r.By, &r.Outcome, &r.WindowStartMs, &r.WindowEndMs, &r.Summary, &r.Migrated, &r.Failed); err != nil {
			return s.wrap(err)
		}
		r.Start = time.UnixMilli(start).UTC()
		if end.Valid {
			r.End = time.UnixMilli(end.Int64).UTC()
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return s.wrap(rows.Err())
}
