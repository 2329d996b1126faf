package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/terminal"
)

// standIn is a workspace that notes who asks for what.
type standIn struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string][]string // paths by token; "" for none
}

func newStandIn(t *testing.T) *standIn {
	s := &standIn{asked: map[string][]string{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.asked[token] = append(s.asked[token], r.URL.Path)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/scim/v2/Me"):
		fmt.Fprint(w, `{"userName":"ann"}`)
	case strings.HasSuffix(path, "/experiments/get-by-name"):
		fmt.Fprint(w, `{"experiment":{"experiment_id":"7","name":"/Shared/x","tags":[`+
			`{"key":"mlflow.experiment.databricksTraceDestinationPath","value":"main.agents.support"}]}}`)
	default:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"error_code":"PERMISSION_DENIED","message":"not here"}`)
	}
}

// got says whether a path with such an end was asked for with the token, and fails where another token was sent.
func (s *standIn) got(t *testing.T, side, token string, ends ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, paths := range s.asked {
		if other != token && other != "" {
			t.Errorf("the workspace of the %s got the token %q with %q, want %q alone", side, other, paths, token)
		}
	}
	for _, path := range s.asked[""] {
		if !strings.Contains(path, ".well-known") {
			t.Errorf("the workspace of the %s got no token with %s", side, path)
		}
	}
	for _, end := range ends {
		if !slices.ContainsFunc(s.asked[token], func(path string) bool { return strings.Contains(path, end) }) {
			t.Errorf("the workspace of the %s was not asked for %s, but for %q", side, end, s.asked[token])
		}
	}
}

// What is asked of the source carries the source's token alone, and what is asked of the target the target's.
func TestTwoWorkspaces(t *testing.T) {
	const sourceToken, targetToken = "token-of-source", "token-of-target"
	for name, flags := range map[string][]string{
		"two profiles":                      {"--source-profile", "from", "--target-profile", "to"},
		"one in place of that of both":      {"--profile", "to", "--source-profile", "from"},
		"the target's beside that of both":  {"--profile", "from", "--target-profile", "to"},
		"that of the tracking URI":          {"--tracking-uri", "databricks://from", "--target-profile", "to"},
		"the source's beats the URI's":      {"--tracking-uri", "databricks://other", "--source-profile", "from", "--target-profile", "to"},
		"that of the URI is the target's":   {"--tracking-uri", "databricks://to", "--source-profile", "from"},
		"the environment's for the target":  {"--source-profile", "from"},
		"the environment's for the source":  {"--target-profile", "to"},
		"one workspace, and files are here": {"--profile", "from"},
	} {
		t.Run(name, func(t *testing.T) {
			source, target := newStandIn(t), newStandIn(t)
			file := filepath.Join(t.TempDir(), "databrickscfg")
			profiles := fmt.Sprintf("[from]\nhost = %s\ntoken = %s\n[to]\nhost = %s\ntoken = %s\n", source.URL, sourceToken, target.URL, targetToken)
			if err := os.WriteFile(file, []byte(profiles), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("DATABRICKS_CONFIG_FILE", file)
			t.Setenv("DATABRICKS_HOST", "")
			switch name {
			case "the environment's for the target":
				t.Setenv("DATABRICKS_HOST", target.URL)
				t.Setenv("DATABRICKS_TOKEN", targetToken)
			case "the environment's for the source":
				t.Setenv("DATABRICKS_HOST", source.URL)
				t.Setenv("DATABRICKS_TOKEN", sourceToken)
			}
			ref := "/Shared/target"
			if name == "one workspace, and files are here" {
				ref = "file:" + filepath.Join(t.TempDir(), "agent")
			}
			stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
			if err != nil {
				t.Fatal(err)
			}
			defer stderr.Close()
			getenv := func(name string) string { return map[string]string{"XDG_STATE_HOME": t.TempDir()}[name] }
			var out strings.Builder
			a := &app{stdout: newResults(&out), terminal: terminal.New(stderr, getenv), getenv: getenv, ctx: t.Context(), stop: t.Context()}
			root := newRootCommand(a)
			a.args = append([]string{"check", "--source", "/Shared/source", "--target", ref, "--warehouse-id", "w1"}, flags...)
			if code := a.execute(root, func() bool { return false }); code != exitFound {
				t.Errorf("exit code %d, want %d: the stand-ins have no traces and no tables\n%s", code, exitFound, out.String())
			}
			source.got(t, "source", sourceToken, "/scim/v2/Me", "/experiments/get-by-name")
			if strings.HasPrefix(ref, "file:") {
				target.got(t, "target", "nobody")
				return
			}
			target.got(t, "target", targetToken, "/scim/v2/Me", "/experiments/get-by-name", "/sql/warehouses/w1", "/permissions/")

			// The files of volumes are the target's.
			c := &cobra.Command{}
			options := newRunOptions(c)
			if err := c.ParseFlags(flags); err != nil {
				t.Fatal(err)
			}
			files, err := options.connector(a, nil).files()
			if err != nil {
				t.Fatal(err)
			}
			_ = files.Put(t.Context(), "/Volumes/main/agents/files/x", []byte("x")) // the stand-in refuses it
			target.got(t, "target", targetToken, "/Volumes/main/agents/files/x")
			source.got(t, "source", sourceToken)
		})
	}
}
