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

// pictures fills an experiment of the shared server with traces that have attachments; see
// testdata/rig/attachments.py. Their IDs come without "tr-".
func pictures(t *testing.T, experiment string) map[string]attachedTrace {
	t.Helper()
	var logged map[string]attachedTrace
	script(t, &logged, "fill", "--uri", rig.SharedServer(t).URI, "--experiment", experiment)
	byTarget := map[string]attachedTrace{}
	for id, trace := range logged {
		if len(trace.Attachments) != 10 {
			t.Fatalf("trace %s has %d attachments", id, len(trace.Attachments))
		}
		byTarget[strings.TrimPrefix(id, "tr-")] = trace
	}
	return byTarget
}

func script(t *testing.T, into any, args ...string) {
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

func (b *bed) migratedTraces() map[string]migratedTrace {
	b.t.Helper()
	var found map[string]migratedTrace
	script(b.t, &found, "read", "--prefix", b.folder)
	return found
}

// holdsReferences checks that a value is the logged one but for the attachments, to which it refers.
func holdsReferences(t *testing.T, got any) (refs int) {
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
			refs += holdsReferences(t, e)
		}
	case map[string]any:
		for _, e := range v {
			refs += holdsReferences(t, e)
		}
	}
	return refs
}

// TestAttachmentsLeft: they stay where they are, unread, and everybody is told.
func TestAttachmentsLeft(t *testing.T) {
	t.Parallel()
	logged := pictures(t, "/attachments/left")
	front := rig.StartFront(t, rig.FrontOptions{MLflow: rig.SharedServer(t).URI, Plain: true})
	b := newBed(t, front.URL, "/attachments/left").toLocal()
	o := b.mustRun(0)
	if o.summary.AttachmentsLeft != 30 || o.summary.AttachmentTraces != 3 || o.summary.Migrated != 4 || len(o.traces) != 3 || o.traces[0].Attachments != 10 {
		t.Errorf("%+v\n%+v", o.traces, o.summary)
	}
	if n := front.Stats(t).Requests["GET /ajax-api/2.0/mlflow/get-trace-artifact"]; n != 4 {
		t.Errorf("%d downloads of 4 traces", n)
	}
	for id, trace := range b.migratedTraces() {
		if n := holdsReferences(t, trace.Inputs) + holdsReferences(t, trace.Outputs); len(logged[id].Attachments) > 0 && n != 9 {
			t.Errorf("trace %s holds %d references", id, n)
		}
		if list := trace.Metadata.Attachments; len(list) != len(logged[id].Attachments) || len(list) > 0 && (list[0].Path != "" || list[0].Inline) {
			t.Errorf("trace %s lists %+v", id, list)
		}
	}
	if v := b.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsLeft != 30 || v.report.AttachmentTraces != 3 {
		t.Errorf("%+v", v.report)
	}
	// What is migrated stays as it is.
	if o := b.mustRun(0, "--attachments", "inline"); o.summary.AnnotationsWritten+o.summary.SpansWritten != 0 {
		t.Errorf("%+v", o.summary)
	}
}

// TestAttachmentsInline: the spans hold what was logged, in the form it was logged in.
func TestAttachmentsInline(t *testing.T) {
	t.Parallel()
	logged := pictures(t, "/attachments/inline")
	b := newBed(t, rig.SharedServer(t).URI, "/attachments/inline").toLocal()
	if o := b.mustRun(0, "--attachments", "inline"); o.summary.AttachmentsInlined != 30 || o.summary.AttachmentsLeft != 0 {
		t.Errorf("%+v", o.summary)
	}
	migrated := b.migratedTraces()
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
		if v := b.verify("verify", 0, flags...); !v.report.Equal || v.report.AttachmentsLeft != 0 {
			t.Errorf("%v: %+v %v", flags, v.report, v.details)
		}
	}
	if v := b.verify("repair", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("%+v %v", v.report, v.details)
	}
}

