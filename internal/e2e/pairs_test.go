//go:build rig

package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/schemas"
)

// runPattern moves all experiments whose names begin with prefix, which the server has and which are not deleted, into local tables
// each, by a file of pairs, and proves them. There are others than moved, of which one is empty and one deleted.
func (fx *fixture) runPattern(uri, prefix string, moved int64) {
	fx.t.Helper()
	for name, deleted := range map[string]bool{prefix + " empty (new)": false, prefix + " deleted": true} {
		var made struct {
			ID string `json:"experiment_id"`
		}
		post(fx.t, uri+"/api/2.0/mlflow/experiments/create", map[string]string{"name": name}, &made)
		if deleted {
			post(fx.t, uri+"/api/2.0/mlflow/experiments/delete", map[string]string{"experiment_id": made.ID}, &made)
		}
	}
	dir := fx.t.TempDir()
	file := filepath.Join(dir, "tracemig.yaml")
	text := "defaults:\n  tracking_uri: " + uri + "\npairs:\n  - name: all\n    source: " + prefix + "*\n    target: file:" + dir + "/{name}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		fx.t.Fatal(err)
	}
	for _, command := range [][]string{{"run"}, {"verify", "--deep", "--allow-empty"}} {
		cmd := exec.Command(binary(fx.t), append(command, "--config", file, "-o", "json")...)
		cmd.Env, cmd.Dir = append(fx.env, "XDG_STATE_HOME="+dir), dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err := schemas.Lines(string(out)); err != nil {
			fx.t.Error(err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		var last struct {
			Pairs         int
			Traces, Wrong int64
			Results       []struct{ Pair, Outcome string }
		}
		if jerr := json.Unmarshal([]byte(lines[len(lines)-1]), &last); jerr != nil || err != nil {
			fx.t.Fatalf("%s: %v, last line %v\n%s%s", command, err, jerr, tail(string(out)), tail(stderr.String()))
		}
		if last.Pairs != 2 || last.Traces != moved || last.Wrong != 0 || !strings.HasSuffix(last.Results[1].Pair, " empty (new)") {
			fx.t.Errorf("%s: %+v; want two pairs, of which the second is empty, and %d traces", command, last, moved)
		}
	}
}

// post sends a request to the server's API and reads its answer.
func post(t *testing.T, url string, body, into any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}
