package mlflowclient

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
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
				t.Errorf("asked for %s, want %s", r.URL, artifact)
			}
			io.WriteString(w, `{"spans":[{"id":"`+r.FormValue("request_id")+`"}]}`)
		}, []string{`{"spans":[{"id":"tr-1"}]}`, `{"spans":[{"id":"tr-2"}]}`, `{"spans":[{"id":"tr-3"}]}`}, 1},
		"no artifact endpoint": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != batch {
				http.NotFound(w, r)
				return
			}
			io.WriteString(w, `{"traces":[`+otlp("tr-3")+`,`+otlp("tr-1")+`,`+otlp("tr-2")+`]}`)
		}, []string{`[{"name":"tr-1"}]`, `[{"name":"tr-2"}]`, `[{"name":"tr-3"}]`}, firstBatch},
		"one bad trace in the group": {func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == artifact:
				http.NotFound(w, r)
			case r.URL.Path == batch, r.FormValue("trace_id") == "tr-2":
				http.Error(w, `{"error_code":"INTERNAL_ERROR","message":"int too big"}`, http.StatusInternalServerError)
			default:
				io.WriteString(w, `{"trace":`+otlp(r.FormValue("trace_id"))+`}`)
			}
		}, []string{`[{"name":"tr-1"}]`, `error`, `[{"name":"tr-3"}]`}, leastBatch},
		"the answer of another trace": {func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case get:
				io.WriteString(w, `{"trace":`+otlp("tr-9")+`}`)
			case batch:
				io.WriteString(w, `{"traces":[`+otlp("tr-9")+`]}`)
			default:
				http.NotFound(w, r)
			}
		}, []string{"error", "error", "error"}, firstBatch},
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
				for i, s := range c.FetchSpans(t.Context(), Exact, infos) {
					got := string(s.JSON)
					switch {
					case s.Err != nil:
						got = "error"
						if !strings.Contains(s.Err.Error(), infos[i].TraceID) {
							t.Errorf("error %v, want one that names %s", s.Err, infos[i].TraceID)
						}
					case s.Missing != "":
						got = "missing: " + s.Missing
					}
					if got != tt.want[i] {
						t.Errorf("%s: got %s (%v), want %s", infos[i].TraceID, got, s.Err, tt.want[i])
					}
				}
				if time.Since(start) > 20*time.Second {
					t.Errorf("one bad trace took %v, want at most 20s", time.Since(start))
				}
				if c.FetchGroup(Exact) != tt.group {
					t.Errorf("group of %d, want %d", c.FetchGroup(Exact), tt.group)
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
		s := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0]
		if _, ok := errors.AsType[*CorruptError](s.Err); !ok || asked != 1 {
			t.Errorf("%v after %d requests, want a *CorruptError after one", s.Err, asked)
		}
	})
}
