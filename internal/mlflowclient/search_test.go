package mlflowclient

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tracemig/tracemig/internal/mlflow"
)

func TestLongRunningSearch(t *testing.T) {
	const (
		start = "/api/4.0/mlflow/traces/search-long-running"
		poll  = "/api/4.0/mlflow/traces/search/operations/op1"
		plain = "/api/3.0/mlflow/traces/search"
		done  = `{"name":"op1","done":true,"response":{"trace_infos":[{"trace_id":"tr-1","request_time":"2026-01-01T00:00:00Z"}]}}`
	)
	// list lists the traces twice.
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
					t.Errorf("request %s, want the warehouse w1", b)
				}
				io.WriteString(w, `{"name":"op1","metadata":{},"done":false}`)
			case poll:
				if polls++; polls%4 != 0 {
					io.WriteString(w, `{"name":"op1","done":false}`)
					return
				}
				io.WriteString(w, done)
			}
		})
		if err != nil || !slices.Equal(ids, []string{"tr-1", "tr-1"}) || polls != 8 {
			t.Errorf("%v, error %v, %d polls, want tr-1 twice after 8", ids, err, polls)
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
				t.Errorf("%v, error %v, asked for %v, want tr-1 twice, the long-running search once and then the plain one", ids, err, paths)
			}
		})
	}
	t.Run("refused for another reason", func(t *testing.T) {
		_, paths, err := list(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"name":"op1","done":true,"error":{"error_code":"INVALID_PARAMETER_VALUE","message":"bad filter"}}`)
		})
		if e, ok := errors.AsType[*APIError](err); !ok || e.Message != "bad filter" || !slices.Equal(paths, []string{start, start}) {
			t.Errorf("error %v, asked for %v, want bad filter from the long-running search, twice", err, paths)
		}
	})
	t.Run("failed for the moment", func(t *testing.T) {
		n := 0
		ids, _, err := list(t, func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				io.WriteString(w, `{"name":"op1","done":true,"error":{"error_code":"INTERNAL_ERROR","message":"try again"}}`)
				return
			}
			io.WriteString(w, done)
		})
		if err != nil || len(ids) != 2 {
			t.Errorf("%v, error %v, want tr-1 twice", ids, err)
		}
	})
}
