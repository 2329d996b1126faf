package mlflowclient

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// An error says what was done, and of which trace or experiment, once.
func TestErrorsSayItOnce(t *testing.T) {
	status := func(code int, errorCode string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, `{"error_code":"`+errorCode+`","message":"no"}`, code)
		}
	}
	spans := func(t *testing.T, c *Client) error {
		return c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0].Err
	}
	list := func(t *testing.T, c *Client) error {
		return c.ListTraces(t.Context(), "7", Window{}, func(*mlflow.TraceInfo) error { return nil })
	}
	// onlyBad has one trace, which it can't list.
	onlyBad := func() http.HandlerFunc {
		b := &broken{bad: map[string]bool{"tr-1": true}, older: true}
		b.add(row{1000, "tr-1"})
		return b.ServeHTTP
	}
	const host = "127.0.0.1:5000"
	for name, tt := range map[string]struct {
		serve http.HandlerFunc
		do    func(*testing.T, *Client) error
		want  string
	}{
		"a listing": {
			status(401, "UNAUTHENTICATED"), list,
			"listing the traces of experiment 7: POST " + host + "/api/3.0/mlflow/traces/search: 401 UNAUTHENTICATED: no" +
				"; check the credentials of the source",
		},
		"a trace that can't be listed": {
			onlyBad(), list,
			"listing the traces of experiment 7: the source has trace tr-1, requested at 1970-01-01T00:00:01.000Z, and can't list it: " +
				"GET " + host + "/api/3.0/mlflow/traces/tr-1: 500; look at it there " +
				"(a feedback or expectation of NaN, for one, can't be listed) and correct or delete it",
		},
		"a page that can't be followed": {
			func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, listing([]row{{5, "tr-a"}, {4, "tr-b"}}, ""))
			}, list,
			"listing the traces of experiment 7: the server does not sort by time; nothing is certain to be missing, " +
				"but the listing was stopped: try again, or report the server's version",
		},
		"one trace": {
			status(401, "UNAUTHENTICATED"),
			func(t *testing.T, c *Client) error { _, err := c.TraceInfo(t.Context(), "tr-1"); return err },
			"asking for trace tr-1: GET " + host + "/api/3.0/mlflow/traces/tr-1: 401 UNAUTHENTICATED: no; check the credentials of the source",
		},
		"spans": {
			status(401, "UNAUTHENTICATED"), spans,
			"fetching the spans of trace tr-1: GET " + host + "/ajax-api/2.0/mlflow/get-trace-artifact: 401 UNAUTHENTICATED: no" +
				"; check the credentials of the source",
		},
		"spans whose trace can't be looked up": {
			func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == traceArtifactRoute {
					status(404, "RESOURCE_DOES_NOT_EXIST")(w, r)
				} else {
					status(401, "UNAUTHENTICATED")(w, r)
				}
			}, spans,
			"fetching the spans of trace tr-1: GET " + host + "/api/3.0/mlflow/traces/tr-1: 401 UNAUTHENTICATED: no" +
				"; check the credentials of the source",
		},
		"damaged spans": {
			status(500, "INVALID_STATE"), spans,
			"the stored spans of trace tr-1 are damaged at the source: GET " + host +
				"/ajax-api/2.0/mlflow/get-trace-artifact: 500 INVALID_STATE: no",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := tt.do(t, serverClient(t, tt.serve))
				if err == nil || err.Error() != tt.want {
					t.Errorf("error\n%v\nwant\n%s", err, tt.want)
				}
			})
		})
	}
}

// The caller's own errors and the end of its context are returned as they are.
func TestCallersErrorsOfAListing(t *testing.T) {
	stop := errors.New("stop")
	s := &store{rows: []row{{1, "tr-a"}}}
	err := serverClient(t, s.ServeHTTP).ListTraces(t.Context(), "7", Window{}, func(*mlflow.TraceInfo) error { return stop })
	if err != stop {
		t.Errorf("error %v of yield, want %v", err, stop)
	}
	b := &broken{bad: map[string]bool{"tr-a": true}, older: true}
	b.add(row{1, "tr-a"})
	synctest.Test(t, func(t *testing.T) {
		w := Window{Unlistable: func(*UnlistableError) error { return stop }}
		err := serverClient(t, b.ServeHTTP).ListTraces(t.Context(), "7", w, func(*mlflow.TraceInfo) error { return nil })
		if err != stop {
			t.Errorf("error %v of Unlistable, want %v", err, stop)
		}
	})
}
