package checkpoint

import (
	"context"
	"strconv"
)

// StatementBytes is the largest statement in bytes that the warehouse was last found to take; 0 where it has refused none for
// its size.
func (s *Store) StatementBytes(ctx context.Context) (int64, error) {
	text, err := s.meta(ctx, "statement_bytes")
	n, _ := strconv.ParseInt(text, 10, 64)
	return n, s.wrap(err)
}

// SetStatementBytes records for later runs what StatementBytes returns.
func (s *Store) SetStatementBytes(ctx context.Context, bytes int64) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO meta VALUES ('statement_bytes', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
		strconv.FormatInt(bytes, 10))
	return s.wrap(err)
}
