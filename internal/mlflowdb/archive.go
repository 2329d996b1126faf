package mlflowdb

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// archiveFile is the file of a trace whose spans the server has moved to its archive.
const archiveFile = "traces.pb"

// archived makes the document of a trace from its archived form, which is OTLP's TracesData. It is the document that the server makes
// of it: Span.from_otel_proto and Span.to_dict in mlflow.entities.span, and mlflow.tracing.otel.otel_archival. An error says what the
// server would refuse, too.
func archived(data []byte) ([]byte, error) {
	var traces tracepb.TracesData
	if len(data) == 0 {
		return nil, errors.New("its archived form is empty")
	}
	if err := proto.Unmarshal(data, &traces); err != nil {
		return nil, fmt.Errorf("its archived form is no OTLP TracesData: %w", err)
	}
	if len(traces.ResourceSpans) != 1 || len(traces.ResourceSpans[0].ScopeSpans) != 1 {
		return nil, errors.New("its archived form has not one group of spans")
	}
	spans := traces.ResourceSpans[0].ScopeSpans[0].Spans
	if len(spans) == 0 {
		return nil, errors.New("its archived form has no spans")
	}
	for _, sp := range spans {
		if err := checkIDs(sp); err != nil {
			return nil, err
		}
		if !bytes.Equal(sp.TraceId, spans[0].TraceId) {
			return nil, errors.New("its archived form has the spans of several traces")
		}
	}
	slices.SortStableFunc(spans, func(a, b *tracepb.Span) int {
		return cmp.Or(cmp.Compare(len(a.ParentSpanId), len(b.ParentSpanId)), cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano),
			bytes.Compare(a.SpanId, b.SpanId))
	})
	w := writer{make([]byte, 0, 2*len(data))}
	w.raw(`{"spans":[`)
	for i, sp := range spans {
		if i > 0 {
			w.raw(",")
		}
		w.span(sp)
	}
	w.raw("]}")
	return w.text, nil
}

// checkIDs makes the IDs of a span as wide as the server has them. A parent of zeros is none.
func checkIDs(sp *tracepb.Span) (err error) {
	var errs [3]error
	sp.TraceId, errs[0] = wide(sp.TraceId, 16)
	sp.SpanId, errs[1] = wide(sp.SpanId, 8)
	sp.ParentSpanId, errs[2] = wide(sp.ParentSpanId, 8)
	if len(bytes.Trim(sp.ParentSpanId, "\x00")) == 0 {
		sp.ParentSpanId = nil
	}
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if len(sp.TraceId) == 0 || len(sp.SpanId) == 0 {
		return errors.New("its archived form has a span without an ID")
	}
	for _, l := range sp.Links {
		l.TraceId, errs[0] = wide(l.TraceId, 16)
		l.SpanId, errs[1] = wide(l.SpanId, 8)
		err = errors.Join(err, errs[0], errs[1])
	}
	return err
}

// wide gives an ID the width of its kind.
func wide(id []byte, width int) ([]byte, error) {
	if len(id) == 0 || len(id) == width {
		return id, nil
	}
	short := bytes.TrimLeft(id, "\x00")
	if len(short) > width {
		return nil, fmt.Errorf("its archived form has an ID of %d bytes", len(short))
	}
	return append(make([]byte, width-len(short), width), short...), nil
}

// writer writes JSON as Python's json.dumps does, whose texts of attributes are kept where they do not fit a column.
type writer struct{ text []byte }

func (w *writer) raw(s string) { w.text = append(w.text, s...) }

func (w *writer) quote(s string) {
	w.text, _ = jsontext.AppendQuote(w.text, s) // Protobuf's strings are UTF-8.
}

func (w *writer) span(sp *tracepb.Span) {
	w.raw(`{"trace_id":`)
	w.base64(sp.TraceId)
	w.raw(`,"span_id":`)
	w.base64(sp.SpanId)
	w.raw(`,"parent_span_id":`)
	w.base64(sp.ParentSpanId)
	w.raw(`,"name":`)
	w.quote(sp.Name)
	w.raw(`,"start_time_unix_nano":`)
	w.text = strconv.AppendUint(w.text, sp.StartTimeUnixNano, 10)
	w.raw(`,"end_time_unix_nano":`)
	w.text = strconv.AppendUint(w.text, sp.EndTimeUnixNano, 10)
	w.raw(`,"events":[`)
	for i, e := range sp.Events {
		if i > 0 {
			w.raw(",")
		}
		w.raw(`{"name":`)
		w.quote(e.Name)
		w.raw(`,"time_unix_nano":`)
		w.text = strconv.AppendUint(w.text, e.TimeUnixNano, 10)
		w.raw(`,"attributes":`)
		w.object(e.Attributes)
		w.raw("}")
	}
	w.raw(`],"status":`)
	w.status(sp.Status)
	w.raw(`,"attributes":`)
	w.attributes(sp)
	w.raw(`,"links":[`)
	for i, l := range sp.Links {
		if i > 0 {
			w.raw(",")
		}
		w.link(l)
	}
	w.raw("]}")
}

