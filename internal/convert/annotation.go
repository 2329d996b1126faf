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

// Keys in the metadata column beside the user's own, those of uctables.Provenance and the assessment keys of
// uctables.
const (
	// In METADATA rows: what the source lists of a trace and the tables have no column for.
	KeyExperimentID      = "tracemig.source_experiment_id"
	KeyState             = "tracemig.source_state"
	KeyExecutionDuration = "tracemig.source_execution_duration"
	KeyOTelTraceID       = "tracemig.otel_trace_id" // the spans' own trace ID, where trace_id is another
	KeySourceTags        = "tracemig.source_tags"   // object: the tags that name the source's storage, see storageTags

	// In FEEDBACK and EXPECTATION rows: what the service has no key for.
	KeyIssueName           = "tracemig.issue_name"
	KeySerializationFormat = "tracemig.serialization_format" // of an expectation whose text is not what its format says
)

// reservedKeys are those that the user's assessment metadata must not have as they are.
var reservedKeys = append(slices.Clone(uctables.AssessmentKeys), KeyIssueName, KeySerializationFormat)

// storageTags say where the source keeps a trace. A reader of the new place would look for it there, so
// they become no TAG rows.
var storageTags = []string{mlflow.TagArtifactLocation, mlflow.TagSpansLocation, mlflow.TagArchiveLocation, mlflow.TagArchivalFailure}

// annotate builds the annotation rows: tags by key, assessments in the source's order, run links by ID,
// the parts of values over the size limit, METADATA last.
func (c *converter) annotate() {
	info := c.in.Info
	at := info.RequestTime.UnixMicro()
	own := func(id string, typ uctables.AnnotationType, name string, value uctables.JSON) uctables.Annotation {
		return uctables.Annotation{
			AnnotationID: id, TargetType: uctables.TargetTrace, TargetID: c.traceID, Type: typ, Name: name, Value: value,
			CreatedAtMicros: at, UpdatedAtMicros: at,
		}
	}
	var parts []uctables.Annotation
	split := func(a *uctables.Annotation, over []overflow) {
		for i := range over {
			ov := &over[i]
			chunks := ov.chunks()
			c.note(TooLarge, a.Name, fmt.Sprintf("%d bytes of %s in %d tags %s.…", len(ov.text), ov.of, len(chunks), OverflowName))
			for n, chunk := range chunks {
				id := derive("overflow", a.AnnotationID, ov.of, string(ov.key), strconv.Itoa(n+1)).String()
				p := own(id, uctables.Tag, OverflowName+"."+id, quote(nil, chunk))
				p.Metadata = append(quote(append(ov.describe(n+1, len(chunks)), `,"annotation_id":`...), a.AnnotationID), '}')
				parts = append(parts, p)
			}
		}
	}
	add := func(a uctables.Annotation, over ...overflow) {
		if len(a.Value) > maxVariant/variantFactor && variantBound(a.Value) > maxVariant {
			ov := overflow{of: "value", text: a.Value}
			a.Value = quote(nil, ov.marker())
			over = append(over, ov)
		}
		split(&a, over)
		c.annotations = append(c.annotations, a)
	}

	c.annotations = make([]uctables.Annotation, 0, len(info.Tags)+len(info.Assessments)+len(c.in.Runs)+2)
	for _, key := range slices.Sorted(maps.Keys(info.Tags)) {
		if slices.Contains(storageTags, key) {
			continue
		}
		name := c.valid(key, "tags")
		add(own(uctables.TagID(c.traceID, key), uctables.Tag, name, quote(nil, c.valid(info.Tags[key], name))))
	}

	first := len(c.annotations)
	for i := range info.Assessments {
		a, over := c.assessment(&info.Assessments[i], i)
		if dup := slices.IndexFunc(c.annotations[first:], func(b uctables.Annotation) bool { return b.AnnotationID == a.AnnotationID }); dup >= 0 {
			if reflect.DeepEqual(c.annotations[first+dup], a) {
				c.note(BadAssessment, a.Name, "assessment "+a.AnnotationID+" is listed twice; one row")
				continue
			}
			id := derive("assessment", c.traceID, a.AnnotationID, strconv.Itoa(i)).String()
			c.note(BadAssessment, a.Name, "another assessment has ID "+a.AnnotationID+"; this one got "+id)
			a.AnnotationID = id
		}
		add(a, over...)
	}

	runs := slices.Clone(c.in.Runs)
	if run := info.Metadata[mlflow.MetadataSourceRun]; run != "" {
		runs = append(runs, run)
	}
	slices.Sort(runs)
	for _, run := range slices.Compact(runs) {
		if run = c.valid(run, "run_link"); run != "" {
			add(own(uctables.RunLinkID(c.traceID, run), uctables.RunLink, "run_link", quote(nil, run)))
		}
	}

	meta := own(uctables.MetadataID(c.traceID), uctables.Metadata, "metadata", nil)
	var over []overflow
	meta.Value, over = c.metadataValue()
	meta.Metadata = c.provenance()
	split(&meta, over)
	c.annotations = append(append(c.annotations, parts...), meta)
}

