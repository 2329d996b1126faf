//go:build rig

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/verify"
)

// attachedTrace is a trace with attachments: its values as they were logged, and its attachments as MLflow's own client
// reads them.
type attachedTrace struct {
	Inputs, Outputs any
	Attachments     map[string]uctables.Attachment // by ID
}

// migratedTrace is a trace as DuckDB reads it from the tables.
type migratedTrace struct {
	Inputs, Outputs any
	Metadata        struct {
		Attachments []uctables.Attachment `json:"tracemig.attachments"`
	}
}

// fillAttachments fills an experiment of the shared server with traces that have attachments, and returns them by their
// IDs without "tr-". testdata/rig/attachments.py says what they hold.
func fillAttachments(t *testing.T, experiment string) map[string]attachedTrace {
	t.Helper()
	var logged map[string]attachedTrace
	runAttachmentsScript(t, &logged, "fill", "--uri", rig.SharedServer(t).URI, "--experiment", experiment)
	byTarget := map[string]attachedTrace{}
	for id, trace := range logged {
		if len(trace.Attachments) != 10 {
			t.Fatalf("trace %s has %d attachments, want 10", id, len(trace.Attachments))
		}
		byTarget[strings.TrimPrefix(id, "tr-")] = trace
	}
	return byTarget
}

// runAttachmentsScript runs testdata/rig/attachments.py and decodes what it prints.
func runAttachmentsScript(t *testing.T, into any, args ...string) {
	t.Helper()
	cmd := rig.Command(t, "venv", "attachments.py", args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("attachments.py %s: %v\n%s", args[0], err, tail(log.String()))
	}
}

// migratedTraces reads the local target with DuckDB.
func (fx *fixture) migratedTraces() map[string]migratedTrace {
	fx.t.Helper()
	var found map[string]migratedTrace
	runAttachmentsScript(fx.t, &found, "read", "--prefix", fx.localPath)
	return found
}

// countReferences returns the number of references to attachments in a value, and fails if it holds an attachment's bytes.
func countReferences(t *testing.T, got any) (refs int) {
	switch v := got.(type) {
	case string:
		if strings.HasPrefix(v, "data:") {
			t.Errorf("the span holds the bytes %.60s, want a reference", v)
		}
		if strings.HasPrefix(v, "mlflow-attachment://") {
			return 1
		}
	case []any:
		for _, e := range v {
			refs += countReferences(t, e)
		}
	case map[string]any:
		for _, e := range v {
			refs += countReferences(t, e)
		}
	}
	return refs
}

// TestAttachmentsLeft has attachments stay at the source: they are not downloaded, and each report tells of them.
func TestAttachmentsLeft(t *testing.T) {
	t.Parallel()
	logged := fillAttachments(t, "/attachments/left")
	front := rig.StartFront(t, rig.FrontOptions{MLflow: rig.SharedServer(t).URI, Plain: true})
	fx := newFixture(t, front.URL, "/attachments/left").toLocal()
	o := fx.mustRun(0)
	if s := o.summary; s.AttachmentsLeft != 30 || s.AttachmentTraces != 3 || s.Migrated != 4 ||
		len(o.traces) != 3 || o.traces[0].Attachments != 10 {
		t.Errorf("reported traces %+v, want 3 with 10 attachments each\n%+v, want 4 traces migrated and 30 attachments of 3 left",
			o.traces, s)
	}
	if n := front.Stats(t).Requests["GET /ajax-api/2.0/mlflow/get-trace-artifact"]; n != 4 {
		t.Errorf("%d downloads, want one for each of 4 traces", n)
	}
	for id, trace := range fx.migratedTraces() {
		if n := countReferences(t, trace.Inputs) + countReferences(t, trace.Outputs); len(logged[id].Attachments) > 0 && n != 9 {
			t.Errorf("trace %s holds %d references, want 9", id, n)
		}
		list, want := trace.Metadata.Attachments, len(logged[id].Attachments)
		if len(list) != want || len(list) > 0 && (list[0].Path != "" || list[0].Inline) {
			t.Errorf("trace %s lists %+v, want %d that are neither copied nor inline", id, list, want)
		}
	}
	if v := fx.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsLeft != 30 || v.report.AttachmentTraces != 3 {
		t.Errorf("verify: %v, want an equal target and 30 attachments of 3 traces left", v)
	}
	// Migrated traces stay as they are.
	if o := fx.mustRun(0, "--attachments", "inline"); o.summary.AnnotationsWritten+o.summary.SpansWritten != 0 {
		t.Errorf("a second run wrote rows, want none: %+v", o.summary)
	}
}

