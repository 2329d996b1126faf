package mlflowclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/jsonscan"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/retry"
)

// Spans is what the source holds of the spans of one trace.
type Spans struct {
	// JSON is a document with the key "spans" (traces.json) or, from traces/get and traces/batchGet,
	// the array of OTLP spans alone. It is not decoded: it may hold what strict JSON does not (NaN).
	JSON []byte
	// Missing is why there are no spans, or fewer than the trace has: one of the reasons below.
	// Empty when all are there.
	Missing string
	// Err is a fault of this trace's answer after all retries; the other traces are not concerned.
	Err error
}

// Reasons of Spans.Missing.
const (
	MissingLost       = "spans_lost"       // the trace had spans, and the source has none any more
	MissingNever      = "never_had_spans"  // nothing says that it ever had any
	MissingIncomplete = "spans_incomplete" // fewer than the trace reported: still arriving, or lost; JSON holds these
	MissingArchived   = "archived"         // in an archive that the source does not serve
	MissingDeleted    = "deleted"          // the trace itself is gone since it was listed
)

// batchSize is the number of traces that traces/batchGet takes.
const batchSize = 10

// FetchGroup is how many traces one call of FetchSpans should carry now. It may change once the
// client has seen what the source serves.
func (c *Client) FetchGroup() int {
	if !c.databricks && c.storedRefused() && !c.noBatch.Load() {
		return batchSize
	}
	return 1
}

