package checkpoint

import (
	"context"
	"database/sql"
	"encoding/json"
)

// SetUnsettled records in one transaction when migrated traces are to be read again, because spans of them may still come: in
// milliseconds since the Unix epoch, 0 for not at all.
func (s *Store) SetUnsettled(ctx context.Context, due map[string]int64) error {
	if len(due) == 0 {
		return nil
	}
	list, err := json.Marshal(due)
	if err != nil {
		return err
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			"DELETE FROM unsettled WHERE trace_id IN (SELECT key FROM json_each(?))",
			"INSERT INTO unsettled SELECT key, value FROM json_each(?) WHERE value > 0",
		} {
			if _, err := tx.ExecContext(ctx, q, string(list)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Unsettled returns the times that SetUnsettled has recorded for some traces.
func (s *Store) Unsettled(ctx context.Context, traceIDs []string) (map[string]int64, error) {
	due := map[string]int64{}
	return due, s.among(ctx, traceIDs, func(rows *sql.Rows) error {
		var id string
		var at int64
		err := rows.Scan(&id, &at)
		due[id] = at
		return err
	}, "SELECT trace_id, due_ms FROM unsettled WHERE trace_id IN (SELECT value FROM json_each(?))")
}
