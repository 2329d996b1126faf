// Package shard splits the traces of a source into parts that runs of their own migrate side by side,
// without a coordinator.
package shard

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// Shard is one of Count parts, numbered from 0. The zero value is the whole.
//
// A trace's part is a hash of its ID at the target. So it is the same for all runs, whenever they start
// and whatever was written since, and the parts are even. A split by request time would let each run
// list its own part alone, but even ranges can't be known without counting, and traces that come
// between the starts of two runs would move them. Listing costs little beside reading: the documented
// quotas let 12,500 traces a second be listed, and 200 be downloaded.
//
// It is the target's ID since copies of a trace can share it: one run must see all of them.
type Shard struct{ Index, Count int }

// Parse reads index/count, such as 0/4.
func Parse(text string) (Shard, error) {
	i, n, ok := strings.Cut(text, "/")
	index, err1 := strconv.ParseUint(i, 10, 31)
	count, err2 := strconv.ParseUint(n, 10, 31)
	if !ok || err1 != nil || err2 != nil {
		return Shard{}, fmt.Errorf("%q is no shard; write index/count, such as 0/4", text)
	}
	if index >= count {
		return Shard{}, fmt.Errorf("there is no shard %q: of %d shards the first is 0/%d and the last %d/%d",
			text, count, count, max(count, 1)-1, count)
	}
	return Shard{int(index), int(count)}, nil
}

// UnmarshalText is Parse, for flags and JSON.
func (s *Shard) UnmarshalText(text []byte) (err error) {
	*s, err = Parse(string(text))
	return err
}

// MarshalText is String.
func (s Shard) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is index/count, or "" for the whole.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return strconv.Itoa(s.Index) + "/" + strconv.Itoa(s.Count)
}

// Has says whether a trace belongs to the shard. While the target's ID is not known ("") and the
// source's does not tell it, the source's decides: so of several shards that look at a trace one
// speaks of it.
func (s Shard) Has(sourceID, targetID string) bool {
	if s.Count < 2 {
		return true
	}
	sum := sha256.Sum256([]byte(cmp.Or(mlflow.TargetTraceID(sourceID), targetID, sourceID)))
	return binary.BigEndian.Uint64(sum[:])%uint64(s.Count) == uint64(s.Index)
}

// MayHave is Has for a trace of which only the source's ID is known. It is true also for one of an ID of
// its own making, whose ID at the target stands in its spans.
func (s Shard) MayHave(sourceID string) bool {
	return mlflow.TargetTraceID(sourceID) == "" || s.Has(sourceID, "")
}