// TestAttachmentsCopied: each is a file with the bytes that MLflow's own client reads; verify misses any that is not.
func TestAttachmentsCopied(t *testing.T) {
	t.Parallel()
	logged := pictures(t, "/attachments/copied")
	b := newBed(t, rig.SharedServer(t).URI, "/attachments/copied").toLocal()
	folder := filepath.Join(b.baseDir, "kept", "files")
	if o := b.mustRun(0, "--attachments", "kept/files"); o.summary.AttachmentsCopied != 30 || o.summary.AttachmentsLeft != 0 {
		t.Errorf("%+v", o.summary)
	}
	proveCopies(t, logged, b.migratedTraces(), folder, folder)
	// A lost checkpoint, and a run for all that is told otherwise, change nothing.
	b.forget()
	if o := b.mustRun(0); o.summary.Present != 4 || o.summary.AnnotationsWritten != 0 {
		t.Errorf("%+v", o.summary)
	}
	if v := b.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 || v.report.AttachmentsLeft != 0 {
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
	v := b.verify("verify", 4)
	if d := cmp.Diff(map[string]verify.Kind{"tr-" + ids[0]: verify.Incomplete, "tr-" + ids[1]: verify.Differ}, v.findings); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if !strings.Contains(v.details["tr-"+ids[0]], lost) || !strings.Contains(v.details["tr-"+ids[1]], cut) {
		t.Errorf("%v", v.details)
	}
	if v := b.verify("verify", 4, "--deep"); v.findings["tr-"+ids[2]] != verify.Differ || len(v.findings) != 3 {
		t.Errorf("deep: %v", v.findings)
	}
	if v := b.verify("repair", 0, "--deep", "--attachments", "inline"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("%+v %v", v.report, v.details)
	}
	proveCopies(t, logged, b.migratedTraces(), folder, folder)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// proveCopies checks that the files, which lie in a folder of this machine, are those that the rows list with paths in
// another name of it, and nothing else.
func proveCopies(t *testing.T, logged map[string]attachedTrace, migrated map[string]migratedTrace, folder, named string) {
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
	logged := pictures(t, "/attachments/workspace")
	b := newBed(t, "databricks", "/attachments/workspace").toLocal()
	b.useFront(rig.FrontOptions{MLflow: rig.SharedServer(t).URI})
	b.front.Fault(t, rig.FrontFault{Match: "__storage.*attachments/", Kind: "status503"})
	b.front.Fault(t, rig.FrontFault{Match: "__storage.*attachments/", Nth: 5, Kind: rig.FrontTruncate})
	b.front.Fault(t, rig.FrontFault{Match: "credentials-for-data-download.*attachments", Nth: 3, Kind: rig.FrontReset})
	folder := filepath.Join(b.baseDir, "files")
	o := b.mustRun(0, "--attachments", folder)
	if o.summary.AttachmentsCopied != 30 {
		t.Errorf("%+v", o.summary)
	}
	proveCopies(t, logged, b.migratedTraces(), folder, folder)
	if s := b.front.Stats(t); s.SignedWithToken != 0 || s.Faults != 3 || len(s.Writes) != 0 {
		t.Errorf("%+v", s)
	}
	if strings.Contains(o.stdout+o.stderr, "X-Amz-Signature") || strings.Contains(o.stdout+o.stderr, b.front.Token) {
		t.Error("the output shows a secret")
	}
	if v := b.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("%+v %v", v.report, v.details)
	}
}

// TestAttachmentsBehindProxy reads them by the public API alone.
func TestAttachmentsBehindProxy(t *testing.T) {
	t.Parallel()
	logged := pictures(t, "/attachments/proxy")
	front := rig.StartFront(t, rig.FrontOptions{MLflow: rig.SharedServer(t).URI, Plain: true})
	front.Fault(t, rig.FrontFault{Match: "/ajax-api/.*[?&]path=", Times: 1000, Kind: "status403"})
	b := newBed(t, front.URL, "/attachments/proxy").toLocal()
	folder := filepath.Join(b.baseDir, "files")
	b.mustRun(0, "--attachments", folder)
	proveCopies(t, logged, b.migratedTraces(), folder, folder)
}

// TestAttachmentsLost: without the bytes of one the trace is not migrated at all, until they are back, or are said to
// be of no account.
func TestAttachmentsLost(t *testing.T) {
	t.Parallel()
	m := rig.SharedServer(t)
	logged := pictures(t, "/attachments/lost")
	var lost string
	for id := range logged {
		lost = max(lost, id)
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(m.DB), "artifacts", "*", "traces", "tr-"+lost, "artifacts", "attachments", "*"))
	if err != nil || len(found) != 10 {
		t.Fatalf("%d files, %v", len(found), err)
	}
	away := found[0] + ".away"
	must(t, os.Rename(found[0], away))
	for _, how := range []string{"inline", "files"} {
		t.Run(how, func(t *testing.T) {
			b := newBed(t, m.URI, "/attachments/lost").toLocal()
			o := b.mustRun(3, "--attachments", how)
			if o.summary.Migrated != 3 || o.summary.FailedReasons["attachment_lost"] != 1 {
				t.Errorf("%+v", o.summary)
			}
			if d := o.traces[0].Detail; !strings.Contains(d, filepath.Base(found[0])) || !strings.Contains(d, "the source does not have it") || !strings.Contains(d, "--attachments none") {
				t.Errorf("detail %q", d)
			}
			if got := b.migratedTraces()[lost]; got.Inputs != nil || got.Metadata.Attachments != nil {
				t.Errorf("something of the trace is there: %+v", got)
			}
			if how == "inline" {
				if o := b.mustRun(0); o.summary.Migrated != 1 || o.summary.AttachmentsLeft != 10 {
					t.Errorf("%+v", o.summary)
				}
				return
			}
			must(t, os.Rename(away, found[0]))
			if o := b.mustRun(0, "--attachments", how); o.summary.Migrated != 1 || o.summary.AttachmentsCopied != 10 {
				t.Errorf("%+v", o.summary)
			}
		})
	}
}

