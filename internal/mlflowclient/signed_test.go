package mlflowclient

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/tracemig/tracemig/internal/mlflow"
)

func databricksClient(t *testing.T, rt http.RoundTripper) *Client {
	t.Helper()
	c, err := NewDatabricks(workspace("http://127.0.0.1:8443"), Options{Transport: rt, Limits: unlimited, WarehouseID: "w1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A signed download carries the headers of its address and none of the API's, also after redirects. A new address is asked for
// when one has ended.
func TestSignedDownload(t *testing.T) {
	const doc = `{"spans":[{"name":"root","attributes":{"x":NaN}}]}`
	var mu sync.Mutex
	var asked, fetched int
	reply := func(w http.ResponseWriter, r *http.Request) {}
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		fetched++
		for name := range r.Header {
			if !slices.Contains([]string{"User-Agent", "Accept-Encoding", "X-Ms-Blob"}, name) {
				t.Errorf("the object store got a header %s, want only that of the address", name)
			}
		}
		reply(w, r)
	}))
	defer storage.Close()
	var other http.HandlerFunc
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Ms-Blob") != "" {
			t.Error("a listed header went to another host")
		}
		other(w, r)
	}))
	defer elsewhere.Close()

	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer s3cret" || r.Header.Get("X-Databricks-Workspace-Id") != "4711" {
			t.Errorf("headers of the API call %v, want the token and the workspace 4711", r.Header)
		}
		switch r.URL.Path {
		case "/api/2.0/mlflow/traces/tr-1/credentials-for-data-download":
			asked++
			fmt.Fprintf(w, `{"credential_info":{"signed_uri":"%s/b/traces.json?n=%d&sig=SIGNATURE",`+
				`"headers":[{"name":"x-ms-blob","value":"v"}]}}`, storage.URL, asked)
		case "/api/3.0/mlflow/traces/tr-1":
			io.WriteString(w, `{"trace":{"trace_info":{"trace_id":"tr-1","request_time":"2026-01-01T00:00:00Z"}}}`)
		default:
			http.Error(w, `{"error_code":"RESOURCE_DOES_NOT_EXIST"}`, http.StatusNotFound)
		}
	})
	split := roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "127.0.0.1:8443" {
			return inProcess{api}.RoundTrip(r)
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()

	text := func(doc string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, doc) }
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	refuse := func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }
	tests := map[string]struct {
		trace   *mlflow.TraceInfo
		reply   http.HandlerFunc // of the object store
		other   http.HandlerFunc // of the host to which it redirects
		want    Spans
		wantErr string
		asked   int // for addresses
	}{
		"as stored": {reply: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Ms-Blob") != "v" {
				t.Error("a listed header is missing")
			}
			io.WriteString(w, doc)
		}, want: Spans{JSON: []byte(doc)}, asked: 1},
		"ended addresses": {reply: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("n") != "3" {
				http.Error(w, "<Error>expired</Error>", http.StatusForbidden)
				return
			}
			io.WriteString(w, doc)
		}, want: Spans{JSON: []byte(doc)}, asked: 3},
		"always refused": {reply: refuse, wantErr: "not reachable from here", asked: 10},
		"lost":           {reply: http.NotFound, want: Spans{Missing: MissingLost}, asked: 1},
		"never had any":  {trace: trace("tr-1", "", 0), reply: http.NotFound, want: Spans{Missing: MissingNever}, asked: 1},
		"deleted":        {trace: trace("tr-2", "", 1), want: Spans{Missing: MissingDeleted}},
		"archived":       {trace: trace("tr-1", "ARCHIVE_REPO", 1), want: Spans{Missing: MissingArchived}},
		"incomplete": {
			trace: trace("tr-1", "", 2), reply: text(doc), want: Spans{JSON: []byte(doc), Missing: MissingIncomplete}, asked: 1,
		},
		"elsewhere": {reply: redirect(elsewhere.URL), other: text(doc), want: Spans{JSON: []byte(doc)}, asked: 1},
		"elsewhere in plain text": {
			reply: redirect("http://storage.example/?sig=SIGNATURE"), wantErr: "https", asked: 1,
		},
		"for ever elsewhere": {reply: redirect("/again"), wantErr: "too many redirects", asked: 1},
		"damaged":            {reply: text(`{"spans":1}`), wantErr: "damaged", asked: 1},
		"stored in part":     {reply: text(doc[:20]), wantErr: "damaged", asked: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			asked, fetched, reply, other = 0, 0, tt.reply, tt.other
			if tt.trace == nil {
				tt.trace = trace("tr-1", "", 1)
			}
			s := databricksClient(t, split).FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{tt.trace})[0]
			if tt.wantErr != "" {
				if s.Err == nil || !strings.Contains(s.Err.Error(), tt.wantErr) || !strings.Contains(s.Err.Error(), "tr-1") {
					t.Errorf("error %v, want one with %q and the trace", s.Err, tt.wantErr)
				}
				if s.Err != nil && (strings.Contains(s.Err.Error(), "SIGNATURE") || strings.Contains(s.Err.Error(), "s3cret")) {
					t.Errorf("error %v, want one without secrets", s.Err)
				}
			} else if s.Err != nil || string(s.JSON) != string(tt.want.JSON) || s.Missing != tt.want.Missing {
				t.Errorf("got %q, missing %q, error %v, want %q, missing %q", s.JSON, s.Missing, s.Err, tt.want.JSON, tt.want.Missing)
			}
			if asked != tt.asked {
				t.Errorf("asked for %d addresses, want %d", asked, tt.asked)
			}
		})
	}
}

