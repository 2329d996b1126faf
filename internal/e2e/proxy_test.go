//go:build rig

package e2e

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// proxy passes requests on, and calls a function of the test at some of them.
type proxy struct {
	URL  string
	kill chan func() // receives the function that kills the program, once it is started

	mu     sync.Mutex
	match  string // text that the request's body contains, "" for all requests
	n      int    // matching requests until action is called; 0 for never, everyRequest for each of them
	after  bool   // whether action is called after the request has taken effect
	action func()
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	return startProxy(t, to, nil)
}

// newRecordingProxy is a proxy before a source that does not change. It asks the source each thing once and answers
// further requests from memory, since the server would otherwise take most of the time of a run.
func newRecordingProxy(t *testing.T, to string) *proxy {
	t.Helper()
	return startProxy(t, to, map[string]*httptest.ResponseRecorder{})
}

func startProxy(t *testing.T, to string, recorded map[string]*httptest.ResponseRecorder) *proxy {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // so that signed addresses lead to this proxy too
	}, Transport: transport}
	pass.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	p := &proxy{kill: make(chan func(), 1)}
	serve := func(w http.ResponseWriter, r *http.Request, body []byte) {
		if recorded == nil {
			pass.ServeHTTP(w, r)
			return
		}
		key := r.Method + " " + r.URL.String() + "\n" + string(body)
		p.mu.Lock()
		answer := recorded[key]
		p.mu.Unlock()
		if answer == nil {
			answer = httptest.NewRecorder()
			pass.ServeHTTP(answer, r)
			if r.Context().Err() == nil && answer.Code == http.StatusOK {
				p.mu.Lock()
				recorded[key] = answer
				p.mu.Unlock()
			}
		}
		copyAnswer(w, answer)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		act, after := p.nextAction(body)
		if act == nil {
			serve(w, r, body)
			return
		}
		answer := httptest.NewRecorder()
		if after {
			serve(answer, r, body)
		}
		act()
		if !after {
			serve(answer, r, body)
		}
		copyAnswer(w, answer)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	p.URL = server.URL
	return p
}

func copyAnswer(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// nextAction returns what to call at a request with this body, or nil.
func (p *proxy) nextAction(body []byte) (act func(), after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n == 0 || !bytes.Contains(body, []byte(p.match)) {
		return nil, false
	}
	if p.n == everyRequest {
		return p.action, p.after
	}
	if p.n--; p.n > 0 {
		return nil, false
	}
	return p.action, p.after
}

// everyRequest as the n of onRequest stands for every matching request.
const everyRequest = -1

// onRequest has act called at the n-th request from now on whose body contains the text match.
func (p *proxy) onRequest(n int, match string, after bool, act func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n, p.match, p.after, p.action = n, match, after, act
}

// killAt calls the next function that is sent to p.kill at such a request.
func (p *proxy) killAt(n int, match string, after bool) {
	p.onRequest(n, match, after, func() { (<-p.kill)() })
}

// reset undoes onRequest and killAt.
func (p *proxy) reset() {
	p.onRequest(0, "", false, nil)
	select {
	case <-p.kill:
	default:
	}
}
