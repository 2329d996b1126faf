package mlflowclient

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// The workspace goes with each request. The same server with another workspace is another source.
func TestWorkspace(t *testing.T) {
	for _, tt := range []struct{ workspace, answer, identity, err string }{
		{" team a ", `{"store_type":"SqlStore","workspaces_enabled":true}`, "http://127.0.0.1:5000?workspace=team+a", ""},
		{"default", `{"workspaces_enabled":true}`, "http://127.0.0.1:5000", ""},
		{"team", `{"workspaces_enabled":false}`, "http://127.0.0.1:5000?workspace=team", "no workspaces"},
		{"team", "", "http://127.0.0.1:5000?workspace=team", "no workspaces"}, // an older server
	} {
		var sent []string
		serve := func(w http.ResponseWriter, r *http.Request) {
			sent = append(sent, r.URL.Path)
			if got := r.Header.Get("X-MLFLOW-WORKSPACE"); got != strings.TrimSpace(tt.workspace) {
				t.Errorf("%s with the workspace %q, want %q", r.URL.Path, got, strings.TrimSpace(tt.workspace))
			}
			switch {
			case strings.HasPrefix(r.URL.Path, "/api/2.0/"):
				io.WriteString(w, experiment7)
			case tt.answer == "":
				http.NotFound(w, r)
			default:
				io.WriteString(w, tt.answer)
			}
		}
		c := clientOf(t, Options{Workspace: tt.workspace, Limits: unlimited, Transport: inProcess{http.HandlerFunc(serve)}})
		var err error
		for range 2 {
			_, err = c.Experiment(t.Context(), "agent")
		}
		if got := c.Identity(); got != tt.identity {
			t.Errorf("%q: identity %s, want %s", tt.workspace, got, tt.identity)
		}
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: error %v, want %q", tt.workspace, err, tt.err)
		}
		if tt.err == "" && len(sent) != 3 {
			t.Errorf("%q: asked for %v, want the workspaces once and the experiment twice", tt.workspace, sent)
		}
	}
}
