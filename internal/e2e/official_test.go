//go:build rig

package e2e

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/verify"
)

// takenOver are the cases that the official migration has moved before tracemig: what it keeps in a form of
// its own, and all that it loses.
const takenOver = "state_error,state_unset,events,links,json_types,not_finite,token_usage_cost,tags,session_and_user,client_request_id," +
	"feedback_values,feedback_sources,feedback_errors,feedback_rationale_and_metadata,span_level_assessments,overridden_feedback,invalidated_feedback," +
	"expectations,in_run_and_linked,linked_to_runs,custom_trace_ids,otlp_gen_ai"

// storageTags name the source's storage: tracemig writes no TAG rows of them.
var storageTags = []string{"mlflow.artifactLocation", "mlflow.trace.spansLocation"}

// A takeover is a location that the official migration has filled, and tracemig after it.
type takeover struct {
	*bed
	official rig.OfficialRun
	expected []rig.ExpectedTrace
	rest     []string // traces that the official migration has skipped or not reached
	links    []string // traces with span links, of those that it has moved
	custom   string   // the trace whose ID is no hex
	edits    map[string]edit
}

// edit is what somebody did, after the official migration, to an annotation of a trace.
type edit struct {
	what        string
	kind, name  string // of the annotation
	id          string // annotation_id of the version that was added
	value       string // what shows from then on, "" for nothing
	secondLives bool   // it leaves two live rows of one tag
}

// targetOf is the trace_id that the official migration gives a trace; where it is hex, tracemig's too.
func targetOf(traceID string) string { return strings.TrimPrefix(traceID, "tr-") }

// sha256ID and md5ID are the two recipes of annotation IDs.
func sha256ID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return uuid.UUID(sum[:16]).String()
}

func md5ID(name string) string {
	u := uuid.UUID(md5.Sum([]byte(name)))
	u[6], u[8] = u[6]&0x0f|0x30, u[8]&0x3f|0x80
	return u.String()
}

// TestTakeOver points tracemig at a location that the official migration has filled: it completes what is
// there, adds what is not, and leaves alone what others changed since.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	m, c := fill(t, takenOver)
	whole(t, c)
	k := &takeover{bed: newBed(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{}), expected: c.Expected, custom: c.Cases["custom_trace_ids"][0]}
	skip := map[string]string{c.Cases["client_request_id"][0]: "TOO_LARGE", c.Cases["linked_to_runs"][2]: "TOO_LARGE"}
	location := "spark_catalog.default." + k.prefix
	k.official = rig.Official(t, m, k.wh, c.Experiment, location, rig.OfficialOptions{Skip: skip, UntilMS: k.trace(c.Cases["otlp_gen_ai"][0]).RequestTimeMS - 1})
	k.rest = slices.AppendSeq(slices.Clone(k.official.Left), maps.Keys(k.official.Skipped))
	for _, e := range k.expected {
		if hasLinks(&e) && !slices.Contains(k.rest, e.TraceID) {
			k.links = append(k.links, e.TraceID)
		}
	}
	if len(k.official.Skipped) != 2 || len(k.official.Left) != 1 || len(k.official.Migrated)+3 != c.Listed || len(k.links) == 0 {
		t.Fatalf("the official migration did %+v", k.official)
	}
	k.checkForms()
	k.checkProgress(c.ExperimentID, location)
	k.verifyBefore(k.trace(c.Cases["links"][0]).RequestTimeMS)

	k.edit(c)
	k.run()
	k.again()
	k.checkRows()
	k.verifyAfter()
	k.repair()
	unchanged(t, c.Expected, m.Dump(t, c.Experiment))
}

// problems are what is wrong by kind: one flaw of the program shows in many rows.
type problems map[string][]string

func (p problems) add(kind, format string, args ...any) {
	p[kind] = append(p[kind], fmt.Sprintf(format, args...))
}

