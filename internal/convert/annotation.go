package convert

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Keys in the metadata column, besides the user's own, those of uctables.Provenance and the assessment keys of
// uctables.
const (
	// In METADATA rows: fields of a trace that have no column in the tables.
	KeyExperimentID      = "tracemig.source_experiment_id"
	KeyState             = "tracemig.source_state"
	KeyExecutionDuration = "tracemig.source_execution_duration"
	KeyOTelTraceID       = "tracemig.otel_trace_id" // the spans' own trace ID, where trace_id is another
	KeySourceTags        = "tracemig.source_tags"   // object: the tags that name the source's storage, see storageTags

	// In FEEDBACK and EXPECTATION rows: fields of an assessment for which the service has no key.
	KeyIssueName           = "tracemig.issue_name"
	KeySerializationFormat = "tracemig.serialization_format" // of an expectation whose text is not in its format
)

// reservedKeys are keys of tracemig's and the readers'. The user's assessment metadata gets others in their place.
var reservedKeys = append(slices.Clone(uctables.AssessmentKeys), KeyIssueName, KeySerializationFormat)

// storageTags say where the source keeps a trace. They become no TAG rows, because MLflow would look for the trace's
// spans there.
var storageTags = []string{mlflow.TagArtifactLocation, mlflow.TagSpansLocation, mlflow.TagArchiveLocation, mlflow.TagArchivalFailure}

// annotate builds the annotation rows: tags by key, assessments in the source's order, run links by ID,
// the parts of values over the size limit, METADATA last.
func (c *converter) annotate() {
	info := c.in.Info
	c.annotations = make([]uctables.Annotation, 0, len(info.Tags)+len(info.Assessments)+len(c.in.Runs)+2)
	c.addTags()
	c.addAssessments()
	c.addRunLinks()
	meta := c.traceAnnotation(uctables.MetadataID(c.traceID), uctables.Metadata, "metadata", nil)
	var over []overflow
	meta.Value, over = c.metadataValue()
	meta.Metadata = c.provenance()
	c.splitOverflow(&meta, over)
	c.annotations = append(append(c.annotations, c.parts...), meta)
}

// traceAnnotation is a row that the source has no times of: it gets the trace's request time.
func (c *converter) traceAnnotation(id string, typ uctables.AnnotationType, name string, value uctables.JSON) uctables.Annotation {
	at := c.in.Info.RequestTime.UnixMicro()
	return uctables.Annotation{
		AnnotationID: id, TargetType: uctables.TargetTrace, TargetID: c.traceID, Type: typ, Name: name, Value: value,
		CreatedAtMicros: at, UpdatedAtMicros: at,
	}
}

// add adds a row, and takes its value out if that is over the size limit. over is what was taken out already.
func (c *converter) add(a uctables.Annotation, over ...overflow) {
	if len(a.Value) > maxVariant/variantFactor && variantBound(a.Value) > maxVariant {
		ov := newOverflow("value", source{lit: a.Value})
		ov.whole = true
		a.Value = quote(nil, ov.marker())
		over = append(over, ov)
	}
	c.splitOverflow(&a, over)
	c.annotations = append(c.annotations, a)
}

// splitOverflow adds to c.parts the rows that hold the values that were taken out of a row.
func (c *converter) splitOverflow(a *uctables.Annotation, over []overflow) {
	for i := range over {
		ov := &over[i]
		c.note(TooLarge, a.Name, fmt.Sprintf("%d bytes of %s in %d tags %s.…", ov.bytes, ov.of, ov.parts, OverflowName))
		n := 0
		for chunk := range ov.text.chunks(chunkBytes) {
			n++
			id := derive("overflow", a.AnnotationID, ov.of, ov.key, strconv.Itoa(n)).String()
			c.text = quote(slices.Grow(c.text[:0], len(chunk)+len(chunk)/4), chunk)
			p := c.traceAnnotation(id, uctables.Tag, OverflowName+"."+id, bytes.Clone(c.text))
			p.Metadata = append(quote(append(ov.describe(n), `,"annotation_id":`...), a.AnnotationID), '}')
			c.parts = append(c.parts, p)
		}
	}
}

func (c *converter) addTags() {
	tags := c.in.Info.Tags
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if slices.Contains(storageTags, key) {
			continue
		}
		name := c.valid(key, "tags")
		c.add(c.traceAnnotation(uctables.TagID(c.traceID, key), uctables.Tag, name, quote(nil, c.valid(tags[key], name))))
	}
}

