package mlflowdb

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source"
)

const stores = "testdata/stores"

// versions are what is told of each recorded store.
var versions = map[string]string{
	"3.2.0":  "MLflow 3.2.0, revision 770bee3ae1dd",
	"3.3.2":  "MLflow 3.3.0 to 3.3.2, revision 1a0cddfcaa16",
	"3.5.1":  "MLflow 3.5.0 to 3.7.0, revision bf29a5ff90ea",
	"3.7.0":  "MLflow 3.5.0 to 3.7.0, revision bf29a5ff90ea",
	"3.10.1": "MLflow 3.10.0 to 3.10.1, revision 1b5f0d9ad7c1",
	"3.16.1": "MLflow 3.16.0 to 3.16.1, revision b7e2c1a4d9f3",
	"3.17.2": "MLflow 3.17.0 to 3.17.2, revision dc11669786a5",
	"3.18.0": "MLflow 3.18.0, revision f4a9b2c7d1e6",
}

// The stores were written by the MLflow versions that their folders are named after, and the answers beside them are those of
// the same servers, see testdata/stores/README.md.
func TestStores(t *testing.T) {
	folders, err := filepath.Glob(stores + "/*/store.sql")
	if err != nil || len(folders) == 0 {
		t.Fatalf("there are no recorded stores (%v)", err)
	}
	for _, path := range folders {
		folder := filepath.Dir(path)
		t.Run(filepath.Base(folder), func(t *testing.T) { testStore(t, folder) })
	}
}

func testStore(t *testing.T, folder string) {
	ctx := t.Context()
	s := openStore(t, filepath.Base(folder), "")
	if want := versions[filepath.Base(folder)]; want == "" || !strings.HasSuffix(s.Version(), ", "+want) {
		t.Errorf("the store is said to be of %q, want %q", s.Version(), want)
	}
	if w := s.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %q", w)
	}
	var answer struct{ Traces []json.RawMessage }
	readJSON(t, filepath.Join(folder, "search.json"), &answer)
	experiment, err := s.Experiment(ctx, "stores")
	if err != nil {
		t.Fatal(err)
	}
	infos := listAll(t, s, experiment.ID)
	if len(infos) != len(answer.Traces) || len(infos) == 0 {
		t.Fatalf("%d traces were listed, the server lists %d", len(infos), len(answer.Traces))
	}
	for i, text := range answer.Traces {
		want, err := mlflow.DecodeTraceInfo(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, infos[i], sameAssessments, sameJSON); diff != "" {
			t.Errorf("trace %s (-server +database):\n%s", want.TraceID, diff)
		}
		if want.Digest() != infos[i].Digest() {
			t.Errorf("trace %s has another digest", want.TraceID)
		}
	}
	compareDocuments(t, s, folder, infos)
	compareLinks(t, s, folder, experiment.ID)
}

var (
	// sameAssessments compares assessments without their order, which no server defines.
	sameAssessments = cmpopts.SortSlices(func(a, b mlflow.Assessment) int { return strings.Compare(a.ID, b.ID) })
	// sameJSON compares documents without their spaces and escapes, and numbers as they are written.
	sameJSON = cmp.Transformer("JSON", func(doc jsontext.Value) any { return decoded(doc) })
)

func decoded(doc []byte) (value any) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return fmt.Sprintf("%v: %s", err, doc)
	}
	return value
}

// compareDocuments compares the spans that are read with what get-trace-artifact answered.
func compareDocuments(t *testing.T, s *Source, folder string, infos []*mlflow.TraceInfo) {
	t.Helper()
	var documents map[string]*string
	readJSON(t, filepath.Join(folder, "documents.json"), &documents)
	for i, spans := range s.FetchSpans(t.Context(), mlflowclient.Exact, infos) {
		id := infos[i].TraceID
		switch want := documents[id]; {
		case spans.Err != nil:
			t.Errorf("trace %s: %v", id, spans.Err)
		case want == nil:
			if spans.Missing != mlflowclient.MissingNever {
				t.Errorf("trace %s, which has no spans: they are missing for the reason %q, want %q", id, spans.Missing, mlflowclient.MissingNever)
			}
		case spans.Missing != "":
			t.Errorf("trace %s: its spans are missing for the reason %q", id, spans.Missing)
		default:
			if diff := cmp.Diff(decoded([]byte(*want)), decoded(spans.JSON)); diff != "" {
				t.Errorf("the spans of trace %s (-server +database):\n%s", id, diff)
			}
		}
	}
}

