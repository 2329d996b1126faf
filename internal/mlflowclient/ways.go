package mlflowclient

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

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
