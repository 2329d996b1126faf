package convert

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// formError says that a document is JSON, but not of the expected form.
type formError string

func (e formError) Error() string { return string(e) }

// reader streams the spans document. Values are given as parts of the document itself.
type reader struct {
	*jsontext.Decoder
	doc []byte
}

func newReader(doc []byte) reader {
	return reader{jsontext.NewDecoder(bytes.NewBuffer(doc), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)), doc}
}

// value reads the next value, or the next object key.
func (r reader) value() ([]byte, error) {
	v, err := r.ReadValue()
	if err != nil {
		return nil, err
	}
	end := r.InputOffset()
	return r.doc[end-int64(len(v)) : end], nil
}

// object calls f for each member of the next value, an object, with the literal of the key; f reads the
// value. array does the same for the elements of an array.
func (r reader) object(f func(key []byte) error) error {
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for r.PeekKind() != '}' {
		key, err := r.value()
		if err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

func (r reader) array(f func(i int) error) error {
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for i := 0; r.PeekKind() != ']'; i++ {
		if err := f(i); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

// readSpans reads the spans document into c.rows.
func (c *converter) readSpans() *Error {
	c.doc = c.in.Spans
	if !utf8.Valid(c.doc) {
		c.doc = bytes.ToValidUTF8(c.doc, []byte("\uFFFD"))
		c.note(InvalidUTF8, "", "the spans document: replaced by U+FFFD")
	}
	c.lookForAttachments()
	notes := len(c.notes)
	err := c.readDocument()
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if doc, n := repairNonFinite(c.doc); n > 0 {
			c.doc, c.notes, c.otelID, c.otelLit = doc, c.notes[:notes], "", nil
			c.note(NonFinite, "", fmt.Sprintf("%d outside of attribute texts: kept as strings", n))
			err = c.readDocument()
		}
	}
	var form formError
	switch {
	case err == nil && len(c.rows) > 0 && !c.mine:
		return &Error{Reason: OtherTrace, Err: fmt.Errorf("its document holds the spans of %.200q instead", c.other)}
	case err == nil:
		return nil
	case errors.As(err, &form):
		return &Error{Reason: SpansForm, Err: err}
	default:
		return &Error{Reason: SpansNotJSON, Err: err}
	}
}

func (c *converter) readDocument() error {
	r := newReader(c.doc)
	c.values = firstHoldsValues(c.doc)
	found := false
	spans := func() error {
		if r.PeekKind() != '[' {
			if _, err := r.value(); err != nil {
				return err
			}
			return formError("spans is no array")
		}
		found = true
		c.rows = c.rows[:0]
		return r.array(func(i int) error { return c.readSpan(r, i) })
	}
	var err error
	switch r.PeekKind() {
	case '[':
		err = spans()
	case '{':
		err = r.object(func(key []byte) error {
			if string(key) == `"spans"` {
				return spans()
			}
			return r.SkipValue()
		})
	default:
		if _, err = r.value(); err == nil {
			err = formError("the document is neither an array nor an object")
		}
	}
	if err != nil {
		return err
	}
	if _, err := r.ReadToken(); err != io.EOF {
		if err == nil {
			err = &jsontext.SyntacticError{ByteOffset: r.InputOffset(), Err: errors.New("data after the document")}
		}
		return err
	}
	if !found {
		return formError("the document has no member spans")
	}
	return nil
}

// field is a field of a span, whatever its spelling.
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

// keeper keeps the JSON text of a field that the row does not hold as it was.
type keeper struct {
	o      *object
	prefix string
}

func (k keeper) put(name string, lit []byte) {
	k.o.raws = append(k.o.raws, raw{k.prefix + name, lit})
}

// readSpan reads one span. Nested objects are read where they stand, scalar fields at the end.
func (c *converter) readSpan(r reader, index int) error {
	if r.PeekKind() != '{' {
		if _, err := r.value(); err != nil {
			return err
		}
		return formError(fmt.Sprintf("span %d is no object", index))
	}
	notes := len(c.notes)
	attrs := &c.spanAttrs
	attrs.reset()
	c.requestID, c.service = nil, nil
	c.over = c.over[:0]
	c.rows = append(c.rows, uctables.Span{})
	s := &c.rows[len(c.rows)-1]
	lits := &c.lits
	clear(lits[:])
	keep := keeper{attrs, "span."}

	var member func(key []byte) error
	member = func(key []byte) error {
		f, ok := spanField(key)
		if !ok {
			lit, err := r.value()
			if err != nil {
				return err
			}
			name, _ := unquote(key)
			c.note(UnknownField, name, "kept as attribute "+RawPrefix+"span."+name)
			keep.put(name, lit)
			return nil
		}
		if old := lits[f]; old != nil && f != fContext {
			name := string(key[1 : len(key)-1])
			c.note(DuplicateKey, name, "the last one stands")
			keep.put(name, old)
			switch f {
			case fAttributes:
				attrs.restart(len(attrs.raws))
			case fEvents:
				s.Events = nil
			case fLinks:
				s.Links = nil
			}
		}
		start := r.InputOffset()
		kind := r.PeekKind()
		var err error
		switch {
		case f == fContext && kind == '{', f == fStatus && kind == '{':
			err = r.object(func(key []byte) error {
				if f == fStatus {
					switch string(key) {
					case `"code"`:
						key = statusCodeKey
					case `"message"`:
						key = statusMessageKey
					}
				}
				return member(key)
			})
		case f == fAttributes && (kind == '{' || kind == '['):
			err = c.readAttributes(r, attrs, true)
		case f == fEvents && kind == '[':
			err = r.array(func(i int) error { return c.readEvent(r, i, s, keep) })
		case f == fLinks && kind == '[':
			err = r.array(func(i int) error { return c.readLink(r, i, s, keep) })
		default:
			lits[f], err = r.value()
			if err != nil {
				return err
			}
			switch f {
			case fContext, fStatus, fAttributes, fEvents, fLinks:
				if kind != 'n' {
					c.note(BadValue, string(key[1:len(key)-1]), "kept as attribute "+RawPrefix+"span."+string(key[1:len(key)-1]))
					keep.put(string(key[1:len(key)-1]), lits[f])
				}
			}
			return nil
		}
		lits[f] = bytes.TrimLeft(r.doc[start:r.InputOffset()], ": \t\r\n")
		return err
	}
	if err := r.object(member); err != nil {
		return err
	}

	c.fillSpan(s, index, keep)
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

// rootAttributes are the attributes of a root span that MLflow's own exporter takes from the trace's
// metadata.
var rootAttributes = []struct{ attribute, metadata string }{
	{"user.id", mlflow.MetadataUser},
	{"session.id", mlflow.MetadataSession},
}

// fillRoot adds to a root span what readers look for there, and takes from it the trace's service.
func (c *converter) fillRoot(attrs *object) {
	for _, a := range rootAttributes {
		if value := c.in.Info.Metadata[a.metadata]; value != "" && attrs.find([]byte(a.attribute)) < 0 {
			c.stringMember(attrs, a.attribute, value)
		}
	}
	if c.rootService == "" && c.service != nil {
		c.rootService = attributeText(c.service)
	}
}

// attributeText is the text of a string attribute, which MLflow keeps as a JSON text, as a rule; "" for any
// other.
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

// fillSpan reads the scalar fields.
func (c *converter) fillSpan(s *uctables.Span, index int, keep keeper) {
	lits := &c.lits
	bad := func(code NoteCode, name string, lit []byte, detail string) {
		c.note(code, name, detail)
		if lit != nil {
			keep.put(name, lit)
		}
	}
	s.Name, _ = c.str(lits[fName], "name", keep)

	own, exact := c.otelID, true
	if c.otelLit == nil || !bytes.Equal(lits[fTraceID], c.otelLit) { // nearly all spans of a trace have one ID
		own, exact = "", false
		traceID, ok := c.str(lits[fTraceID], "trace_id", keep)
		if ok {
			own, exact = mlflow.ParseTraceID(traceID)
			if !exact || own == "" {
				bad(BadID, "trace_id", lits[fTraceID], "not an OTEL trace ID")
			}
		}
		if own != "" && c.otelID == "" {
			c.otelID = own
			if exact && lits[fTraceID][0] == '"' && bytes.IndexByte(lits[fTraceID], '\\') < 0 {
				c.otelLit = lits[fTraceID]
			}
		}
	}
	if own != "" && own != c.otelID {
		bad(OtherTraceID, "trace_id", lits[fTraceID], "the row has the trace's one ID")
	}
	if !exact {
		own = "" // which is no word on whose span this is
	}
	c.identify(own)

	// The parent's row gets its ID from the same text in the same way, so the tree stays whole.
	spanID := func(f field, name string) string {
		text, ok := c.str(lits[f], name, keep)
		if !ok || text == "" {
			return ""
		}
		id, exact := mlflow.ParseSpanID(text)
		if id == "" {
			id = deriveSpanID(text)
		}
		if !exact {
			bad(BadID, name, lits[f], "no OTEL span ID; replaced by "+id)
		}
		return id
	}
	if s.SpanID = spanID(fSpanID, "span_id"); s.SpanID == "" {
		s.SpanID = deriveSpanID(c.in.Info.TraceID, "index", strconv.Itoa(index))
		bad(BadID, "span_id", nil, "none; replaced by "+s.SpanID)
	}
	if text, _ := unquote(lits[fParent]); !isZeroID(text) {
		s.ParentSpanID = optional(spanID(fParent, "parent_span_id"))
	}
	state, _ := c.str(lits[fTraceState], "trace_state", keep)
	s.TraceState = optional(state)

	start, ok := c.nanos(lits[fStart], "start_time_unix_nano", keep)
	if !ok || start == nil {
		const most = math.MaxInt64 / 1_000_000 // later, and as much earlier, has no nanoseconds
		t := min(max(c.in.Info.RequestTime.UnixMilli(), -most), most) * 1_000_000
		start = &t
		c.note(BadTime, "start_time_unix_nano", "none; the trace's request time stands instead")
	}
	s.StartTimeUnixNano = *start
	s.TimeMicros = floorDiv(*start, 1000)
	s.Date = uctables.Day(s.TimeMicros)
	if end, ok := c.nanos(lits[fEnd], "end_time_unix_nano", keep); ok && end != nil && *end != 0 {
		s.EndTimeUnixNano = end
	}
	for i := range s.Events {
		if s.Events[i].TimeUnixNano == math.MinInt64 {
			s.Events[i].TimeUnixNano = s.StartTimeUnixNano
		}
	}

	var known bool
	if s.StatusCode, known = statusCode(lits[fStatusCode]); !known {
		bad(BadValue, "status_code", lits[fStatusCode], "unset instead")
	}
	msg, _ := c.str(lits[fStatusMessage], "status_message", keep)
	s.StatusMessage = optional(msg)
	kind := tracepb.Span_SPAN_KIND_INTERNAL
	if lit := lits[fKind]; lit != nil {
		text, _ := unquote(lit)
		if v, ok := tracepb.Span_SpanKind_value[text]; ok {
			kind = tracepb.Span_SpanKind(v)
		} else if n, err := strconv.ParseInt(text, 10, 32); err == nil && tracepb.Span_SpanKind_name[int32(n)] != "" {
			kind = tracepb.Span_SpanKind(n)
		} else if string(lit) != "null" {
			bad(BadValue, "kind", lit, "internal instead")
		}
		if kind == tracepb.Span_SPAN_KIND_UNSPECIFIED {
			kind = tracepb.Span_SPAN_KIND_INTERNAL
		}
	}
	s.Kind = kind.String()
	s.Flags = c.int32(lits[fFlags], "flags", keep)
	s.DroppedAttributesCount = c.int32(lits[fDroppedAttributes], "dropped_attributes_count", keep)
	s.DroppedEventsCount = c.int32(lits[fDroppedEvents], "dropped_events_count", keep)
	s.DroppedLinksCount = c.int32(lits[fDroppedLinks], "dropped_links_count", keep)
}

// optional gives NULL for an empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	kept := s // so that only a kept one is allocated
	return &kept
}

// The status codes that a row can have; the third, unset, is NULL.
var (
	statusOK    = tracepb.Status_STATUS_CODE_OK.String()
	statusError = tracepb.Status_STATUS_CODE_ERROR.String()
)

// statusCode reads STATUS_CODE_OK, OK or 1, and so on; known is false for anything else.
func statusCode(lit []byte) (code *string, known bool) {
	if lit == nil || string(lit) == "null" {
		return nil, true
	}
	text, _ := unquote(lit)
	switch strings.TrimPrefix(text, "STATUS_CODE_") {
	case "UNSET", "0":
		return nil, true
	case "OK", "1":
		return &statusOK, true
	case "ERROR", "2":
		return &statusError, true
	}
	return nil, false
}

// unquote gives the text of a string literal (lone surrogates as U+FFFD: clean is false), or the JSON
// of any other value.
func unquote(lit []byte) (text string, clean bool) {
	if len(lit) == 0 || lit[0] != '"' {
		return string(lit), true
	}
	if bytes.IndexByte(lit, '\\') < 0 {
		return string(lit[1 : len(lit)-1]), true
	}
	b, err := jsontext.AppendUnquote(nil, lit)
	return string(b), err == nil
}

// str reads a string field. ok is false for an absent or null one.
func (c *converter) str(lit []byte, name string, keep keeper) (s string, ok bool) {
	if lit == nil || string(lit) == "null" {
		return "", false
	}
	s, clean := unquote(lit)
	if lit[0] != '"' {
		c.note(BadValue, name, "no string; its JSON text stands instead")
	}
	if !clean {
		c.note(LoneSurrogate, name, "replaced by U+FFFD")
		keep.put(name, lit)
	}
	return s, true
}

// nanos reads a time: an integer, as number or string, or a float that MLflow would cut to one. nil is
// null, absent or empty. ok is false when it is none of these.
func (c *converter) nanos(lit []byte, name string, keep keeper) (t *int64, ok bool) {
	if lit == nil || string(lit) == "null" {
		return nil, true
	}
	text, _ := unquote(lit)
	if text == "" {
		return nil, true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return &n, true
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(f) < 1<<63 {
		n := int64(f)
		c.note(BadTime, name, "a float, cut to an integer")
		keep.put(name, lit)
		return &n, true
	}
	c.note(BadTime, name, "no time in nanoseconds")
	keep.put(name, lit)
	return nil, false
}

// identify says whether the span that was read, whose OTEL trace ID is own, is of the trace that was
// asked for. MLflow notes a trace's ID in each of its spans, copies of a trace included; in MLflow 2 it
// need not be the OTEL one. Without the note the OTEL ID tells, in forms where MLflow made one of the other.
func (c *converter) identify(own string) {
	if c.mine {
		return
	}
	id := c.in.Info.TraceID
	want := mlflow.TargetTraceID(id)
	named := attributeText(c.requestID)
	if own != "" && own == want || named == id ||
		named == "" && (own == "" || want == "" || c.lits[fContext] != nil) {
		c.mine = true
	} else if c.other == "" {
		c.other = cmp.Or(named, own)
	}
}

func (c *converter) int32(lit []byte, name string, keep keeper) int32 {
	if lit == nil || string(lit) == "null" {
		return 0
	}
	text, _ := unquote(lit)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > math.MaxUint32 || n < math.MinInt32 {
		c.note(BadValue, name, "no 32-bit integer; 0 instead")
		keep.put(name, lit)
		return 0
	}
	return int32(n) // the bits of OTLP's fixed32
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// readAttributes reads an attributes object, or OTLP's list of key and value, into o. With texts, string
// values of the object hold JSON texts, as in MLflow's span attributes, unless the span says otherwise.
func (c *converter) readAttributes(r reader, o *object, texts bool) error {
	if r.PeekKind() == '[' {
		return r.array(func(int) error { return c.readKeyValue(r, o) })
	}
	if texts {
		return c.readSpanAttributes(r, o)
	}
	return c.readMembers(r, o, false)
}

func (c *converter) readMembers(r reader, o *object, texts bool) error {
	return r.object(func(key []byte) error {
		lit, err := r.value()
		if err != nil {
			return err
		}
		c.attribute(o, key, lit, texts && lit[0] == '"')
		return nil
	})
}

// readSpanAttributes reads the attributes object of a span. Whether its strings are JSON texts or values is
// known from its request ID, which may come last; what is known of the document is right as a rule, and
// a span of the other form is read again.
func (c *converter) readSpanAttributes(r reader, o *object) error {
	start, notes, raws := r.InputOffset(), len(c.notes), len(o.raws)
	if err := c.readMembers(r, o, !c.values); err != nil {
		return err
	}
	if c.requestID == nil || holdsValues(c.requestID) == c.values {
		return nil
	}
	text := r.doc[start:r.InputOffset()]
	text = text[bytes.IndexByte(text, '{'):]
	o.restart(raws)
	c.notes = c.notes[:notes]
	c.requestID, c.service = nil, nil
	return c.readMembers(newReader(text), o, c.values)
}

// requestIDKey is the attribute in which MLflow notes the ID of a span's trace.
const requestIDKey = "mlflow.traceRequestId"

// holdsValues says whether the strings among a span's attributes are values, not JSON texts, by the literal of
// its request ID: MLflow's Python SDK stores a JSON text in quotes, its TypeScript SDK the ID alone. That
// one parses every attribute before it stores the span, inputs and outputs too (Span.toJson and
// SpanAttributesRegistry.getAll in libs/typescript/core/src/core/entities/span.ts of MLflow's repository).
func holdsValues(requestID []byte) bool {
	return bytes.HasPrefix(requestID, []byte(`"tr-`)) || bytes.HasPrefix(requestID, []byte(`"trace:/`))
}

// firstHoldsValues looks for the document's first request ID, and says whether its span holds values. Within
// a string of the document the key's quotes are escaped, so it is not taken for one.
func firstHoldsValues(doc []byte) bool {
	_, rest, _ := bytes.Cut(doc, []byte(`"`+requestIDKey+`"`))
	return holdsValues(bytes.TrimLeft(rest, ": \t\r\n"))
}

// attribute adds one attribute. lit is its JSON, or with text a literal whose text may be JSON.
func (c *converter) attribute(o *object, keyLit, lit []byte, text bool) {
	key, clean, l := attributeKey(keyLit)
	if l != 0 {
		c.noteLoss(l, string(key))
		o.raws = append(o.raws, raw{string(key) + ".key", keyLit})
	}
	if len(key) > maxName {
		long := key
		key, clean = []byte(longKeyPrefix+derive("key", string(long)).String()), true
		c.note(LongKey, string(key), "stands for a key of "+strconv.Itoa(len(long))+" bytes")
		o.raws = append(o.raws, raw{string(key) + ".key", keyLit})
	}
	if o == &c.spanAttrs {
		switch string(key) {
		case requestIDKey:
			c.requestID = bytes.Clone(lit)
		case mlflow.TagServiceName:
			c.service = bytes.Clone(lit)
		}
	}
	if o.begin(key, clean) {
		c.note(DuplicateKey, string(key), "the last one stands")
	}
	if !text {
		at := len(o.buf)
		l := c.jsonValue(o, lit)
		c.endValue(o, at, lit, false)
		if l&keepsRaw != 0 {
			o.raws = append(o.raws, raw{string(key), lit})
		}
		if l != 0 {
			c.noteLoss(l, string(key))
		}
		return
	}
	inner, ok := unquoteQuick(c.text[:0], lit)
	var err error
	if !ok {
		inner, err = jsontext.AppendUnquote(inner, lit)
	}
	c.text = inner
	if err != nil {
		inner, _ = jsontext.AppendUnquote(nil, keepLone(lit))
	}
	ok = false
	at := len(o.buf)
	if mayBeJSON(inner) {
		o.buf, l, ok = compact(o.buf, inner, 1)
	}
	switch {
	case ok:
		c.endValue(o, at, lit, true)
		if l&keepsRaw != 0 {
			o.raws = append(o.raws, raw{string(key), bytes.Clone(inner)})
		}
	default:
		if l == 0 && beginsJSON(inner) {
			c.note(InvalidJSON, string(key), "kept as a string")
		}
		if err != nil {
			l |= lostSurrogate
			o.raws = append(o.raws, raw{string(key), lit})
		}
		o.buf = append(o.buf[:at], canonical(lit)...)
		c.endValue(o, at, lit, false)
	}
	if l != 0 {
		c.noteLoss(l, string(key))
	}
	if cap(c.text) > chunkBytes {
		c.text = nil
	}
}

// jsonValue appends a JSON value as it is, as far as a VARIANT takes it.
func (c *converter) jsonValue(o *object, lit []byte) loss {
	at := len(o.buf)
	var l loss
	var ok bool
	o.buf, l, ok = compact(o.buf, lit, 1)
	if !ok {
		o.buf = quote(o.buf[:at], lit)
	}
	return l
}

func attributeKey(lit []byte) (key []byte, clean bool, l loss) {
	if bytes.IndexByte(lit, '\\') < 0 {
		return lit[1 : len(lit)-1], true, 0
	}
	_, name, l := objectName(lit)
	return []byte(name), false, l
}

// mayBeJSON says whether text could be JSON by its first character.
func mayBeJSON(text []byte) bool {
	b := bytes.TrimLeft(text, " \t\r\n")
	if len(b) == 0 {
		return false
	}
	switch c := b[0]; c {
	case '{', '[', '"', '-', 't', 'f', 'n', 'N', 'I':
		return true
	default:
		return c >= '0' && c <= '9'
	}
}

// beginsJSON says whether text that is no JSON was meant as such: cut off, in most cases.
func beginsJSON(text []byte) bool {
	b := bytes.TrimLeft(text, " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[' || b[0] == '"')
}

// readKeyValue reads one element of OTLP's attribute list: {"key": …, "value": AnyValue}.
func (c *converter) readKeyValue(r reader, o *object) error {
	if r.PeekKind() != '{' {
		lit, err := r.value()
		if err != nil {
			return err
		}
		c.note(BadValue, "attributes", "an element that is no key and value")
		o.raws = append(o.raws, raw{"attributes", lit})
		return nil
	}
	key := []byte(`""`)
	c.plain = append(c.plain[:0], "null"...)
	err := r.object(func(k []byte) error {
		var err error
		switch string(k) {
		case `"key"`:
			if key, err = r.value(); err == nil && key[0] != '"' {
				c.note(BadValue, "attributes", "a key that is no string")
				key = quote(nil, key)
			}
		case `"value"`:
			c.plain, err = c.anyValue(r, c.plain[:0])
		default:
			err = r.SkipValue()
		}
		return err
	})
	if err != nil {
		return err
	}
	at := len(o.raws)
	c.attribute(o, key, c.plain, false)
	// c.plain is scratch: nothing that stays may share it.
	o.members[len(o.members)-1].lit = nil
	for i := at; i < len(o.raws); i++ {
		o.raws[i].text = bytes.Clone(o.raws[i].text)
	}
	return nil
}

// anyValue appends OTLP's AnyValue as the plain JSON that MLflow's attribute texts have for it.
func (c *converter) anyValue(r reader, dst []byte) ([]byte, error) {
	if r.PeekKind() != '{' {
		lit, err := r.value()
		return append(dst, lit...), err
	}
	at := len(dst)
	dst = append(dst, "null"...)
	err := r.object(func(key []byte) error {
		dst = dst[:at]
		switch name := strings.ToLower(strings.ReplaceAll(string(key), "_", "")); name {
		case `"arrayvalue"`, `"kvlistvalue"`:
			open, shut := byte('['), byte(']')
			if name == `"kvlistvalue"` {
				open, shut = '{', '}'
			}
			dst = append(dst, open)
			if r.PeekKind() != '{' {
				dst = append(dst, shut)
				return r.SkipValue()
			}
			err := r.object(func(key []byte) error {
				if string(key) != `"values"` || r.PeekKind() != '[' {
					return r.SkipValue()
				}
				return r.array(func(i int) error {
					if i > 0 {
						dst = append(dst, ',')
					}
					var err error
					if open == '[' {
						dst, err = c.anyValue(r, dst)
					} else {
						dst, err = c.anyMember(r, dst)
					}
					return err
				})
			})
			dst = append(dst, shut)
			return err
		case `"intvalue"`:
			lit, err := r.value()
			if err != nil {
				return err
			}
			if text, _ := unquote(lit); validNumber([]byte(text)) {
				dst = append(dst, text...)
			} else {
				dst = append(dst, lit...)
			}
			return nil
		case `"doublevalue"`:
			lit, err := r.value()
			if err != nil {
				return err
			}
			dst = appendDouble(dst, lit)
			return nil
		default:
			lit, err := r.value()
			dst = append(dst, lit...)
			return err
		}
	})
	return dst, err
}

// anyMember appends one element of a kvlist as a member of an object.
func (c *converter) anyMember(r reader, dst []byte) ([]byte, error) {
	if r.PeekKind() != '{' {
		lit, err := r.value()
		return append(append(dst, `"":`...), lit...), err
	}
	key := []byte(`""`)
	at := len(dst)
	value := []byte("null")
	err := r.object(func(k []byte) error {
		var err error
		switch string(k) {
		case `"key"`:
			if key, err = r.value(); err == nil && key[0] != '"' {
				key = quote(nil, key)
			}
		case `"value"`:
			value, err = c.anyValue(r, nil)
		default:
			err = r.SkipValue()
		}
		return err
	})
	dst = append(append(dst[:at], key...), ':')
	return append(dst, value...), err
}

// appendDouble spells a double_value as Python's repr does, because MLflow's attribute texts do.
func appendDouble(dst, lit []byte) []byte {
	text, _ := unquote(lit)
	switch text {
	case "NaN", "Infinity", "-Infinity":
		return append(dst, text...) // bare, as Python's json.dumps has them
	}
	if !validNumber([]byte(text)) {
		return append(dst, lit...)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return append(dst, text...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if bytes.IndexByte(dst[at:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// readEvent reads one event into s.
func (c *converter) readEvent(r reader, index int, s *uctables.Span, keepSpan keeper) error {
	if r.PeekKind() != '{' {
		return c.badElement(r, element("events", index), keepSpan)
	}
	o := &c.subAttrs
	o.reset()
	keep := keeper{o, "event."}
	notes := len(c.notes)
	var e uctables.Event
	var name, nanos, dropped []byte
	err := r.object(func(key []byte) (err error) {
		switch string(key) {
		case `"name"`:
			name, err = r.value()
		case `"time_unix_nano"`, `"timeUnixNano"`, `"timestamp"`:
			nanos, err = r.value()
		case `"dropped_attributes_count"`, `"droppedAttributesCount"`:
			dropped, err = r.value()
		default:
			err = c.subField(r, o, key, keep)
		}
		return err
	})
	if err != nil {
		return err
	}
	e.Name, _ = c.str(name, "name", keep)
	if t, ok := c.nanos(nanos, "time_unix_nano", keep); ok && t != nil {
		e.TimeUnixNano = *t
	} else {
		c.note(BadTime, "time_unix_nano", "none; the span's start stands instead")
		e.TimeUnixNano = math.MinInt64 // until the start is known
	}
	e.DroppedAttributesCount = c.int32(dropped, "dropped_attributes_count", keep)
	var over []overflow
	e.Attributes, over = o.finish("attributes")
	s.Events = append(s.Events, e)
	c.locate("events", index, notes, over)
	return nil
}

// readLink reads one link into s.
func (c *converter) readLink(r reader, index int, s *uctables.Span, keepSpan keeper) error {
	if r.PeekKind() != '{' {
		return c.badElement(r, element("links", index), keepSpan)
	}
	o := &c.subAttrs
	o.reset()
	keep := keeper{o, "link."}
	notes := len(c.notes)
	var l uctables.Link
	var traceID, spanID, state, dropped, flags []byte
	err := r.object(func(key []byte) (err error) {
		switch string(key) {
		case `"trace_id"`, `"traceId"`:
			traceID, err = r.value()
		case `"span_id"`, `"spanId"`:
			spanID, err = r.value()
		case `"trace_state"`, `"traceState"`:
			state, err = r.value()
		case `"dropped_attributes_count"`, `"droppedAttributesCount"`:
			dropped, err = r.value()
		case `"flags"`:
			flags, err = r.value()
		default:
			err = c.subField(r, o, key, keep)
		}
		return err
	})
	if err != nil {
		return err
	}
	l.TraceID, _ = c.str(traceID, "trace_id", keep)
	if id, exact := mlflow.ParseTraceID(l.TraceID); exact && !strings.HasPrefix(l.TraceID, "trace:/") && id != "" {
		l.TraceID = id
	}
	l.SpanID, _ = c.str(spanID, "span_id", keep)
	if id, exact := mlflow.ParseSpanID(l.SpanID); exact && id != "" {
		l.SpanID = id
	}
	text, _ := c.str(state, "trace_state", keep)
	l.TraceState = optional(text)
	l.DroppedAttributesCount = c.int32(dropped, "dropped_attributes_count", keep)
	l.Flags = c.int32(flags, "flags", keep)
	attrs, over := o.finish("attributes")
	if len(attrs) > len("{}") {
		l.Attributes = attrs
	}
	s.Links = append(s.Links, l)
	c.locate("links", index, notes, over)
	return nil
}

// subField reads the attributes of an event or link, or a field it does not know.
func (c *converter) subField(r reader, o *object, key []byte, keep keeper) error {
	kind := r.PeekKind()
	if string(key) == `"attributes"` && (kind == '{' || kind == '[') {
		return c.readAttributes(r, o, false)
	}
	lit, err := r.value()
	if err != nil {
		return err
	}
	name, _ := unquote(key)
	switch {
	case name != "attributes":
		c.note(UnknownField, name, "kept beside the attributes")
		keep.put(name, lit)
	case kind != 'n':
		c.note(BadValue, name, "kept beside the attributes")
		keep.put(name, lit)
	}
	return nil
}

func (c *converter) badElement(r reader, path string, keep keeper) error {
	lit, err := r.value()
	if err != nil {
		return err
	}
	c.note(BadValue, path, "no object; kept as attribute "+RawPrefix+"span."+path)
	keep.put(path, lit)
	return nil
}

func element(list string, index int) string { return list + "[" + strconv.Itoa(index) + "]" }

// locate says of the notes since from, and of what was taken out, in which event or link they were.
func (c *converter) locate(list string, index, from int, over []overflow) {
	for i := from; i < len(c.notes); i++ {
		c.notes[i].Key = strings.TrimSuffix(element(list, index)+"."+c.notes[i].Key, ".")
	}
	for _, ov := range over {
		ov.of = element(list, index) + "." + ov.of
		c.over = append(c.over, ov)
	}
}

// overflowEvents gives the events that hold a value over the size limit.
func (c *converter) overflowEvents(ov *overflow, nanos int64) []uctables.Event {
	chunks := ov.chunks()
	c.note(TooLarge, strings.TrimSuffix(ov.of+"."+string(ov.key), "."), fmt.Sprintf("%d bytes in %d events %s", len(ov.text), len(chunks), OverflowName))
	events := make([]uctables.Event, len(chunks))
	for i, chunk := range chunks {
		attrs := append(ov.describe(i+1, len(chunks)), `,"text":`...)
		events[i] = uctables.Event{TimeUnixNano: nanos, Name: OverflowName, Attributes: append(quote(attrs, chunk), '}')}
	}
	return events
}

// equalSpans says whether b is a again; id is the span ID of b at the source.
func equalSpans(a, b *uctables.Span, id string) bool {
	x, y := *a, *b
	x.RecordID, y.RecordID = "", ""
	x.SpanID, y.SpanID = id, id
	return reflect.DeepEqual(x, y)
}