// TestAttachmentsInline has attachments go into the spans, which then hold the values exactly as they were logged.
func TestAttachmentsInline(t *testing.T) {
	t.Parallel()
	logged := fillAttachments(t, "/attachments/inline")
	fx := newFixture(t, rig.SharedServer(t).URI, "/attachments/inline").toLocal()
	if o := fx.mustRun(0, "--attachments", "inline"); o.summary.AttachmentsInlined != 30 || o.summary.AttachmentsLeft != 0 {
		t.Errorf("want 30 attachments inline and none left: %+v", o.summary)
	}
	migrated := fx.migratedTraces()
	for id, want := range logged {
		got := migrated[id]
		if d := cmp.Diff(want.Inputs, got.Inputs); d != "" {
			t.Errorf("trace %s: inputs differ (-want +got), %d bytes of differences: %.500s", id, len(d), d)
		}
		if d := cmp.Diff(want.Outputs, got.Outputs); d != "" {
			t.Errorf("trace %s: outputs differ (-want +got), %d bytes of differences: %.500s", id, len(d), d)
		}
		for _, a := range got.Metadata.Attachments {
			w := want.Attachments[a.ID]
			w.ID, w.Inline = a.ID, true
			if a != w {
				t.Errorf("trace %s lists %+v, want %+v", id, a, w)
			}
		}
	}
	// verify needs no flag to know that the attachments are inline.
	for _, flags := range [][]string{{"--deep"}, {}} {
		if v := fx.verify("verify", 0, flags...); !v.report.Equal || v.report.AttachmentsLeft != 0 {
			t.Errorf("verify %v: %v, want an equal target with no attachment left", flags, v)
		}
	}
	if v := fx.verify("repair", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("repair: %v, want an equal target with 30 attachments proven", v)
	}
}

