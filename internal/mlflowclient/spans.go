package mlflowclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/tracemig/tracemig/internal/jsonscan"
	"github.com/tracemig/tracemig/internal/mlflow"
)

// Spans is what the source holds of the spans of one trace.
type Spans struct {
	// JSON is a document with the key "spans" (traces.json) or, from traces/get and traces/batchGet, the array of OTLP
	// spans alone. It is not decoded, because it may hold what strict JSON does not allow (NaN).
	JSON []byte
	// Missing is the reason for which there are no spans, or fewer than the trace has: one of those below.
	// Empty when all are there.
	Missing string
	// Fast says that JSON is what the server makes of the stored text, although it may hand out the text itself.
	Fast bool
	// Err is a fault of this trace's answer after all retries. It says nothing about other traces. With MissingElsewhere it may say what
	// is in the way.
	Err error
}

// Reasons of Spans.Missing.
const (
	MissingLost       = "spans_lost"       // the trace had spans, and the source has none any more
	MissingNever      = "never_had_spans"  // nothing says that it ever had any
	MissingIncomplete = "spans_incomplete" // fewer than the trace reported, still arriving or lost; JSON holds those that are there
	MissingArchived   = "archived"         // in an archive that the source does not serve
	MissingElsewhere  = "spans_elsewhere"  // outside of the database that is read, where this machine does not reach them
	MissingDeleted    = "deleted"          // the trace itself is gone since it was listed
)

// FetchSpans gets the spans of each trace, in the order of infos.
//
// Databricks serves the stored traces.json by a signed address. An open-source server has several ways, see ways.go.
// get-trace-artifact hands out the stored text of every span, wherever it is kept (tracking store, artifacts, archive), in
// every version since 2.14. traces/get and batchGet decode each span and encode it as OTLP. That fails on integers beyond
// 64 bits (in batchGet for the whole group), changes how numbers are written, and drops bytes and links whose IDs
// have another width. Values must survive exactly, so the stored text comes first. The OTLP forms are for servers
// or proxies that do not serve it, and for callers who ask for the fast way.
func (c *Client) FetchSpans(ctx context.Context, read Read, infos []*mlflow.TraceInfo) []Spans {
	out := make([]Spans, len(infos))
	if read == Fast && !c.databricks {
		c.fetchFast(ctx, infos, out)
	}
	c.fetchStored(ctx, infos, out)
	for i, t := range infos {
		if !out[i].Fast {
			out[i] = Assess(t, out[i])
		}
	}
	return out
}

// fetchFast reads traces of few spans into out, in groups. A trace with anything wrong is left to the exact way.
func (c *Client) fetchFast(ctx context.Context, infos []*mlflow.TraceInfo, out []Spans) {
	few := fewSpansOf(infos)
	c.fetchBatches(ctx, infos, few, out)
	for _, i := range few {
		s := Assess(infos[i], out[i])
		s.Fast = out[i].JSON != nil && s.Err == nil && s.Missing == ""
		out[i] = s
	}
}

// fetchStored reads the traces that were not read in the fast way into out, as they are stored where the source serves that.
func (c *Client) fetchStored(ctx context.Context, infos []*mlflow.TraceInfo, out []Spans) {
	var rest []int             // traces whose stored form was not served, and that traces/get may serve
	without := map[int]Spans{} // for some of them the error that no other way is left
	for i, t := range infos {
		var served bool
		if out[i].Fast {
			continue
		}
		if c.databricks {
			out[i] = c.signedSpans(ctx, t)
		} else if out[i], served = c.storedSpans(ctx, t); !served && inlineServes(t) {
			rest = append(rest, i)
		} else if !served {
			out[i] = c.fileSpans(ctx, t)
			if _, ok := errors.AsType[*NoWayError](out[i].Err); ok {
				without[i] = out[i]
				rest = append(rest, i)
			}
		}
	}
	for _, i := range c.fetchBatches(ctx, infos, rest, out) {
		out[i] = c.inlineOne(ctx, infos[i])
	}
	for i, s := range without {
		// When spans are artifacts, traces/get answers without any, as if the trace had none.
		if n, _ := spansIn(out[i].JSON); n == 0 && out[i].Missing != MissingDeleted {
			out[i] = s
		}
	}
}