func (c *converter) addAssessments() {
	first := len(c.annotations)
	for i := range c.in.Info.Assessments {
		a, over := c.assessment(&c.in.Info.Assessments[i], i)
		sameID := func(b uctables.Annotation) bool { return b.AnnotationID == a.AnnotationID }
		if dup := slices.IndexFunc(c.annotations[first:], sameID); dup >= 0 {
			if reflect.DeepEqual(c.annotations[first+dup], a) {
				c.note(BadAssessment, a.Name, "assessment "+a.AnnotationID+" is listed twice; one row")
				continue
			}
			id := derive("assessment", c.traceID, a.AnnotationID, strconv.Itoa(i)).String()
			c.note(BadAssessment, a.Name, "another assessment has ID "+a.AnnotationID+"; this one got "+id)
			a.AnnotationID = id
		}
		c.add(a, over...)
	}
}

func (c *converter) addRunLinks() {
	runs := slices.Concat(c.in.Runs, c.in.Info.Runs)
	if run := c.in.Info.Metadata[mlflow.MetadataSourceRun]; run != "" {
		runs = append(runs, run)
	}
	slices.Sort(runs)
	for _, run := range slices.Compact(runs) {
		if run = c.valid(run, "run_link"); run != "" {
			c.add(c.traceAnnotation(uctables.RunLinkID(c.traceID, run), uctables.RunLink, "run_link", quote(nil, run)))
		}
	}
}

// Inferable says whether a TAG or RUN_LINK row shows by itself that Convert made it for the trace with this
// target ID and request time: its annotation_id is derived from its contents, and its updated_at is the
// trace's request time. A later edit in MLflow gives a row with the same ID and a time of its own.
func Inferable(a *uctables.Annotation, traceID string, requestMicros int64) bool {
	if a.UpdatedAtMicros != requestMicros || a.DeletedAtMicros != nil {
		return false
	}
	switch a.Type {
	case uctables.Tag:
		return a.AnnotationID == uctables.TagID(traceID, a.Name) || a.Name == OverflowName+"."+a.AnnotationID
	case uctables.RunLink:
		var run string
		return json.Unmarshal(a.Value, &run) == nil && a.AnnotationID == uctables.RunLinkID(traceID, run)
	}
	return false
}

// valid gives s with U+FFFD for bytes that are no UTF-8.
func (c *converter) valid(s, key string) string {
	if utf8.ValidString(s) {
		return s
	}
	c.note(InvalidUTF8, strings.ToValidUTF8(key, "\uFFFD"), "replaced by U+FFFD")
	return strings.ToValidUTF8(s, "\uFFFD")
}

// stringMember adds a member whose value is a string.
func (c *converter) stringMember(o *object, key, value string) {
	name := c.valid(key, key)
	if strings.Contains(name, "\x00") {
		name = strings.ReplaceAll(name, "\x00", "\uFFFD")
		c.note(NULInKey, name, "replaced by U+FFFD")
		o.keep(name+".key", quote(nil, key))
	}
	if len(name) > maxName {
		long := name
		name = longKeyPrefix + derive("key", long).String()
		c.note(LongKey, name, "stands for a key of "+strconv.Itoa(len(long))+" bytes")
		o.keep(name+".key", quote(nil, long))
	}
	if o.begin(quote(nil, name)) {
		c.note(DuplicateKey, name, "the last one stands")
	}
	o.buf = quote(o.buf, c.valid(value, name))
	o.end(source{})
}

// metadataValue is {client_request_id, trace_metadata, request_preview, response_preview}, with null for
// what the source does not list.
func (c *converter) metadataValue() (uctables.JSON, []overflow) {
	info := c.in.Info
	o := &c.subAttrs
	o.reset()
	for _, key := range slices.Sorted(maps.Keys(info.Metadata)) {
		switch value := info.Metadata[key]; {
		case key != uctables.SourceExperimentID, info.ExperimentID == "":
			c.stringMember(o, key, value)
		case value != info.ExperimentID:
			c.stringMember(o, c.renamed(key, info.Metadata), value)
		}
	}
	if info.ExperimentID != "" {
		c.stringMember(o, uctables.SourceExperimentID, info.ExperimentID)
	}
	inner, over := o.finish("value.trace_metadata")
	o.reset()
	orNull := func(key string, s *string) {
		if s == nil {
			o.literal(key, []byte("null"))
			return
		}
		c.stringMember(o, key, *s)
	}
	orNull("client_request_id", info.ClientRequestID)
	o.literal("trace_metadata", inner)
	orNull("request_preview", info.RequestPreview)
	orNull("response_preview", info.ResponsePreview)
	value, more := o.finish("value")
	return value, append(over, more...)
}