// TestAttachmentsCopied has each attachment become a file with the bytes that MLflow's own client reads. verify finds files
// that are lost, cut or changed.
func TestAttachmentsCopied(t *testing.T) {
	t.Parallel()
	logged := fillAttachments(t, "/attachments/copied")
	fx := newFixture(t, rig.SharedServer(t).URI, "/attachments/copied").toLocal()
	folder := filepath.Join(fx.baseDir, "kept", "files")
	if o := fx.mustRun(0, "--attachments", "kept/files"); o.summary.AttachmentsCopied != 30 || o.summary.AttachmentsLeft != 0 {
		t.Errorf("want 30 attachments copied and none left: %+v", o.summary)
	}
	checkCopies(t, logged, fx.migratedTraces(), folder, folder)
	// Neither a lost checkpoint nor a run without --attachments changes anything.
	fx.deleteCheckpoint()
	if o := fx.mustRun(0); o.summary.Present != 4 || o.summary.AnnotationsWritten != 0 {
		t.Errorf("want 4 traces present and no annotation written: %+v", o.summary)
	}
	if v := fx.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 || v.report.AttachmentsLeft != 0 {
		t.Errorf("verify: %v, want an equal target with 30 attachments proven and none left", v)
	}

	var ids []string
	for id := range logged {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	file := func(trace int) string {
		for id := range logged[ids[trace]].Attachments {
			return filepath.Join(folder, ids[trace], id)
		}
		return ""
	}
	lost, cut, other := file(0), file(1), file(2)
	must(t, os.Remove(lost))
	must(t, os.Truncate(cut, 3))
	data, err := os.ReadFile(other)
	must(t, err)
	data[len(data)-1] ^= 1
	must(t, os.WriteFile(other, data, 0o600))
	v := fx.verify("verify", 4)
	want := map[string]verify.Kind{"tr-" + ids[0]: verify.Incomplete, "tr-" + ids[1]: verify.Differ}
	if d := cmp.Diff(want, v.findings); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if !strings.Contains(v.details["tr-"+ids[0]], lost) || !strings.Contains(v.details["tr-"+ids[1]], cut) {
		t.Errorf("details %v, want them to name %s and %s", v.details, lost, cut)
	}
	if v := fx.verify("verify", 4, "--deep"); v.findings["tr-"+ids[2]] != verify.Differ || len(v.findings) != 3 {
		t.Errorf("verify --deep finds %v, want 3 traces and %s to differ", v.findings, ids[2])
	}
	if v := fx.verify("repair", 0, "--deep", "--attachments", "inline"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("repair: %v, want an equal target with 30 attachments proven", v)
	}
	checkCopies(t, logged, fx.migratedTraces(), folder, folder)
}

// checkCopies checks that the files in a folder are the logged attachments and nothing else, and that the rows list them.
// The rows call the folder by the name in named, such as that of a volume.
func checkCopies(t *testing.T, logged map[string]attachedTrace, migrated map[string]migratedTrace, folder, named string) {
	t.Helper()
	for id, want := range logged {
		files, err := os.ReadDir(filepath.Join(folder, id))
		if err != nil || len(files) != len(want.Attachments) || len(migrated[id].Metadata.Attachments) != len(files) {
			t.Errorf("trace %s has %d files (%v) and lists %d attachments, want %d of both",
				id, len(files), err, len(migrated[id].Metadata.Attachments), len(want.Attachments))
		}
		for _, a := range migrated[id].Metadata.Attachments {
			data, err := os.ReadFile(filepath.Join(folder, id, a.ID))
			sum := sha256.Sum256(data)
			w := want.Attachments[a.ID]
			if err != nil || fmt.Sprintf("%x", sum) != w.SHA256 {
				t.Errorf("trace %s, attachment %s: %d bytes with SHA-256 %x (%v), want %s", id, a.ID, len(data), sum, err, w.SHA256)
			}
			w.ID, w.Path = a.ID, named+"/"+id+"/"+a.ID
			if a != w {
				t.Errorf("trace %s lists %+v, want %+v", id, a, w)
			}
		}
	}
}

// TestAttachmentsOfWorkspace copies attachments of a workspace from signed addresses, some of which fail at first.
func TestAttachmentsOfWorkspace(t *testing.T) {
	t.Parallel()
	logged := fillAttachments(t, "/attachments/workspace")
	fx := newFixture(t, "databricks", "/attachments/workspace").toLocal()
	fx.useFront(rig.FrontOptions{MLflow: rig.SharedServer(t).URI})
	fx.front.Fault(t, rig.FrontFault{Match: "__storage.*attachments/", Kind: "status503"})
	fx.front.Fault(t, rig.FrontFault{Match: "__storage.*attachments/", Nth: 5, Kind: rig.FrontTruncate})
	fx.front.Fault(t, rig.FrontFault{Match: "credentials-for-data-download.*attachments", Nth: 3, Kind: rig.FrontReset})
	folder := filepath.Join(fx.baseDir, "files")
	o := fx.mustRun(0, "--attachments", folder)
	if o.summary.AttachmentsCopied != 30 {
		t.Errorf("want 30 attachments copied: %+v", o.summary)
	}
	checkCopies(t, logged, fx.migratedTraces(), folder, folder)
	if s := fx.front.Stats(t); s.SignedWithToken != 0 || s.Faults != 3 || len(s.Writes) != 0 {
		t.Errorf("the workspace saw %+v, want 3 faults, no write, and no token at a signed address", s)
	}
	if strings.Contains(o.stdout+o.stderr, "X-Amz-Signature") || strings.Contains(o.stdout+o.stderr, fx.front.Token) {
		t.Error("the output shows a signature or the token, want neither")
	}
	if v := fx.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("verify: %v, want an equal target with 30 attachments proven", v)
	}
}

// TestAttachmentsBehindProxy copies attachments where a proxy lets only the public API through.
func TestAttachmentsBehindProxy(t *testing.T) {
	t.Parallel()
	logged := fillAttachments(t, "/attachments/proxy")
	front := rig.StartFront(t, rig.FrontOptions{MLflow: rig.SharedServer(t).URI, Plain: true})
	front.Fault(t, rig.FrontFault{Match: "/ajax-api/.*[?&]path=", Times: 1000, Kind: "status403"})
	fx := newFixture(t, front.URL, "/attachments/proxy").toLocal()
	folder := filepath.Join(fx.baseDir, "files")
	fx.mustRun(0, "--attachments", folder)
	checkCopies(t, logged, fx.migratedTraces(), folder, folder)
}

