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
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
)

func trace(id, location string, spans int) *mlflow.TraceInfo {
	t := &mlflow.TraceInfo{TraceID: id, State: mlflow.StateOK, Tags: map[string]string{}, Metadata: map[string]string{}}
	if location != "" {
		t.Tags[mlflow.TagSpansLocation] = location
	}
	if spans >= 0 {
		t.Metadata["mlflow.trace.sizeStats"] = fmt.Sprintf(`{"num_spans": %d}`, spans)
	}
	return t
}

func databricksClient(t *testing.T, rt http.RoundTripper) *Client {
	t.Helper()
	c, err := NewDatabricks(workspace("http://127.0.0.1:8443"), Options{Transport: rt, Limits: unlimited, WarehouseID: "w1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A signed download carries the listed headers and nothing of the workspace's, over redirects and
// with new addresses for those that have ended.
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
				t.Errorf("the object store got a header %s", name)
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
			t.Errorf("headers of the API call: %v", r.Header)
		}
		switch r.URL.Path {
		case "/api/2.0/mlflow/traces/tr-1/credentials-for-data-download":
			asked++
			fmt.Fprintf(w, `{"credential_info":{"signed_uri":"%s/b/traces.json?n=%d&sig=SIGNATURE","headers":[{"name":"x-ms-blob","value":"v"}]}}`, storage.URL, asked)
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

	tests := map[string]struct {
		trace   *mlflow.TraceInfo
		reply   http.HandlerFunc
		other   http.HandlerFunc
		want    Spans
		wantErr string
		asked   int
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
		"always refused": {reply: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }, wantErr: "not reachable from here", asked: 10},
		"lost":           {reply: http.NotFound, want: Spans{Missing: MissingLost}, asked: 1},
		"never had any":  {trace: trace("tr-1", "", 0), reply: http.NotFound, want: Spans{Missing: MissingNever}, asked: 1},
		"deleted":        {trace: trace("tr-2", "", 1), want: Spans{Missing: MissingDeleted}},
		"archived":       {trace: trace("tr-1", "ARCHIVE_REPO", 1), want: Spans{Missing: MissingArchived}},
		"incomplete": {trace: trace("tr-1", "", 2), reply: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, doc) },
			want: Spans{JSON: []byte(doc), Missing: MissingIncomplete}, asked: 1},
		"elsewhere": {reply: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
			other: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, doc) }, want: Spans{JSON: []byte(doc)}, asked: 1},
		"elsewhere in plain text": {reply: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://storage.example/?sig=SIGNATURE", http.StatusFound)
		}, wantErr: "https", asked: 1},
		"for ever elsewhere": {reply: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, wantErr: "too many redirects", asked: 1},
		"damaged":            {reply: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"spans":1}`) }, wantErr: "damaged", asked: 1},
		"stored in part":     {reply: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, doc[:20]) }, wantErr: "damaged", asked: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			asked, fetched, reply, other = 0, 0, tt.reply, tt.other
			if tt.trace == nil {
				tt.trace = trace("tr-1", "", 1)
			}
			s := databricksClient(t, split).FetchSpans(t.Context(), []*mlflow.TraceInfo{tt.trace})[0]
			if tt.wantErr != "" {
				if s.Err == nil || !strings.Contains(s.Err.Error(), tt.wantErr) || !strings.Contains(s.Err.Error(), "tr-1") {
					t.Errorf("error %v, want one with %q and the trace", s.Err, tt.wantErr)
				}
				if s.Err != nil && (strings.Contains(s.Err.Error(), "SIGNATURE") || strings.Contains(s.Err.Error(), "s3cret")) {
					t.Errorf("the error shows a secret: %v", s.Err)
				}
			} else if s.Err != nil || string(s.JSON) != string(tt.want.JSON) || s.Missing != tt.want.Missing {
				t.Errorf("got %q, missing %q, error %v", s.JSON, s.Missing, s.Err)
			}
			if asked != tt.asked {
				t.Errorf("asked for %d addresses, want %d", asked, tt.asked)
			}
		})
	}
}

// A storage that nobody reaches from here is told as such, before many traces have failed by it; one that has given
// something is borne with like any other server.
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
					s := c.FetchSpans(t.Context(), []*mlflow.TraceInfo{trace(fmt.Sprintf("tr-%d", i), "", 1)})[0]
					if i == 0 && !tt.unreachable {
						if s.Err != nil {
							t.Errorf("the first: %v", s.Err)
						}
						continue
					}
					_, told := errors.AsType[*StorageError](s.Err)
					if told != tt.unreachable || strings.Contains(s.Err.Error(), "credentials of the source") || strings.Contains(s.Err.Error(), "SIGNATURE") {
						t.Errorf("trace %d: %v", i, s.Err)
					}
					if told && (!strings.Contains(s.Err.Error(), "storage.example") || !strings.Contains(s.Err.Error(), "inside its network")) {
						t.Errorf("trace %d: %v", i, s.Err)
					}
				}
				if asked != tt.asked {
					t.Errorf("the storage was asked %d times, want %d", asked, tt.asked)
				}
			})
		})
	}
}

// A trace that is deleted while its address ends is deleted, not failed.
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
	if s := c.FetchSpans(t.Context(), []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0]; s.Missing != MissingDeleted || s.Err != nil {
		t.Errorf("missing %q, error %v", s.Missing, s.Err)
	}
}

func firewall(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader("<Error><Code>AuthorizationFailure</Code></Error>"))}, nil
}

func dropped(*http.Request) (*http.Response, error) { return nil, syscall.ETIMEDOUT }

func stored(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(`{"spans":[{}]}`))}, nil
}

func TestServerSpans(t *testing.T) {
	const artifact, get, batch = "/ajax-api/2.0/mlflow/get-trace-artifact", "/api/3.0/mlflow/traces/get", "/api/3.0/mlflow/traces/batchGet"
	otlp := func(id string) string {
		return fmt.Sprintf(`{"trace_info":{"trace_id":%q},"spans":[{"name":%q}]}`, id, id)
	}
	infos := []*mlflow.TraceInfo{trace("tr-1", "TRACKING_STORE", 1), trace("tr-2", "TRACKING_STORE", 1), trace("tr-3", "", 1)}
	tests := map[string]struct {
		serve func(w http.ResponseWriter, r *http.Request)
		want  []string // JSON, "missing: …" or "error"
		group int
	}{
		"the stored text": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != artifact {
				t.Errorf("asked for %s", r.URL)
			}
			io.WriteString(w, `{"spans":[{"id":"`+r.FormValue("request_id")+`"}]}`)
		}, []string{`{"spans":[{"id":"tr-1"}]}`, `{"spans":[{"id":"tr-2"}]}`, `{"spans":[{"id":"tr-3"}]}`}, 1},
		"no artifact endpoint": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != batch {
				http.NotFound(w, r)
				return
			}
			io.WriteString(w, `{"traces":[`+otlp("tr-3")+`,`+otlp("tr-1")+`,`+otlp("tr-2")+`]}`)
		}, []string{`[{"name":"tr-1"}]`, `[{"name":"tr-2"}]`, `[{"name":"tr-3"}]`}, 10},
		"one bad trace in the group": {func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == artifact:
				http.NotFound(w, r)
			case r.URL.Path == batch, r.FormValue("trace_id") == "tr-2":
				http.Error(w, `{"error_code":"INTERNAL_ERROR","message":"int too big"}`, http.StatusInternalServerError)
			default:
				io.WriteString(w, `{"trace":`+otlp(r.FormValue("trace_id"))+`}`)
			}
		}, []string{`[{"name":"tr-1"}]`, `error`, `[{"name":"tr-3"}]`}, 10},
		"the answer of another trace": {func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case get:
				io.WriteString(w, `{"trace":`+otlp("tr-9")+`}`)
			case batch:
				io.WriteString(w, `{"traces":[`+otlp("tr-9")+`]}`)
			default:
				http.NotFound(w, r)
			}
		}, []string{"error", "error", "error"}, 10},
		"tracking store behind an older endpoint": {func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == artifact && r.FormValue("request_id") == "tr-3":
				io.WriteString(w, `{"spans":[{}]}`)
			case r.URL.Path == artifact:
				http.Error(w, `{"error_code":"NOT_FOUND","message":"Trace data not found"}`, http.StatusNotFound)
			case r.URL.Path == batch:
				io.WriteString(w, `{"traces":[`+otlp("tr-1")+`,`+otlp("tr-2")+`]}`)
			}
		}, []string{`[{"name":"tr-1"}]`, `[{"name":"tr-2"}]`, `{"spans":[{}]}`}, 1},
		"lost, lost and deleted": {func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == artifact && r.FormValue("request_id") != "tr-3":
				io.WriteString(w, `{"spans":[]}`)
			default:
				http.Error(w, `{"error_code":"RESOURCE_DOES_NOT_EXIST"}`, http.StatusNotFound)
			}
		}, []string{"missing: spans_lost", "missing: spans_lost", "missing: deleted"}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := serverClient(t, tt.serve)
				start := time.Now()
				for i, s := range c.FetchSpans(t.Context(), infos) {
					got := string(s.JSON)
					switch {
					case s.Err != nil:
						got = "error"
						if !strings.Contains(s.Err.Error(), infos[i].TraceID) {
							t.Errorf("the error does not name the trace: %v", s.Err)
						}
					case s.Missing != "":
						got = "missing: " + s.Missing
					}
					if got != tt.want[i] {
						t.Errorf("%s: got %s (%v), want %s", infos[i].TraceID, got, s.Err, tt.want[i])
					}
				}
				if time.Since(start) > 20*time.Second {
					t.Errorf("one bad trace took %v", time.Since(start))
				}
				if c.FetchGroup() != tt.group {
					t.Errorf("group of %d, want %d", c.FetchGroup(), tt.group)
				}
			})
		})
	}
	t.Run("damaged at the source", func(t *testing.T) {
		asked := 0
		c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			http.Error(w, `{"error_code":"INVALID_STATE","message":"Trace data is corrupted"}`, http.StatusInternalServerError)
		})
		s := c.FetchSpans(t.Context(), []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0]
		if _, ok := errors.AsType[*CorruptError](s.Err); !ok || asked != 1 {
			t.Errorf("%v after %d requests, want a *CorruptError after one", s.Err, asked)
		}
	})
}

func TestLongRunningSearch(t *testing.T) {
	const start, plain, poll = "/api/4.0/mlflow/traces/search-long-running", "/api/3.0/mlflow/traces/search", "/api/4.0/mlflow/traces/search/operations/op1"
	list := func(t *testing.T, h http.HandlerFunc) (ids []string, paths []string, err error) {
		synctest.Test(t, func(t *testing.T) {
			c := databricksClient(t, inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				paths = append(paths, r.URL.Path)
				h(w, r)
			})})
			for range 2 {
				err = c.ListTraces(t.Context(), "7", Window{}, func(ti *mlflow.TraceInfo) error { ids = append(ids, ti.TraceID); return nil })
			}
		})
		return
	}
	t.Run("polled until done", func(t *testing.T) {
		polls := 0
		ids, _, err := list(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case start:
				b, _ := io.ReadAll(r.Body)
				if !strings.Contains(string(b), `"sql_warehouse_id":"w1"`) {
					t.Errorf("request %s", b)
				}
				io.WriteString(w, `{"name":"op1","metadata":{},"done":false}`)
			case poll:
				if polls++; polls%4 != 0 {
					io.WriteString(w, `{"name":"op1","done":false}`)
					return
				}
				io.WriteString(w, `{"name":"op1","done":true,"response":{"trace_infos":[{"trace_id":"tr-1","request_time":"2026-01-01T00:00:00Z"}]}}`)
			}
		})
		if err != nil || !slices.Equal(ids, []string{"tr-1", "tr-1"}) || polls != 8 {
			t.Errorf("%v, error %v, %d polls", ids, err, polls)
		}
	})
	for name, refusal := range map[string]string{
		"no such endpoint":        `{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found"}`,
		"not for experiments yet": `{"error_code":"INVALID_PARAMETER_VALUE","message":"MLFLOW_EXPERIMENT locations not yet supported"}`,
	} {
		t.Run(name, func(t *testing.T) {
			ids, paths, err := list(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == start {
					http.Error(w, refusal, http.StatusBadRequest)
					return
				}
				io.WriteString(w, listing([]row{{5, "tr-1"}}, ""))
			})
			if err != nil || len(ids) != 2 || !slices.Equal(paths, []string{start, plain, plain}) {
				t.Errorf("%v, error %v, asked %v", ids, err, paths)
			}
		})
	}
	t.Run("refused for another reason", func(t *testing.T) {
		_, paths, err := list(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"name":"op1","done":true,"error":{"error_code":"INVALID_PARAMETER_VALUE","message":"bad filter"}}`)
		})
		if e, ok := errors.AsType[*APIError](err); !ok || e.Message != "bad filter" || !slices.Equal(paths, []string{start, start}) {
			t.Errorf("error %v, asked %v", err, paths)
		}
	})
	t.Run("failed for the moment", func(t *testing.T) {
		n := 0
		ids, _, err := list(t, func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				io.WriteString(w, `{"name":"op1","done":true,"error":{"error_code":"INTERNAL_ERROR","message":"try again"}}`)
				return
			}
			io.WriteString(w, `{"name":"op1","done":true,"response":{"trace_infos":[{"trace_id":"tr-1","request_time":"2026-01-01T00:00:00Z"}]}}`)
		})
		if err != nil || len(ids) != 2 {
			t.Errorf("%v, error %v", ids, err)
		}
	})
}

func TestWorkspaceAsksAgainAfter401(t *testing.T) {
	n := 0
	c := databricksClient(t, roundTrip(func(*http.Request) (*http.Response, error) {
		if n++; n == 1 {
			return answer(401, ""), nil
		}
		return answer(200, experiment7), nil
	}))
	if _, err := c.Experiment(t.Context(), "/Users/me/agent"); err != nil || n != 2 {
		t.Errorf("error %v after %d requests", err, n)
	}
	c = databricksClient(t, roundTrip(func(*http.Request) (*http.Response, error) { n++; return answer(401, ""), nil }))
	n = 0
	if _, err := c.Experiment(t.Context(), "7"); !isCode(err, 401) || n != 2 {
		t.Errorf("error %v after %d requests", err, n)
	}
}

func TestExperiment(t *testing.T) {
	c := databricksClient(t, inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RawQuery {
		case "experiment_id=7", "experiment_name=%2FUsers%2Fme%2Fagent", "experiment_name=8":
			io.WriteString(w, `{"experiment":{"experiment_id":"7","name":"/Users/me/agent","artifact_location":"dbfs:/x","lifecycle_stage":"active","tags":[{"key":"a","value":"b"},{"key":"c"}]}}`)
		default:
			http.Error(w, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no"}`, http.StatusNotFound)
		}
	})})
	for _, ref := range []string{"7", "/Users/me/agent", "/Workspace/Users/me/agent", "8"} {
		e, err := c.Experiment(t.Context(), ref)
		if err != nil || e.ID != "7" || e.Name != "/Users/me/agent" || e.Tags["a"] != "b" || e.LifecycleStage != "active" {
			t.Errorf("%s: %+v, error %v", ref, e, err)
		}
	}
	_, err := c.Experiment(t.Context(), "nope")
	if e, ok := errors.AsType[*NotFoundError](err); !ok || e.Ref != "nope" {
		t.Errorf("got %v, want a *NotFoundError", err)
	}
}
