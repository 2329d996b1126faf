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

// takeoverCases are the cases that the official migration migrates before tracemig. They cover everything that it loses, and
// everything that it keeps in another form than tracemig.
const takeoverCases = "state_error,state_unset,events,links,json_types,not_finite,token_usage_cost,tags,session_and_user," +
	"client_request_id,feedback_values,feedback_sources,feedback_errors,feedback_rationale_and_metadata,span_level_assessments," +
	"overridden_feedback,invalidated_feedback,expectations,in_run_and_linked,linked_to_runs,custom_trace_ids,otlp_gen_ai"

// storageTags are tags that name the source's storage. tracemig writes no TAG rows for them.
var storageTags = []string{"mlflow.artifactLocation", "mlflow.trace.spansLocation"}

// A takeover is a location that first the official migration and then tracemig writes to.
type takeover struct {
	*fixture
	official  rig.OfficialRun
	expected  []rig.ExpectedTrace
	notMoved  []string // traces that the official migration has skipped or not reached
	lostLinks []string // migrated traces whose span links it has lost
	customID  string   // the trace whose ID is not hexadecimal
	edits     map[string]annotationEdit
}

// annotationEdit is a change that somebody makes to an annotation at the target after the official migration.
type annotationEdit struct {
	description     string
	kind, name      string // of the annotation
	id              string // annotation_id of the added version
	value           string // what readers see from then on, "" for nothing
	leavesDuplicate bool   // whether it leaves two live rows of one tag
}

// targetOf returns the trace_id that the official migration gives a trace. tracemig gives it the same if it is hexadecimal.
func targetOf(traceID string) string { return strings.TrimPrefix(traceID, "tr-") }

// sha256ID returns an annotation ID as the official migration makes it.
func sha256ID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return uuid.UUID(sum[:16]).String()
}

// md5ID returns an annotation ID as the service makes it.
func md5ID(name string) string {
	u := uuid.UUID(md5.Sum([]byte(name)))
	u[6], u[8] = u[6]&0x0f|0x30, u[8]&0x3f|0x80
	return u.String()
}

// TestTakeOver points tracemig at a location that the official migration has written to. It completes the traces there, adds
// the missing ones, and leaves alone what others have changed since.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	m, c := fill(t, takeoverCases)
	checkCorpus(t, c)
	tk := &takeover{
		fixture:  newFixture(t, m.URI, c.Experiment).toWarehouse(),
		expected: c.Expected,
		customID: c.Cases["custom_trace_ids"][0],
	}
	skip := map[string]string{c.Cases["client_request_id"][0]: "TOO_LARGE", c.Cases["linked_to_runs"][2]: "TOO_LARGE"}
	location := "spark_catalog.default." + tk.prefix
	until := tk.trace(c.Cases["otlp_gen_ai"][0]).RequestTimeMS - 1
	tk.official = rig.Official(t, m, tk.warehouse, c.Experiment, location, rig.OfficialOptions{Skip: skip, UntilMS: until})
	tk.notMoved = slices.AppendSeq(slices.Clone(tk.official.Left), maps.Keys(tk.official.Skipped))
	for _, e := range tk.expected {
		if hasLinks(&e) && !slices.Contains(tk.notMoved, e.TraceID) {
			tk.lostLinks = append(tk.lostLinks, e.TraceID)
		}
	}
	if o := tk.official; len(o.Skipped) != 2 || len(o.Left) != 1 || len(o.Migrated)+3 != c.Listed || len(tk.lostLinks) == 0 {
		t.Fatalf("the official migration did %+v, want 2 of %d traces skipped, one left, and some with links migrated", o, c.Listed)
	}
	tk.checkForms()
	tk.checkProgress(c.ExperimentID, location)
	tk.verifyBefore(tk.trace(c.Cases["links"][0]).RequestTimeMS)

	tk.editAnnotations(c)
	tk.firstRun()
	tk.checkReruns()
	tk.checkRows()
	tk.verifyAfter()
	tk.checkRepair()
	checkUnchanged(t, c.Expected, m.Dump(t, c.Experiment))
}

// problems are descriptions of what is wrong by kind, since one error of the program shows in many rows.
type problems map[string][]string

func (p problems) add(kind, format string, args ...any) {
	p[kind] = append(p[kind], fmt.Sprintf(format, args...))
}

// report fails the test with each kind of problem and a few of its cases.
func (p problems) report(t *testing.T) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(p)) {
		cases := p[kind]
		t.Errorf("%s, %d times:\n\t%s", kind, len(cases), short(strings.Join(cases[:min(len(cases), 3)], "\n\t")))
	}
}

