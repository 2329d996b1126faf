//go:build rig

package e2e

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

// TestSecrets looks for tokens, passwords and signatures in all that runs print and leave behind, of
// runs that go well and of those that are refused.
func TestSecrets(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "links,json_types,feedback_values,tags,trace_metadata")
	const token, password, oauth = "dapi-tok3n-0f-a-test", "pa55w0rd-of-a-test", "rig-secret"

	type try struct {
		name  string
		bed   *bed
		codes []int
	}
	basic := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI, Plain: true, User: "ann", Password: password})
	authorized := newBed(t, basic.URL, c.Experiment).toLocal()
	authorized.env = append(authorized.env, "MLFLOW_TRACKING_USERNAME=ann", "MLFLOW_TRACKING_PASSWORD="+password)
	bearer := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI, Plain: true, Token: token})
	tokened := newBed(t, bearer.URL, c.Experiment).toLocal()
	tokened.env = append(tokened.env, "MLFLOW_TRACKING_TOKEN="+token)
	inURL := newBed(t, strings.Replace(basic.URL, "http://", "http://ann:"+password+"@", 1), c.Experiment).toLocal()
	refused := newBed(t, bearer.URL, c.Experiment).toLocal()
	refused.env = append(refused.env, "MLFLOW_TRACKING_TOKEN="+token+"-wrong")

	workspace := newWorkspaceBed(t, rig.FrontOptions{MLflow: m.URI, Token: token, Lost: c.Cases["links"]}, c.Experiment).toWarehouse(rig.FrontOptions{})
	workspace.front.Fault(t, rig.FrontFault{Match: "GET /__storage/", Kind: "status403", Nth: 1, Times: 2})
	workspace.front.Fault(t, rig.FrontFault{Match: "GET /__storage/", Kind: rig.FrontReset, Nth: 4, Times: 2})
	workspace.front.Fault(t, rig.FrontFault{Match: "GET /__storage/", Kind: rig.FrontTruncate, Nth: 7})
	workspace.wh.Fault(t, rig.Fault{Match: "^INSERT INTO .*" + workspace.prefix + "_otel_spans", Kind: rig.Refuse503})
	forbidden := newWorkspaceBed(t, rig.FrontOptions{MLflow: m.URI, Token: token}, c.Experiment).toLocal()
	forbidden.front.Fault(t, rig.FrontFault{Match: "GET /__storage/", Kind: "status403", Times: 1000})
	machine := newWorkspaceBed(t, rig.FrontOptions{MLflow: m.URI, Token: token}, c.Experiment).toLocal()
	machine.setenv("DATABRICKS_TOKEN", "")
	machine.env = append(machine.env, "DATABRICKS_CLIENT_ID=rig-client", "DATABRICKS_CLIENT_SECRET="+oauth)
	denied := newWorkspaceBed(t, rig.FrontOptions{MLflow: m.URI, Token: token}, c.Experiment).toWarehouse(rig.FrontOptions{})
	denied.setenv("DATABRICKS_TOKEN", token+"-wrong")

	for _, try := range []try{
		{"user and password", authorized, []int{0}}, {"token", tokened, []int{0}}, {"password in the address", inURL, []int{0, 1, 2}}, {"wrong token", refused, []int{1}},
		{"workspace", workspace, []int{0}}, {"downloads forbidden", forbidden, []int{1, 3}}, {"client secret", machine, []int{0}}, {"wrong token of a workspace", denied, []int{1}},
	} {
		o := try.bed.run()
		fits := false
		for _, code := range try.codes {
			fits = fits || o.code == code
		}
		if !fits {
			t.Errorf("%s: exit code %d, want one of %v: %s", try.name, o.code, try.codes, tail(o.stderr))
		}
		secrets := []string{token, password, oauth, "X-Amz-Signature", "x-amz-signature", url.QueryEscape("X-Amz-Signature")}
		look := func(where string, text []byte) {
			for _, secret := range secrets {
				if i := bytes.Index(text, []byte(secret)); i >= 0 {
					t.Errorf("%s: %s holds %q: …%s…", try.name, where, secret, text[max(0, i-100):min(len(text), i+100)])
				}
			}
		}
		look("standard output", []byte(o.stdout))
		look("standard error", []byte(o.stderr))
		files := 0
		err := filepath.WalkDir(try.bed.baseDir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			data, err := os.ReadFile(path)
			look(path, data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if o.code == 0 && files < 2 {
			t.Errorf("%s: only %d files to look at", try.name, files)
		}
	}
	for _, table := range []string{workspace.rowsOf.spans, workspace.rowsOf.annotations} {
		text := map[bool]string{true: spanText, false: annotationText}[table == workspace.rowsOf.spans]
		if rows := workspace.wh.SQL(t, "SELECT "+text+" FROM "+table+" WHERE "+text+" RLIKE '"+token+"|X-Amz'"); len(rows) > 0 {
			t.Errorf("%s holds a secret: %v", table, rows)
		}
	}
	if n := workspace.front.Stats(t).SignedWithToken; n > 0 {
		t.Errorf("%d downloads carried the token", n)
	}
}
