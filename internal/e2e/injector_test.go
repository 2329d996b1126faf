//go:build rig

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fault is what an injector does to a request.
type fault struct {
	name  string
	doc   string
	every bool // to every request, not just one
	serve serveFunc
}

// A serveFunc answers a request. It passes the request on, if at all, by calling pass with the writer for the answer.
type serveFunc func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter))

const slowDelay = time.Second

var faults = []fault{
	{"refused", "the connection is reset before anything is passed on", false, refuse},
	{"cut", "half of the answer comes, then the connection ends", false, cutAnswer},
	{"answer lost", "the request takes effect, the connection ends without an answer", false, loseAnswer},
	{"slow", "a second passes before it is passed on", false, delay},
	{"429", "HTTP 429 without Retry-After", false, status(429, "")},
	{"429, 1 s", "HTTP 429 with Retry-After: 1", false, status(429, "1")},
	{"500", "HTTP 500", false, status(500, "")},
	{"503", "HTTP 503", false, status(503, "")},
	{"401", "HTTP 401 once", false, status(401, "")},
	{"401 for good", "HTTP 401 from then on", true, status(401, "")},
	{"twice", "passed on twice; the second answer is given", false, passTwice},
}

func refuse(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) { resetConnection(w) }

func cutAnswer(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
	answer := httptest.NewRecorder()
	pass(answer)
	maps.Copy(w.Header(), answer.Header())
	w.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func loseAnswer(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
	pass(httptest.NewRecorder())
	resetConnection(w)
}

func delay(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
	time.Sleep(slowDelay) // The server is slow. This does not wait for anything.
	pass(w)
}

func passTwice(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
	pass(httptest.NewRecorder())
	pass(w)
}

func status(code int, retryAfter string) serveFunc {
	return func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"error_code":"INJECTED","message":"injected fault"}`)
	}
}

// resetConnection resets the connection.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// A requestKind is one kind of the requests that a run sends.
type requestKind struct {
	name  string
	match func(r *http.Request, body []byte) bool
}

func onPath(part string) func(*http.Request, []byte) bool {
	return func(r *http.Request, _ []byte) bool { return strings.Contains(r.URL.Path, part) }
}

func onBody(parts ...string) func(*http.Request, []byte) bool {
	return func(_ *http.Request, body []byte) bool {
		for _, part := range parts {
			if !bytes.Contains(body, []byte(part)) {
				return false
			}
		}
		return true
	}
}

// An injector is a proxy that passes requests on, and applies faults to those that match an injection.
type injector struct {
	URL string

	mu         sync.Mutex
	injections []*injection
}

// An injection is a fault for requests of a kind.
type injection struct {
	requestKind
	fault
	hits int
}

func newInjector(t *testing.T, to string) *injector {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	upstream := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // so that signed addresses lead to this proxy too
	}}
	upstream.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	in := &injector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		pass := func(w http.ResponseWriter) {
			again := r.Clone(r.Context())
			again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			upstream.ServeHTTP(w, again)
		}
		if s := in.nextInjection(r, body); s != nil {
			s.serve(w, r, pass)
			return
		}
		pass(w)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	in.URL = server.URL
	return in
}

// nextInjection returns the first injection that applies to a request, or nil.
func (in *injector) nextInjection(r *http.Request, body []byte) *injection {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.injections {
		if (s.every || s.hits == 0) && s.match(r, body) {
			s.hits++
			return s
		}
	}
	return nil
}

// inject replaces all injections. The first that matches a request applies to it.
func (in *injector) inject(injections ...*injection) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.injections = injections
}

// hits returns how many requests an injection was applied to.
func (in *injector) hits(s *injection) int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return s.hits
}