// Inferable says whether a TAG or RUN_LINK row shows by itself that Convert made it for the trace with this
// target ID and request time: its annotation_id is derived from what it holds, and its version is of
// the trace's time. A later edit in MLflow, whose row has the same ID, has a time of its own.
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

// valid gives s with U+FFFD for what is no UTF-8.
func (c *converter) valid(s, key string) string {
	if utf8.ValidString(s) {
		return s
	}
	c.note(InvalidUTF8, strings.ToValidUTF8(key, "\uFFFD"), "replaced by U+FFFD")
	return strings.ToValidUTF8(s, "\uFFFD")
}

// stringMap adds a map's members in the order of their keys.
func (c *converter) stringMap(o *object, m map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		c.stringMember(o, key, m[key])
	}
}

func (c *converter) stringMember(o *object, key, value string) {
	name := c.valid(key, key)
	if strings.Contains(name, "\x00") {
		name = strings.ReplaceAll(name, "\x00", "\uFFFD")
		c.note(NULInKey, name, "replaced by U+FFFD")
		o.raws = append(o.raws, raw{name + ".key", quote(nil, key)})
	}
	if len(name) > maxName {
		long := name
		name = longKeyPrefix + derive("key", long).String()
		c.note(LongKey, name, "stands for a key of "+strconv.Itoa(len(long))+" bytes")
		o.raws = append(o.raws, raw{name + ".key", quote(nil, long)})
	}
	if o.begin([]byte(name), false) {
		c.note(DuplicateKey, name, "the last one stands")
	}
	o.buf = quote(o.buf, c.valid(value, name))
	o.end(nil, false)
}

// metadataValue is {client_request_id, trace_metadata, request_preview, response_preview}, with null for
// what the source does not list.
func (c *converter) metadataValue() (uctables.JSON, []overflow) {
	info := c.in.Info
	o := &c.subAttrs
	o.reset()
	for _, key := range slices.Sorted(maps.Keys(info.Metadata)) {
		switch value := info.Metadata[key]; {
		case key != uctables.SourceExperimentID:
			c.stringMember(o, key, value)
		case value != info.ExperimentID:
			c.stringMember(o, c.renamed(key, info.Metadata), value)
		}
	}
	c.stringMember(o, uctables.SourceExperimentID, info.ExperimentID)
	inner, over := o.finish("value.trace_metadata")
	o.reset()
	optional := func(key string, s *string) {
		if s == nil {
			o.literal(key, []byte("null"))
			return
		}
		c.stringMember(o, key, *s)
	}
	optional("client_request_id", info.ClientRequestID)
	o.literal("trace_metadata", inner)
	optional("request_preview", info.RequestPreview)
	optional("response_preview", info.ResponsePreview)
	value, more := o.finish("value")
	return value, append(over, more...)
}

