package mlflowclient

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync/atomic"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// Read says how the spans of an open-source server are read. Of a Databricks workspace there is one way.
type Read string

const (
	// Exact reads each trace as it is stored, by get-trace-artifact.
	Exact Read = "exact"
	// Fast reads traces of few spans in groups, by traces/batchGet, in the form that the server makes of them.
	// docs/reading.md says what that form does not hold.
	Fast Read = "fast"
)

// UnmarshalText accepts the names of the constants.
func (r *Read) UnmarshalText(text []byte) error {
	switch read := Read(text); read {
	case Exact, Fast:
		*r = read
		return nil
	}
	return fmt.Errorf("%q is neither exact nor fast", text)
}

// MarshalText is the inverse of UnmarshalText.
func (r Read) MarshalText() ([]byte, error) { return []byte(r), nil }

// Measured with one worker of MLflow 3.17 and a loop of requests over one connection, in traces a second: with 2, 5, 10, 20 and
// 40 spans a trace, get-trace-artifact hands out 122, 135, 152, 138 and 105, and batchGet of 50 traces 621, 319, 175, 101
// and 47. A request costs the server some 6 ms, and each span that it makes OTLP of 0.5 ms.
const (
	leastBatch   = 5
	firstBatch   = 50
	largestBatch = 100 // more are not faster, and their IDs are 5 KB of the address, of which many servers take no more than 8
	// fewSpans is up to how many spans of a trace the fast way is the faster one.
	fewSpans = 10
)

// batchSize is how many traces one request of traces/batchGet names. It grows with each group that the server answers, and
// shrinks with each that fails, which one trace of it may be the reason for.
type batchSize struct{ n atomic.Int64 }

func (b *batchSize) now() int { return cmp.Or(int(b.n.Load()), firstBatch) }

// answered notes that the server has answered a group of so many.
func (b *batchSize) answered(n int) {
	if n >= b.now() {
		b.n.Store(int64(min(2*n, largestBatch)))
	}
}

func (b *batchSize) failed(n int) { b.n.Store(int64(max(n/2, leastBatch))) }

// FetchGroup is how many traces one call of FetchSpans should be for at present. It may change once the client has
// seen what the source serves.
func (c *Client) FetchGroup(read Read) int {
	if !c.databricks && !c.noBatch.Load() && (read == Fast || c.storedRefused()) {
		return c.batch.now()
	}
	return 1
}

// fewSpansOf are the indexes of the traces that the fast way is for.
func fewSpansOf(infos []*mlflow.TraceInfo) (at []int) {
	for i, t := range infos {
		if n, known := spanCount(t); t.SpansInTrackingStore() && known && n <= fewSpans {
			at = append(at, i)
		}
	}
	return at
}

// fetchBatches reads the traces infos[i] for each i in at into out[i], by traces/batchGet. It returns those for which the
// server did not answer.
func (c *Client) fetchBatches(ctx context.Context, infos []*mlflow.TraceInfo, at []int, out []Spans) (rest []int) {
	for group := range slices.Chunk(at, c.batch.now()) {
		rest = append(rest, c.fetchBatch(ctx, infos, group, out)...)
	}
	return rest
}

// fetchBatch is fetchBatches for one group. The server leaves out traces that miss spans, and fails for all of a group of which
// one has a value that OTLP does not hold. So a group that fails is asked for in halves.
func (c *Client) fetchBatch(ctx context.Context, infos []*mlflow.TraceInfo, group []int, out []Spans) (rest []int) {
	if len(group) < 2 || c.noBatch.Load() || c.ways.inline.refusal() != nil || ctx.Err() != nil {
		return group
	}
	got, ok := c.batchGet(ctx, infos, group)
	if n := len(group) / 2; !ok && n >= leastBatch {
		return append(c.fetchBatch(ctx, infos, group[:n], out), c.fetchBatch(ctx, infos, group[n:], out)...)
	}
	for _, i := range group {
		if spans, ok := got[infos[i].TraceID]; ok {
			out[i] = Spans{JSON: bytes.Clone(spans)} // A copy, so that the group's answer does not stay in memory as long as one trace.
		} else {
			rest = append(rest, i)
		}
	}
	return rest
}

// batchGet asks for the spans of the traces infos[i] for each i in at, at once. ok says whether the server has answered.
func (c *Client) batchGet(ctx context.Context, infos []*mlflow.TraceInfo, at []int) (spans map[string][]byte, ok bool) {
	query := url.Values{}
	for _, i := range at {
		query.Add("trace_ids", infos[i].TraceID)
	}
	body, err := c.call(ctx, request{
		pacer: c.groups.of(len(at)), path: "/api/3.0/mlflow/traces/batchGet", query: query, check: endsEarly(), patience: patience{faults: 1},
	})
	if err == nil {
		spans, err = tracesIn(body)
	}
	switch {
	case err == nil:
		c.batch.answered(len(at))
	case routeRefused(err) || takenForID(err, "batchGet"):
		c.noBatch.Store(true)
	default:
		c.batch.failed(len(at))
	}
	return spans, err == nil
}