// trace returns a trace of the source by its ID.
func (tk *takeover) trace(id string) *rig.ExpectedTrace {
	tk.t.Helper()
	i := slices.IndexFunc(tk.expected, func(e rig.ExpectedTrace) bool { return e.TraceID == id })
	if i < 0 {
		tk.t.Fatalf("the source lists no trace %s, want one", id)
	}
	return &tk.expected[i]
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

// checkForms checks the rows that testdata/rig/official.py writes, since the rest of the test relies on their forms.
func (tk *takeover) checkForms() {
	tk.t.Helper()
	spanRows, annotationRows := readRows(tk.t, tk.tables)
	if len(spanRows) != tk.official.Spans || len(annotationRows) != tk.official.Annotations {
		tk.t.Errorf("there are %d spans and %d annotations, want what the official migration says: %+v",
			len(spanRows), len(annotationRows), tk.official)
	}
	spans, annotations := map[string]spanRow{}, map[string]annotationRow{}
	for _, s := range spanRows {
		spans[s.TraceID+s.SpanID] = s
	}
	for _, a := range annotationRows {
		annotations[a.ID] = a
	}
	parents := map[string]int{} // how often roots have which parent
	for _, id := range tk.official.Migrated {
		e := tk.trace(id)
		c := &comparison{t: tk.t, trace: e, id: targetOf(id)}
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
			if !ok || got.Kind != want.Type || len(got.Links) > 0 || len(got.Events) != len(want.Events) ||
				text(got.Status.Code) != text(want.StatusCode) || text(got.ServiceName) != `""` {
				c.errorf("the official span of %q is %+v, want the official form of %+v", want.Name, got, want)
			}
			c.attributes("official attributes", want.Name, want.Attributes, attributes)
		}
		meta := annotations[sha256ID(c.id+":metadata")]
		value, _ := meta.Value.(object)
		inner, _ := value["trace_metadata"].(object)
		if len(value) != 4 || inner["mlflow.migration.sourceExperimentId"] != tk.official.ExperimentID ||
			len(inner) != len(e.Metadata)+1 || meta.Metadata != nil ||
			meta.UpdatedAt != e.RequestTimeMS*1000 || meta.CreatedAt != meta.UpdatedAt || meta.TargetID != c.id {
			c.errorf("the official METADATA row is %+v, want the official form of %v", meta, e.Metadata)
		}
		delete(annotations, meta.ID)
		for key, value := range e.Tags {
			tag, ok := annotations[sha256ID(c.id+":tag:"+key)]
			delete(annotations, tag.ID)
			if ok == (key == "mlflow.artifactLocation") ||
				ok && (tag.Value != value || tag.Type != "TAG" || tag.Name != key || tag.UpdatedAt != meta.UpdatedAt) {
				c.errorf("the official row of tag %q is %+v, want value %q, and no row of mlflow.artifactLocation", key, tag, value)
			}
		}
		for _, a := range assessments(tk.t, e) {
			row := annotations[a.ID]
			delete(annotations, a.ID)
			want := object{"mlflow.source.source_type": a.Source.Type, "mlflow.source.source_id": a.Source.ID}
			if a.SpanID != nil {
				want["mlflow.span_id"] = *a.SpanID
			}
			if a.Feedback != nil && a.Feedback.Error != nil {
				failure := a.Feedback.Error
				for key, s := range map[string]*string{
					"error_code": failure.Code, "error_message": failure.Message, "stack_trace": failure.Stack,
				} {
					if s != nil {
						want["mlflow.error."+key] = *s
					}
				}
			}
			if a.Expectation != nil && a.Expectation.Serialized != nil {
				want["mlflow.expectation.serialization_format"] = "JSON_FORMAT"
				if problem := differs(decode(tk.t, []byte(a.Expectation.Serialized.Value)), row.Value); problem != "" {
					c.errorf("the official row of expectation %q: %s", a.Name, problem)
				}
			}
			c.equal("official metadata of "+a.Name, want, row.Metadata)
			times := []int64{micros(tk.t, a.CreateTime), micros(tk.t, a.LastUpdateTime)}
			c.equal("official times of "+a.Name, times, []int64{row.CreatedAt, row.UpdatedAt})
			c.equal("official comment of "+a.Name, a.Rationale, row.Comment)
			c.equal("official target of "+a.Name, "TRACE "+c.id, row.TargetType+" "+row.TargetID)
		}
	}
	if len(spans)+len(annotations) > 0 {
		tk.t.Errorf("official rows that nothing at the source explains, want none: %+v %+v", spans, annotations)
	}
	if parents["null"] == 0 || parents[`""`] == 0 || len(parents) != 2 {
		tk.t.Errorf("parents of official root spans: %v, want some null and some empty ones", parents)
	}
}

