package checkpoint

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
)

// ResetLinks forgets all run links, and which MLflow runs were looked at: each run of tracemig reads them anew.
func (s *Store) ResetLinks(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM run_links; DELETE FROM looked_at")
	return s.wrap(err)
}

// AddLinks records that traces are linked to an MLflow run. It has no effect until LookedAt says that these are all of the run's.
func (s *Store) AddLinks(ctx context.Context, mlflowRunID string, traceIDs []string) error {
	list, err := json.Marshal(traceIDs)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, "INSERT OR IGNORE INTO run_links SELECT value, ? FROM json_each(?)", mlflowRunID, string(list))
	return s.wrap(err)
}

// LookedAt records that AddLinks was called with all traces of an MLflow run. other says that the run belongs to another
// experiment than the source.
func (s *Store) LookedAt(ctx context.Context, mlflowRunID string, other bool) error {
	_, err := s.db.ExecContext(ctx, "INSERT OR IGNORE INTO looked_at VALUES (?, ?)", mlflowRunID, other)
	return s.wrap(err)
}

// HasLookedAt says for which of some MLflow runs LookedAt was called.
func (s *Store) HasLookedAt(ctx context.Context, mlflowRunIDs []string) (map[string]bool, error) {
	return s.those(ctx, mlflowRunIDs, "SELECT run_id FROM looked_at WHERE run_id IN (SELECT value FROM json_each(?))")
}

// Links are the MLflow runs that a trace is linked to, each list sorted.
type Links struct {
	Source []string // runs of the source experiment
	Others []string // runs of other experiments
}

// Runs are the MLflow runs of both lists.
func (l Links) Runs() []string { return slices.Concat(l.Source, l.Others) }

// Links returns what each of the given traces is linked to.
func (s *Store) Links(ctx context.Context, traceIDs []string) (map[string]Links, error) {
	m := map[string]Links{}
	return m, s.among(ctx, traceIDs, func(rows *sql.Rows) error {
		var trace, run string
		var other bool
		err := rows.Scan(&trace, &run, &other)
		l := m[trace]
		if other {
			l.Others = append(l.Others, run)
		} else {
			l.Source = append(l.Source, run)
		}
		m[trace] = l
		return err
	}, `SELECT trace_id, run_id, other FROM run_links JOIN looked_at USING (run_id)
		WHERE trace_id IN (SELECT value FROM json_each(?)) ORDER BY trace_id, run_id`)
}
