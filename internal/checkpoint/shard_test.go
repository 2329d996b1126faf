package checkpoint

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/tracemig/tracemig/internal/shard"
)

// Each shard has a file of its own, which neither another shard nor a run over all traces accepts.
func TestCheckpointOfAShard(t *testing.T) {
	state := t.TempDir()
	getenv := func(string) string { return state }
	paths := map[string]shard.Shard{}
	for _, s := range []shard.Shard{{}, {Index: 0, Count: 1}, {Index: 0, Count: 4}, {Index: 1, Count: 4}, {Index: 1, Count: 44}} {
		p := pair
		p.Shard = s
		path, err := DefaultPath(getenv, p)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := paths[path]; taken {
			t.Errorf("%v and %v have the same file %s, want one each", s, other, path)
		}
		paths[path] = s
	}
	for path, s := range paths {
		p := pair
		p.Shard = s
		for range 2 {
			c, err := Open(t.Context(), path, p)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		look, err := OpenReadOnly(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if look.Pair() != p {
			t.Errorf("%s is of %v, want %v", filepath.Base(path), look.Pair(), p)
		}
		look.Close()
		p.Shard = shard.Shard{Index: 2, Count: 3}
		_, err = Open(t.Context(), path, p)
		if other, ok := errors.AsType[*OtherPairError](err); !ok || other.What != "shard" || other.Have != s.String() || other.Ask != "2/3" {
			t.Errorf("shard 2/3 with %s: error %v, want an *OtherPairError of shard %q", filepath.Base(path), err, s)
		}
	}
}
