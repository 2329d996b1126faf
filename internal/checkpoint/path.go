package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// DefaultDir is the folder of the checkpoints that no flag has put elsewhere: tracemig in the XDG state
// folder ($XDG_STATE_HOME, else ~/.local/state).
func DefaultDir(getenv func(string) string) (string, error) {
	dir := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) { // the XDG specification has relative paths ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no folder for the checkpoint: %w. Name a file with --checkpoint", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "tracemig"), nil
}

// DefaultPath is where the checkpoint of a pair lies: <name>-<hash>.db in DefaultDir, or
// <name>-<hash>.shard-<index>-of-<count>.db for a shard, which so has a lock of its own.
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
