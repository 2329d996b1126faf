package checkpoint

import (
	"context"
	"encoding/json"
)

// SetUnsettled notes when traces that are migrated are to be read again, in milliseconds since the Unix epoch:
// spans of them may come yet. 0 takes the note back.
func (s *Store) SetUnsettled(ctx context.Context, due map[string]int64) error {
	if len(due) == 0 {
		return nil
	}
	list, err := json.Marshal(due)
	if err != nil {
		return err
	}
	for _, q := range []string{
		"DELETE FROM unsettled WHERE trace_id IN (SELECT key FROM json_each(?))",
		"INSERT INTO unsettled SELECT key, value FROM json_each(?) WHERE value > 0",
	} {
		if _, err := s.db.ExecContext(ctx, q, string(list)); err != nil {
			return s.wrap(err)
		}
	}
	return nil
}

// Unsettled says of which of some traces SetUnsettled has a note, and the time in it.
func (s *Store) Unsettled(ctx context.Context, traceIDs []string) (map[string]int64, error) {
	list, err := json.Marshal(traceIDs)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.QueryContext(ctx, "SELECT trace_id, due_ms FROM unsettled WHERE trace_id IN (SELECT value FROM json_each(?))", string(list))
	if err != nil {
		return nil, s.wrap(err)
	}
	defer rows.Close()
	due := map[string]int64{}
	for rows.Next() {
		var id string
		var at int64
		if err := rows.Scan(&id, &at); err != nil {
			return nil, s.wrap(err)
		}
		due[id] = at
	}
	return due, s.wrap(rows.Err())
}