// Assess compares what was served with what the trace says of itself.
func Assess(t *mlflow.TraceInfo, s Spans) Spans {
	switch _, corrupt := errors.AsType[*CorruptError](s.Err); {
	case isCode(s.Err, 0, codeDamaged):
		return Spans{Err: &CorruptError{t.TraceID, s.Err.Error()}}
	case corrupt: // It names the trace.
		return s
	case s.Err != nil:
		s.Err = fmt.Errorf("fetching the spans of trace %s: %w", t.TraceID, s.Err)
		return s
	case s.Missing == MissingLost:
		s.Missing = missingAll(t)
	}
	if s.Missing != "" {
		return s
	}
	have, err := spansIn(s.JSON)
	switch {
	case webPage(s.JSON):
		return Spans{Err: &CorruptError{t.TraceID, errWebPage.Error()}}
	case err != nil:
		return Spans{Err: &CorruptError{t.TraceID, err.Error()}}
	}
	if s.Missing = MissingOf(t, have); have == 0 {
		return Spans{Missing: s.Missing}
	}
	return s
}

// MissingOf is the reason for which spans of a trace are missing of which a source has so many; "" if none are.
func MissingOf(t *mlflow.TraceInfo, have int) string {
	want, known := spanCount(t)
	switch {
	case have == 0 && !known:
		return MissingNever
	case have == 0:
		return missingAll(t)
	case have < want:
		return MissingIncomplete
	}
	return ""
}

// missingAll is the reason for which a trace has no spans: whether it ever had any.
func missingAll(t *mlflow.TraceInfo) string {
	switch want, known := spanCount(t); {
	case known && want > 0:
		return MissingLost
	case known:
		return MissingNever
	case t.Metadata["mlflow.trace_schema.version"] == "3" && t.Metadata[mlflow.MetadataSizeBytes] == "":
		// Clients of MLflow 3 that store spans store their size, too.
		return MissingNever
	}
	return MissingLost
}

// spansIn counts the spans of Spans.JSON in either form.
func spansIn(doc []byte) (n int, err error) {
	if len(doc) > 0 && doc[0] == '[' {
		err = jsonscan.Elements(doc, func([]byte) error { n++; return nil })
		return n, err
	}
	return countSpans(doc)
}

// spanCount is the number of spans that the trace reports of itself.
func spanCount(t *mlflow.TraceInfo) (n int, known bool) {
	stats, ok := t.Metadata[mlflow.MetadataSizeStats]
	if !ok {
		return 0, false
	}
	var s struct {
		N *int `json:"num_spans"`
	}
	if json.Unmarshal([]byte(stats), &s) != nil || s.N == nil {
		return 0, false
	}
	return *s.N, true
}

// absent is the result for a trace whose spans the server does not give, but answers err at an endpoint that it has.
func (c *Client) absent(ctx context.Context, t *mlflow.TraceInfo, err error) Spans {
	switch {
	case !isCode(err, http.StatusNotFound, codeDamaged) && !isCode(err, http.StatusNotImplemented):
		return Spans{Err: err}
	case t.Tags[mlflow.TagSpansLocation] == mlflow.SpansInArchive && !isCode(err, 0, codeDamaged):
		return Spans{Missing: MissingArchived}
	case !isCode(err, http.StatusNotFound):
		return Spans{Err: err}
	}
	switch _, err := c.lookUp(ctx, t.TraceID); {
	case err == nil:
		return Spans{Missing: MissingLost}
	case routeRefused(err):
		return Spans{Err: err} // The answer says nothing about the trace.
	case isCode(err, http.StatusNotFound):
		return Spans{Missing: MissingDeleted}
	default:
		return Spans{Err: err}
	}
}

// endsEarly makes a check of a request's answers. It asks twice more for a document that ends early without an error of the
// connection, since a proxy may have cut it. The third one is taken for how the document is stored.
func endsEarly() func([]byte) error {
	early := 0
	return func(b []byte) error {
		if _, err := jsonscan.SkipValue(b, jsonscan.SkipSpace(b, 0)); errors.Is(err, io.ErrUnexpectedEOF) && early < 2 {
			early++
			return err
		}
		return nil
	}
}