// compareLinks compares the links to runs with the traces that MLflow's search finds for each run.
func compareLinks(t *testing.T, s *Source, folder, experiment string) {
	t.Helper()
	var want map[string][]string
	readJSON(t, filepath.Join(folder, "runs.json"), &want)
	got := map[string][]string{}
	err := s.ListLinks(t.Context(), experiment, true, mlflowclient.Window{}, func(l source.RunLink) error {
		if got[l.RunID] == nil {
			got[l.RunID] = []string{}
		}
		if l.TraceID != "" {
			got[l.RunID] = append(got[l.RunID], l.TraceID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range got {
		slices.Sort(ids)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the traces of each run (-server +database):\n%s", diff)
	}
}

// A store may have the columns of a coming revision, which MLflow's own command adds and fills while the old server runs.
func TestColumnsAheadOfTheirRevision(t *testing.T) {
	change := "ALTER TABLE trace_info ADD COLUMN trace_name VARCHAR(8000); ALTER TABLE trace_info ADD COLUMN session_id VARCHAR(8000);"
	for _, c := range slices.Concat(tokenKeys, costKeys) {
		change += "ALTER TABLE trace_info ADD COLUMN " + c + " FLOAT;"
	}
	ahead := openStore(t, "3.16.1", change+"UPDATE trace_info SET trace_name = 'stale', session_id = 'stale', input_tokens = 1")
	want := listAll(t, openStore(t, "3.16.1", ""), "1")
	if diff := cmp.Diff(want, listAll(t, ahead, "1")); diff != "" {
		t.Errorf("(-without +with the columns):\n%s", diff)
	}
}

// A client may say that the spans of a trace are in the tables of a server that has no table of spans: they are where it wrote
// them, in a file.
func TestNoTableOfSpans(t *testing.T) {
	s := openStore(t, "3.2.0", "INSERT INTO trace_tags (request_id, key, value) "+
		"SELECT request_id, 'mlflow.trace.spansLocation', 'TRACKING_STORE' FROM trace_info")
	compareDocuments(t, s, stores+"/3.2.0", listAll(t, s, "1"))
}

// Every revision between the releases counts as known too, and is read as what it is.
func TestRevisionsBetweenReleases(t *testing.T) {
	for _, c := range []struct{ store, change, want string }{
		{"3.3.2", "UPDATE alembic_version SET version_num = 'a1b2c3d4e5f6'; DROP TABLE entity_associations",
			"MLflow between 3.2.0 and 3.3.0, revision a1b2c3d4e5f6"},
		{"3.17.2", "UPDATE alembic_version SET version_num = '75868b020152'", "MLflow between 3.16.1 and 3.17.0, revision 75868b020152"},
		{"3.18.0", "UPDATE alembic_version SET version_num = 'e7d1f4b2a9c6'", "MLflow between 3.17.2 and 3.18.0, revision e7d1f4b2a9c6"},
	} {
		s := openStore(t, c.store, c.change)
		if !strings.HasSuffix(s.Version(), ", "+c.want) {
			t.Errorf("after %q: %q, want %q", c.change, s.Version(), c.want)
		}
		if len(s.Warnings()) > 0 {
			t.Errorf("after %q: warnings %q", c.change, s.Warnings())
		}
		if n := len(listAll(t, s, "1")); n == 0 {
			t.Errorf("after %q: no traces", c.change)
		}
		if err := s.ListLinks(t.Context(), "1", true, mlflowclient.Window{}, func(source.RunLink) error { return nil }); err != nil {
			t.Errorf("after %q: %v", c.change, err)
		}
	}
}

func TestWorkspaces(t *testing.T) {
	const moved = "UPDATE experiments SET workspace = 'team' WHERE name = 'stores'"
	for _, c := range []struct{ store, change, workspace, fault string }{
		{"3.10.1", moved, "team", ""},
		{"3.10.1", moved, "", ""},
		{"3.10.1", moved, "default", "no experiment"},
		{"3.7.0", "", "", ""},
		{"3.7.0", "", "team", `the workspace "team" can't be used`},
	} {
		path := filepath.Join(t.TempDir(), "mlflow.db")
		makeStore(t, path, c.store, c.change)
		s, err := Open(t.Context(), addressOf(t, path), Options{Workspace: c.workspace})
		if err == nil {
			defer s.Close()
			_, err = s.Experiment(t.Context(), "stores")
		}
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("a store of MLflow %s, workspace %q: error %v, want %q", c.store, c.workspace, err, c.fault)
		}
	}
}

func TestUnknownRevision(t *testing.T) {
	s := openStore(t, "3.18.0", `UPDATE alembic_version SET version_num = 'fedcba987654';
		ALTER TABLE trace_info ADD COLUMN brand_new INTEGER; ALTER TABLE spans ADD COLUMN brand_new TEXT`)
	if w := s.Warnings(); len(w) != 1 || !strings.Contains(w[0], "fedcba987654") || !strings.Contains(w[0], "3.18.0") {
		t.Errorf("the warnings of an unknown revision are %q", w)
	}
	if v := s.Version(); !strings.HasSuffix(v, "MLflow newer than 3.18.0, revision fedcba987654") {
		t.Errorf("the version is %q", v)
	}
	if diff := cmp.Diff(listAll(t, openStore(t, "3.18.0", ""), "1"), listAll(t, s, "1")); diff != "" {
		t.Errorf("(-known +unknown):\n%s", diff)
	}
}

func TestRefusedStores(t *testing.T) {
	const unknown = "UPDATE alembic_version SET version_num = 'fedcba987654';"
	for name, c := range map[string]struct {
		store, change string
		want          []string
	}{
		"older": {"3.2.0", "UPDATE alembic_version SET version_num = 'bda7b8c39065'",
			[]string{"MLflow 3.0.1 or 3.1", "bda7b8c39065", "3.2.0", "mlflow db upgrade"}},
		"much older": {"3.2.0", "UPDATE alembic_version SET version_num = '451aebb31d03'", []string{"MLflow 2.22 or an older one"}},
		"unknown, and columns are gone or others": {"3.18.0", unknown + `ALTER TABLE spans RENAME COLUMN content TO body;
			DROP TABLE entity_associations; ALTER TABLE trace_tags RENAME COLUMN value TO old; ALTER TABLE trace_tags ADD COLUMN value BLOB`,
			[]string{"there is no column spans.content", "there is no table entity_associations", "trace_tags.value is blob, no longer text",
				"fedcba987654", "newer tracemig", "--tracking-uri http"}},
		"another program's": {"", "CREATE TABLE alembic_version (version_num VARCHAR(32)); INSERT INTO alembic_version VALUES ('abc')",
			[]string{"not a store of MLflow", "revision is abc", "--backend-store-uri"}},
		"no migrations":     {"", "CREATE TABLE trace_info (request_id TEXT)", []string{"not a store of MLflow", "alembic_version"}},
		"no revision":       {"3.18.0", "DELETE FROM alembic_version", []string{"alembic_version of the database is empty", "mlflow db upgrade"}},
		"several revisions": {"3.18.0", "INSERT INTO alembic_version VALUES ('0ther')", []string{"several revisions (0ther, f4a9b2c7d1e6)"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mlflow.db")
			makeStore(t, path, c.store, c.change)
			requireRefusal(t, path, c.want...)
		})
	}
	t.Run("no database", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "mlflow.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("this is not a database\n", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
		requireRefusal(t, path, "file is not a database", "--backend-store-uri")
	})
}

// requireRefusal opens a file, and wants an error with some words.
func requireRefusal(t *testing.T, path string, want ...string) {
	t.Helper()
	s, err := Open(t.Context(), addressOf(t, path), Options{})
	if err == nil {
		s.Close()
		t.Fatalf("opened as %s", s.Version())
	}
	for _, words := range want {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("the error lacks %q:\n%v", words, err)
		}
	}
}

// openStore opens a recorded store after statements that change it.
func openStore(t *testing.T, store, change string) *Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mlflow.db")
	makeStore(t, path, store, change)
	s, err := Open(t.Context(), addressOf(t, path), Options{Files: recordedFiles(filepath.Join(stores, store, "artifacts"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func addressOf(t *testing.T, path string) *Address {
	t.Helper()
	a, err := ParseAddress("sqlite:///" + path)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// makeStore makes the file of a recorded store, or of an empty one where store is "".
func makeStore(t *testing.T, path, store, change string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var text []byte
	if store != "" {
		if text, err = os.ReadFile(filepath.Join(stores, store, "store.sql")); err != nil {
			t.Fatal(err)
		}
	}
	for _, statements := range []string{string(text), change} {
		if _, err := db.ExecContext(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
	}
}

// recordedFiles are the files that a recorded server kept, below the folder that its locations mean.
type recordedFiles string

func (f recordedFiles) Read(_ context.Context, location, path string) ([]byte, error) {
	below, ok := strings.CutPrefix(location, "mlflow-artifacts:/")
	if !ok {
		return nil, fs.ErrInvalid
	}
	return os.ReadFile(filepath.Join(string(f), below, path))
}

func listAll(t *testing.T, s *Source, experiment string) (infos []*mlflow.TraceInfo) {
	t.Helper()
	err := s.ListTraces(t.Context(), experiment, mlflowclient.Window{}, func(info *mlflow.TraceInfo) error {
		infos = append(infos, info)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return infos
}

func readJSON(t *testing.T, path string, to any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}
