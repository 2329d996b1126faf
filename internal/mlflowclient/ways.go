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
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// An open-source server may hand out spans in several ways, and which of them it has depends on its
// version, its --static-prefix and what the proxy before it lets pass:
//
//   - get-trace-artifact, below /ajax-api: any kind of spans, as stored. MLflow 3.4, for one, serves it only
//     below its --static-prefix, and /api only outside of it; proxies often pass /api alone.
//   - traces/get and traces/batchGet, below /api/3.0: those in the tracking store; MLflow 3.4 does not have them.
//   - mlflow-artifacts/artifacts, below /api/2.0: the stored files of spans that are artifacts.
//
// Each is tried until the server has said that it does not have it. That must not be taken for an
// answer about a trace: spans are lost only where an endpoint that exists says so.
type ways struct {
	stored, storedAtRoot, inline, files, signed way
}

// way is what is known of one of them.
type way struct {
	works   atomic.Bool // it has brought spans
	inStore atomic.Bool // those of a trace in the tracking store
	refused atomic.Pointer[error]
}

// refusal is what the server refused the way itself with, nil where it did not.
func (w *way) refusal() error {
	if err := w.refused.Load(); err != nil {
		return *err
	}
	return nil
}

// refuse notes that the server does not have the way. It does not, and returns false, when the way has
// brought spans before: then err is some other fault, and no reason to go on with lesser forms.
func (w *way) refuse(err error) bool {
	if w.works.Load() {
		return false
	}
	w.refused.CompareAndSwap(nil, &err)
	return true
}

// routeRefused tells of an answer that is not about a trace but about the address that was asked: it is
// not there, is not passed by a proxy, or leads to a login.
func routeRefused(err error) bool {
	if errors.Is(err, errWebPage) {
		return true
	}
	e, ok := errors.AsType[*APIError](err)
	return ok && (e.Code == codeNoEndpoint || e.Status/100 == 3 || e.Status == http.StatusForbidden || e.Status == http.StatusMethodNotAllowed)
}

// saysAnother tells of a server that has taken the last part of a path for the ID of a trace.
func saysAnother(err error, part string) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.Status == http.StatusNotFound && (strings.Contains(e.Message, "'"+part+"'") || strings.Contains(e.Message, "ID "+part+" "))
}

// NoWayError says that the source refuses every address at which spans could be. It is no statement
// about a trace: no other one's can be read either.
type NoWayError struct {
	Refusals []error
}

func (e *NoWayError) Error() string {
	said := make([]string, len(e.Refusals))
	for i, err := range e.Refusals {
		said[i] = err.Error()
	}
	return "the source gives out no spans: " + strings.Join(said, " · ") + ". Have the proxy before it pass one of these paths, or give the server's own address"
}

// archiveRepo is a value of mlflow.TagSpansLocation.
const archiveRepo = "ARCHIVE_REPO"

// inlineServes tells whether traces/get has the spans of a trace: of one whose spans are artifacts it
// answers without any, as if it had none.
func inlineServes(t *mlflow.TraceInfo) bool {
	return t.SpansInTrackingStore() || t.Tags[mlflow.TagSpansLocation] == archiveRepo
}

// noWay is the result for a trace that no way is left for. more is why a way is none for this trace.
func (c *Client) noWay(t *mlflow.TraceInfo, more ...error) Spans {
	e := &NoWayError{Refusals: more}
	for _, w := range []*way{&c.ways.stored, &c.ways.storedAtRoot, &c.ways.inline, &c.ways.files, &c.ways.signed} {
		if err := w.refusal(); err != nil && (w != &c.ways.inline || inlineServes(t)) && (w != &c.ways.files || !inlineServes(t)) {
			e.Refusals = append(e.Refusals, err)
		}
	}
	return Spans{Err: e}
}

// storedRefused tells that the stored form is not to be had.
func (c *Client) storedRefused() bool {
	return c.ways.stored.refusal() != nil && (c.base.Path == "" || c.ways.storedAtRoot.refusal() != nil)
}

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