// checkProgress checks that the command check tells how far the official migration came, and what it skipped of this source.
func (tk *takeover) checkProgress(experimentID, location string) {
	tk.t.Helper()
	rows := tk.warehouse.SQL(tk.t, "SELECT count(*) FROM default._migration_skipped"+
		" WHERE source_experiment_id = '"+experimentID+"' AND target_uc_location = '"+location+"'")
	if rows[0][0] != int64(2) {
		tk.t.Fatalf("_migration_skipped has %v traces, want 2", rows[0][0])
	}
	tk.warehouse.SQL(tk.t, "INSERT INTO default._migration_skipped VALUES"+
		" ('tr-other', 'TOO_LARGE', 'another experiment', '"+location+"', now(), '')")
	code, found := tk.check()
	if code != 0 {
		tk.t.Errorf("check ends with exit code %d, want 0: %+v", code, found)
	}
	said := found[preflight.CodeOfficial].Text
	skipped := regexp.MustCompile(`\b2 that it skipped\b.*\b_migration_skipped\b`)
	if !strings.Contains(said, tk.official.LatestTraceID) || !skipped.MatchString(said) {
		tk.t.Errorf("check says %s\nwant that the official migration came to trace %s and skipped 2", said, tk.official.LatestTraceID)
	}
}

// checkFindings runs verify, checks that it finds one of the wanted kinds for each trace, and returns what it found.
func (tk *takeover) checkFindings(code int, want func(*rig.ExpectedTrace) []verify.Kind) verification {
	tk.t.Helper()
	v := tk.verify("verify", code, "--deep")
	wrong := problems{}
	for i := range tk.expected {
		e := &tk.expected[i]
		kinds := want(e)
		if kind := v.findings[e.TraceID]; !slices.Contains(kinds, kind) {
			wrong.add(fmt.Sprintf("verify finds %q, want %q", kind, kinds), "trace %s (%s): %s", e.TraceID, e.Case, v.details[e.TraceID])
		}
	}
	for _, id := range tk.lostLinks {
		if detail := v.details[id]; !strings.Contains(detail, "DELETE FROM") || !strings.Contains(detail, targetOf(id)) {
			wrong.add("verify names no DELETE for a trace that has lost its links", "trace %s: %s", id, detail)
		}
	}
	wrong.report(tk.t)
	return v
}

// verifyBefore runs verify before tracemig has written anything. Of the traces before the request time of the first trace
// with links, nothing is lost.
func (tk *takeover) verifyBefore(linksMS int64) {
	tk.t.Helper()
	v := tk.verify("verify", 0, "--deep", "--end-time", time.UnixMilli(linksMS).UTC().Format(time.RFC3339Nano))
	if v.report.Listed == 0 || v.report.Kinds[verify.Official] != v.report.Listed {
		tk.t.Errorf("verify finds %v of the traces of which nothing is lost, want all of kind %s", v.report.Kinds, verify.Official)
	}
	tk.checkFindings(4, func(e *rig.ExpectedTrace) []verify.Kind {
		switch {
		case slices.Contains(tk.notMoved, e.TraceID):
			return []verify.Kind{verify.Pending}
		case slices.Contains(tk.lostLinks, e.TraceID):
			return []verify.Kind{verify.Differ}
		}
		return []verify.Kind{verify.Official}
	})
}

