package mlflowclient

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// The workspace goes with each request, and makes another source of the same server.
func TestWorkspace(t *testing.T) {
	for _, tt := range []struct{ workspace, answer, identity, err string }{
		{" team a ", `{"store_type":"SqlStore","workspaces_enabled":true}`, "http://127.0.0.1:5000?workspace=team+a", ""},
		{"default", `{"workspaces_enabled":true}`, "http://127.0.0.1:5000", ""},
		{"team", `{"workspaces_enabled":false}`, "http://127.0.0.1:5000?workspace=team", "no workspaces"},
		{"team", "", "http://127.0.0.1:5000?workspace=team", "no workspaces"}, // an older server
	} {
		var sent []string
		c, err := NewServer("http://127.0.0.1:5000", ServerCredentials{}, Options{Workspace: tt.workspace, Limits: unlimited, Transport: inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = append(sent, r.URL.Path)
			if got := r.Header.Get("X-MLFLOW-WORKSPACE"); got != strings.TrimSpace(tt.workspace) {
				t.Errorf("%s with the workspace %q", r.URL.Path, got)
			}
			switch {
			case strings.HasPrefix(r.URL.Path, "/api/2.0/"):
				io.WriteString(w, experiment7)
			case tt.answer == "":
				http.NotFound(w, r)
			default:
				io.WriteString(w, tt.answer)
			}
		})}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = c.Experiment(t.Context(), "agent")
		}
		if c.Identity() != tt.identity || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: %s, %v", tt.workspace, c.Identity(), err)
		}
		if tt.err == "" && len(sent) != 3 { // it is asked once whether it has workspaces
			t.Errorf("%q: asked %v", tt.workspace, sent)
		}
	}
}
