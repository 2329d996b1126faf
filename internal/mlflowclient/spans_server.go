package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// storedSpans asks get-trace-artifact, below the source's address and then at the root of its host.
// Not served means that another way should be asked.
func (c *Client) storedSpans(ctx context.Context, t *mlflow.TraceInfo) (s Spans, served bool) {
	for _, at := range []struct {
		way  *way
		root bool
	}{{&c.ways.stored, false}, {&c.ways.storedAtRoot, true}} {
		if at.way.refusal() != nil || at.root && c.base.Path == "" {
			continue
		}
		// The 2.0 form of the route is served by every version, the 3.0 form only by newer ones.
		body, err := c.call(ctx, request{
			pacer: c.download, path: "/ajax-api/2.0/mlflow/get-trace-artifact", query: url.Values{"request_id": {t.TraceID}},
			check: endsEarly(), patience: patience{faults: downloadFaults}, root: at.root,
		})
		// At the root there may be another server, whose word on this one's traces is none.
		elsewhere := at.root && err != nil && !at.way.works.Load()
		if (routeRefused(err) || elsewhere) && ctx.Err() == nil && at.way.refuse(err) {
			continue
		}
		switch {
		case err == nil:
			at.way.works.Store(true)
			if t.SpansInTrackingStore() {
				at.way.inStore.Store(true)
			}
			return Spans{JSON: body}, true
		case t.SpansInTrackingStore() && !at.way.inStore.Load() && (isCode(err, http.StatusNotFound) || isCode(err, http.StatusInternalServerError)):
			// Servers that keep spans in the tracking store but do not serve them here answer so.
			if c.ways.inline.refusal() == nil {
				return Spans{}, false
			}
			if s := c.absent(ctx, t, err); s.Missing != MissingLost {
				return s, true
			}
			return c.noWay(t, err), true
		}
		return c.absent(ctx, t, err), true
	}
	return Spans{}, false
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

// fileSpans downloads the file that holds a trace's spans as artifacts are downloaded.
func (c *Client) fileSpans(ctx context.Context, t *mlflow.TraceInfo) Spans {
	const route = "/api/2.0/mlflow-artifacts/artifacts"
	const name = "traces.json"
	if c.ways.files.refusal() != nil {
		return c.noWay(t)
	}
	folder, err := c.artifactFolder(t, route)
	if err != nil {
		return c.noWay(t, err)
	}
	body, err := c.call(ctx, request{
		pacer: c.download, path: route + "/" + escapePath(path.Join(folder, name)), check: endsEarly(), patience: patience{faults: 2},
	})
	if err == nil {
		c.ways.files.works.Store(true)
		return Spans{JSON: body}
	}
	if !isCode(err, http.StatusNotFound) && !isCode(err, http.StatusInternalServerError) && !routeRefused(err) {
		return Spans{Err: err}
	}
	// Versions differ in how they say that a file is not there. The folder's listing tells.
	there, lerr := c.holds(ctx, route, folder, name)
	switch {
	case lerr != nil && routeRefused(err) && c.ways.files.refuse(err):
		return c.noWay(t)
	case lerr != nil || there:
		return Spans{Err: err}
	}
	return c.absent(ctx, t, &APIError{Status: http.StatusNotFound, Code: codeNotThere})
}

// holds tells whether an artifact folder has a file of that name.
func (c *Client) holds(ctx context.Context, route, folder, name string) (found bool, err error) {
	_, err = c.call(ctx, request{pacer: c.download, path: route, query: url.Values{"path": {folder}}, patience: patience{faults: 2}, check: func(b []byte) error {
		dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
		return mlflow.ReadObject(dec, func(member string) error {
			if member != "files" {
				return dec.SkipValue()
			}
			return mlflow.ReadArray(dec, func() error {
				return readTextAt(dec, []string{"path"}, func(file string) { found = found || path.Base(file) == name })
			})
		})
	}})
	return found, err
}

// artifactFolder is the folder of a trace's artifacts as the server's artifact route names it. Where the
// trace's files are elsewhere, only the server can read them.
func (c *Client) artifactFolder(t *mlflow.TraceInfo, route string) (string, error) {
	u, err := url.Parse(t.Tags[mlflow.TagArtifactLocation])
	if err != nil || u.Scheme == "" {
		return "", errors.New("the trace does not say where its artifacts are")
	}
	if (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, c.base.Host) {
		if _, below, ok := strings.Cut(u.Path, route+"/"); ok {
			return below, nil
		}
	}
	if u.Scheme == "mlflow-artifacts" && (u.Host == "" || strings.EqualFold(u.Host, c.base.Host)) {
		return strings.Trim(u.Path, "/"), nil
	}
	return "", fmt.Errorf("the artifacts are in a store (%s:) that the server does not hand out by %s", u.Scheme, route)
}

func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// inlineServes tells whether traces/get has the spans of a trace: of one whose spans are artifacts it
// answers without any, as if it had none.
func inlineServes(t *mlflow.TraceInfo) bool {
	return t.SpansInTrackingStore() || t.Tags[mlflow.TagSpansLocation] == archiveRepo
}

// batchSize is the number of traces that traces/batchGet takes.
const batchSize = 10