// editAnnotations changes annotations at the target, as the service and its users would.
func (tk *takeover) editAnnotations(c rig.Corpus) {
	tk.t.Helper()
	id := func(name string) string { return c.Cases[name][0] }
	tag := func(makeID func(string) string, trace string) string {
		return makeID(targetOf(trace) + ":tag:corpus.case")
	}
	sources, session, failed := id("feedback_sources"), id("session_and_user"), id("feedback_errors")
	rated := id("feedback_rationale_and_metadata")
	feedback := ""
	for _, a := range assessments(tk.t, tk.trace(rated)) {
		if a.Name == "metadata" {
			feedback = a.ID
		}
	}
	tk.edits = map[string]annotationEdit{
		sources: {"edited by the service under its own ID", "TAG", "corpus.case", tag(md5ID, sources), "by the service", true},
		session: {"deleted by the service under its own ID", "TAG", "corpus.case", tag(md5ID, session), "", true},
		failed:  {"edited under the official ID", "TAG", "corpus.case", tag(sha256ID, failed), "by bob", false},
		rated:   {"given another value by bob", "FEEDBACK", "metadata", feedback, "bob's", false},
	}
	var selects []string
	for trace, e := range tk.edits {
		value, deleted := "value", "now(), 'bob'"
		if e.value != "" {
			value, deleted = `parse_json('"`+strings.ReplaceAll(e.value, "'", `\'`)+`"')`, "NULL, NULL"
		}
		selects = append(selects, fmt.Sprintf(`SELECT '%s', target_type, target_id, annotation_type, name, %s, comment, metadata,
			created_at, created_by, now(), 'bob', %s, 'insert'
			FROM %s WHERE target_id = '%s' AND annotation_type = '%s' AND name = '%s'`,
			e.id, value, deleted, tk.tables.annotations, targetOf(trace), e.kind, e.name))
	}
	tk.warehouse.SQL(tk.t, "INSERT INTO "+tk.tables.annotations+" "+strings.Join(selects, " UNION ALL "))
}

// spanHashes returns the hash of each row of the spans table by its trace_id, span_id and record_id.
func (tk *takeover) spanHashes() map[string]int64 {
	tk.t.Helper()
	hashes := map[string]int64{}
	query := "SELECT concat_ws(' ', trace_id, span_id, record_id), xxhash64(" + spanText + ") FROM " + tk.tables.spans
	for _, row := range tk.warehouse.SQL(tk.t, query) {
		key := row[0].(string)
		if _, twice := hashes[key]; twice {
			tk.t.Errorf("span row %s is there twice, want it once", key)
		}
		hashes[key] = row[1].(int64)
	}
	return hashes
}

// firstRun is the first run of tracemig. It keeps the spans of the official migration, and brings annotations into its own
// forms.
func (tk *takeover) firstRun() {
	tk.t.Helper()
	before := tk.spanHashes()
	first := tk.annotationsVersion() // the last version before tracemig writes
	o := tk.mustRun(0)
	s := o.summary
	tk.t.Logf("%+v", s)
	if !strings.Contains(o.stderr, tk.official.LatestTraceID) {
		tk.t.Errorf("run says %s\nwant that the official migration came to %s", tail(o.stderr), tk.official.LatestTraceID)
	}
	spans := 0
	for _, id := range tk.notMoved {
		spans += len(tk.trace(id).Spans)
	}
	if s.SpansWritten != int64(spans) {
		tk.t.Errorf("%d spans were written, want the %d that the official migration skipped or did not reach", s.SpansWritten, spans)
	}
	if s.AnnotationsKept != int64(len(tk.edits)) {
		tk.t.Errorf("%d annotations are reported as changed at the target, want %d", s.AnnotationsKept, len(tk.edits))
	}
	if s.SkippedReasons["official_trace_id"] != 1 || s.Skipped != 1 || s.Failed+s.Deferred != 0 {
		tk.t.Errorf("skipped %v, failed %v, deferred %v; want the trace with ID %s under official_trace_id alone",
			s.SkippedReasons, s.FailedReasons, s.DeferredReasons, tk.customID)
	}
	after := tk.spanHashes()
	for key, hash := range before {
		if after[key] != hash {
			tk.t.Errorf("the official span row %s is gone or changed, want it as before", key)
		}
	}
	if len(after) != len(before)+spans {
		tk.t.Errorf("%d span rows became %d, want %d more", len(before), len(after), spans)
	}
	tk.checkVersions(first)
}

// annotationsVersion returns the newest version of the annotations table.
func (tk *takeover) annotationsVersion() int64 {
	tk.t.Helper()
	return tk.warehouse.SQL(tk.t, "DESCRIBE HISTORY "+tk.tables.annotations+" LIMIT 1")[0][0].(int64) // The newest version comes first.
}