func (w *writer) base64(id []byte) {
	if id == nil {
		w.raw("null")
		return
	}
	w.quote(base64.StdEncoding.EncodeToString(id))
}

// status writes a status. OpenTelemetry's SDK, by which MLflow reads it, keeps the message of an error only.
func (w *writer) status(s *tracepb.Status) {
	code, message := tracepb.Status_STATUS_CODE_UNSET, ""
	switch s.GetCode() {
	case tracepb.Status_STATUS_CODE_ERROR:
		code, message = s.Code, s.Message
	case tracepb.Status_STATUS_CODE_OK:
		code = s.Code
	}
	w.raw(`{"code":`)
	w.quote(code.String())
	w.raw(`,"message":`)
	w.quote(message)
	w.raw("}")
}

// requestID is the attribute that names the trace of a span.
const requestID = "mlflow.traceRequestId"

// attributes writes a span's attributes, each of which is the text of a JSON value.
func (w *writer) attributes(sp *tracepb.Span) {
	named := false
	w.raw("{")
	for _, a := range unique(sp.Attributes) {
		named = named || a.Key == requestID
		w.quote(a.Key)
		w.raw(":")
		var text writer
		text.value(a.Value)
		w.quote(string(text.text))
		w.raw(",")
	}
	if named {
		w.text = w.text[:len(w.text)-1]
	} else {
		w.quote(requestID)
		w.raw(":")
		w.quote(`"tr-` + hex.EncodeToString(sp.TraceId) + `"`)
	}
	w.raw("}")
}

// link writes a link. Only spans in Unity Catalog have links with another form of the trace's ID.
func (w *writer) link(l *tracepb.Span_Link) {
	w.raw(`{"trace_id":`)
	w.quote("tr-" + hex.EncodeToString(l.TraceId))
	w.raw(`,"span_id":`)
	w.quote(hex.EncodeToString(l.SpanId))
	w.raw(`,"attributes":`)
	if len(l.Attributes) == 0 {
		w.raw("null}")
		return
	}
	w.object(l.Attributes)
	w.raw("}")
}

// unique leaves out attributes whose key comes again. Like Python's dict, it keeps the place of the first one, and the last value.
func unique(attributes []*commonpb.KeyValue) []*commonpb.KeyValue {
	at := make(map[string]int, len(attributes))
	kept := make([]*commonpb.KeyValue, 0, len(attributes))
	for _, a := range attributes {
		if i, again := at[a.Key]; again {
			kept[i] = a
			continue
		}
		at[a.Key] = len(kept)
		kept = append(kept, a)
	}
	return kept
}

// object writes attributes as an object.
func (w *writer) object(attributes []*commonpb.KeyValue) {
	w.raw("{")
	for i, a := range unique(attributes) {
		if i > 0 {
			w.raw(", ")
		}
		w.quote(a.Key)
		w.raw(": ")
		w.value(a.Value)
	}
	w.raw("}")
}

func (w *writer) value(v *commonpb.AnyValue) {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		w.quote(v.StringValue)
	case *commonpb.AnyValue_BoolValue:
		w.text = strconv.AppendBool(w.text, v.BoolValue)
	case *commonpb.AnyValue_IntValue:
		w.text = strconv.AppendInt(w.text, v.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		w.double(v.DoubleValue)
	case *commonpb.AnyValue_BytesValue:
		w.quote(base64.StdEncoding.EncodeToString(v.BytesValue))
	case *commonpb.AnyValue_KvlistValue:
		w.object(v.KvlistValue.GetValues())
	case *commonpb.AnyValue_ArrayValue:
		w.raw("[")
		for i, each := range v.ArrayValue.GetValues() {
			if i > 0 {
				w.raw(", ")
			}
			w.value(each)
		}
		w.raw("]")
	default:
		w.raw("null")
	}
}

// double writes a number as Python's json.dumps does.
func (w *writer) double(f float64) {
	switch {
	case math.IsNaN(f):
		w.raw("NaN")
	case math.IsInf(f, 0):
		w.raw(map[bool]string{true: "Infinity", false: "-Infinity"}[f > 0])
	default:
		w.raw(pythonFloat(f))
	}
}
