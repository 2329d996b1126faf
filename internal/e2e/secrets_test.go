//go:build rig

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

// TestSecrets looks for tokens, passwords and signatures in everything that runs print and leave behind: runs that end well,
// runs that are refused, and one that is killed, whose checkpoint keeps its WAL. It also looks into the docs, some of which
// tests write. Only the owner may read the files that runs leave.
func TestSecrets(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "links,json_types,feedback_values,tags,trace_metadata")
	const token, password, oauth = "dapi-tok3n-0f-a-test", "pa55w0rd-of-a-test", "rig-secret"

	secrets := regexp.MustCompile(strings.Join([]string{token, password, oauth, "oauth-[0-9a-f]{32}", "(?i:x-amz-)"}, "|"))
	type try struct {
		name  string
		fx    *fixture
		codes []int
	}
	basic := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI, Plain: true, User: "ann", Password: password})
	authorized := newFixture(t, basic.URL, c.Experiment).toLocal()
	authorized.env = append(authorized.env, "MLFLOW_TRACKING_USERNAME=ann", "MLFLOW_TRACKING_PASSWORD="+password)
	bearer := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI, Plain: true, Token: token})
	tokened := newFixture(t, bearer.URL, c.Experiment).toLocal()
	tokened.env = append(tokened.env, "MLFLOW_TRACKING_TOKEN="+token)
	inURL := newFixture(t, strings.Replace(basic.URL, "http://", "http://ann:"+password+"@", 1), c.Experiment).toLocal()
	refused := newFixture(t, bearer.URL, c.Experiment).toLocal()
	refused.env = append(refused.env, "MLFLOW_TRACKING_TOKEN="+token+"-wrong")

	withLost := rig.FrontOptions{MLflow: m.URI, Token: token, Lost: c.Cases["links"]}
	workspace := newWorkspaceFixture(t, withLost, c.Experiment).toWarehouse()
	workspace.front.Fault(t, rig.FrontFault{Match: "GET /__storage/", Kind: "status403", Nth: 1, Times: 2})
	workspace.front.Fault(t, rig.FrontFault{Match: "GET /__storage/", Kind: rig.FrontReset, Nth: 4, Times: 2})
	workspace.front.Fault(t, rig.FrontFault{Match: "GET /__storage/", Kind: rig.FrontTruncate, Nth: 7})
	workspace.warehouse.Fault(t, rig.Fault{Match: "^INSERT INTO .*" + workspace.prefix + "_otel_spans", Kind: rig.Refuse503})
	forbidden := newWorkspaceFixture(t, rig.FrontOptions{MLflow: m.URI, Token: token}, c.Experiment).toLocal()
	forbidden.front.Fault(t, rig.FrontFault{Match: "GET /__storage/", Kind: "status403", Times: 1000})
	machine := newWorkspaceFixture(t, rig.FrontOptions{MLflow: m.URI, Token: token}, c.Experiment).toLocal()
	machine.setenv("DATABRICKS_TOKEN", "")
	machine.env = append(machine.env, "DATABRICKS_CLIENT_ID=rig-client", "DATABRICKS_CLIENT_SECRET="+oauth)
	denied := newWorkspaceFixture(t, rig.FrontOptions{MLflow: m.URI, Token: token}, c.Experiment).toWarehouse()
	denied.setenv("DATABRICKS_TOKEN", token+"-wrong")
	killed := newWorkspaceFixture(t, rig.FrontOptions{MLflow: m.URI, Token: token}, c.Experiment).toLocal()
	p := newProxy(t, killed.front.URL)
	killed.setenv("DATABRICKS_HOST", p.URL)
	p.killAt(15, "", false)

	for _, try := range []try{
		{"user and password", authorized, []int{0}},
		{"token", tokened, []int{0}},
		{"password in the address", inURL, []int{0, 1, 2, 12}},
		{"wrong token", refused, []int{12}},
		{"workspace", workspace, []int{0}},
		{"downloads forbidden", forbidden, []int{1, 3, 12, 13}},
		{"client secret", machine, []int{0}},
		{"wrong token of a workspace", denied, []int{12}},
		{"killed", killed, []int{-1}},
	} {
		s := try.fx.start("--report", filepath.Join(try.fx.baseDir, "report.html"))
		if try.fx == killed {
			p.kill <- func() { _ = s.cmd.Process.Kill() }
		}
		o := s.wait()
		if !slices.Contains(try.codes, o.code) {
			t.Errorf("%s: exit code %d, want one of %v: %s", try.name, o.code, try.codes, tail(o.stderr))
		}
		checkText := func(where string, text []byte) {
			if at := secrets.FindIndex(text); at != nil {
				t.Errorf("%s: %s holds a secret, want none: …%s…", try.name, where, text[max(0, at[0]-100):min(len(text), at[1]+100)])
			}
		}
		checkText("standard output", []byte(o.stdout))
		checkText("standard error", []byte(o.stderr))
		files, wal := 0, false
		err := filepath.WalkDir(try.fx.baseDir, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if strings.HasPrefix(path, filepath.Join(try.fx.baseDir, "state")) && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %s has mode %v, want it readable by the owner alone", try.name, path, info.Mode())
			}
			if d.IsDir() {
				return nil
			}
			files++
			wal = wal || strings.HasSuffix(path, "-wal")
			data, err := os.ReadFile(path)
			checkText(path, data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if o.code == 0 && files < 2 || try.fx == killed && !wal {
			t.Errorf("%s: %d files, a WAL among them: %t; want at least 2, and a WAL after a kill", try.name, files, wal)
		}
	}
	for _, table := range []string{workspace.tables.spans, workspace.tables.annotations} {
		text := map[bool]string{true: spanText, false: annotationText}[table == workspace.tables.spans]
		if rows := workspace.warehouse.SQL(t, "SELECT "+text+" FROM "+table+" WHERE "+text+" RLIKE '"+token+"|X-Amz'"); len(rows) > 0 {
			t.Errorf("%s holds a secret, want none: %v", table, rows)
		}
	}
	docs, err := filepath.Glob(filepath.Join(rig.Root(), "docs", "*.md"))
	if err != nil || len(docs) < 2 {
		t.Errorf("docs %v (%v), want at least two files", docs, err)
	}
	for _, path := range append(docs, filepath.Join(rig.Root(), "README.md")) {
		text, err := os.ReadFile(path)
		if err != nil || secrets.Match(text) || bytes.Contains(text, []byte("rig-token")) {
			t.Errorf("%s: it cannot be read or holds a secret (%v)", path, err)
		}
	}
	if n := workspace.front.Stats(t).SignedWithToken; n > 0 {
		t.Errorf("%d downloads carried the token, want none", n)
	}
}
