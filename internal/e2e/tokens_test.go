//go:build rig

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

// loginTool is a Python program that stands in for a command-line tool with a login. It fetches a token and prints it in the
// form of the tool that its first argument names, az or databricks.
const loginTool = `import json, os, sys, time, urllib.parse, urllib.request
if sys.argv[2:] == ["version"]:
    sys.exit(print("Databricks CLI v0.300.0"))
host, client, secret = os.environ["LOGIN"].split(" ")
form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": client, "client_secret": secret}).encode()
answer = json.load(urllib.request.urlopen(host + "/oidc/v1/token", form))
ends = time.time() + answer["expires_in"]
if sys.argv[1] == "az":
    expires = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.localtime(ends))
    print(json.dumps({"accessToken": answer["access_token"], "tokenType": "Bearer", "expiresOn": expires}))
else:
    expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
    print(json.dumps({"access_token": answer["access_token"], "token_type": "Bearer", "expiry": expiry}))
`

// TestShortTokens has runs that take longer than their tokens, which end after ten seconds at the source and the warehouse.
// It covers each way of logging in whose tokens end. In the last case tokens end earlier than they say.
func TestShortTokens(t *testing.T) {
	t.Parallel()
	m, c := fillBulk(t, "json_types,links", 34)
	want := newFixture(t, m.URI, c.Experiment).toLocal()
	want.mustRun(0)
	for _, tt := range []struct {
		name string
		told int // seconds that the token says it lasts, 0 for the truth
		env  map[string]string
	}{
		{"oauth-m2m", 0, nil},
		{"databricks-cli", 0, map[string]string{"DATABRICKS_AUTH_TYPE": "databricks-cli"}},
		{"azure-cli", 0, map[string]string{"DATABRICKS_AUTH_TYPE": "azure-cli", "ARM_TENANT_ID": "tenant",
			"DATABRICKS_AZURE_RESOURCE_ID": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"}},
		{"ended early", 3600, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opts := rig.FrontOptions{MLflow: m.URI, TokenSeconds: 10, TokenTold: tt.told}
			fx := newWorkspaceFixture(t, opts, c.Experiment).toWarehouse()
			fx.unsetenv("DATABRICKS_TOKEN")
			if tt.env == nil {
				fx.setenv("DATABRICKS_CLIENT_ID", fx.front.ClientID)
				fx.setenv("DATABRICKS_CLIENT_SECRET", fx.front.ClientSecret)
			}
			for name, value := range tt.env {
				fx.setenv(name, value)
			}
			fx.setenv("LOGIN", fx.front.URL+" "+fx.front.ClientID+" "+fx.front.ClientSecret)
			bin := t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, "cli.py"), []byte(loginTool), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"az", "databricks"} {
				script := "#!/bin/sh\nexec python3 " + filepath.Join(bin, "cli.py") + " " + name + " \"$@\"\n"
				// The SDK takes a small file for the older tool that had the same name.
				if err := os.WriteFile(filepath.Join(bin, name), []byte(script+strings.Repeat("#\n", 600_000)), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			fx.setenv("PATH", bin+":"+os.Getenv("PATH"))
			o := fx.mustRun(0, "--download-rate", "3") // The 36 traces take twelve seconds.
			if o.summary.Seconds < 11 {
				t.Errorf("the run took %.1f s, want at least 11, so that tokens end", o.summary.Seconds)
			}
			sameRowsButForStorage(t, want.tables, fx.tables)
		})
	}
}