// checkVersions reads every version of the annotations after first. In none may a tag be there twice or be lost.
func (tk *takeover) checkVersions(first int64) {
	tk.t.Helper()
	last := tk.annotationsVersion()
	type tag struct{ trace, name string }
	liveRows := map[int64]map[tag]int64{}
	var selects []string
	for v := first; v <= last; v++ {
		liveRows[v] = map[tag]int64{}
		selects = append(selects, fmt.Sprintf(`SELECT %d, target_id, name, count_if(deleted_at IS NULL) FROM (
			SELECT *, row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
			FROM %s VERSION AS OF %[1]d)
			WHERE age = 1 AND annotation_type = 'TAG' GROUP BY target_id, name`, v, tk.tables.annotations))
	}
	for _, row := range tk.warehouse.SQL(tk.t, strings.Join(selects, " UNION ALL ")) {
		liveRows[row[0].(int64)][tag{row[1].(string), row[2].(string)}] = row[3].(int64)
	}
	want := map[tag]int64{} // live rows of each official tag in the last version
	mayDuplicate := map[tag]bool{}
	for trace, e := range tk.edits {
		if e.leavesDuplicate {
			mayDuplicate[tag{targetOf(trace), e.name}] = true
			want[tag{targetOf(trace), e.name}] = 1
			if e.value == "" {
				want[tag{targetOf(trace), e.name}] = 0
			}
		}
	}
	for t := range liveRows[first] {
		if _, told := want[t]; !told && t.trace != targetOf(tk.customID) {
			want[t] = 1
			if slices.Contains(storageTags, t.name) {
				want[t] = 0
			}
		}
	}
	wrong := problems{}
	for v := first + 1; v <= last; v++ {
		for t, n := range liveRows[v] {
			if n > 1 && !(mayDuplicate[t] && v < last) {
				kind := fmt.Sprintf("version %d of %d to %d has several live rows of one tag, want one", v, first, last)
				wrong.add(kind, "trace %s, %.30q: %d", t.trace, t.name, n)
			}
		}
		for t, n := range want {
			if got := liveRows[v][t]; n == 1 && got == 0 {
				wrong.add(fmt.Sprintf("version %d of %d to %d has lost a tag", v, first, last), "trace %s, %.30q", t.trace, t.name)
			}
		}
	}
	for t, n := range want {
		if got := liveRows[last][t]; got > 0 && n == 0 {
			wrong.add("the last version has a live row of a tag, want none", "trace %s, %.30q", t.trace, t.name)
		}
	}
	wrong.report(tk.t)
}

// checkReruns checks that a second run, and a third one without the checkpoint, write nothing.
func (tk *takeover) checkReruns() {
	tk.t.Helper()
	before := tk.tableFiles()
	for _, how := range []string{"with its checkpoint", "without its checkpoint"} {
		if how == "without its checkpoint" {
			tk.deleteCheckpoint()
		}
		if s := tk.mustRun(0).summary; s.TargetWrites+s.SpansWritten+s.AnnotationsWritten+s.Failed != 0 {
			tk.t.Errorf("run %s: %+v, want no write and none failed", how, s)
		}
		if after := tk.tableFiles(); !slices.Equal(before, after) {
			tk.t.Errorf("run %s changed the target from\n%q to\n%q", how, before, after)
		}
	}
}

// checkRows compares the annotations, as readers see them, with the source. All must have tracemig's forms, whoever wrote
// their first versions.
func (tk *takeover) checkRows() {
	tk.t.Helper()
	others := "SELECT count(*) FROM " + tk.tables.annotations + " WHERE _change_type IS DISTINCT FROM 'insert'"
	if n := tk.warehouse.SQL(tk.t, others)[0][0]; n != int64(0) {
		tk.t.Errorf("%v annotation rows have another _change_type than insert, want none", n)
	}
	spans, rows := readRows(tk.t, tk.tables.present())
	annotations := map[string][]annotationRow{}
	for _, a := range rows {
		annotations[a.TargetID] = append(annotations[a.TargetID], a)
	}
	known := map[string]bool{}
	wrong := problems{}
	for i := range tk.expected {
		e := &tk.expected[i]
		id := targetOf(e.TraceID)
		known[id] = true
		if e.TraceID == tk.customID {
			continue
		}
		// If these checks hold, the full comparison with the source must hold too.
		if n := len(wrong); tk.checkAnnotations(wrong, e, annotations[id]) && n == len(wrong) {
			c := &comparison{t: tk.t, trace: e, id: id}
			c.annotations(tk.withSourceTimes(e, annotations[id]))
		}
	}
	// The trace whose ID is not hexadecimal is there once, under the official ID.
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
	wrong.report(tk.t)
}

