package checkpoint

import (
	"context"
	"encoding/json"
)

// ReadOfficial records which traces Databricks' own migration has written into the target, unless it has done so before. read
// yields their IDs at the target.
func (s *Store) ReadOfficial(ctx context.Context, read func(yield func(targetTraceID string) error) error) error {
	if done, err := s.meta(ctx, "official"); err != nil || done == "yes" {
		return s.wrap(err)
	}
	var ids []string
	flush := func() error {
		list, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		ids = ids[:0]
		_, err = s.db.ExecContext(ctx, "INSERT OR IGNORE INTO official SELECT value FROM json_each(?)", string(list))
		return s.wrap(err)
	}
	if err := read(func(id string) error {
		if ids = append(ids, id); len(ids) < 1000 {
			return nil
		}
		return flush()
	}); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	_, err := s.db.ExecContext(ctx, "INSERT INTO meta VALUES ('official', 'yes') ON CONFLICT (key) DO UPDATE SET value = 'yes'")
	return s.wrap(err)
}

// Official says which of some trace IDs of the target ReadOfficial has recorded.
func (s *Store) Official(ctx context.Context, targetTraceIDs []string) (map[string]bool, error) {
	return s.those(ctx, targetTraceIDs, "SELECT trace_id FROM official WHERE trace_id IN (SELECT value FROM json_each(?))")
}
