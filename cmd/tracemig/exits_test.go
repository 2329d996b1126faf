package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/deltalake"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/warehouse"
)

// answering is the address of a server that answers everything with a status.
func answering(t *testing.T, status int, body string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Each error that the packages return has the kind and the exit code that the documents name.
func TestExitCodes(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_FILE", "DATABRICKS_CONFIG_PROFILE"} {
		t.Setenv(name, "")
	}
	const nobody = "http://127.0.0.1:1"
	workspace := func(host string) *config.Config { return &config.Config{Host: host, Token: "t", AuthType: "pat"} }
	// Each of these asks one thing of a source, a workspace or a warehouse at the address.
	experiment := func(host string) error {
		c, err := mlflowclient.NewServer(host, mlflowclient.ServerCredentials{}, mlflowclient.Options{})
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Experiment(t.Context(), "1")
		return err
	}
	bound := func(host string) error {
		_, err := databricks.ResolveTarget(t.Context(), workspace(host), "/Shared/bound")
		return err
	}
	start := func(host string) error {
		_, err := warehouse.Open(t.Context(), warehouse.Options{Config: workspace(host), WarehouseID: "w"})
		return err
	}
	identity := func(cfg *config.Config) error {
		ws, err := databricks.NewWorkspace(cfg)
		if err == nil {
			_, err = preflight.Quick(t.Context(), ws, nil)
		}
		return err
	}
	login := func(o databricks.Options) error {
		cfg, err := databricks.Load(o)
		if err != nil {
			return err
		}
		return identity(cfg)
	}
	locked := func() error {
		path := filepath.Join(t.TempDir(), "c.db")
		lock, err := checkpoint.TakeLock(t.Context(), path, 0, checkpoint.ThisProcess("r"))
		if err != nil {
			return err
		}
		defer lock.Release()
		_, err = checkpoint.TakeLock(t.Context(), path, 0, checkpoint.ThisProcess("r"))
		return err
	}
	lake := func(fill func(folder string) error) error {
		folder := t.TempDir()
		if err := fill(folder); err != nil {
			return err
		}
		l, err := deltalake.Open(folder+"/agent", deltalake.Options{})
		if err != nil {
			return err
		}
		defer l.Close()
		return l.Check(t.Context())
	}
	damaged := func(uses func(path string) error) error {
		path := filepath.Join(t.TempDir(), "c.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
			return err
		}
		return uses(path)
	}
	database := func(address string) error {
		a, err := mlflowdb.ParseAddress(address)
		if err != nil {
			return err
		}
		s, err := mlflowdb.Open(t.Context(), a, mlflowdb.Options{})
		if err == nil {
			s.Close()
		}
		return err
	}
	const refusesToken = `{"error_code":"PERMISSION_DENIED","message":"Invalid access token."}`

	for _, c := range []struct {
		what string
		err  error
		kind fault.Kind
		code int
	}{
		{"a wrong flag", usageError("--source is missing"), fault.Usage, 2},
		{"a wrong address", func() error {
			_, err := mlflowclient.ReadEnvironment("ftp://x", os.Getenv)
			return &exitError{exitUsage, err}
		}(), fault.Usage, 2},
		{"a lock", locked(), fault.Locked, 11},
		{"no workspace", login(databricks.Options{}), fault.Credentials, 12},
		{"an unknown profile", login(databricks.Options{Profile: "prod"}), fault.Credentials, 12},
		{"no credentials", login(databricks.Options{Host: answering(t, 404, "{}")}), fault.Credentials, 12},
		{"401 of a source", experiment(answering(t, 401, "{}")), fault.Credentials, 12},
		{"403 of a source", experiment(answering(t, 403, "{}")), fault.Permission, 12},
		{"a token that ended", experiment(answering(t, 403, `{"error_code":"x","message":"The access token expired"}`)), fault.Credentials, 12},
		{"401 for an experiment", bound(answering(t, 401, "{}")), fault.Credentials, 12},
		{"403 for an experiment", bound(answering(t, 403, "{}")), fault.Permission, 12},
		{"403 for a token", identity(workspace(answering(t, 403, refusesToken))), fault.Credentials, 12},
		{"401 for a warehouse", start(answering(t, 401, "{}")), fault.Credentials, 12},
		{"403 for a warehouse", start(answering(t, 403, "{}")), fault.Permission, 12},
		{"nothing listens for the source", experiment(nobody), fault.Unreachable, 13},
		{"no such host", experiment("http://nowhere.invalid"), fault.Unreachable, 13},
		{"nothing listens for the workspace", login(databricks.Options{Host: nobody}), fault.Unreachable, 13},
		{"another server", experiment(strings.Replace(answering(t, 200, "{}"), "http:", "https:", 1)), fault.Unreachable, 13},
		{"storage out of reach", &mlflowclient.StorageError{Host: "s3", Err: errors.New("403")}, fault.Unreachable, 13},
		{"429 to the end", &mlflowclient.APIError{Status: 429}, fault.Unreachable, 13},
		{"nothing listens for the database", database("postgresql://ann:p@127.0.0.1:1/mlflow"), fault.Unreachable, 13},
		{"no such host of a database", database("mysql://ann:p@nowhere.invalid/mlflow"), fault.Unreachable, 13},
		{"no such file of a database", database("sqlite:////nowhere/mlflow.db"), fault.NotFound, 1},
		{"a file that is no database", damaged(func(path string) error { return database("sqlite:///" + path) }), fault.Usage, 2},
		{"no such experiment", experiment(answering(t, 404, `{"error_code":"RESOURCE_DOES_NOT_EXIST"}`)), fault.NotFound, 1},
		{"no such target", bound(answering(t, 404, `{"error_code":"RESOURCE_DOES_NOT_EXIST"}`)), fault.NotFound, 1},
		{"no such warehouse", start(answering(t, 404, "{}")), fault.NotFound, 1},
		{"no tables", lake(func(string) error { return nil }), fault.TableMissing, 1},
		{"a file in place of a table", lake(func(folder string) error {
			return os.MkdirAll(filepath.Join(folder, "agent"+uctables.Spans.Suffix, "_delta_log", "00000000000000000000.json"), 0o700)
		}), fault.Other, 1},
		{"a damaged checkpoint", damaged(func(path string) error {
			_, err := checkpoint.Open(t.Context(), path, checkpoint.Pair{Source: "s", Target: "t"})
			return err
		}), fault.Checkpoint, 1},
		{"a full disk", fmt.Errorf("write: %w", syscall.ENOSPC), fault.Disk, 1},
		{"anything else", errors.New("x"), fault.Other, 1},
	} {
		if c.err == nil {
			t.Errorf("%s is no error", c.what)
			continue
		}
		wrapped := fmt.Errorf("while something is done: %w", c.err)
		if kind, code := fault.Of(wrapped), exitCode(wrapped, nil, false); kind != c.kind || code != c.code {
			t.Errorf("%s is of kind %s with exit code %d, want %s, %d: %v", c.what, kind, code, c.kind, c.code, c.err)
		}
	}
}

