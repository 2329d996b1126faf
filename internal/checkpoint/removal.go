package checkpoint

import (
	"context"
	"database/sql"
	"encoding/json"
)

// ReasonRemoving is the reason of Deferred traces whose removal from the target has begun.
const ReasonRemoving Reason = "removing"

// BeginRemoval records, before the target loses anything of some traces, that it may lack them: they are Deferred, so that a run
// writes again what is gone where the removal does not come to its end. Traces that wait for a run anyway stay as they are.
func (s *Store) BeginRemoval(ctx context.Context, traceIDs []string) error {
	return s.onTraces(ctx, traceIDs, `UPDATE traces SET state = 'deferred', reason = 'removing', detail = ''
		WHERE state IN ('migrated', 'skipped') AND trace_id IN (SELECT value FROM json_each(?))`)
}

// EndRemoval forgets traces of which BeginRemoval has recorded that they are removed.
func (s *Store) EndRemoval(ctx context.Context, traceIDs []string) error {
	return s.onTraces(ctx, traceIDs,
		`DELETE FROM unsettled WHERE trace_id IN (SELECT value FROM json_each(?1))
			AND trace_id IN (SELECT trace_id FROM traces WHERE `+removing+`)`,
		"DELETE FROM traces WHERE "+removing+" AND trace_id IN (SELECT value FROM json_each(?))")
}

const removing = "state = 'deferred' AND reason = 'removing'"

// onTraces executes statements in one transaction. Each has one parameter: a list of trace IDs for json_each.
func (s *Store) onTraces(ctx context.Context, traceIDs []string, statements ...string) error {
	list, err := json.Marshal(traceIDs)
	if err != nil {
		return err
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, q := range statements {
			if _, err := tx.ExecContext(ctx, q, string(list)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Removing yields the traces whose removal has begun and not ended, in the order of their IDs.
func (s *Store) Removing(ctx context.Context, yield func(Record) error) error {
	return s.pages(ctx, removing, nil, yield)
}

// HasRun says whether a run with this ID is on record.
func (s *Store) HasRun(ctx context.Context, runID string) (found bool, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM runs WHERE run_id = ?)", runID).Scan(&found)
	return found, s.wrap(err)
}
