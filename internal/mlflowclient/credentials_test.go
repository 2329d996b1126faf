package mlflowclient

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Which credentials count, in MLflow's order.
func TestEnvironmentCredentials(t *testing.T) {
	home, bare := t.TempDir(), t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(home, ".mlflow", "credentials"), `; a comment
[mlflow]
mlflow_tracking_username = ann
MLFLOW_TRACKING_PASSWORD : p=100%%
[x]
mlflow_tracking_username = eve
`)
	netrc := filepath.Join(bare, "netrc")
	write(netrc, "# mine\nmachine other.example login eve password no\nmachine mlflow.example\n  login bob\n  password word\n")
	for name, tt := range map[string]struct {
		uri  string
		env  []string
		want ServerCredentials
	}{
		"none":     {want: ServerCredentials{}},
		"the file": {env: []string{"HOME", home}, want: ServerCredentials{Username: "ann", Password: "p=100%"}},
		"a user of the environment": {
			env:  []string{"HOME", home, "MLFLOW_TRACKING_USERNAME", "bo"},
			want: ServerCredentials{Username: "bo", Password: "p=100%"},
		},
		"a token beside the file": {
			env:  []string{"HOME", home, "MLFLOW_TRACKING_TOKEN", "t"},
			want: ServerCredentials{Token: "t", Username: "ann", Password: "p=100%"},
		},
		"no home":                  {env: []string{"HOME", bare}, want: ServerCredentials{}},
		"netrc":                    {env: []string{"HOME", bare, "NETRC", netrc}, want: ServerCredentials{Username: "bob", Password: "word"}},
		"netrc after a token":      {env: []string{"NETRC", netrc, "MLFLOW_TRACKING_TOKEN", "t"}, want: ServerCredentials{Token: "t"}},
		"netrc of another host":    {uri: "https://elsewhere.example", env: []string{"NETRC", netrc}, want: ServerCredentials{}},
		"the address before netrc": {uri: "https://u:p@mlflow.example", env: []string{"NETRC", netrc}, want: ServerCredentials{}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.uri == "" {
				tt.uri = "https://mlflow.example/prefix"
			}
			e, err := ReadEnvironment(tt.uri, env(tt.env...))
			if err != nil || e.Credentials != tt.want {
				t.Errorf("%+v, error %v, want the credentials %+v", e, err, tt.want)
			}
		})
	}
}

func TestCredentialsGoWhereTheyMay(t *testing.T) {
	for name, tt := range map[string]struct {
		uri   string
		creds ServerCredentials
		want  string // Authorization, or "refused"
	}{
		"none over http":        {"http://mlflow.example:5000", ServerCredentials{}, ""},
		"token over http":       {"http://mlflow.example:5000", ServerCredentials{Token: "s3cret"}, "refused"},
		"password over http":    {"http://mlflow.example:5000", ServerCredentials{Username: "u", Password: "s3cret"}, "refused"},
		"in the address":        {"http://u:s3cret@mlflow.example:5000", ServerCredentials{}, "refused"},
		"in the address, https": {"https://u:s3cret@mlflow.example", ServerCredentials{}, "Basic dTpzM2NyZXQ="},
		"token over https":      {"https://mlflow.example", ServerCredentials{Token: "s3cret"}, "Bearer s3cret"},
		"token to loopback":     {"http://localhost:5000", ServerCredentials{Token: "s3cret"}, "Bearer s3cret"},
		"token to ::1":          {"http://[::1]:5000", ServerCredentials{Token: "s3cret"}, "Bearer s3cret"},
		"password before a token": {
			"https://mlflow.example", ServerCredentials{Token: "t", Username: "u", Password: "s3cret"}, "Basic dTpzM2NyZXQ=",
		},
		"a user alone": {"https://mlflow.example", ServerCredentials{Token: "s3cret", Username: "u"}, "Bearer s3cret"},
		"databricks":   {"databricks://prod", ServerCredentials{}, "refused"},
		"no address":   {"u:s3cret@host", ServerCredentials{}, "refused"},
		"a file":       {"file:///tmp/store", ServerCredentials{}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			got := "nothing sent"
			var log bytes.Buffer
			c, err := NewServer(tt.uri, tt.creds, Options{
				Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
				Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					got = r.Header.Get("Authorization")
					return answer(403, `{"error_code":"PERMISSION_DENIED","message":"no, see https://x.example/y?sig=abc"}`), nil
				})})
			if err != nil {
				if tt.want != "refused" || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("error %v, want %s", err, tt.want)
				}
				return
			}
			_, err = c.Experiment(t.Context(), "agent")
			if got != tt.want {
				t.Errorf("sent %q, want %q", got, tt.want)
			}
			for _, text := range []string{err.Error(), c.Identity(), log.String()} {
				if strings.Contains(text, "s3cret") || strings.Contains(text, "sig=") {
					t.Errorf("%q, want no secret in it", text)
				}
			}
		})
	}
	for host, ok := range map[string]bool{"http://dbx.example": false, "https://dbx.example": true, "http://127.0.0.1:8080": true} {
		_, err := NewDatabricks(workspace(host), Options{})
		if (err == nil) != ok {
			t.Errorf("%s: error %v, want one: %t", host, err, !ok)
		}
	}
}