// renamed is the key under which a value of the user's stands whose own key is taken by what is written.
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
	b = strconv.AppendInt(b, int64(len(c.rows)), 10)
	if c.in.SpansMissing != "" {
		str(uctables.KeySpansMissing, c.in.SpansMissing)
	}
	str(KeyExperimentID, info.ExperimentID)
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
	at := c.in.Info.RequestTime
	created, updated := a.CreateTime, a.LastUpdateTime
	if created.IsZero() {
		created = at
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

	o := &c.subAttrs
	o.reset()
	for _, key := range slices.Sorted(maps.Keys(a.Metadata)) {
		name := key
		if slices.Contains(reservedKeys, key) {
			name = c.renamed(key, a.Metadata)
		}
		c.stringMember(o, name, a.Metadata[key])
	}
	optional := func(key string, s *string) {
		if s != nil {
			c.stringMember(o, key, *s)
		}
	}
	optional(uctables.AssessmentSourceType, &a.SourceType)
	optional(uctables.AssessmentSourceID, &a.SourceID)
	optional(uctables.AssessmentOverrides, a.Overrides)
	if a.Valid != nil {
		c.stringMember(o, uctables.AssessmentValid, strconv.FormatBool(*a.Valid))
	}
	if a.SpanID != nil && *a.SpanID != "" {
		id, exact := mlflow.ParseSpanID(*a.SpanID)
		if id == "" {
			id = deriveSpanID(*a.SpanID) // as the span's own row has it
		}
		if !exact {
			c.note(BadID, "span_id", "of assessment "+row.AnnotationID+"; replaced by "+id)
			o.raws = append(o.raws, raw{uctables.AssessmentSpanID, quote(nil, *a.SpanID)})
		}
		c.stringMember(o, uctables.AssessmentSpanID, id)
	}
	values := 0
	if f := a.Feedback; f != nil {
		values++
		row.Value, _ = c.assessmentValue(o, f.Value)
		if e := f.Error; e != nil {
			c.stringMember(o, uctables.AssessmentErrorCode, deref(e.Code)) // its presence is the error's
			optional(uctables.AssessmentErrorMessage, e.Message)
			optional(uctables.AssessmentErrorStackTrace, e.StackTrace)
		}
	}
	if e := a.Expectation; e != nil {
		values++
		row.Type = uctables.Expectation
		format, text, nested := "", []byte(e.Value), false
		if e.Serialized != nil {
			format, text = e.Serialized.Format, []byte(e.Serialized.Value)
		}
		if e.Serialized == nil || format == uctables.JSONFormat {
			row.Value, nested = c.assessmentValue(o, text)
		} else {
			row.Value = quote(nil, c.valid(e.Serialized.Value, "value"))
		}
		switch {
		case e.Serialized == nil && nested && len(row.Value) > 0 && (row.Value[0] == '{' || row.Value[0] == '['):
			c.stringMember(o, uctables.AssessmentSerializationFormat, uctables.JSONFormat)
		case e.Serialized == nil:
		case format == uctables.JSONFormat && !nested:
			// Readers would take the string for the list or object.
			c.stringMember(o, KeySerializationFormat, format)
		default:
			c.stringMember(o, uctables.AssessmentSerializationFormat, format)
		}
	}
	if a.Issue != nil {
		values++
		c.note(IssueLink, row.Name, "kept as FEEDBACK with the issue's name as value")
		if values == 1 {
			row.Value = quote(nil, c.valid(*a.Issue, "issue_name"))
		}
		optional(KeyIssueName, a.Issue)
	}
	if values != 1 {
		c.note(BadAssessment, row.Name, fmt.Sprintf("%d of feedback, expectation and issue are set", values))
	}
	var over []overflow
	row.Metadata, over = o.finish("metadata")
	return row, over
}

// assessmentValue is the VARIANT of an assessment's value, nil for none; o keeps the text of what is lost.
// exact is false where it had to become a string.
func (c *converter) assessmentValue(o *object, v []byte) (value uctables.JSON, exact bool) {
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
		o.raws = append(o.raws, raw{"value", v})
	}
	return out, ok
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
