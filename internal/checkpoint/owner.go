package checkpoint

import "context"

// Owner is a random name in hexadecimal digits, which the checkpoint keeps. Files in other places that have this name belong to
// the process that holds the checkpoint's lock, or are left over from an earlier holder.
func (s *Store) Owner(ctx context.Context) (string, error) {
	if _, err := s.db.ExecContext(ctx, "INSERT INTO meta VALUES ('owner', lower(hex(randomblob(8)))) ON CONFLICT DO NOTHING"); err != nil {
		return "", s.wrap(err)
	}
	owner, err := s.meta(ctx, "owner")
	return owner, s.wrap(err)
}