// TestAttachmentsLost has the source lose the bytes of an attachment. Its trace is not migrated until they are back, or
// until a run leaves attachments at the source.
func TestAttachmentsLost(t *testing.T) {
	t.Parallel()
	m := rig.SharedServer(t)
	logged := fillAttachments(t, "/attachments/lost")
	var lost string
	for id := range logged {
		lost = max(lost, id)
	}
	found, err := filepath.Glob(filepath.Join(
		filepath.Dir(m.DB), "artifacts", "*", "traces", "tr-"+lost, "artifacts", "attachments", "*"))
	if err != nil || len(found) != 10 {
		t.Fatalf("%d attachments in the server's folder (%v), want 10", len(found), err)
	}
	moved := found[0] + ".away"
	must(t, os.Rename(found[0], moved))
	for _, how := range []string{"inline", "files"} {
		t.Run(how, func(t *testing.T) {
			fx := newFixture(t, m.URI, "/attachments/lost").toLocal()
			o := fx.mustRun(3, "--attachments", how)
			if o.summary.Migrated != 3 || o.summary.FailedReasons["attachment_lost"] != 1 {
				t.Errorf("want 3 traces migrated and one failed with attachment_lost: %+v", o.summary)
			}
			for _, part := range []string{filepath.Base(found[0]), "the source does not have it", "--attachments none"} {
				if !strings.Contains(o.traces[0].Detail, part) {
					t.Errorf("detail %q, want it to contain %q", o.traces[0].Detail, part)
				}
			}
			if got := fx.migratedTraces()[lost]; got.Inputs != nil || got.Metadata.Attachments != nil {
				t.Errorf("the target holds %+v of the failed trace, want nothing", got)
			}
			if how == "inline" {
				if o := fx.mustRun(0); o.summary.Migrated != 1 || o.summary.AttachmentsLeft != 10 {
					t.Errorf("want one trace migrated and its 10 attachments left: %+v", o.summary)
				}
				return
			}
			must(t, os.Rename(moved, found[0]))
			if o := fx.mustRun(0, "--attachments", how); o.summary.Migrated != 1 || o.summary.AttachmentsCopied != 10 {
				t.Errorf("want one trace migrated and its 10 attachments copied: %+v", o.summary)
			}
		})
	}
}

// TestAttachmentsInVolume copies attachments to a volume, with tables in the warehouse.
func TestAttachmentsInVolume(t *testing.T) {
	t.Parallel()
	mlflowServer(t)
	logged := fillAttachments(t, "/attachments/volume")
	fx := newFixture(t, rig.SharedServer(t).URI, "/attachments/volume").toWarehouse()
	volume := filepath.Join(fx.warehouse.Dir, "volumes", "spark_catalog", "default", fx.prefix)
	must(t, os.MkdirAll(volume, 0o777))
	named := "/Volumes/spark_catalog/default/" + fx.prefix + "/a"
	if o := fx.mustRun(0, "--attachments", named+"/"); o.summary.AttachmentsCopied != 30 {
		t.Errorf("want 30 attachments copied: %+v", o.summary)
	}
	migrated := map[string]migratedTrace{}
	metadata := "SELECT target_id, to_json(metadata) FROM " + fx.tables.annotations + " WHERE annotation_type = 'METADATA'"
	for _, row := range fx.warehouse.SQL(t, metadata) {
		var m migratedTrace
		must(t, json.Unmarshal([]byte(row[1].(string)), &m.Metadata))
		migrated[row[0].(string)] = m
	}
	checkCopies(t, logged, migrated, filepath.Join(volume, "a"), named)
	doc, err := os.ReadFile(filepath.Join(rig.Root(), "docs", "tables.md"))
	must(t, err)
	_, query, _ := strings.Cut(string(doc), "```sql\nSELECT DISTINCT m.target_id")
	query, _, found := strings.Cut("SELECT DISTINCT m.target_id"+query, "```")
	rows := fx.warehouse.SQL(t, strings.ReplaceAll(query, "main.agents.support_otel_annotations", fx.tables.annotations))
	if !found || len(rows) != 30 || !strings.HasPrefix(rows[0][2].(string), named) {
		t.Errorf("the query of docs/tables.md finds %v, want 30 rows with paths below %s", rows, named)
	}
	if v := fx.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("verify: %v, want an equal target with 30 attachments proven", v)
	}
	var ids []string
	for id := range logged {
		ids = append(ids, id)
	}
	must(t, os.RemoveAll(filepath.Join(volume, "a", ids[0])))
	if v := fx.verify("verify", 4); v.findings["tr-"+ids[0]] != verify.Incomplete || len(v.findings) != 1 {
		t.Errorf("verify: %v, want only trace %s to be incomplete", v, ids[0])
	}
	if v := fx.verify("repair", 0); !v.report.Equal {
		t.Errorf("repair: %v, want an equal target", v)
	}
	// A run without the volume fails before it reads anything.
	o := fx.run("--attachments", "/Volumes/spark_catalog/default/nowhere/a")
	if o.code != 1 || !strings.Contains(o.stderr, "the volume must be there") {
		t.Errorf("without the volume: exit code %d, want 1 and %q in: %s", o.code, "the volume must be there", tail(o.stderr))
	}
}