// tell fails the test with each kind and a few of its cases.
func (p problems) tell(t *testing.T) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(p)) {
		cases := p[kind]
		t.Errorf("%s, %d times:\n\t%s", kind, len(cases), short(strings.Join(cases[:min(len(cases), 3)], "\n\t")))
	}
}

func (k *takeover) trace(id string) *rig.ExpectedTrace {
	k.t.Helper()
	i := slices.IndexFunc(k.expected, func(e rig.ExpectedTrace) bool { return e.TraceID == id })
	if i < 0 {
		k.t.Fatalf("the source lists no trace %s", id)
	}
	return &k.expected[i]
}

func hasLinks(e *rig.ExpectedTrace) bool {
	return slices.ContainsFunc(e.Spans, func(s rig.ExpectedSpan) bool { return len(s.Links) > 0 })
}

func assessments(t *testing.T, e *rig.ExpectedTrace) []assessment {
	t.Helper()
	all := make([]assessment, len(e.Assessments))
	for i, j := range e.Assessments {
		if err := json.Unmarshal(j, &all[i]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// checkForms pins down what the generator writes, so that the rest of the test means what it says.
func (k *takeover) checkForms() {
	k.t.Helper()
	spanRows, annotationRows := readRows(k.t, k.rowsOf)
	if len(spanRows) != k.official.Spans || len(annotationRows) != k.official.Annotations {
		k.t.Errorf("the official migration says %+v; there are %d spans and %d annotations", k.official, len(spanRows), len(annotationRows))
	}
	spans, annotations := map[string]spanRow{}, map[string]annotationRow{}
	for _, s := range spanRows {
		spans[s.TraceID+s.SpanID] = s
	}
	for _, a := range annotationRows {
		annotations[a.ID] = a
	}
	parents := map[string]int{} // how roots say that they are roots
	for _, id := range k.official.Migrated {
		e := k.trace(id)
		c := &comparison{t: k.t, trace: e, id: targetOf(id)}
		for _, want := range e.Spans {
			got, ok := spans[c.id+want.SpanID]
			delete(spans, c.id+want.SpanID)
			attributes := maps.Clone(got.Attributes)
			if want.ParentSpanID == nil {
				parents[text(got.ParentSpanID)]++
				for attribute, key := range map[string]string{"user.id": "mlflow.trace.user", "session.id": "mlflow.trace.session"} {
					if _, has := want.Attributes[attribute]; !has && e.Metadata[key] != "" {
						c.equal(attribute, e.Metadata[key], attributes[attribute])
						delete(attributes, attribute)
					}
				}
			} else {
				c.equal("parent", want.ParentSpanID, got.ParentSpanID)
			}
			if !ok || got.Kind != want.Type || len(got.Links) > 0 || len(got.Events) != len(want.Events) || text(got.Status.Code) != text(want.StatusCode) || text(got.ServiceName) != `""` {
				c.errorf("the official span of %q is %+v", want.Name, got)
			}
			c.attributes("official attributes", want.Name, want.Attributes, attributes)
		}
		meta := annotations[sha256ID(c.id+":metadata")]
		value, _ := meta.Value.(object)
		inner, _ := value["trace_metadata"].(object)
		if len(value) != 4 || inner["mlflow.migration.sourceExperimentId"] != k.official.ExperimentID || len(inner) != len(e.Metadata)+1 || meta.Metadata != nil ||
			meta.UpdatedAt != e.RequestTimeMS*1000 || meta.CreatedAt != meta.UpdatedAt || meta.TargetID != c.id {
			c.errorf("the official METADATA row is %+v", meta)
		}
		delete(annotations, meta.ID)
		for key, value := range e.Tags {
			tag, ok := annotations[sha256ID(c.id+":tag:"+key)]
			delete(annotations, tag.ID)
			if ok == (key == "mlflow.artifactLocation") || ok && (tag.Value != value || tag.Type != "TAG" || tag.Name != key || tag.UpdatedAt != meta.UpdatedAt) {
				c.errorf("the official row of tag %q is %+v", key, tag)
			}
		}
		for _, a := range assessments(k.t, e) {
			row := annotations[a.ID]
			delete(annotations, a.ID)
			want := object{"mlflow.source.source_type": a.Source.Type, "mlflow.source.source_id": a.Source.ID}
			if a.SpanID != nil {
				want["mlflow.span_id"] = *a.SpanID
			}
			if a.Feedback != nil && a.Feedback.Error != nil {
				for key, s := range map[string]*string{"error_code": a.Feedback.Error.Code, "error_message": a.Feedback.Error.Message, "stack_trace": a.Feedback.Error.Stack} {
					if s != nil {
						want["mlflow.error."+key] = *s
					}
				}
			}
			if a.Expectation != nil && a.Expectation.Serialized != nil {
				want["mlflow.expectation.serialization_format"] = "JSON_FORMAT"
				if problem := differs(decode(k.t, []byte(a.Expectation.Serialized.Value)), row.Value); problem != "" {
					c.errorf("the official row of expectation %q: %s", a.Name, problem)
				}
			}
			c.equal("official metadata of "+a.Name, want, row.Metadata)
			c.equal("official times of "+a.Name, []int64{micros(k.t, a.CreateTime), micros(k.t, a.LastUpdateTime)}, []int64{row.CreatedAt, row.UpdatedAt})
			c.equal("official comment of "+a.Name, a.Rationale, row.Comment)
			c.equal("official target of "+a.Name, "TRACE "+c.id, row.TargetType+" "+row.TargetID)
		}
	}
	if len(spans)+len(annotations) > 0 {
		k.t.Errorf("official rows of nothing at the source: %+v %+v", spans, annotations)
	}
	if parents["null"] == 0 || parents[`""`] == 0 || len(parents) != 2 {
		k.t.Errorf("parents of official root spans: %v", parents)
	}
}

// checkProgress has check tell how far the official migration came, and what it skipped of this source.
func (k *takeover) checkProgress(experimentID, location string) {
	k.t.Helper()
	if rows := k.wh.SQL(k.t, "SELECT count(*) FROM default._migration_skipped WHERE source_experiment_id = '"+experimentID+"' AND target_uc_location = '"+location+"'"); rows[0][0] != int64(2) {
		k.t.Fatalf("%v skipped traces are noted, want 2", rows[0][0])
	}
	k.wh.SQL(k.t, "INSERT INTO default._migration_skipped VALUES ('tr-other', 'TOO_LARGE', 'another experiment', '"+location+"', now(), '')")
	code, found := k.check()
	if code != 0 {
		k.t.Errorf("check ends with %d: %+v", code, found)
	}
	said := found[preflight.CodeOfficial].Text
	if !strings.Contains(said, k.official.LatestTraceID) || !regexp.MustCompile(`\b2 that it skipped\b.*\b_migration_skipped\b`).MatchString(said) {
		k.t.Errorf("check does not say that the official migration came to trace %s and skipped 2: %s", k.official.LatestTraceID, said)
	}
}

// findings holds what verify found against a kind for each trace, and returns it for more questions.
func (k *takeover) findings(code int, want func(*rig.ExpectedTrace) []verify.Kind) verification {
	k.t.Helper()
	v := k.verify("verify", code, "--deep")
	wrong := problems{}
	for i := range k.expected {
		e := &k.expected[i]
		kinds := want(e)
		if kind := v.findings[e.TraceID]; !slices.Contains(kinds, kind) {
			wrong.add(fmt.Sprintf("verify finds %q, want %q", kind, kinds), "trace %s (%s): %s", e.TraceID, e.Case, v.details[e.TraceID])
		}
	}
	for _, id := range k.links {
		if detail := v.details[id]; !strings.Contains(detail, "DELETE FROM") || !strings.Contains(detail, targetOf(id)) {
			wrong.add("verify names no DELETE for a trace that has lost its links", "trace %s: %s", id, detail)
		}
	}
	wrong.tell(k.t)
	return v
}

// verifyBefore has verify look at the location before tracemig has written anything. Before the request time
// of the first trace with links nothing is lost.
func (k *takeover) verifyBefore(linksMS int64) {
	k.t.Helper()
	v := k.verify("verify", 0, "--deep", "--end-time", time.UnixMilli(linksMS).UTC().Format(time.RFC3339Nano))
	if v.report.Listed == 0 || v.report.Kinds[verify.Official] != v.report.Listed {
		k.t.Errorf("of what the official migration lost nothing of, verify finds %v", v.report.Kinds)
	}
	k.findings(4, func(e *rig.ExpectedTrace) []verify.Kind {
		switch {
		case slices.Contains(k.rest, e.TraceID):
			return []verify.Kind{verify.Pending}
		case slices.Contains(k.links, e.TraceID):
			return []verify.Kind{verify.Differ}
		}
		return []verify.Kind{verify.Official}
	})
}

// edit changes annotations at the target, as the service and its users would.
func (k *takeover) edit(c rig.Corpus) {
	k.t.Helper()
	id := func(name string) string { return c.Cases[name][0] }
	tag := func(recipe func(string) string, trace string) string {
		return recipe(targetOf(trace) + ":tag:corpus.case")
	}
	rated := id("feedback_rationale_and_metadata")
	feedback := ""
	for _, a := range assessments(k.t, k.trace(rated)) {
		if a.Name == "metadata" {
			feedback = a.ID
		}
	}
	k.edits = map[string]edit{
		id("feedback_sources"): {"edited by the service under its own ID", "TAG", "corpus.case", tag(md5ID, id("feedback_sources")), "by the service", true},
		id("session_and_user"): {"deleted by the service under its own ID", "TAG", "corpus.case", tag(md5ID, id("session_and_user")), "", true},
		id("feedback_errors"):  {"edited under the official ID", "TAG", "corpus.case", tag(sha256ID, id("feedback_errors")), "by bob", false},
		rated:                  {"given another value by bob", "FEEDBACK", "metadata", feedback, "bob's", false},
	}
	var selects []string
	for trace, e := range k.edits {
		value, deleted := "value", "now(), 'bob'"
		if e.value != "" {
			value, deleted = `parse_json('"`+strings.ReplaceAll(e.value, "'", `\'`)+`"')`, "NULL, NULL"
		}
		selects = append(selects, fmt.Sprintf(`SELECT '%s', target_type, target_id, annotation_type, name, %s, comment, metadata, created_at, created_by, now(), 'bob', %s, 'insert'
			FROM %s WHERE target_id = '%s' AND annotation_type = '%s' AND name = '%s'`, e.id, value, deleted, k.rowsOf.annotations, targetOf(trace), e.kind, e.name))
	}
	k.wh.SQL(k.t, "INSERT INTO "+k.rowsOf.annotations+" "+strings.Join(selects, " UNION ALL "))
}

// spanHashes are the rows of the spans table: trace_id, span_id and record_id, and the hash of all the row.
func (k *takeover) spanHashes() map[string]int64 {
	k.t.Helper()
	hashes := map[string]int64{}
	for _, row := range k.wh.SQL(k.t, "SELECT concat_ws(' ', trace_id, span_id, record_id), xxhash64("+spanText+") FROM "+k.rowsOf.spans) {
		key := row[0].(string)
		if _, twice := hashes[key]; twice {
			k.t.Errorf("span row %s is there twice", key)
		}
		hashes[key] = row[1].(int64)
	}
	return hashes
}

// run is tracemig's first run: spans of the official migration stay, annotations become tracemig's.
func (k *takeover) run() {
	k.t.Helper()
	before := k.spanHashes()
	first := k.version() // the last one before tracemig's
	o := k.mustRun(0)
	s := o.summary
	k.t.Logf("%+v", s)
	if !strings.Contains(o.stderr, k.official.LatestTraceID) {
		k.t.Errorf("run does not say that the official migration came to %s", k.official.LatestTraceID)
	}
	spans := 0
	for _, id := range k.rest {
		spans += len(k.trace(id).Spans)
	}
	if s.SpansWritten != int64(spans) {
		k.t.Errorf("%d spans were written, want the %d that the official migration skipped or did not reach", s.SpansWritten, spans)
	}
	if s.AnnotationsKept != int64(len(k.edits)) {
		k.t.Errorf("%d annotations are told as changed at the target, want %d", s.AnnotationsKept, len(k.edits))
	}
	if s.SkippedReasons["official_trace_id"] != 1 || s.Skipped != 1 || s.Failed+s.Deferred != 0 {
		k.t.Errorf("skipped %v, failed %v, deferred %v; want the trace with ID %s under official_trace_id alone", s.SkippedReasons, s.FailedReasons, s.DeferredReasons, k.custom)
	}
	after := k.spanHashes()
	for key, hash := range before {
		if after[key] != hash {
			k.t.Errorf("the official span row %s is gone or changed", key)
		}
	}
	if len(after) != len(before)+spans {
		k.t.Errorf("%d span rows became %d, want %d more", len(before), len(after), spans)
	}
	k.checkVersions(first)
}

// version is the newest version of the annotations table.
func (k *takeover) version() int64 {
	k.t.Helper()
	return k.wh.SQL(k.t, "DESCRIBE HISTORY "+k.rowsOf.annotations+" LIMIT 1")[0][0].(int64) // the newest comes first
}

// checkVersions looks at every commit after first: in none may a tag be there twice, or be gone.
func (k *takeover) checkVersions(first int64) {
	k.t.Helper()
	last := k.version()
	type tag struct{ trace, name string }
	lives := map[int64]map[tag]int64{}
	var selects []string
	for v := first; v <= last; v++ {
		lives[v] = map[tag]int64{}
		selects = append(selects, fmt.Sprintf(`SELECT %d, target_id, name, count_if(deleted_at IS NULL) FROM (
			SELECT *, row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age FROM %s VERSION AS OF %[1]d)
			WHERE age = 1 AND annotation_type = 'TAG' GROUP BY target_id, name`, v, k.rowsOf.annotations))
	}
	for _, row := range k.wh.SQL(k.t, strings.Join(selects, " UNION ALL ")) {
		lives[row[0].(int64)][tag{row[1].(string), row[2].(string)}] = row[3].(int64)
	}
	want := map[tag]int64{} // live rows of each tag that the official migration has written, at last
	doubtful := map[tag]bool{}
	for trace, e := range k.edits {
		if e.secondLives {
			doubtful[tag{targetOf(trace), e.name}] = true
			want[tag{targetOf(trace), e.name}] = 1
			if e.value == "" {
				want[tag{targetOf(trace), e.name}] = 0
			}
		}
	}
	for t := range lives[first] {
		if _, told := want[t]; !told && t.trace != targetOf(k.custom) {
			want[t] = 1
			if slices.Contains(storageTags, t.name) {
				want[t] = 0
			}
		}
	}
	wrong := problems{}
	for v := first + 1; v <= last; v++ {
		for t, n := range lives[v] {
			if n > 1 && !(doubtful[t] && v < last) {
				wrong.add(fmt.Sprintf("version %d of %d to %d has several live rows of one tag", v, first, last), "trace %s, %.30q: %d", t.trace, t.name, n)
			}
		}
		for t, n := range want {
			if got := lives[v][t]; n == 1 && got == 0 {
				wrong.add(fmt.Sprintf("version %d of %d to %d has lost a tag", v, first, last), "trace %s, %.30q", t.trace, t.name)
			}
		}
	}
	for t, n := range want {
		if got := lives[last][t]; got > 0 && n == 0 {
			wrong.add("a tag that is to have no live row has one at last", "trace %s, %.30q", t.trace, t.name)
		}
	}
	wrong.tell(k.t)
}

// again runs a second time, and a third without the checkpoint: nothing is written.
func (k *takeover) again() {
	k.t.Helper()
	before := k.files()
	for _, how := range []string{"with its checkpoint", "without its checkpoint"} {
		if how == "without its checkpoint" {
			k.forget()
		}
		if s := k.mustRun(0).summary; s.TargetWrites+s.SpansWritten+s.AnnotationsWritten+s.Failed != 0 {
			k.t.Errorf("run %s: %+v", how, s)
		}
		if after := k.files(); !slices.Equal(before, after) {
			k.t.Errorf("run %s changed the target from\n%q to\n%q", how, before, after)
		}
	}
}

// checkRows holds the annotations, as readers see them, against the source: in tracemig's forms, whoever
// wrote their first versions.
func (k *takeover) checkRows() {
	k.t.Helper()
	if n := k.wh.SQL(k.t, "SELECT count(*) FROM "+k.rowsOf.annotations+" WHERE _change_type IS DISTINCT FROM 'insert'")[0][0]; n != int64(0) {
		k.t.Errorf("%v annotation rows have another _change_type than insert", n)
	}
	spans, rows := readRows(k.t, k.rowsOf.present())
	annotations := map[string][]annotationRow{}
	for _, a := range rows {
		annotations[a.TargetID] = append(annotations[a.TargetID], a)
	}
	known := map[string]bool{}
	wrong := problems{}
	for i := range k.expected {
		e := &k.expected[i]
		id := targetOf(e.TraceID)
		known[id] = true
		if e.TraceID == k.custom {
			continue
		}
		// Where these hold, all the rest has to hold too.
		if n := len(wrong); k.checkAnnotations(wrong, e, annotations[id]) && n == len(wrong) {
			c := &comparison{t: k.t, trace: e, id: id}
			c.annotations(k.asAtTheSource(e, annotations[id]))
		}
	}
	// The trace whose ID is no hex is there once, under the official ID.
	for _, s := range spans {
		if !known[s.TraceID] {
			wrong.add("spans of a trace that the source does not have under this ID", "trace %s, span %s", s.TraceID, s.SpanID)
		}
	}
	for id := range annotations {
		if !known[id] {
			wrong.add("annotations of a trace that the source does not have under this ID", "trace %s", id)
		}
	}
	wrong.tell(k.t)
}

// checkAnnotations notes what is wrong of a trace's annotations, as far as taking over is to change it. It
// says whether nothing is, and nobody has edited them.
func (k *takeover) checkAnnotations(wrong problems, e *rig.ExpectedTrace, rows []annotationRow) bool {
	k.t.Helper()
	id := targetOf(e.TraceID)
	fine := true
	add := func(kind, format string, args ...any) {
		fine = false
		wrong.add(kind, "trace %s (%s): %s", e.TraceID, e.Case, fmt.Sprintf(format, args...))
	}
	edited, isEdited := k.edits[e.TraceID]
	byID := map[string]annotationRow{}
	for _, a := range rows {
		byID[a.ID] = a
	}
	if meta := byID[sha256ID(id+":metadata")]; meta.Metadata["tracemig.source_trace_id"] != e.TraceID || meta.Metadata["tracemig.source"] == nil {
		add("METADATA lacks where it comes from", "%s", text(meta.Metadata))
	}
	for key, value := range e.Tags {
		tag, ok := byID[md5ID(id+":tag:"+key)]
		switch {
		case isEdited && edited.kind == "TAG" && key == edited.name:
			if shown := byID[edited.id]; edited.value == "" && ok || edited.value != "" && shown.Value != edited.value {
				add("a tag that was "+edited.what+" does not show that", "%q: %s", key, text(shown))
			}
		case slices.Contains(storageTags, key):
			if ok {
				add("a tag that names the source's storage has a row", "%q", key)
			}
		case !ok || tag.Value != value || tag.Name != key:
			add("a tag is not there under the service's ID", "%.30q: %s", key, text(tag))
		}
	}
	for _, run := range e.Runs {
		if link, ok := byID[md5ID(id+":run_link:"+run)]; !ok || link.Type != "RUN_LINK" || link.Value != run {
			add("the link to a run is not there", "%s: %s", run, text(link))
		}
	}
	for _, a := range assessments(k.t, e) {
		row := byID[a.ID]
		if isEdited && edited.id == a.ID {
			if row.Value != edited.value || text(row.UpdatedBy) != `"bob"` {
				add("an assessment that was "+edited.what+" does not show that", "%q: %s", a.Name, text(row))
			}
			continue
		}
		want := object{}
		for key, value := range a.Metadata {
			want[key] = value
		}
		if a.Overrides != nil {
			want["mlflow.overrides"] = *a.Overrides
		}
		if a.Valid != nil {
			want["mlflow.valid"] = fmt.Sprint(*a.Valid)
		}
		for key, value := range want {
			if row.Metadata[key] != value {
				add("an assessment's metadata lacks what the official migration left out", "%q has %q = %v, want %v", a.Name, key, row.Metadata[key], value)
			}
		}
	}
	return fine && !isEdited
}

// asAtTheSource are the rows with the update times that the source tells of assessments: a new version of
// one has to be newer.
func (k *takeover) asAtTheSource(e *rig.ExpectedTrace, rows []annotationRow) []annotationRow {
	k.t.Helper()
	updated := map[string]int64{}
	for _, a := range assessments(k.t, e) {
		updated[a.ID] = micros(k.t, a.LastUpdateTime)
	}
	rows = slices.Clone(rows)
	for i := range rows {
		if at, ok := updated[rows[i].ID]; ok && rows[i].UpdatedAt > at {
			rows[i].UpdatedAt = at
		}
	}
	return rows
}

// verifyAfter has verify look at what the first run made of the location: only lost links are wrong.
func (k *takeover) verifyAfter() {
	k.t.Helper()
	v := k.findings(4, func(e *rig.ExpectedTrace) []verify.Kind {
		_, edited := k.edits[e.TraceID]
		switch {
		case slices.Contains(k.rest, e.TraceID):
			return []verify.Kind{""} // they match
		case slices.Contains(k.links, e.TraceID):
			return []verify.Kind{verify.Differ}
		case edited:
			return []verify.Kind{verify.Official, verify.Edited}
		}
		return []verify.Kind{verify.Official}
	})
	if v.report.Wrong() != int64(len(k.links)) {
		k.t.Errorf("%d traces are wrong, want %d: %+v", v.report.Wrong(), len(k.links), v.report.Kinds)
	}
	for _, id := range k.links {
		_, statement, found := strings.Cut(v.details[id], "DELETE FROM ")
		if !found {
			continue // findings has told
		}
		statement, _, _ = strings.Cut(statement, ";")
		if i := strings.LastIndexByte(statement, '\''); i >= 0 {
			statement = statement[:i+1] // without what the sentence says further
		}
		if _, err := k.wh.TrySQL("DELETE FROM " + statement); err != nil {
			k.t.Errorf("the DELETE that verify names for trace %s: %v", id, err)
		}
	}
}

// repair writes anew the spans that were deleted, with their links.
func (k *takeover) repair() {
	k.t.Helper()
	k.verify("repair", 0, "--deep")
	if v := k.verify("verify", 0, "--deep"); v.report.Wrong() > 0 {
		k.t.Errorf("after repair: %v", v.report.Kinds)
	}
	rows, _ := readRows(k.t, k.rowsOf)
	for _, id := range k.links {
		spans := map[string]spanRow{}
		for _, s := range rows {
			if s.TraceID == targetOf(id) {
				spans[s.SpanID] = s
			}
		}
		(&comparison{t: k.t, trace: k.trace(id), id: targetOf(id)}).spans(spans)
	}
}