// FetchSpans gets the spans of each trace, in the order of infos.
//
// Databricks serves the stored traces.json by a signed address. An open-source server has several ways,
// see ways.go. get-trace-artifact hands out the stored text of every span wherever it is kept
// (tracking store, artifacts, archive) and of any version since 2.14; traces/get and batchGet decode
// each span and encode it as OTLP, in which integers beyond 64 bits fail (in batchGet with the whole
// group), numbers change their spelling, bytes and links of odd width are dropped. Measured on one
// worker of MLflow 3.17 with ten spans a trace: get-trace-artifact 110 traces/s, traces/get 100,
// batchGet 230. Values must survive exactly, so the stored text comes first; the OTLP forms are for
// servers or proxies that do not serve it.
func (c *Client) FetchSpans(ctx context.Context, infos []*mlflow.TraceInfo) []Spans {
	out := make([]Spans, len(infos))
	var rest []int             // those that the stored form was not served of, and traces/get may be
	without := map[int]Spans{} // of them, why no other way is left
	for i, t := range infos {
		var served bool
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
	for len(rest) > 0 {
		n := min(batchSize, len(rest))
		c.inlineSpans(ctx, infos, rest[:n], out)
		rest = rest[n:]
	}
	for i, s := range without {
		// Of spans that are artifacts traces/get answers without any, as if the trace had none.
		if n, _ := spansIn(out[i].JSON); n == 0 && out[i].Missing != MissingDeleted {
			out[i] = s
		}
	}
	for i, t := range infos {
		out[i] = c.assess(t, out[i])
	}
	return out
}

// assess compares what was served with what the trace says of itself.
func (c *Client) assess(t *mlflow.TraceInfo, s Spans) Spans {
	if isCode(s.Err, 0, codeDamaged) {
		s.Err = &CorruptError{t.TraceID, s.Err.Error()}
	}
	if s.Err != nil {
		s.Err = fmt.Errorf("fetching the spans of trace %s: %w", t.TraceID, s.Err)
		return s
	}
	want, told := spanCount(t)
	absent := func() string {
		switch {
		case told && want > 0:
			return MissingLost
		case told:
			return MissingNever
		case t.Metadata["mlflow.trace_schema.version"] == "3" && t.Metadata[mlflow.MetadataSizeBytes] == "":
			// Whoever stores spans in MLflow 3 stores their size too.
			return MissingNever
		}
		return MissingLost
	}
	if s.Missing == MissingLost {
		s.Missing = absent()
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
	case have == 0 && !told:
		return Spans{Missing: MissingNever}
	case have == 0:
		return Spans{Missing: absent()}
	case have < want:
		s.Missing = MissingIncomplete
	}
	return s
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
func spanCount(t *mlflow.TraceInfo) (n int, told bool) {
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

// absent is the result for a trace whose data the server refused with err, at an endpoint that it has.
func (c *Client) absent(ctx context.Context, t *mlflow.TraceInfo, err error) Spans {
	switch {
	case !isCode(err, http.StatusNotFound, codeDamaged) && !isCode(err, http.StatusNotImplemented):
		return Spans{Err: err}
	case t.Tags[mlflow.TagSpansLocation] == archiveRepo:
		return Spans{Missing: MissingArchived}
	case !isCode(err, http.StatusNotFound):
		return Spans{Err: err}
	}
	switch _, err := c.TraceInfo(ctx, t.TraceID); {
	case err == nil:
		return Spans{Missing: MissingLost}
	case routeRefused(err):
		return Spans{Err: err} // nothing is said of the trace
	case isCode(err, http.StatusNotFound):
		return Spans{Missing: MissingDeleted}
	default:
		return Spans{Err: err}
	}
}

// inlineSpans asks for the traces infos[i] for i in at, at most batchSize of them, and falls back to
// one request each for those that the batch does not bring.
func (c *Client) inlineSpans(ctx context.Context, infos []*mlflow.TraceInfo, at []int, out []Spans) {
	got := map[string][]byte{}
	if len(at) > 1 && !c.noBatch.Load() && c.ways.inline.refusal() == nil {
		query := url.Values{}
		for _, i := range at {
			query.Add("trace_ids", infos[i].TraceID)
		}
		body, err := c.call(ctx, request{pacer: c.download, path: "/api/3.0/mlflow/traces/batchGet", query: query, check: endsEarly(), patience: patience{faults: 1}})
		if err == nil {
			got, err = tracesIn(body)
		}
		if routeRefused(err) || saysAnother(err, "batchGet") {
			c.noBatch.Store(true)
		}
		// Any other failure may be that of one trace in the group: ask for each.
	}
	for _, i := range at {
		t := infos[i]
		if spans, ok := got[t.TraceID]; ok {
			out[i] = Spans{JSON: bytes.Clone(spans)} // the group's answer should not outlive the group
			continue
		}
		out[i] = c.inlineOne(ctx, t)
	}
}

func (c *Client) inlineOne(ctx context.Context, t *mlflow.TraceInfo) Spans {
	if c.ways.inline.refusal() != nil {
		return c.noWay(t)
	}
	body, err := c.call(ctx, request{
		pacer: c.download, path: "/api/3.0/mlflow/traces/get",
		query: url.Values{"trace_id": {t.TraceID}, "allow_partial": {"true"}}, // assess tells incomplete ones
		check: endsEarly(), patience: patience{faults: downloadFaults},
	})
	// MLflow 3.4 takes this path for that of a trace of the name "get".
	if (routeRefused(err) || saysAnother(err, "get")) && c.ways.inline.refuse(err) {
		return c.noWay(t)
	}
	if err != nil {
		return c.absent(ctx, t, err)
	}
	got, err := tracesIn(body)
	if err != nil {
		return Spans{Err: &CorruptError{t.TraceID, err.Error()}}
	}
	spans, ok := got[t.TraceID]
	if !ok {
		return Spans{Err: errors.New("the server answered with another trace")}
	}
	c.ways.inline.works.Store(true)
	return Spans{JSON: spans}
}

// endsEarly makes a check that asks twice more for a document which ends early although the
// connection did not tell (a proxy may cut). A third one is taken for how the document is stored.
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

// signedSpans downloads traces.json of a Databricks trace from its signed address.
func (c *Client) signedSpans(ctx context.Context, t *mlflow.TraceInfo) Spans {
	if t.Tags[mlflow.TagSpansLocation] == archiveRepo {
		return Spans{Missing: MissingArchived} // MLflow's client cannot read these either
	}
	body, addressed, err := c.signedDownload(ctx, t.TraceID, "", endsEarly())
	switch {
	case !addressed && routeRefused(err) && c.ways.signed.refuse(err):
		return c.noWay(t)
	case !addressed:
		return c.absent(ctx, t, err)
	case errors.Is(err, errNotStored):
		return Spans{Missing: MissingLost}
	case err != nil:
		return Spans{Err: err}
	}
	return Spans{JSON: body}
}

// errNotStored says that the object store does not have what an address was signed for.
var errNotStored = errors.New("the object store does not have it")

// signedDownload downloads an artifact of a trace, "" for its spans, from an address that the workspace signs for it.
// addressed says whether it gave one: else err is its answer.
func (c *Client) signedDownload(ctx context.Context, traceID, artifact string, whole func([]byte) error) (body []byte, addressed bool, err error) {
	for tries := 1; ; tries++ {
		cred, err := c.credentials(ctx, traceID, artifact)
		if err != nil {
			return nil, false, err
		}
		c.ways.signed.works.Store(true)
		body, err := c.signedGet(ctx, cred, whole)
		switch {
		case isCode(err, http.StatusNotFound) && !isCode(err, 0, "NoSuchBucket", "ContainerNotFound", "FilesystemNotFound"):
			return nil, true, errNotStored
		case !isCode(err, http.StatusUnauthorized) && !isCode(err, http.StatusForbidden), tries >= 3 && c.storageWorked.Load():
			return body, true, err
		}
		c.retries.Add(1) // An address may end before its turn comes; three in a row that do are another fault.
	}
}

// StorageError says that the object store behind a workspace lets nobody in from here. It is no statement about a
// trace.
type StorageError struct {
	Host string
	Err  error
}

func (e *StorageError) Error() string {
	return fmt.Sprintf("the storage behind the workspace is not reachable from here (%s): %v; run inside its network, or have its firewall let this machine in", e.Host, e.Err)
}

// storageTries is after how many failures in a row of a storage that has not given anything yet it is taken for
// unreachable. They follow each other soon, whatever the policy of retries: many traces wait for the answer.
const (
	storageTries = 10
	storageWait  = time.Second
)

// ofStorage looks at what became of an attempt to download from host.
func (c *Client) ofStorage(host string, err error) error {
	e, answered := errors.AsType[*APIError](err)
	refused := answered && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized)
	switch _, redirected := errors.AsType[*redirect](err); {
	case redirected:
	case err == nil || answered && !refused:
		c.storageWorked.Store(true)
	case !c.storageWorked.Load() && c.storageFailed.Add(1) >= storageTries:
		return &StorageError{host, errors.New(err.Error())} // as a text, it asks for no other try
	}
	return err
}

type credential struct {
	uri     string
	headers [][2]string
}

// credentials gets the signed address of a trace's spans, or of another of its artifacts.
func (c *Client) credentials(ctx context.Context, traceID, artifact string) (cred credential, err error) {
	path := "/api/2.0/mlflow/traces/" + url.PathEscape(traceID) + "/credentials-for-data-download"
	var query url.Values
	if artifact != "" {
		query = url.Values{"path": {artifact}}
	}
	_, err = c.call(ctx, request{pacer: c.download, path: path, query: query, patience: patience{faults: downloadFaults}, check: func(b []byte) (err error) {
		cred, err = decodeCredential(b)
		return err
	}})
	if err == nil && cred.uri == "" {
		err = errors.New("the workspace gave no signed address")
	}
	return cred, err
}

// decodeCredential reads {"credential_info": {"signed_uri": …, "headers": [{"name": …, "value": …}]}}.
func decodeCredential(b []byte) (cred credential, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
	err = mlflow.ReadObject(dec, func(name string) error {
		if name != "credential_info" {
			return dec.SkipValue()
		}
		return mlflow.ReadObject(dec, func(name string) error {
			switch name {
			case "signed_uri":
				return readText(dec, &cred.uri)
			case "headers":
				return mlflow.ReadArray(dec, func() error {
					var h [2]string
					err := mlflow.ReadObject(dec, func(name string) error {
						switch name {
						case "name":
							return readText(dec, &h[0])
						case "value":
							return readText(dec, &h[1])
						}
						return dec.SkipValue()
					})
					cred.headers = append(cred.headers, h)
					return err
				})
			}
			return dec.SkipValue()
		})
	})
	return cred, err
}

// signedGet downloads from a signed address with the headers listed with it and nothing else of ours:
// object stores refuse a second authentication, and the workspace's token is none of their business.
// whole is the check of a request.
func (c *Client) signedGet(ctx context.Context, cred credential, whole func([]byte) error) ([]byte, error) {
	var body []byte
	err := c.try(ctx, request{pacer: c.signed, patience: patience{faults: downloadFaults}}, func(ctx context.Context) error {
		at, err := url.Parse(cred.uri)
		if err != nil {
			return errors.New("the workspace gave a signed address that is none")
		}
		headers := cred.headers
		for hop := 0; hop <= 5; hop++ {
			if !private(at) {
				return fmt.Errorf("refusing to download from %s without https", at.Host)
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
			if err != nil {
				return errors.New("the workspace gave a signed address that is none")
			}
			req.Header.Set("User-Agent", c.userAgent)
			for _, h := range headers {
				req.Header.Set(h[0], h[1])
			}
			body, err = c.attempt(c.signed, c.storage, req)
			err = c.ofStorage(at.Host, err)
			if r, ok := errors.AsType[*redirect](err); ok {
				if at.Scheme == "https" && r.to.Scheme != "https" {
					return fmt.Errorf("refusing to follow a redirect from %s to %s without https", at.Host, r.to.Host)
				}
				if r.to.Scheme != at.Scheme || r.to.Host != at.Host {
					headers = nil // meant for the host that they were signed for
				}
				at = r.to
				continue
			}
			if err == nil {
				if err = whole(body); errors.Is(err, io.ErrUnexpectedEOF) {
					err = retry.Again(err, 0)
				}
			}
			return err
		}
		return fmt.Errorf("too many redirects from a signed address at %s", at.Host)
	})
	return body, err
}
