package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tracemig/tracemig/internal/advice"
)

// DefaultDir is the folder for checkpoints whose path no flag gives: tracemig in the XDG state folder ($XDG_STATE_HOME, else
// ~/.local/state).
func DefaultDir(getenv func(string) string) (string, error) {
	dir := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) { // the XDG specification says to ignore relative paths
		home, err := os.UserHomeDir()
		if err != nil {
			return "", advice.With(fmt.Errorf("no folder for the checkpoint: %w", err), "Name a file with --checkpoint")
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "tracemig"), nil
}

// DefaultPath is the path of a pair's checkpoint: <name>-<hash>.db in DefaultDir, or <name>-<hash>.shard-<index>-of-<count>.db for
// a shard, so that each shard has a lock of its own.
func DefaultPath(getenv func(string) string, p Pair) (string, error) {
	dir, err := DefaultDir(getenv)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(p.Source + "\x00" + p.Target))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, filepath.Base(strings.TrimPrefix(p.Target, "file:")))
	name = fmt.Sprintf("%.60s-%s", name, hex.EncodeToString(sum[:6]))
	if s := p.Shard; s.Count > 0 {
		name += fmt.Sprintf(".shard-%d-of-%d", s.Index, s.Count)
	}
	return filepath.Join(dir, name+".db"), nil
}

// InDefaultDir lists the checkpoints in DefaultDir.
func InDefaultDir(getenv func(string) string) (dir string, paths []string, err error) {
	if dir, err = DefaultDir(getenv); err != nil {
		return "", nil, err
	}
	paths, err = filepath.Glob(filepath.Join(globQuote(dir), "*.db"))
	return dir, paths, err
}

// Shards names those shards of a pair that have checkpoints in DefaultDir. p is the pair without a shard; of one with a
// shard it names none.
func Shards(ctx context.Context, getenv func(string) string, p Pair) (names []string) {
	whole, err := DefaultPath(getenv, p)
	if err != nil || p.Shard.Count > 0 {
		return nil
	}
	paths, _ := filepath.Glob(globQuote(strings.TrimSuffix(whole, ".db")) + ".shard-*.db")
	for _, path := range paths {
		if s, err := OpenReadOnly(ctx, path); err == nil {
			names = append(names, s.Pair().Shard.String())
			s.Close()
		}
	}
	return names
}

// globQuote makes a pattern that only path matches.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
