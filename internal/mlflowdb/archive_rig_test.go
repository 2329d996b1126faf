//go:build rig

package mlflowdb_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/artifacts"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/rig"
)

// The rows of traces whose spans lie in files are those that they get through MLflow's own server, whatever is in the spans: in its
// archive, and in the artifacts' destination. What is damaged or not there is so here, too.
func TestFilesAsTheServerServesThem(t *testing.T) {
	server := rig.StartMLflow(t)
	dir := filepath.Dir(server.DB)
	c := server.FillCases(t, "archive", "span_types,state_error,state_unset,events,links,json_types,no_payload,floats,not_finite,texts,"+
		"text_keys,odd_keys,raw_attribute_texts,nul_in_keys_and_names,custom_trace_ids,otlp_gen_ai,otlp_attribute_kinds,otlp_exception,"+
		"otlp_parts,corrupt_artifact,no_spans,not_finite_artifact,lone_surrogate_escapes")
	archive := filepath.Join(dir, "an archive")
	out, err := rig.Command(t, "venv", "archive.py", server.DB, (&url.URL{Scheme: "file", Path: archive}).String()).Output()
	if err != nil {
		t.Fatalf("archiving: %v: %s", err, out)
	}
	db, infos := openWithFiles(t, server, c.ExperimentID)
	archived := func(name string) string {
		at := filepath.Join(archive, c.ExperimentID, "traces", c.Cases[name][0], "artifacts", "traces.pb")
		if _, err := os.Stat(at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	if err := errors.Join(os.Remove(archived("events")), os.Truncate(archived("links"), 20), os.Truncate(archived("floats"), 0)); err != nil {
		t.Fatal(err)
	}

	client, err := mlflowclient.NewServer(server.URI, mlflowclient.ServerCredentials{}, mlflowclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	want := client.FetchSpans(t.Context(), mlflowclient.Exact, infos)
	compared := map[string]int{}
	for i, got := range db.FetchSpans(t.Context(), mlflowclient.Exact, infos) {
		info, want := infos[i], want[i]
		name := info.Tags["corpus.case"] + " " + info.TraceID
		_, damaged := errors.AsType[*mlflowclient.CorruptError](got.Err)
		if got.Missing != want.Missing || damaged != (want.Err != nil) || (got.Err != nil) != damaged {
			t.Errorf("%s: missing %q, error %v; through the server %q, %v", name, got.Missing, got.Err, want.Missing, want.Err)
		}
		if got.Err != nil || got.JSON == nil {
			compared["none"]++
			continue
		}
		compared[info.Tags[mlflow.TagSpansLocation]]++
		if diff := cmp.Diff(rows(t, info, served(t, server.URI, info.TraceID, "")), rows(t, info, got.JSON)); diff != "" {
			t.Errorf("%s: the server's rows (-) and these (+): %s", name, diff)
		}
	}
	if compared[mlflow.SpansInArchive] < 15 || compared[""] == 0 || compared["none"] < 5 {
		t.Errorf("traces by where their spans are: %v, want many in the archive, and some in artifacts and without any", compared)
	}
	checkAttachments(t, db, server, infos)
}

// openWithFiles opens the server's database, with the files beside it, and lists an experiment.
func openWithFiles(t *testing.T, server *rig.MLflow, experimentID string) (*mlflowdb.Source, []*mlflow.TraceInfo) {
	files, err := artifacts.New(artifacts.Options{Destination: filepath.Join(filepath.Dir(server.DB), "artifacts")})
	if err != nil {
		t.Fatal(err)
	}
	address, err := mlflowdb.ParseAddress("sqlite:///" + server.DB)
	if err != nil {
		t.Fatal(err)
	}
	db, err := mlflowdb.Open(t.Context(), address, mlflowdb.Options{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	var infos []*mlflow.TraceInfo
	if err := db.ListTraces(t.Context(), experimentID, mlflowclient.Window{}, func(i *mlflow.TraceInfo) error {
		infos = append(infos, i)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return db, infos
}

// checkAttachments reads attachments of a trace, of the one that it was copied from, and of one that is gone.
func checkAttachments(t *testing.T, db *mlflowdb.Source, server *rig.MLflow, infos []*mlflow.TraceInfo) {
	t.Helper()
	one, other := infos[0], infos[1]
	const id, lost = "11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-666666666666"
	for _, info := range infos[:2] {
		_, below, _ := strings.Cut(info.Tags[mlflow.TagArtifactLocation], "mlflow-artifacts:/")
		at := filepath.Join(filepath.Dir(server.DB), "artifacts", below, "attachments")
		if err := errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(filepath.Join(at, id), []byte(info.TraceID), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		of, want string
		size     int64
	}{{one.TraceID, one.TraceID, 0}, {one.TraceID, one.TraceID, 35}, {other.TraceID, other.TraceID, 35}, {"tr-gone", one.TraceID, 35}} {
		got, err := db.Attachment(t.Context(), one, mlflow.Attachment{ID: id, TraceID: c.of, Type: "text/plain", Size: c.size})
		if err != nil || string(got) != c.want || c.of != "tr-gone" && !bytes.Equal(got, served(t, server.URI, c.of, id)) {
			t.Errorf("an attachment of %s with size %d: %q, %v; want %q", c.of, c.size, got, err, c.want)
		}
	}
	_, err := db.Attachment(t.Context(), one, mlflow.Attachment{ID: lost, TraceID: other.TraceID, Type: "text/plain"})
	if !errors.Is(err, mlflowclient.ErrNoAttachment) {
		t.Errorf("an attachment that was never stored: %v", err)
	}
	_, err = db.Attachment(t.Context(), one, mlflow.Attachment{ID: id, TraceID: one.TraceID, Type: "text/plain", Size: 7})
	if err == nil || errors.Is(err, mlflowclient.ErrNoAttachment) {
		t.Errorf("an attachment of another size: %v", err)
	}
}

// served asks the server for a trace's spans, or for an attachment, as its web pages do.
func served(t *testing.T, uri, traceID, attachment string) []byte {
	t.Helper()
	query := url.Values{"request_id": {traceID}}
	if attachment != "" {
		query.Set("path", attachment)
	}
	resp, err := http.Get(uri + "/ajax-api/2.0/mlflow/get-trace-artifact?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the server's document of %s: %s %s, %v", traceID, resp.Status, body, err)
	}
	return body
}

func rows(t *testing.T, info *mlflow.TraceInfo, doc []byte) any {
	t.Helper()
	res, err := convert.Convert(convert.Input{Info: info, Spans: doc}, convert.Options{})
	if err != nil {
		return err.Error()
	}
	return []any{res.Trace, res.Notes}
}
