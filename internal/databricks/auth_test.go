package databricks

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// environment removes all credentials from the environment except those in env, and makes a .databrickscfg with the text cfg.
func environment(t *testing.T, cfg string, env map[string]string) {
	t.Helper()
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "DATABRICKS_") || strings.HasPrefix(name, "ARM_") || strings.HasPrefix(name, "GOOGLE_") {
			t.Setenv(name, "")
		}
	}
	file := filepath.Join(t.TempDir(), "databrickscfg")
	if err := os.WriteFile(file, []byte(cfg), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DATABRICKS_CONFIG_FILE", file)
	for k, v := range env {
		t.Setenv(k, v)
	}
}

// workspace is a server with the endpoints of routes. The hosts of all tests need one that answers, since the SDK asks every
// host what it is.
func workspace(t *testing.T, routes map[string]http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return s.URL
}

func TestLoad(t *testing.T) {
	envHost, fileHost, flagHost := workspace(t, nil), workspace(t, nil), workspace(t, nil)
	file := "[DEFAULT]\nhost = " + fileHost + "\ntoken = default-token\n\n" +
		"[work]\nhost = " + fileHost + "\ntoken = work-token\n\n" +
		"[m2m]\nhost = " + fileHost + "\nclient_id = id\nclient_secret = secret\n\n" +
		"[hostless]\ntoken = x\n"
	env := map[string]string{"DATABRICKS_HOST": envHost, "DATABRICKS_TOKEN": "env-token"}
	with := func(k, v string) map[string]string {
		m := map[string]string{k: v}
		maps.Copy(m, env)
		return m
	}
	for name, c := range map[string]struct {
		env                   map[string]string
		opts                  Options
		host, token, clientID string
		err                   string
	}{
		"environment": {env: env, host: envHost, token: "env-token"},
		"file":        {host: fileHost, token: "default-token"},
		"explicit profile before the environment": {env: env, opts: Options{Profile: "work"}, host: fileHost, token: "work-token"},
		"of another kind too":                     {env: env, opts: Options{Profile: "m2m"}, host: fileHost, clientID: "id"},
		"auth type of the environment as well": {env: with("DATABRICKS_AUTH_TYPE", "azure-cli"), opts: Options{Profile: "work"},
			host: fileHost, token: "work-token"},
		"profile of the environment does not": {env: with("DATABRICKS_CONFIG_PROFILE", "work"), host: envHost, token: "env-token"},
		"explicit host":                       {env: env, opts: Options{Host: flagHost}, host: flagHost, token: "env-token"},
		"no such profile":                     {env: env, opts: Options{Profile: "nope"}, err: "nope"},
		"profile without host": {env: env, opts: Options{Profile: "hostless"},
			err: `profile "hostless" names no Databricks workspace`},
		"plain http elsewhere": {opts: Options{Host: "http://workspace.test"}, err: "unencrypted"},
		"plain http by environment": {env: map[string]string{"DATABRICKS_HOST": "http://10.0.0.1:80", "DATABRICKS_TOKEN": "env-token"},
			err: "unencrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, file, c.env)
			cfg, err := Load(c.opts)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "env-token") {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Host != c.host || cfg.Token != c.token || cfg.ClientID != c.clientID {
				t.Errorf("host %s, token %s, client ID %s; want %s, %s, %s", cfg.Host, cfg.Token, cfg.ClientID, c.host, c.token, c.clientID)
			}
			if cfg.RateLimitPerSecond != requestsPerSecond {
				t.Errorf("rate limit %d, want %d", cfg.RateLimitPerSecond, requestsPerSecond)
			}
			if c.token != "" {
				r := httptest.NewRequest(http.MethodGet, cfg.Host, nil)
				if err := cfg.Authenticate(r); err != nil || r.Header.Get("Authorization") != "Bearer "+c.token {
					t.Errorf("error %v, authorization %q; want token %q", err, r.Header.Get("Authorization"), c.token)
				}
			}
		})
	}

	environment(t, "", map[string]string{})
	if _, err := Load(Options{}); err == nil || !strings.Contains(err.Error(), "--profile") {
		t.Errorf("no workspace named: error %v, want one with --profile", err)
	}
	environment(t, file, map[string]string{"DATABRICKS_RATE_LIMIT": "7"})
	if cfg, err := Load(Options{Profile: "work"}); err != nil || cfg.RateLimitPerSecond != 7 {
		t.Errorf("rate limit of the user: %+v, error %v; want 7", cfg, err)
	}
}
