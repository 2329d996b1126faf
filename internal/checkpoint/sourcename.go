package checkpoint

import "context"

// SourceName is the name that the source's experiment had when a run last asked for it; empty where none did.
func (s *Store) SourceName(ctx context.Context) (string, error) {
	name, err := s.meta(ctx, "source_name")
	return name, s.wrap(err)
}

// SetSourceName records what SourceName returns.
func (s *Store) SetSourceName(ctx context.Context, name string) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO meta VALUES ('source_name', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", name)
	return s.wrap(err)
}
