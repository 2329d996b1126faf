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

// attachedTrace is a trace with attachments: what was logged, and what MLflow's own client reads of it.
type attachedTrace struct {
	Inputs, Outputs any
	Attachments     map[string]uctables.Attachment // by ID
}

// migratedTrace is what tables hold of a trace, as DuckDB reads them.
type migratedTrace struct {
	Inputs, Outputs any
	Metadata        struct {
		Attachments []uctables.Attachment `json:"tracemig.attachments"`
	}
}

// fillAttachments fills an experiment of the shared server with traces that have attachments; see
// testdata/rig/attachments.py. Their IDs come without "tr-".
func fillAttachments(t *testing.T, experiment string) map[string]attachedTrace {
	t.Helper()
	var logged map[string]attachedTrace
	runScript(t, &logged, "fill", "--uri", rig.SharedServer(t).URI, "--experiment", experiment)
	byTarget := map[string]attachedTrace{}
	for id, trace := range logged {
		if len(trace.Attachments) != 10 {
			t.Fatalf("trace %s has %d attachments", id, len(trace.Attachments))
		}
		byTarget[strings.TrimPrefix(id, "tr-")] = trace
	}
	return byTarget
}

func runScript(t *testing.T, into any, args ...string) {
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

func (fx *fixture) migratedTraces() map[string]migratedTrace {
	fx.t.Helper()
	var found map[string]migratedTrace
	runScript(fx.t, &found, "read", "--prefix", fx.localPath)
	return found
}

// countReferences checks that a value is the logged one but for the attachments, to which it refers.
func countReferences(t *testing.T, got any) (refs int) {
	switch v := got.(type) {
	case string:
		if strings.HasPrefix(v, "data:") {
			t.Errorf("the bytes are in the span: %.60s", v)
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

// TestAttachmentsLeft: they stay where they are, unread, and everybody is told.
func TestAttachmentsLeft(t *testing.T) {
	t.Parallel()
	logged := fillAttachments(t, "/attachments/left")
	front := rig.StartFront(t, rig.FrontOptions{MLflow: rig.SharedServer(t).URI, Plain: true})
	fx := newFixture(t, front.URL, "/attachments/left").toLocal()
	o := fx.mustRun(0)
	if o.summary.AttachmentsLeft != 30 || o.summary.AttachmentTraces != 3 || o.summary.Migrated != 4 || len(o.traces) != 3 || o.traces[0].Attachments != 10 {
		t.Errorf("%+v\n%+v", o.traces, o.summary)
	}
	if n := front.Stats(t).Requests["GET /ajax-api/2.0/mlflow/get-trace-artifact"]; n != 4 {
		t.Errorf("%d downloads of 4 traces", n)
	}
	for id, trace := range fx.migratedTraces() {
		if n := countReferences(t, trace.Inputs) + countReferences(t, trace.Outputs); len(logged[id].Attachments) > 0 && n != 9 {
			t.Errorf("trace %s holds %d references", id, n)
		}
		if list := trace.Metadata.Attachments; len(list) != len(logged[id].Attachments) || len(list) > 0 && (list[0].Path != "" || list[0].Inline) {
			t.Errorf("trace %s lists %+v", id, list)
		}
	}
	if v := fx.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsLeft != 30 || v.report.AttachmentTraces != 3 {
		t.Errorf("%+v", v.report)
	}
	// What is migrated stays as it is.
	if o := fx.mustRun(0, "--attachments", "inline"); o.summary.AnnotationsWritten+o.summary.SpansWritten != 0 {
		t.Errorf("%+v", o.summary)
	}
}

// TestAttachmentsInline: the spans hold what was logged, in the form it was logged in.
func TestAttachmentsInline(t *testing.T) {
	t.Parallel()
	logged := fillAttachments(t, "/attachments/inline")
	fx := newFixture(t, rig.SharedServer(t).URI, "/attachments/inline").toLocal()
	if o := fx.mustRun(0, "--attachments", "inline"); o.summary.AttachmentsInlined != 30 || o.summary.AttachmentsLeft != 0 {
		t.Errorf("%+v", o.summary)
	}
	migrated := fx.migratedTraces()
	for id, want := range logged {
		got := migrated[id]
		if d := cmp.Diff(want.Inputs, got.Inputs); d != "" {
			t.Errorf("trace %s: inputs differ in %d bytes of differences: %.500s", id, len(d), d)
		}
		if d := cmp.Diff(want.Outputs, got.Outputs); d != "" {
			t.Errorf("trace %s: outputs differ in %d bytes of differences: %.500s", id, len(d), d)
		}
		for _, a := range got.Metadata.Attachments {
			w := want.Attachments[a.ID]
			w.ID, w.Inline = a.ID, true
			if a != w {
				t.Errorf("trace %s lists %+v, want %+v", id, a, w)
			}
		}
	}
	// Whatever the later runs are told.
	for _, flags := range [][]string{{"--deep"}, {}} {
		if v := fx.verify("verify", 0, flags...); !v.report.Equal || v.report.AttachmentsLeft != 0 {
			t.Errorf("%v: %+v %v", flags, v.report, v.details)
		}
	}
	if v := fx.verify("repair", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("%+v %v", v.report, v.details)
	}
}

// TestAttachmentsCopied: each is a file with the bytes that MLflow's own client reads; verify misses any that is not.
func TestAttachmentsCopied(t *testing.T) {
	t.Parallel()
	logged := fillAttachments(t, "/attachments/copied")
	fx := newFixture(t, rig.SharedServer(t).URI, "/attachments/copied").toLocal()
	folder := filepath.Join(fx.baseDir, "kept", "files")
	if o := fx.mustRun(0, "--attachments", "kept/files"); o.summary.AttachmentsCopied != 30 || o.summary.AttachmentsLeft != 0 {
		t.Errorf("%+v", o.summary)
	}
	checkCopies(t, logged, fx.migratedTraces(), folder, folder)
	// A lost checkpoint, and a run for all that is told otherwise, change nothing.
	fx.deleteCheckpoint()
	if o := fx.mustRun(0); o.summary.Present != 4 || o.summary.AnnotationsWritten != 0 {
		t.Errorf("%+v", o.summary)
	}
	if v := fx.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 || v.report.AttachmentsLeft != 0 {
		t.Errorf("%+v %v", v.report, v.details)
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
	if d := cmp.Diff(map[string]verify.Kind{"tr-" + ids[0]: verify.Incomplete, "tr-" + ids[1]: verify.Differ}, v.findings); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if !strings.Contains(v.details["tr-"+ids[0]], lost) || !strings.Contains(v.details["tr-"+ids[1]], cut) {
		t.Errorf("%v", v.details)
	}
	if v := fx.verify("verify", 4, "--deep"); v.findings["tr-"+ids[2]] != verify.Differ || len(v.findings) != 3 {
		t.Errorf("deep: %v", v.findings)
	}
	if v := fx.verify("repair", 0, "--deep", "--attachments", "inline"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("%+v %v", v.report, v.details)
	}
	checkCopies(t, logged, fx.migratedTraces(), folder, folder)
}

// checkCopies checks that the files, which lie in a folder of this machine, are those that the rows list with paths in
// another name of it, and nothing else.
func checkCopies(t *testing.T, logged map[string]attachedTrace, migrated map[string]migratedTrace, folder, named string) {
	t.Helper()
	for id, want := range logged {
		files, err := os.ReadDir(filepath.Join(folder, id))
		if err != nil || len(files) != len(want.Attachments) || len(migrated[id].Metadata.Attachments) != len(files) {
			t.Errorf("trace %s has %d files, %v, and lists %d", id, len(files), err, len(migrated[id].Metadata.Attachments))
		}
		for _, a := range migrated[id].Metadata.Attachments {
			data, err := os.ReadFile(filepath.Join(folder, id, a.ID))
			sum := sha256.Sum256(data)
			w := want.Attachments[a.ID]
			if err != nil || fmt.Sprintf("%x", sum) != w.SHA256 {
				t.Errorf("trace %s, attachment %s: %d bytes with another digest, %v", id, a.ID, len(data), err)
			}
			w.ID, w.Path = a.ID, named+"/"+id+"/"+a.ID
			if a != w {
				t.Errorf("trace %s lists %+v, want %+v", id, a, w)
			}
		}
	}
}

// TestAttachmentsOfWorkspace reads them from signed addresses, some of which fail at first.
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
		t.Errorf("%+v", o.summary)
	}
	checkCopies(t, logged, fx.migratedTraces(), folder, folder)
	if s := fx.front.Stats(t); s.SignedWithToken != 0 || s.Faults != 3 || len(s.Writes) != 0 {
		t.Errorf("%+v", s)
	}
	if strings.Contains(o.stdout+o.stderr, "X-Amz-Signature") || strings.Contains(o.stdout+o.stderr, fx.front.Token) {
		t.Error("the output shows a secret")
	}
	if v := fx.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("%+v %v", v.report, v.details)
	}
}

// TestAttachmentsBehindProxy reads them by the public API alone.
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

// TestAttachmentsLost: without the bytes of one the trace is not migrated at all, until they are back, or are said to
// be of no account.
func TestAttachmentsLost(t *testing.T) {
	t.Parallel()
	m := rig.SharedServer(t)
	logged := fillAttachments(t, "/attachments/lost")
	var lost string
	for id := range logged {
		lost = max(lost, id)
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(m.DB), "artifacts", "*", "traces", "tr-"+lost, "artifacts", "attachments", "*"))
	if err != nil || len(found) != 10 {
		t.Fatalf("%d files, %v", len(found), err)
	}
	moved := found[0] + ".away"
	must(t, os.Rename(found[0], moved))
	for _, how := range []string{"inline", "files"} {
		t.Run(how, func(t *testing.T) {
			fx := newFixture(t, m.URI, "/attachments/lost").toLocal()
			o := fx.mustRun(3, "--attachments", how)
			if o.summary.Migrated != 3 || o.summary.FailedReasons["attachment_lost"] != 1 {
				t.Errorf("%+v", o.summary)
			}
			if d := o.traces[0].Detail; !strings.Contains(d, filepath.Base(found[0])) || !strings.Contains(d, "the source does not have it") || !strings.Contains(d, "--attachments none") {
				t.Errorf("detail %q", d)
			}
			if got := fx.migratedTraces()[lost]; got.Inputs != nil || got.Metadata.Attachments != nil {
				t.Errorf("something of the trace is there: %+v", got)
			}
			if how == "inline" {
				if o := fx.mustRun(0); o.summary.Migrated != 1 || o.summary.AttachmentsLeft != 10 {
					t.Errorf("%+v", o.summary)
				}
				return
			}
			must(t, os.Rename(moved, found[0]))
			if o := fx.mustRun(0, "--attachments", how); o.summary.Migrated != 1 || o.summary.AttachmentsCopied != 10 {
				t.Errorf("%+v", o.summary)
			}
		})
	}
}

// TestAttachmentsInVolume copies them to a volume, and puts the tables into the warehouse.
func TestAttachmentsInVolume(t *testing.T) {
	t.Parallel()
	mlflowServer(t)
	logged := fillAttachments(t, "/attachments/volume")
	fx := newFixture(t, rig.SharedServer(t).URI, "/attachments/volume").toWarehouse(rig.FrontOptions{})
	volume := filepath.Join(fx.warehouse.Dir, "volumes", "spark_catalog", "default", fx.prefix)
	must(t, os.MkdirAll(volume, 0o777))
	named := "/Volumes/spark_catalog/default/" + fx.prefix + "/a"
	if o := fx.mustRun(0, "--attachments", named+"/"); o.summary.AttachmentsCopied != 30 {
		t.Errorf("%+v", o.summary)
	}
	migrated := map[string]migratedTrace{}
	for _, row := range fx.warehouse.SQL(t, "SELECT target_id, to_json(metadata) FROM "+fx.tables.annotations+" WHERE annotation_type = 'METADATA'") {
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
		t.Errorf("the query of docs/tables.md finds %v", rows)
	}
	if v := fx.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("%+v %v", v.report, v.details)
	}
	var ids []string
	for id := range logged {
		ids = append(ids, id)
	}
	must(t, os.RemoveAll(filepath.Join(volume, "a", ids[0])))
	if v := fx.verify("verify", 4); v.findings["tr-"+ids[0]] != verify.Incomplete || len(v.findings) != 1 {
		t.Errorf("%v", v.details)
	}
	if v := fx.verify("repair", 0); !v.report.Equal {
		t.Errorf("%+v %v", v.report, v.details)
	}
	// No volume: said before anything is read.
	if o := fx.run("--attachments", "/Volumes/spark_catalog/default/nowhere/a"); o.code != 1 || !strings.Contains(o.stderr, "the volume must be there") {
		t.Errorf("code %d: %s", o.code, tail(o.stderr))
	}
}