// A storage that this machine can't reach is reported as such before many traces have failed because of it. A storage that has
// answered before is tried again like any other server.
func TestStorageBehindFirewall(t *testing.T) {
	for name, tt := range map[string]struct {
		first, rest func(*http.Request) (*http.Response, error)
		unreachable bool
		asked       int // for three traces, one after another
	}{
		"refuses all": {firewall, firewall, true, 12},
		"drops all":   {dropped, dropped, true, 12},
		"fails later": {stored, firewall, false, 1 + 3 + 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				c := databricksClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.URL.Host != "storage.example" {
						return inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							fmt.Fprintf(w, `{"credential_info":{"signed_uri":"https://storage.example%s?sig=SIGNATURE"}}`, r.URL.Path)
						})}.RoundTrip(r)
					}
					if asked++; asked == 1 {
						return tt.first(r)
					}
					return tt.rest(r)
				}))
				for i := range 3 {
					s := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace(fmt.Sprintf("tr-%d", i), "", 1)})[0]
					if i == 0 && !tt.unreachable {
						if s.Err != nil {
							t.Errorf("the first trace: error %v, want none", s.Err)
						}
						continue
					}
					e, unreachable := errors.AsType[*StorageError](s.Err)
					if unreachable != tt.unreachable {
						t.Fatalf("trace %d: error %v, want a *StorageError: %t", i, s.Err, tt.unreachable)
					}
					text := s.Err.Error()
					if strings.Contains(text, "credentials of the source") || strings.Contains(text, "SIGNATURE") {
						t.Errorf("trace %d: error %v, want one without the signature that does not blame the credentials", i, s.Err)
					}
					if unreachable && (e.Host != "storage.example" || !strings.Contains(text, "inside its network")) {
						t.Errorf("trace %d: error %v, want one with the host and the next step", i, s.Err)
					}
				}
				if asked != tt.asked {
					t.Errorf("the storage was asked %d times, want %d", asked, tt.asked)
				}
			})
		})
	}
}

// A trace that is deleted while its address ends counts as deleted, not as failed.
func TestDeletedBetweenAddresses(t *testing.T) {
	asked := 0
	c := databricksClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "storage.example" {
			return firewall(r)
		}
		return inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked > 1 {
				http.Error(w, `{"error_code":"RESOURCE_DOES_NOT_EXIST"}`, http.StatusNotFound)
				return
			}
			io.WriteString(w, `{"credential_info":{"signed_uri":"https://storage.example/t?sig=SIGNATURE"}}`)
		})}.RoundTrip(r)
	}))
	if s := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0]; s.Missing != MissingDeleted || s.Err != nil {
		t.Errorf("missing %q, error %v, want missing %q", s.Missing, s.Err, MissingDeleted)
	}
}

// Neither the token nor signed headers go to the host of a redirect, even when that is the workspace's own, and a redirect
// never leads from https to http.
func TestRedirectsOfSignedAddresses(t *testing.T) {
	const doc = `{"spans":[{}]}`
	for to, wantErr := range map[string]string{
		"https://other.example/x":       "",
		"https://127.0.0.1:8443/x":      "", // the workspace's host
		"/elsewhere/on/the/same/host":   "",
		"http://store.example/x":        "without https",
		"http://127.0.0.1:9/x":          "without https", // after https even to this machine
		"http://169.254.169.254/latest": "without https",
		"file:///etc/passwd":            "without https",
		"//other.example/x":             "",
	} {
		t.Run(to, func(t *testing.T) {
			var hosts []string
			c := databricksClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "credentials-for-data-download") {
					return answer(200, `{"credential_info":{"signed_uri":"https://store.example/traces.json?sig=SIGNATURE",`+
						`"headers":[{"name":"x-signed","value":"v"}]}}`), nil
				}
				hosts = append(hosts, r.URL.Scheme+"://"+r.URL.Host)
				for _, name := range []string{"Authorization", "Cookie", "Referer", "X-Databricks-Workspace-Id"} {
					if r.Header.Get(name) != "" {
						t.Errorf("%s got a header %s, want none of the API's", r.URL.Host, name)
					}
				}
				if (r.Header.Get("X-Signed") != "") != (r.URL.Host == "store.example") {
					t.Errorf("%s: signed header %q, want one only for store.example", r.URL.Host, r.Header.Get("X-Signed"))
				}
				if len(hosts) == 1 {
					a := answer(302, "", "Location", to)
					a.Request = r
					return a, nil
				}
				return answer(200, doc), nil
			}))
			s := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0]
			if wantErr == "" {
				if s.Err != nil || string(s.JSON) != doc || len(hosts) != 2 {
					t.Errorf("%s, error %v, asked %v, want %s from the second host", s.JSON, s.Err, hosts, doc)
				}
				return
			}
			if s.Err == nil || !strings.Contains(s.Err.Error(), wantErr) || strings.Contains(s.Err.Error(), "SIGNATURE") {
				t.Errorf("error %v, want one of %q, without the signature", s.Err, wantErr)
			}
			if len(hosts) != 1 {
				t.Errorf("asked %v, want only the first host", hosts)
			}
		})
	}
}

func firewall(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader("<Error><Code>AuthorizationFailure</Code></Error>"))}, nil
}

func dropped(*http.Request) (*http.Response, error) { return nil, syscall.ETIMEDOUT }

func stored(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"spans":[{}]}`))}, nil
}
