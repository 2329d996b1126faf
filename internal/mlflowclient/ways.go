package mlflowclient

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/mlflow"
)

// An open-source server may hand out spans in several ways, and which of them it has depends on its
// version, its --static-prefix and what the proxy before it lets pass:
//
//   - get-trace-artifact, below /ajax-api: spans as stored, wherever they are kept. MLflow 3.4, for one, serves it only
//     below its --static-prefix, and /api only outside of it. Proxies often pass /api alone.
//   - traces/get and traces/batchGet, below /api/3.0: spans in the tracking store. MLflow 3.4 does not have them.
//   - mlflow-artifacts/artifacts, below /api/2.0: the stored files of spans that are artifacts.
//
// Each way is tried until the server has said that it does not have it. Such an answer says nothing about a trace: its spans
// are lost only where an endpoint that exists says so.
type ways struct {
	stored, storedAtRoot, inline, files, signed way
}

// way is what the client knows of one way.
type way struct {
	works   atomic.Bool // it has brought spans
	inStore atomic.Bool // it has brought spans that are in the tracking store
	refused atomic.Pointer[error]
}

// refusal is the answer by which the server has refused the way itself, or nil.
func (w *way) refusal() error {
	if err := w.refused.Load(); err != nil {
		return *err
	}
	return nil
}

// refuse notes that the server does not have the way. When the way has brought spans before, err is some other fault and no
// reason to go on with lesser forms: refuse then notes nothing and returns false.
func (w *way) refuse(err error) bool {
	if w.works.Load() {
		return false
	}
	w.refused.CompareAndSwap(nil, &err)
	return true
}

// routeRefused tells whether an answer is not about a trace but about the address that was asked: it does not exist, a proxy
// does not pass it, or it leads to a login.
func routeRefused(err error) bool {
	if errors.Is(err, errWebPage) {
		return true
	}
	e, ok := errors.AsType[*APIError](err)
	return ok && (e.Code == codeNoEndpoint || e.Status/100 == 3 ||
		e.Status == http.StatusForbidden || e.Status == http.StatusMethodNotAllowed)
}

// takenForID tells whether a server has taken the last part of a path for the ID of a trace.
func takenForID(err error, part string) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.Status == http.StatusNotFound && (strings.Contains(e.Message, "'"+part+"'") || strings.Contains(e.Message, "ID "+part+" "))
}

// NoWayError says that the source refuses every address at which spans could be. That is not about one trace: the spans of
// no other trace can be read either.
type NoWayError struct {
	Refusals []error
}

func (e *NoWayError) Error() string {
	texts := make([]string, len(e.Refusals))
	for i, err := range e.Refusals {
		texts[i] = err.Error()
	}
	return advice.Join("the source gives out no spans: "+strings.Join(texts, " · "), e.NextStep())
}

// NextStep says how to reach spans.
func (e *NoWayError) NextStep() string {
	return "Have the proxy before it pass one of these paths, or give the server's own address"
}

// noWay is the result for a trace for which no way is left. more are the reasons why a way does not work for this trace.
func (c *Client) noWay(t *mlflow.TraceInfo, more ...error) Spans {
	e := &NoWayError{Refusals: more}
	other := &c.ways.files // the way besides those for all traces
	if inlineServes(t) {
		other = &c.ways.inline
	}
	for _, w := range []*way{&c.ways.stored, &c.ways.storedAtRoot, other, &c.ways.signed} {
		if err := w.refusal(); err != nil {
			e.Refusals = append(e.Refusals, err)
		}
	}
	return Spans{Err: e}
}

// storedRefused tells whether the server refuses the stored form, below its address and at the root.
func (c *Client) storedRefused() bool {
	return c.ways.stored.refusal() != nil && (c.base.Path == "" || c.ways.storedAtRoot.refusal() != nil)
}