// Which code wins where there are several.
func TestExitCodeOfSeveral(t *testing.T) {
	lost := errors.New("no space left")
	for _, c := range []struct {
		what      string
		err, lost error
		cancelled bool
		want      int
	}{
		{"all well", nil, nil, false, 0},
		{"results lost", nil, lost, false, 1},
		{"partial", &exitError{code: exitPartial}, nil, false, 3},
		{"partial, and results lost", &exitError{code: exitPartial}, lost, false, 1},
		{"stopped, and results lost", &exitError{code: exitStopped}, lost, false, 1},
		{"no credentials, and results lost", fault.With(lost, fault.Credentials), lost, false, 12},
		{"wrong usage, and results lost", usageError("x"), lost, false, 2},
		{"interrupted", fault.With(lost, fault.Unreachable), nil, true, 130},
		{"found, while interrupted", &exitError{code: exitFound}, nil, true, 4},
	} {
		if got := exitCode(c.err, c.lost, c.cancelled); got != c.want {
			t.Errorf("%s: exit code %d, want %d", c.what, got, c.want)
		}
	}
}

// The help lists each exit code, and no other.
func TestExitStatusIsComplete(t *testing.T) {
	codes := map[int]bool{exitOK: true, exitFailed: true, exitPartial: true, exitFound: true, exitStopped: true, exitInterrupted: true}
	for _, k := range fault.Kinds {
		codes[k.ExitCode] = true
	}
	lines := slices.DeleteFunc(strings.Split(exitStatus, "\n")[1:], func(line string) bool {
		return strings.HasPrefix(line, "    ") // it goes on with the line before
	})
	for _, line := range lines {
		var code int
		if _, err := fmt.Sscan(line, &code); err != nil || !codes[code] {
			t.Errorf("the help has the line %q, which is of no exit code", line)
		}
	}
	if len(lines) != len(codes) {
		t.Errorf("the help has %d exit codes, want %d", len(lines), len(codes))
	}
}

// docs/status.md names each kind of error with its exit code and its meaning.
func TestErrorCodesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "status.md"))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	code := ""
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 {
			continue
		}
		code = cmp.Or(strings.TrimSpace(cells[0]), code)
		said[strings.Trim(strings.TrimSpace(cells[1]), "`")] = code + " " + strings.ReplaceAll(strings.TrimSpace(cells[2]), "`", "")
	}
	for _, k := range fault.Kinds {
		if want := fmt.Sprint(k.ExitCode, " ", k.When); said[string(k.Kind)] != want {
			t.Errorf("docs/status.md says of %s %q, want %q", k.Kind, said[string(k.Kind)], want)
		}
	}
}
