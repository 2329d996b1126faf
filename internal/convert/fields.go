package convert

import (
	"bytes"
	"math"
	"strconv"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// rawFields keeps, beside the attributes, the JSON text of fields that the row does not hold as the source had them.
type rawFields struct {
	attributes *object
	prefix     string // of the names
}

func (r rawFields) keep(name string, lit []byte) { r.attributes.keep(r.prefix+name, lit) }

// badField reports a field whose value had to be replaced, and keeps its text.
func (c *converter) badField(code NoteCode, name string, lit []byte, raw rawFields, detail string) {
	c.note(code, name, detail)
	raw.keep(name, lit)
}

// optional gives NULL for an empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	kept := s // allocated only here: a pointer to the parameter would have every text allocated
	return &kept
}

// isNull says whether a field is absent or null.
func isNull(lit []byte) bool { return lit == nil || string(lit) == "null" }

// str reads a string field. ok is false for an absent or null one.
func (c *converter) str(lit []byte, name string, raw rawFields) (s string, ok bool) {
	if isNull(lit) {
		return "", false
	}
	s, clean := unquote(lit)
	if lit[0] != '"' {
		c.note(BadValue, name, "no string; its JSON text stands instead")
	}
	if !clean {
		c.badField(LoneSurrogate, name, lit, raw, "replaced by U+FFFD")
	}
	return s, true
}

// nanos reads a time: an integer, as number or string, or a float that MLflow would cut to one. ok is false if there is
// none: for null, an absent field, an empty string, and anything else, which it reports.
func (c *converter) nanos(lit []byte, name string, raw rawFields) (t int64, ok bool) {
	if isNull(lit) {
		return 0, false
	}
	text, _ := unquoted(lit)
	if len(text) == 0 {
		return 0, false
	}
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, true
	}
	if f, err := strconv.ParseFloat(string(text), 64); err == nil && math.Abs(f) < 1<<63 {
		c.badField(BadTime, name, lit, raw, "a float, cut to an integer")
		return int64(f), true
	}
	c.badField(BadTime, name, lit, raw, "no time in nanoseconds")
	return 0, false
}

// int32 reads a count or flags.
func (c *converter) int32(lit []byte, name string, raw rawFields) int32 {
	if isNull(lit) {
		return 0
	}
	text, _ := unquoted(lit)
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n > math.MaxUint32 || n < math.MinInt32 {
		c.badField(BadValue, name, lit, raw, "no 32-bit integer; 0 instead")
		return 0
	}
	return int32(n) // the bits of OTLP's fixed32
}

// The status codes that a row can have. The third one, unset, is NULL.
var (
	statusOK    = tracepb.Status_STATUS_CODE_OK.String()
	statusError = tracepb.Status_STATUS_CODE_ERROR.String()
)

// statusCode reads STATUS_CODE_OK, OK or 1, and so on; known is false for anything else.
func statusCode(lit []byte) (code *string, known bool) {
	if isNull(lit) {
		return nil, true
	}
	text, _ := unquoted(lit)
	switch string(bytes.TrimPrefix(text, []byte("STATUS_CODE_"))) {
	case "UNSET", "0":
		return nil, true
	case "OK", "1":
		return &statusOK, true
	case "ERROR", "2":
		return &statusError, true
	}
	return nil, false
}

// spanKind reads the name or number of a span's kind. An absent or unspecified one is internal. known is false for
// anything else.
func spanKind(lit []byte) (kind tracepb.Span_SpanKind, known bool) {
	const internal = tracepb.Span_SPAN_KIND_INTERNAL
	if isNull(lit) {
		return internal, true
	}
	text, _ := unquoted(lit)
	n, known := tracepb.Span_SpanKind_value[string(text)]
	if !known {
		number, err := strconv.ParseInt(string(text), 10, 32)
		n, known = int32(number), err == nil && tracepb.Span_SpanKind_name[int32(number)] != ""
	}
	if !known || n == int32(tracepb.Span_SPAN_KIND_UNSPECIFIED) {
		return internal, known
	}
	return tracepb.Span_SpanKind(n), true
}