// TestAttachmentsInVolume copies them to a volume, and puts the tables into the warehouse.
func TestAttachmentsInVolume(t *testing.T) {
	t.Parallel()
	source(t)
	logged := pictures(t, "/attachments/volume")
	b := newBed(t, rig.SharedServer(t).URI, "/attachments/volume").toWarehouse(rig.FrontOptions{})
	volume := filepath.Join(b.wh.Dir, "volumes", "spark_catalog", "default", b.prefix)
	must(t, os.MkdirAll(volume, 0o777))
	named := "/Volumes/spark_catalog/default/" + b.prefix + "/a"
	if o := b.mustRun(0, "--attachments", named+"/"); o.summary.AttachmentsCopied != 30 {
		t.Errorf("%+v", o.summary)
	}
	migrated := map[string]migratedTrace{}
	for _, row := range b.wh.SQL(t, "SELECT target_id, to_json(metadata) FROM "+b.rowsOf.annotations+" WHERE annotation_type = 'METADATA'") {
		var m migratedTrace
		must(t, json.Unmarshal([]byte(row[1].(string)), &m.Metadata))
		migrated[row[0].(string)] = m
	}
	proveCopies(t, logged, migrated, filepath.Join(volume, "a"), named)
	doc, err := os.ReadFile(filepath.Join(rig.Root(), "docs", "tables.md"))
	must(t, err)
	_, query, _ := strings.Cut(string(doc), "```sql\nSELECT DISTINCT m.target_id")
	query, _, found := strings.Cut("SELECT DISTINCT m.target_id"+query, "```")
	rows := b.wh.SQL(t, strings.ReplaceAll(query, "main.agents.support_otel_annotations", b.rowsOf.annotations))
	if !found || len(rows) != 30 || !strings.HasPrefix(rows[0][2].(string), named) {
		t.Errorf("the query of docs/tables.md finds %v", rows)
	}
	if v := b.verify("verify", 0, "--deep"); !v.report.Equal || v.report.AttachmentsProven != 30 {
		t.Errorf("%+v %v", v.report, v.details)
	}
	var ids []string
	for id := range logged {
		ids = append(ids, id)
	}
	must(t, os.RemoveAll(filepath.Join(volume, "a", ids[0])))
	if v := b.verify("verify", 4); v.findings["tr-"+ids[0]] != verify.Incomplete || len(v.findings) != 1 {
		t.Errorf("%v", v.details)
	}
	if v := b.verify("repair", 0); !v.report.Equal {
		t.Errorf("%+v %v", v.report, v.details)
	}
	// No volume: said before anything is read.
	if o := b.run("--attachments", "/Volumes/spark_catalog/default/nowhere/a"); o.code != 1 || !strings.Contains(o.stderr, "the volume must be there") {
		t.Errorf("code %d: %s", o.code, tail(o.stderr))
	}
}
