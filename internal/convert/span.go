package convert

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// field is a field of a span, in whichever form.
type field int

const (
	fName field = iota
	fContext
	fTraceID
	fSpanID
	fParent
	fTraceState
	fFlags
	fKind
	fStart
	fEnd
	fAttributes
	fDroppedAttributes
	fEvents
	fDroppedEvents
	fLinks
	fDroppedLinks
	fStatus
	fStatusCode
	fStatusMessage
	fieldCount
)

var (
	statusCodeKey    = []byte(`"status_code"`)
	statusMessageKey = []byte(`"status_message"`)
)

// spanField names the fields in all forms: MLflow 2 (context, parent_id, start_time), MLflow 3
// (…_unix_nano), OTLP as protobuf's JSON with and without the names of the proto file.
//
//nolint:cyclop // one flat switch over field names
func spanField(key []byte) (field, bool) {
	switch string(key) {
	case `"name"`:
		return fName, true
	case `"context"`:
		return fContext, true
	case `"trace_id"`, `"traceId"`:
		return fTraceID, true
	case `"span_id"`, `"spanId"`:
		return fSpanID, true
	case `"parent_span_id"`, `"parentSpanId"`, `"parent_id"`:
		return fParent, true
	case `"trace_state"`, `"traceState"`:
		return fTraceState, true
	case `"flags"`:
		return fFlags, true
	case `"kind"`:
		return fKind, true
	case `"start_time_unix_nano"`, `"startTimeUnixNano"`, `"start_time"`:
		return fStart, true
	case `"end_time_unix_nano"`, `"endTimeUnixNano"`, `"end_time"`:
		return fEnd, true
	case `"attributes"`:
		return fAttributes, true
	case `"dropped_attributes_count"`, `"droppedAttributesCount"`:
		return fDroppedAttributes, true
	case `"events"`:
		return fEvents, true
	case `"dropped_events_count"`, `"droppedEventsCount"`:
		return fDroppedEvents, true
	case `"links"`:
		return fLinks, true
	case `"dropped_links_count"`, `"droppedLinksCount"`:
		return fDroppedLinks, true
	case `"status"`:
		return fStatus, true
	case `"status_code"`:
		return fStatusCode, true
	case `"status_message"`:
		return fStatusMessage, true
	}
	return 0, false
}

// fieldName is the text of a key that has no escapes, such as those of all fields.
func fieldName(key []byte) string { return string(key[1 : len(key)-1]) }

// readSpan reads one span into a row. Nested objects are read as they come, scalar fields at the end.
func (c *converter) readSpan(r *reader, index int) error {
	if r.next() != '{' {
		if _, err := r.value(); err != nil {
			return err
		}
		return formError(fmt.Sprintf("span %d is no object", index))
	}
	notes := len(c.notes)
	attrs := &c.spanAttrs
	attrs.reset()
	c.requestID, c.service = c.requestID[:0], c.service[:0]
	c.over = c.over[:0]
	clear(c.lits[:])
	c.rows = append(c.rows, uctables.Span{})
	if c.beta {
		c.origins = append(c.origins, origin{})
	}
	s := &c.rows[len(c.rows)-1]
	raw := rawFields{attrs, "span."}
	if err := r.object(func(key []byte) error { return c.readSpanField(r, s, raw, key) }); err != nil {
		return err
	}
	c.fillSpan(s, index, raw)
	if s.IsRoot() {
		c.fillRoot(attrs)
	}
	var over []overflow
	s.Attributes, over = attrs.finish("attributes")
	c.over = append(c.over, over...)
	for i := range c.over {
		s.Events = append(s.Events, c.overflowEvents(&c.over[i], s.StartTimeUnixNano)...)
	}
	for i := notes; i < len(c.notes); i++ {
		c.notes[i].SpanID = s.SpanID
	}
	return nil
}

// readSpanField reads one field of a span, or of its context or status: nested ones into the row, all of them into
// c.lits.
func (c *converter) readSpanField(r *reader, s *uctables.Span, raw rawFields, key []byte) error {
	if c.beta {
		if ok, err := c.readOrigin(r, key); ok || err != nil {
			return err
		}
	}
	f, ok := spanField(key)
	if !ok {
		lit, err := r.value()
		if err != nil {
			return err
		}
		name, _ := unquote(key)
		c.badField(UnknownField, name, lit, raw, "kept as attribute "+RawPrefix+"span."+name)
		return nil
	}
	if old := c.lits[f]; old != nil && f != fContext {
		c.badField(DuplicateKey, fieldName(key), old, raw, "the last one stands")
		switch f {
		case fAttributes:
			raw.attributes.restart(len(raw.attributes.kept))
		case fEvents:
			s.Events = nil
		case fLinks:
			s.Links = nil
		}
	}
	start, kind := r.i, r.next()
	if !isNested(f, kind) {
		lit, err := r.value()
		if err != nil {
			return err
		}
		c.lits[f] = lit
		if f.mayBeNested() && kind != 'n' {
			name := fieldName(key)
			c.badField(BadValue, name, lit, raw, "kept as attribute "+RawPrefix+"span."+name)
		}
		return nil
	}
	err := c.readNested(r, s, raw, f)
	c.lits[f] = r.doc[start:r.i]
	return err
}