// renamed is the key for a value of the user's whose own key has a meaning that tracemig or the readers give it.
func (c *converter) renamed(key string, all map[string]string) string {
	name := RawPrefix + key
	for n := 2; ; n++ {
		if _, taken := all[name]; !taken {
			break
		}
		name = RawPrefix + key + "." + strconv.Itoa(n)
	}
	c.note(KeyCollision, key, "the user's value is under "+name)
	return name
}

// provenance is the metadata column of METADATA: see uctables.Provenance.
func (c *converter) provenance() uctables.JSON {
	info := c.in.Info
	b := quote(append(quote([]byte{'{'}, uctables.KeySource), ':'), c.opt.Source)
	str := func(key, value string) {
		b = quote(append(quote(append(b, ','), key), ':'), value)
	}
	str(uctables.KeySourceTraceID, info.TraceID)
	str(uctables.KeyDigest, cmp.Or(c.in.Digest, info.Digest()))
	b = append(quote(append(b, ','), uctables.KeySpans), ':')
	b = strconv.AppendInt(b, int64(len(c.rows)+c.in.SpanCount), 10)
	if c.in.SpansMissing != "" {
		str(uctables.KeySpansMissing, c.in.SpansMissing)
	}
	if info.ExperimentID != "" {
		str(KeyExperimentID, info.ExperimentID)
	}
	str(KeyState, string(info.State))
	if info.ExecutionDuration != nil {
		str(KeyExecutionDuration, *info.ExecutionDuration)
	}
	if c.otelID != "" && c.otelID != c.traceID {
		str(KeyOTelTraceID, c.otelID)
	}
	if list := c.listAttachments(); len(list) > 0 {
		b = append(quote(append(b, ','), uctables.KeyAttachments), ':')
		b = appendAttachments(b, list)
	}
	sep := append(quote([]byte{','}, KeySourceTags), ':', '{')
	for _, key := range storageTags {
		if value, ok := info.Tags[key]; ok {
			b = append(quote(append(b, sep...), key), ':')
			b = quote(b, c.valid(value, key))
			sep = []byte{','}
		}
	}
	if len(sep) == 1 {
		b = append(b, '}')
	}
	sep = append(quote([]byte{','}, uctables.KeyVersions), ':', '[')
	for i := range c.annotations {
		if a := &c.annotations[i]; !Inferable(a, c.traceID, info.RequestTime.UnixMicro()) {
			b = append(quote(append(append(b, sep...), '['), a.AnnotationID), ',')
			b = append(strconv.AppendInt(b, a.UpdatedAtMicros, 10), ']')
			sep = []byte{','}
		}
	}
	if len(sep) == 1 {
		b = append(b, ']')
	}
	return append(b, '}')
}

// assessment builds the row of one assessment.
func (c *converter) assessment(a *mlflow.Assessment, index int) (uctables.Annotation, []overflow) {
	row := c.assessmentRow(a, index)
	o := &c.subAttrs
	o.reset()
	c.assessmentFields(o, a, row.AnnotationID)
	values := 0
	if a.Feedback != nil {
		values++
		c.feedback(o, a.Feedback, &row)
	}
	if a.Expectation != nil {
		values++
		c.expectation(o, a.Expectation, &row)
	}
	if a.Issue != nil {
		values++
		c.note(IssueLink, row.Name, "kept as FEEDBACK with the issue's name as value")
		if values == 1 {
			row.Value = quote(nil, c.valid(*a.Issue, "issue_name"))
		}
		c.optionalMember(o, KeyIssueName, a.Issue)
	}
	if values != 1 {
		c.note(BadAssessment, row.Name, fmt.Sprintf("%d of feedback, expectation and issue are set", values))
	}
	var over []overflow
	row.Metadata, over = o.finish("metadata")
	return row, over
}

// assessmentRow is the row of an assessment without its value and metadata.
func (c *converter) assessmentRow(a *mlflow.Assessment, index int) uctables.Annotation {
	created, updated := a.CreateTime, a.LastUpdateTime
	if created.IsZero() {
		created = c.in.Info.RequestTime
		c.note(BadTime, a.Name, "no create time; the trace's request time stands instead")
	}
	if updated.IsZero() {
		updated = created
	}
	row := uctables.Annotation{
		AnnotationID: c.valid(a.ID, "assessment_id"), TargetType: uctables.TargetTrace, TargetID: c.traceID,
		Type: uctables.Feedback, Name: c.valid(a.Name, "assessment_name"),
		CreatedAtMicros: created.UnixMicro(), UpdatedAtMicros: updated.UnixMicro(),
	}
	if row.AnnotationID == "" {
		row.AnnotationID = derive("assessment", c.traceID, a.Name, strconv.Itoa(index)).String()
		c.note(BadAssessment, row.Name, "no ID; it got "+row.AnnotationID)
	}
	if a.Rationale != nil {
		s := c.valid(*a.Rationale, "rationale")
		row.Comment = &s
	}
	if a.SourceID != "" {
		s := c.valid(a.SourceID, "source_id")
		row.CreatedBy, row.UpdatedBy = &s, &s
	}
	return row
}

