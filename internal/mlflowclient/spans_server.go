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

// The routes at which an open-source server hands out files of a trace.
const (
	// Every version serves the 2.0 form of this route, and only newer ones the 3.0 form.
	traceArtifactRoute = "/ajax-api/2.0/mlflow/get-trace-artifact"
	artifactsRoute     = "/api/2.0/mlflow-artifacts/artifacts"
)

// storedSpans asks get-trace-artifact, below the source's address and then at the root of its host. Where it says
// that it was not served, another way has to be asked.
func (c *Client) storedSpans(ctx context.Context, t *mlflow.TraceInfo) (s Spans, served bool) {
	for _, at := range []struct {
		way  *way
		root bool
	}{{&c.ways.stored, false}, {&c.ways.storedAtRoot, true}} {
		if at.way.refusal() != nil || at.root && c.base.Path == "" {
			continue
		}
		body, err := c.call(ctx, request{
			pacer: c.download, path: traceArtifactRoute, query: url.Values{"request_id": {t.TraceID}},
			check: endsEarly(), patience: patience{faults: downloadFaults}, root: at.root,
		})
		// At the root there may be another server, whose errors say nothing about traces of this one.
		foreign := at.root && err != nil && !at.way.works.Load()
		if (routeRefused(err) || foreign) && ctx.Err() == nil && at.way.refuse(err) {
			continue
		}
		return c.storedAnswer(ctx, t, at.way, body, err)
	}
	return Spans{}, false
}

// storedAnswer is the result of an answer from get-trace-artifact, which the server has.
func (c *Client) storedAnswer(ctx context.Context, t *mlflow.TraceInfo, w *way, body []byte, err error) (s Spans, served bool) {
	if err == nil {
		w.works.Store(true)
		if t.SpansInTrackingStore() {
			w.inStore.Store(true)
		}
		return Spans{JSON: body}, true
	}
	failed := isCode(err, http.StatusNotFound) || isCode(err, http.StatusInternalServerError)
	if !failed || !t.SpansInTrackingStore() || w.inStore.Load() {
		return c.absent(ctx, t, err), true
	}
	// Servers that keep spans in the tracking store, and do not serve them here, answer like that.
	if c.ways.inline.refusal() == nil {
		return Spans{}, false
	}
	if s := c.absent(ctx, t, err); s.Missing != MissingLost {
		return s, true
	}
	return c.noWay(t, err), true
}

// inlineOne asks for one trace.
func (c *Client) inlineOne(ctx context.Context, t *mlflow.TraceInfo) Spans {
	if c.ways.inline.refusal() != nil {
		return c.noWay(t)
	}
	body, err := c.call(ctx, request{
		pacer: c.download, path: "/api/3.0/mlflow/traces/get",
		query: url.Values{"trace_id": {t.TraceID}, "allow_partial": {"true"}}, // Assess finds incomplete ones
		check: endsEarly(), patience: patience{faults: downloadFaults},
	})
	// MLflow 3.4 takes this path for that of a trace with the ID "get".
	if (routeRefused(err) || takenForID(err, "get")) && c.ways.inline.refuse(err) {
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

// fileSpans downloads the file that holds a trace's spans, as any artifact is downloaded.
func (c *Client) fileSpans(ctx context.Context, t *mlflow.TraceInfo) Spans {
	const name = "traces.json"
	if c.ways.files.refusal() != nil {
		return c.noWay(t)
	}
	folder, err := c.artifactFolder(t)
	if err != nil {
		return c.noWay(t, err)
	}
	body, err := c.call(ctx, request{
		pacer: c.download, path: artifactsRoute + "/" + escapePath(path.Join(folder, name)),
		check: endsEarly(), patience: patience{faults: 2},
	})
	if err == nil {
		c.ways.files.works.Store(true)
		return Spans{JSON: body}
	}
	if !isCode(err, http.StatusNotFound) && !isCode(err, http.StatusInternalServerError) && !routeRefused(err) {
		return Spans{Err: err}
	}
	// Versions of MLflow differ in how they say that a file does not exist. Whether it does is in the folder's listing.
	there, listErr := c.folderHas(ctx, folder, name)
	switch {
	case listErr != nil && routeRefused(err) && c.ways.files.refuse(err):
		return c.noWay(t)
	case listErr != nil || there:
		return Spans{Err: err}
	}
	return c.absent(ctx, t, &APIError{Status: http.StatusNotFound, Code: codeNotThere})
}

// folderHas tells whether an artifact folder has a file of that name.
func (c *Client) folderHas(ctx context.Context, folder, name string) (found bool, err error) {
	_, err = c.call(ctx, request{
		pacer: c.download, path: artifactsRoute, query: url.Values{"path": {folder}}, patience: patience{faults: 2},
		check: func(b []byte) error {
			dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
			return mlflow.ReadObject(dec, func(member string) error {
				if member != "files" {
					return dec.SkipValue()
				}
				return mlflow.ReadArray(dec, func() error {
					return readTextAt(dec, []string{"path"}, func(file string) { found = found || path.Base(file) == name })
				})
			})
		},
	})
	return found, err
}

// artifactFolder is the folder of a trace's artifacts as the server's artifact route names it. Where the
// trace's files are elsewhere, only the server can read them.
func (c *Client) artifactFolder(t *mlflow.TraceInfo) (string, error) {
	u, err := url.Parse(t.Tags[mlflow.TagArtifactLocation])
	if err != nil || u.Scheme == "" {
		return "", errors.New("the trace does not say where its artifacts are")
	}
	if (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, c.base.Host) {
		if _, below, ok := strings.Cut(u.Path, artifactsRoute+"/"); ok {
			return below, nil
		}
	}
	if u.Scheme == "mlflow-artifacts" && (u.Host == "" || strings.EqualFold(u.Host, c.base.Host)) {
		return strings.Trim(u.Path, "/"), nil
	}
	return "", fmt.Errorf("the artifacts are in a store (%s:) that the server does not hand out by %s", u.Scheme, artifactsRoute)
}

func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// inlineServes tells whether traces/get has the spans of a trace. When they are artifacts, it answers without any, as if the
// trace had none.
func inlineServes(t *mlflow.TraceInfo) bool {
	return t.SpansInTrackingStore() || t.Tags[mlflow.TagSpansLocation] == mlflow.SpansInArchive
}
