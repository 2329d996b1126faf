package mlflowclient

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// oldServer answers as MLflow 3.4.0 does when started with --static-prefix /flow: /api is at the root,
// /ajax-api below the prefix, and spans are artifacts. It takes traces/get for a trace with the ID "get".
func oldServer(w http.ResponseWriter, r *http.Request) {
	const files = "/api/2.0/mlflow-artifacts/artifacts"
	notThere := func(format string, args ...any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": %q}`, fmt.Sprintf(format, args...))
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, files+"/1/traces/"), "/")
	switch {
	case r.URL.Path == files:
		if id = r.FormValue("path"); strings.Contains(id, "lost") {
			io.WriteString(w, `{}`)
		} else {
			io.WriteString(w, `{"files": [{"path": "traces.json", "is_dir": false, "file_size": 431}]}`)
		}
	case strings.HasPrefix(r.URL.Path, files+"/1/traces/") && strings.Contains(id, "lost"):
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, `{"error_code": "INTERNAL_ERROR", "message": "The following failures occurred while downloading one or more artifacts `+
			`from /srv/artifacts:\n##### File 1/traces/tr-lost/artifacts/traces.json #####\n`+
			`[Errno 2] No such file or directory: '/srv/artifacts/1/traces/tr-lost/artifacts/traces.json'"}`)
	case strings.HasPrefix(r.URL.Path, files+"/1/traces/"):
		fmt.Fprintf(w, `{"spans": [{"name": "file of %s"}]}`, id)
	case r.URL.Path == "/flow/ajax-api/2.0/mlflow/get-trace-artifact":
		fmt.Fprintf(w, `{"spans": [{"name": "%s"}]}`, r.FormValue("request_id"))
	case strings.HasPrefix(r.URL.Path, "/api/3.0/mlflow/traces/tr-"):
		fmt.Fprintf(w, `{"trace":{"trace_info":{"trace_id":%q,"request_time":"2026-01-01T00:00:00Z"}}}`,
			r.URL.Path[len("/api/3.0/mlflow/traces/"):])
	case strings.HasPrefix(r.URL.Path, "/api/3.0/mlflow/traces/"):
		notThere("Trace with ID '%s' not found.", r.URL.Path[len("/api/3.0/mlflow/traces/"):])
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n")
	}
}

// filed is a trace whose spans are an artifact at location.
func filed(id, location string) *mlflow.TraceInfo {
	t := trace(id, "", 1)
	t.Tags[mlflow.TagArtifactLocation] = location + "/1/traces/" + id + "/artifacts"
	return t
}

// Spans come by any way that there is, whichever routes of the server and the proxy are missing. Spans that can't be asked for
// are never taken for lost.
func TestWaysToSpans(t *testing.T) {
	stored := func(id string) string { return fmt.Sprintf(`{"spans": [{"name": "%s"}]}`, id) }
	file := func(id string) string { return fmt.Sprintf(`{"spans": [{"name": "file of %s"}]}`, id) }
	// only passes some paths on, and answers like a proxy to the others.
	only := func(other http.HandlerFunc, paths ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(r.URL.Path, p) }) {
				other(w, r)
				return
			}
			oldServer(w, r)
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if code == http.StatusFound {
				w.Header().Set("Location", "https://login.example/?state=SECRET")
			}
			w.WriteHeader(code)
			io.WriteString(w, "<html>no</html>")
		}
	}
	login := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>log in</html>") }
	// of are traces whose spans are artifacts of the server.
	of := func(ids ...string) (infos []*mlflow.TraceInfo) {
		for _, id := range ids {
			infos = append(infos, filed(id, "mlflow-artifacts:"))
		}
		return infos
	}
	for name, tt := range map[string]struct {
		path  string // of the address
		serve http.HandlerFunc
		infos []*mlflow.TraceInfo
		want  []string // the document, "missing: …", or "no way: " and what is named
	}{
		"below the prefix": {"/flow", oldServer, of("tr-1"), []string{stored("tr-1")}},
		"the prefix not given": {
			"", oldServer, of("tr-1", "tr-2", "tr-lost"), []string{file("tr-1"), file("tr-2"), "missing: spans_lost"},
		},
		"a prefix that the server does not have": {"/gone", func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = "/flow" + r.URL.Path
			oldServer(w, r)
		}, of("tr-1"), []string{stored("tr-1")}},
		"a proxy of /api alone, 404": {"", only(status(404), "/api/"), of("tr-1"), []string{file("tr-1")}},
		"302":                        {"", only(status(302), "/api/"), of("tr-1"), []string{file("tr-1")}},
		"403":                        {"", only(status(403), "/api/"), of("tr-1"), []string{file("tr-1")}},
		"405":                        {"", only(status(405), "/api/"), of("tr-1"), []string{file("tr-1")}},
		"a login page":               {"", only(login, "/api/"), of("tr-1"), []string{file("tr-1")}},
		"a location by http": {
			"", only(status(404), "/api/"),
			[]*mlflow.TraceInfo{filed("tr-1", "http://127.0.0.1:5000/api/2.0/mlflow-artifacts/artifacts")}, []string{file("tr-1")},
		},
		"a store that only the server reads": {
			"", only(status(404), "/api/"), []*mlflow.TraceInfo{filed("tr-1", "s3://bucket")},
			[]string{"no way: get-trace-artifact: 404, s3:"},
		},
		"no artifacts served": {"", func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "mlflow-artifacts") {
				w.WriteHeader(http.StatusServiceUnavailable)
				io.WriteString(w, "Endpoint: /api/2.0/mlflow-artifacts/artifacts/<path:artifact_path> disabled due to the mlflow server "+
					"running with `--no-serve-artifacts`. To enable artifacts server functionality, run `mlflow server` with `--serve-artifacts`")
				return
			}
			oldServer(w, r)
		}, of("tr-1"), []string{"no way: get-trace-artifact: 404, --no-serve-artifacts"}},
		"nothing but listings": {
			"", only(status(403), "/api/3.0/mlflow/traces/tr-", "/api/3.0/mlflow/traces/get"),
			append(of("tr-1"), trace("tr-2", "TRACKING_STORE", 1)),
			[]string{
				"no way: get-trace-artifact: 403, mlflow-artifacts/artifacts/1/traces/tr-1/artifacts/traces.json: 403",
				"no way: get-trace-artifact: 403, 'get' not found",
			},
		},
		"a proxy's 404 at the info of a trace is no deletion": {"", func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "get-trace-artifact") {
				http.Error(w, `{"error_code":"NOT_FOUND","message":"Trace data not found"}`, http.StatusNotFound)
				return
			}
			http.NotFound(w, r)
		}, of("tr-1"), []string{"error: ENDPOINT_NOT_FOUND"}},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				tt.serve(w, r)
			})
			opts := Options{Limits: unlimited, Transport: inProcess{serve}}
			c, err := NewServer("http://127.0.0.1:5000"+tt.path, ServerCredentials{}, opts)
			if err != nil {
				t.Fatal(err)
			}
			for round := range 2 { // The second round knows what the first has found.
				before := requests
				for i, s := range c.FetchSpans(t.Context(), Exact, tt.infos) {
					if got := outcome(s); !isOutcome(got, tt.want[i]) || strings.Contains(got, "SECRET") {
						t.Errorf("%s: got %s, want %s", tt.infos[i].TraceID, got, tt.want[i])
					}
				}
				if n := requests - before; strings.HasPrefix(tt.want[0], "{") && len(tt.infos) == 1 && round == 1 && n != 1 {
					t.Errorf("%d requests for a trace once the way is known, want 1", n)
				}
			}
		})
	}
}