// mayBeNested says whether the field is an object or array in some form.
func (f field) mayBeNested() bool {
	switch f {
	case fContext, fStatus, fAttributes, fEvents, fLinks:
		return true
	}
	return false
}

// isNested says whether a value of the kind is the object or array that the field has.
func isNested(f field, kind byte) bool {
	switch f {
	case fContext, fStatus:
		return kind == '{'
	case fAttributes:
		return kind == '{' || kind == '['
	case fEvents, fLinks:
		return kind == '['
	}
	return false
}

// readNested reads the object or array of a field.
func (c *converter) readNested(r *reader, s *uctables.Span, raw rawFields, f field) error {
	switch f {
	case fAttributes:
		return c.readAttributes(r, raw.attributes, true)
	case fEvents:
		return r.array(func(i int) error { return c.readEvent(r, i, s, raw) })
	case fLinks:
		return r.array(func(i int) error { return c.readLink(r, i, s, raw) })
	}
	return r.object(func(key []byte) error {
		if f == fStatus {
			switch string(key) {
			case `"code"`:
				key = statusCodeKey
			case `"message"`:
				key = statusMessageKey
			}
		}
		return c.readSpanField(r, s, raw, key)
	})
}

// rootAttributes are the attributes of a root span that MLflow's own exporter takes from the trace's
// metadata.
var rootAttributes = []struct{ attribute, metadata string }{
	{"user.id", mlflow.MetadataUser},
	{"session.id", mlflow.MetadataSession},
}

// fillRoot adds the attributes that readers look for in a root span, and takes the trace's service from it.
func (c *converter) fillRoot(attrs *object) {
	for _, a := range rootAttributes {
		if value := c.in.Info.Metadata[a.metadata]; value != "" && !attrs.has(a.attribute) {
			c.stringMember(attrs, a.attribute, value)
		}
	}
	if c.rootService == "" {
		c.rootService = attributeText(c.service)
	}
}

// attributeText is the text of a string attribute, which is a JSON text in most forms; "" for any other
// attribute.
func attributeText(lit []byte) string {
	if len(lit) == 0 || lit[0] != '"' {
		return ""
	}
	text, _ := unquote(lit)
	if len(text) > 1 && text[0] == '"' {
		text, _ = unquote([]byte(text))
	}
	return text
}

// fillSpan reads the scalar fields of c.lits into the row.
func (c *converter) fillSpan(s *uctables.Span, index int, raw rawFields) {
	lits := &c.lits
	s.Name, _ = c.str(lits[fName], "name", raw)
	c.identify(c.readTraceID(raw))
	c.fillIDs(s, index, raw)
	state, _ := c.str(lits[fTraceState], "trace_state", raw)
	s.TraceState = optional(state)
	c.fillTimes(s, raw)

	var known bool
	if s.StatusCode, known = statusCode(lits[fStatusCode]); !known {
		c.badField(BadValue, "status_code", lits[fStatusCode], raw, "unset instead")
	}
	msg, _ := c.str(lits[fStatusMessage], "status_message", raw)
	s.StatusMessage = optional(msg)
	kind, known := spanKind(lits[fKind])
	if !known {
		c.badField(BadValue, "kind", lits[fKind], raw, "internal instead")
	}
	s.Kind = kind.String()
	s.Flags = c.int32(lits[fFlags], "flags", raw)
	s.DroppedAttributesCount = c.int32(lits[fDroppedAttributes], "dropped_attributes_count", raw)
	s.DroppedEventsCount = c.int32(lits[fDroppedEvents], "dropped_events_count", raw)
	s.DroppedLinksCount = c.int32(lits[fDroppedLinks], "dropped_links_count", raw)
}

