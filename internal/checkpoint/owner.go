package checkpoint

import "context"

// Owner is a random name in hexadecimal digits, which the checkpoint keeps: what bears it elsewhere is
// of the one process that has the checkpoint locked, or was left over by one before.
func (s *Store) Owner(ctx context.Context) (string, error) {
	if _, err := s.db.ExecContext(ctx, "INSERT INTO meta VALUES ('owner', lower(hex(randomblob(8)))) ON CONFLICT DO NOTHING"); err != nil {
		return "", s.wrap(err)
	}
	owner, err := s.meta(ctx, "owner")
	return owner, s.wrap(err)
}