// outcome is the document of s, "missing: …", "no way: …" or "error: …".
func outcome(s Spans) string {
	switch _, noWay := errors.AsType[*NoWayError](s.Err); {
	case noWay:
		return "no way: " + s.Err.Error()
	case s.Err != nil:
		return "error: " + s.Err.Error()
	case s.Missing != "":
		return "missing: " + s.Missing
	}
	return string(s.JSON)
}

// isOutcome tells whether an outcome is the wanted one. Of "no way: a, b" and "error: a, b" it has to contain a and b.
func isOutcome(got, want string) bool {
	kind, parts, _ := strings.Cut(want, ": ")
	if kind != "no way" && kind != "error" {
		return got == want
	}
	return strings.HasPrefix(got, kind) && !slices.ContainsFunc(strings.Split(parts, ", "), func(part string) bool {
		return !strings.Contains(got, part)
	})
}

// After one refusal, a way that has brought spans before is not given up for a lesser one.
func TestAWayThatWorksIsKept(t *testing.T) {
	c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "get-trace-artifact") && r.FormValue("request_id") != "tr-2":
			io.WriteString(w, `{"spans":[{}]}`)
		case strings.HasSuffix(r.URL.Path, "get-trace-artifact"):
			w.WriteHeader(http.StatusForbidden)
		default:
			t.Errorf("asked for %s, want only the way that works", r.URL.Path)
		}
	})
	got := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{
		trace("tr-1", "TRACKING_STORE", 1), trace("tr-2", "TRACKING_STORE", 1), trace("tr-3", "TRACKING_STORE", 1),
	})
	if got[0].Err != nil || !isCode(got[1].Err, http.StatusForbidden) || got[2].Err != nil {
		t.Errorf("errors %v, %v, %v, want only the second, 403", got[0].Err, got[1].Err, got[2].Err)
	}
}

// In a workspace, too, an endpoint that a proxy does not pass says nothing about a trace.
func TestWorkspaceWithoutDownloads(t *testing.T) {
	for code, reply := range map[string]*http.Response{
		"404": answer(404, "<html>not found</html>"), "403": answer(403, ""),
		"ENDPOINT_NOT_FOUND": answer(404, `{"error_code":"ENDPOINT_NOT_FOUND","message":"no"}`),
	} {
		c := databricksClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "credentials-for-data-download") {
				t.Errorf("asked for %s, want only signed addresses", r.URL.Path)
			}
			return reply, nil
		}))
		s := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0]
		if _, ok := errors.AsType[*NoWayError](s.Err); !ok || !strings.Contains(s.Err.Error(), code) {
			t.Errorf("%s: missing %q, error %v, want a *NoWayError with the code", code, s.Missing, s.Err)
		}
	}
	// That a bucket does not exist says nothing about a trace, either.
	c := databricksClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "credentials-for-data-download") {
			return answer(200, `{"credential_info":{"signed_uri":"https://store.example/traces.json?sig=SIGNATURE"}}`), nil
		}
		return answer(404, `<?xml version="1.0"?><Error><Code>NoSuchBucket</Code><Message>no</Message></Error>`), nil
	}))
	if s := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0]; s.Err == nil {
		t.Errorf("missing %q, want an error", s.Missing)
	}
}
