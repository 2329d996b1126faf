// Package shard splits the traces of a source into parts. Separate runs migrate the parts at the same time, without a
// coordinator.
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

// Shard is one of Count parts, numbered from 0. The zero value is all traces.
//
// A hash of a trace's ID at the target says which part it belongs to. So the part is the same for all runs, whenever they start
// and whatever was written since, and the parts are of even size. With a split by request time each run could list its own part
// alone, but nobody knows even ranges without counting, and traces that come between the starts of two runs would shift them.
// Listing costs little compared with reading: the documented quotas allow 12,500 traces a second to be listed, and 200 to be
// downloaded.
//
// The hash is of the ID at the target because copies of a trace at the source can share it: one run must see all of them.
type Shard struct{ Index, Count int }

// Parse reads index/count, such as 0/4.
func Parse(text string) (Shard, error) {
	i, n, ok := strings.Cut(text, "/")
	index, err1 := strconv.ParseUint(i, 10, 31)
	count, err2 := strconv.ParseUint(n, 10, 31)
	if !ok || err1 != nil || err2 != nil || count == 0 {
		return Shard{}, fmt.Errorf("%q is no shard; write index/count, such as 0/4", text)
	}
	if index >= count {
		return Shard{}, fmt.Errorf("%q is no shard: of %d shards the first is 0/%d and the last %d/%d",
			text, count, count, count-1, count)
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

// String is index/count, or "" for all traces.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return strconv.Itoa(s.Index) + "/" + strconv.Itoa(s.Count)
}

// Has says whether a trace belongs to the shard. Where targetID is not known ("") and does not follow from sourceID, the hash is
// that of sourceID: of several shards that look at such a trace, exactly one reports it.
func (s Shard) Has(sourceID, targetID string) bool {
	if s.Count < 2 {
		return true
	}
	sum := sha256.Sum256([]byte(cmp.Or(mlflow.TargetTraceID(sourceID), targetID, sourceID)))
	return binary.BigEndian.Uint64(sum[:])%uint64(s.Count) == uint64(s.Index)
}

// MayHave is Has for a trace of which only the ID at the source is known. It is also true where that is an ID of the user's own
// form: the ID at the target is then known only from the trace's spans.
func (s Shard) MayHave(sourceID string) bool {
	return mlflow.TargetTraceID(sourceID) == "" || s.Has(sourceID, "")
}