// assessmentFields adds the user's own metadata, and the fields that have no column.
func (c *converter) assessmentFields(o *object, a *mlflow.Assessment, id string) {
	for _, key := range slices.Sorted(maps.Keys(a.Metadata)) {
		name := key
		if slices.Contains(reservedKeys, key) {
			name = c.renamed(key, a.Metadata)
		}
		c.stringMember(o, name, a.Metadata[key])
	}
	c.stringMember(o, uctables.AssessmentSourceType, a.SourceType)
	c.stringMember(o, uctables.AssessmentSourceID, a.SourceID)
	c.optionalMember(o, uctables.AssessmentOverrides, a.Overrides)
	if a.Valid != nil {
		c.stringMember(o, uctables.AssessmentValid, strconv.FormatBool(*a.Valid))
	}
	if a.SpanID == nil || *a.SpanID == "" {
		return
	}
	spanID, exact := mlflow.ParseSpanID(*a.SpanID)
	if spanID == "" {
		spanID = deriveSpanID(*a.SpanID) // as the span's own row has it
	}
	if !exact {
		c.note(BadID, "span_id", "of assessment "+id+"; replaced by "+spanID)
		o.keep(uctables.AssessmentSpanID, quote(nil, *a.SpanID))
	}
	c.stringMember(o, uctables.AssessmentSpanID, spanID)
}

// optionalMember adds a member whose value is a string, unless that is absent.
func (c *converter) optionalMember(o *object, key string, s *string) {
	if s != nil {
		c.stringMember(o, key, *s)
	}
}

// feedback fills in the value and the error of a feedback.
func (c *converter) feedback(o *object, f *mlflow.Feedback, row *uctables.Annotation) {
	row.Value, _ = c.assessmentValue(o, f.Value)
	if e := f.Error; e != nil {
		code := ""
		if e.Code != nil {
			code = *e.Code
		}
		c.stringMember(o, uctables.AssessmentErrorCode, code) // also without one: it says that there was an error
		c.optionalMember(o, uctables.AssessmentErrorMessage, e.Message)
		c.optionalMember(o, uctables.AssessmentErrorStackTrace, e.StackTrace)
	}
}

// expectation fills in the value of an expectation, and the format in which MLflow has it serialized.
func (c *converter) expectation(o *object, e *mlflow.Expectation, row *uctables.Annotation) {
	row.Type = uctables.Expectation
	if e.Serialized == nil {
		var nested bool
		row.Value, nested = c.assessmentValue(o, e.Value)
		if nested && len(row.Value) > 0 && (row.Value[0] == '{' || row.Value[0] == '[') {
			c.stringMember(o, uctables.AssessmentSerializationFormat, uctables.JSONFormat)
		}
		return
	}
	format, key := e.Serialized.Format, uctables.AssessmentSerializationFormat
	if format != uctables.JSONFormat {
		row.Value = quote(nil, c.valid(e.Serialized.Value, "value"))
	} else {
		var nested bool
		if row.Value, nested = c.assessmentValue(o, []byte(e.Serialized.Value)); !nested {
			key = KeySerializationFormat // under the other key, readers would take the string for a list or object
		}
	}
	c.stringMember(o, key, format)
}

// assessmentValue is the VARIANT of an assessment's value, nil for none. o keeps the text of a value that a VARIANT
// holds only in part. isJSON is false if the value had to become a string.
func (c *converter) assessmentValue(o *object, v []byte) (value uctables.JSON, isJSON bool) {
	if v == nil {
		return nil, true
	}
	if !utf8.Valid(v) {
		c.note(InvalidUTF8, "value", "replaced by U+FFFD")
		v = bytes.ToValidUTF8(v, []byte("\uFFFD"))
	}
	out, l, ok := compact(nil, v, 0)
	if !ok {
		out = quote(nil, v)
		if l == 0 {
			c.note(InvalidJSON, "value", "kept as a string")
		}
	}
	c.noteLoss(l, "value")
	if l&keepsRaw != 0 {
		o.keep("value", v)
	}
	return out, ok
}