// checkAnnotations adds to wrong what the take-over should have changed in a trace's annotations but has not. It returns
// whether that is nothing and nobody has edited the annotations.
func (tk *takeover) checkAnnotations(wrong problems, e *rig.ExpectedTrace, rows []annotationRow) bool {
	tk.t.Helper()
	id := targetOf(e.TraceID)
	fine := true
	add := func(kind, format string, args ...any) {
		fine = false
		wrong.add(kind, "trace %s (%s): %s", e.TraceID, e.Case, fmt.Sprintf(format, args...))
	}
	edited, isEdited := tk.edits[e.TraceID]
	byID := map[string]annotationRow{}
	for _, a := range rows {
		byID[a.ID] = a
	}
	meta := byID[sha256ID(id+":metadata")].Metadata
	if meta["tracemig.source_trace_id"] != e.TraceID || meta["tracemig.source"] == nil {
		add("METADATA lacks the source of the trace", "%s", text(meta))
	}
	for key, value := range e.Tags {
		tag, ok := byID[md5ID(id+":tag:"+key)]
		switch {
		case isEdited && edited.kind == "TAG" && key == edited.name:
			if shown := byID[edited.id]; edited.value == "" && ok || edited.value != "" && shown.Value != edited.value {
				add("a tag that was "+edited.description+" does not show that", "%q: %s", key, text(shown))
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
	for _, a := range assessments(tk.t, e) {
		row := byID[a.ID]
		if isEdited && edited.id == a.ID {
			if row.Value != edited.value || text(row.UpdatedBy) != `"bob"` {
				add("an assessment that was "+edited.description+" does not show that", "%q: %s", a.Name, text(row))
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
				add("an assessment's metadata lacks what the official migration left out",
					"%q has %q = %v, want %v", a.Name, key, row.Metadata[key], value)
			}
		}
	}
	return fine && !isEdited
}

// withSourceTimes returns the rows with the update times that assessments have at the source. In the target, a new version
// of an assessment must have a newer time.
func (tk *takeover) withSourceTimes(e *rig.ExpectedTrace, rows []annotationRow) []annotationRow {
	tk.t.Helper()
	updated := map[string]int64{}
	for _, a := range assessments(tk.t, e) {
		updated[a.ID] = micros(tk.t, a.LastUpdateTime)
	}
	rows = slices.Clone(rows)
	for i := range rows {
		if at, ok := updated[rows[i].ID]; ok && rows[i].UpdatedAt > at {
			rows[i].UpdatedAt = at
		}
	}
	return rows
}

// verifyAfter runs verify after the first run: only the lost links are wrong. Then it runs the DELETEs that verify names.
func (tk *takeover) verifyAfter() {
	tk.t.Helper()
	v := tk.checkFindings(4, func(e *rig.ExpectedTrace) []verify.Kind {
		_, edited := tk.edits[e.TraceID]
		switch {
		case slices.Contains(tk.notMoved, e.TraceID):
			return []verify.Kind{""} // no finding, since they match
		case slices.Contains(tk.lostLinks, e.TraceID):
			return []verify.Kind{verify.Differ}
		case edited:
			return []verify.Kind{verify.Official, verify.Edited}
		}
		return []verify.Kind{verify.Official}
	})
	if v.report.Wrong() != int64(len(tk.lostLinks)) {
		tk.t.Errorf("%d traces are wrong, want %d: %+v", v.report.Wrong(), len(tk.lostLinks), v.report.Kinds)
	}
	for _, id := range tk.lostLinks {
		_, statement, found := strings.Cut(v.details[id], "DELETE FROM ")
		if !found {
			continue // checkFindings has reported that.
		}
		statement, _, _ = strings.Cut(statement, ";")
		if i := strings.LastIndexByte(statement, '\''); i >= 0 {
			statement = statement[:i+1] // without the rest of the sentence
		}
		if _, err := tk.warehouse.TrySQL("DELETE FROM " + statement); err != nil {
			tk.t.Errorf("the DELETE that verify names for trace %s: %v", id, err)
		}
	}
}

// checkRepair runs repair, which must write the deleted spans anew, with their links.
func (tk *takeover) checkRepair() {
	tk.t.Helper()
	tk.verify("repair", 0, "--deep")
	if v := tk.verify("verify", 0, "--deep"); v.report.Wrong() > 0 {
		tk.t.Errorf("verify after repair finds %v, want nothing wrong", v.report.Kinds)
	}
	rows, _ := readRows(tk.t, tk.tables)
	for _, id := range tk.lostLinks {
		spans := map[string]spanRow{}
		for _, s := range rows {
			if s.TraceID == targetOf(id) {
				spans[s.SpanID] = s
			}
		}
		(&comparison{t: tk.t, trace: tk.trace(id), id: targetOf(id)}).spans(spans)
	}
}