// readTraceID reads the span's OTEL trace ID. The first one of the document is c.otelID. It gives "" for an ID that is
// not exact, because such a one does not tell whose span it is.
func (c *converter) readTraceID(raw rawFields) string {
	lit := c.lits[fTraceID]
	if c.otelLit != nil && bytes.Equal(lit, c.otelLit) {
		return c.otelID // nearly all spans of a trace have one ID
	}
	text, ok := c.str(lit, "trace_id", raw)
	if !ok {
		return ""
	}
	id, exact := mlflow.ParseTraceID(text)
	if !exact || id == "" {
		c.badField(BadID, "trace_id", lit, raw, "not an OTEL trace ID")
	}
	if id == "" {
		return ""
	}
	if c.otelID == "" {
		c.otelID = id
		if exact && lit[0] == '"' && bytes.IndexByte(lit, '\\') < 0 {
			c.otelLit = lit
		}
	}
	if id != c.otelID {
		c.badField(OtherTraceID, "trace_id", lit, raw, "the row has the trace's one ID")
	}
	if !exact {
		return ""
	}
	return id
}

// identify records whether the span that was read, whose OTEL trace ID is own, belongs to the trace that was asked
// for. MLflow writes a trace's ID into each of its spans, also into those of a copied trace; in MLflow 2 it need not
// be the OTEL one. Without that attribute the OTEL ID tells, in the forms in which MLflow makes one of the other.
func (c *converter) identify(own string) {
	if c.identified {
		return
	}
	id := c.in.Info.TraceID
	want := mlflow.TargetTraceID(id)
	named := attributeText(c.requestID)
	if own != "" && own == want || named == id ||
		named == "" && (own == "" || want == "" || c.lits[fContext] != nil) {
		c.identified = true
	} else if c.other == "" {
		c.other = cmp.Or(named, own)
	}
}

// fillIDs reads the IDs of the span and of its parent. A parent's own row gets its ID from the same text in the same
// way, so the tree stays whole.
func (c *converter) fillIDs(s *uctables.Span, index int, raw rawFields) {
	if s.SpanID = c.readSpanID(fSpanID, "span_id", raw); s.SpanID == "" {
		s.SpanID = deriveSpanID(c.in.Info.TraceID, "index", strconv.Itoa(index))
		c.note(BadID, "span_id", "none; replaced by "+s.SpanID)
	}
	lit := c.lits[fParent]
	if c.parentLit != nil && bytes.Equal(lit, c.parentLit) {
		s.ParentSpanID = c.parent
		return
	}
	if text, _ := unquoted(lit); !isZeroID(string(text)) {
		notes := len(c.notes)
		s.ParentSpanID = optional(c.readSpanID(fParent, "parent_span_id", raw))
		if s.ParentSpanID != nil && len(c.notes) == notes {
			c.parent, c.parentLit = s.ParentSpanID, lit
		}
	}
}

// readSpanID reads the span ID of a field; "" for none.
func (c *converter) readSpanID(f field, name string, raw rawFields) string {
	text, ok := c.str(c.lits[f], name, raw)
	if !ok || text == "" {
		return ""
	}
	id, exact := mlflow.ParseSpanID(text)
	if id == "" {
		id = deriveSpanID(text)
	}
	if !exact {
		c.badField(BadID, name, c.lits[f], raw, "no OTEL span ID; replaced by "+id)
	}
	c.doubtPadded(id)
	return id
}

// doubtPadded is for an ID in OTLP form: MLflow fills a shorter one with zeros there.
func (c *converter) doubtPadded(id string) { c.unsure = c.unsure || strings.HasPrefix(id, "00") }

// fillTimes reads the span's times, and gives its start to events that have no time.
func (c *converter) fillTimes(s *uctables.Span, raw rawFields) {
	start, ok := c.nanos(c.lits[fStart], "start_time_unix_nano", raw)
	if !ok {
		const most = math.MaxInt64 / 1_000_000 // a later time, or one as much earlier, has no nanoseconds
		start = min(max(c.in.Info.RequestTime.UnixMilli(), -most), most) * 1_000_000
		c.note(BadTime, "start_time_unix_nano", "none; the trace's request time stands instead")
	}
	s.StartTimeUnixNano = start
	s.TimeMicros = uctables.Micros(start)
	s.Date = uctables.Day(s.TimeMicros)
	if end, ok := c.nanos(c.lits[fEnd], "end_time_unix_nano", raw); ok && end != 0 {
		s.EndTimeUnixNano = &end
	}
	for i := range s.Events {
		if s.Events[i].TimeUnixNano == noTime {
			s.Events[i].TimeUnixNano = s.StartTimeUnixNano
		}
	}
}

// equalSpans says whether b, whose span ID at the source is id, has the same content as a.
func equalSpans(a, b *uctables.Span, id string) bool {
	x, y := *a, *b
	x.RecordID, y.RecordID = "", ""
	x.SpanID, y.SpanID = id, id
	return reflect.DeepEqual(x, y)
}
