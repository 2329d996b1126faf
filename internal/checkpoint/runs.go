package checkpoint

import (
	"context"
	"database/sql"
	"time"

	"github.com/tracemig/tracemig/internal/report"
)

// Run is one run over a pair, as the checkpoint records it.
type Run struct {
	ID      string
	Start   time.Time
	End     time.Time      // zero while it runs, and for one that was killed
	By      string         // user@host
	Outcome report.Outcome // as in the summary, or one of this package's

	// The request times that it asked for, in milliseconds since the Unix epoch: start inclusive, end
	// exclusive, nil for no bound.
	WindowStartMs, WindowEndMs *int64

	Migrated int64
	Failed   int64
	Summary  string // the run's summary as JSON
}

// Outcomes of runs beside those that a run's summary has.
const (
	Running report.Outcome = "running" // it has not recorded its end
	Killed  report.Outcome = "killed"  // its process ended without recording it; Status says so, the file never does
	Rebuilt report.Outcome = "rebuilt" // it only rebuilt the checkpoint from the target
	Removed report.Outcome = "removed" // it removed traces from the target
	Lost    report.Outcome = "lost"    // it ended, but the tables it wrote were dropped or replaced since
)

// StartRun records that a run began; FinishRun records how it ended.
func (s *Store) StartRun(ctx context.Context, r Run) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO runs (run_id, start_ms, by, window_start_ms, window_end_ms, outcome, migrated, failed, summary)
		VALUES (?, ?, ?, ?, ?, ?, 0, 0, '')`,
		r.ID, r.Start.UnixMilli(), r.By, r.WindowStartMs, r.WindowEndMs, Running)
	return s.wrap(err)
}

// FinishRun records the end, outcome, counts and summary of the run r.ID.
func (s *Store) FinishRun(ctx context.Context, r Run) error {
	_, err := s.db.ExecContext(ctx, "UPDATE runs SET end_ms = ?, outcome = ?, migrated = ?, failed = ?, summary = ? WHERE run_id = ?",
		r.End.UnixMilli(), r.Outcome, r.Migrated, r.Failed, r.Summary, r.ID)
	return s.wrap(err)
}

// Runs yields the runs, the latest first. Where a run has not recorded its end, its counts are those of the traces that no later
// run has looked at.
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
		err := rows.Scan(&r.ID, &start, &end, &r.By, &r.Outcome, &r.WindowStartMs, &r.WindowEndMs, &r.Summary, &r.Migrated, &r.Failed)
		if err != nil {
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
