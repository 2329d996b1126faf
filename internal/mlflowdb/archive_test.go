package mlflowdb

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// odd.json is what MLflow 3.17.2 makes of odd.pb (traces_data_pb_to_spans, TraceData.to_json_bytes), which has what its SDK does not
// write by itself: keys that come twice, short IDs, a message beside an OK, spans out of order.
func TestArchivedAsMLflowReadsIt(t *testing.T) {
	data, err := os.ReadFile("testdata/archive/odd.pb")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/archive/odd.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := archived(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(documentOf(t, want), documentOf(t, got)); diff != "" {
		t.Errorf("MLflow's document (-) and this one (+):\n%s", diff)
	}
}

// documentOf is what stands in a document, in its order, whichever way texts are escaped.
func documentOf(t *testing.T, doc []byte) (tokens []string) {
	t.Helper()
	for dec := jsontext.NewDecoder(bytes.NewReader(doc), jsontext.AllowDuplicateNames(true)); ; {
		token, err := dec.ReadToken()
		if err == io.EOF {
			return tokens
		}
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token.Kind().String()+" "+token.String())
	}
}

func TestArchivedDamaged(t *testing.T) {
	one := func(sp *tracepb.Span) *tracepb.TracesData {
		return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{sp}}}}}}
	}
	id := func(n int) []byte { return []byte(strings.Repeat("\x01", n)) }
	two := one(&tracepb.Span{TraceId: id(16), SpanId: id(8)})
	two.ResourceSpans[0].ScopeSpans[0].Spans = append(two.ResourceSpans[0].ScopeSpans[0].Spans, &tracepb.Span{TraceId: id(15), SpanId: id(8)})
	for name, d := range map[string]*tracepb.TracesData{
		"no group": {}, "no spans": {ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{}}}}},
		"two groups":      {ResourceSpans: []*tracepb.ResourceSpans{{}, {}}},
		"no trace ID":     one(&tracepb.Span{SpanId: id(8)}),
		"no span ID":      one(&tracepb.Span{TraceId: id(16)}),
		"a long ID":       one(&tracepb.Span{TraceId: id(17), SpanId: id(8)}),
		"a link's ID":     one(&tracepb.Span{TraceId: id(16), SpanId: id(8), Links: []*tracepb.Span_Link{{SpanId: id(9)}}}),
		"several traces":  two,
		"nothing but key": {ResourceSpans: []*tracepb.ResourceSpans{{SchemaUrl: "x"}}},
	} {
		data, err := proto.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if doc, err := archived(data); err == nil {
			t.Errorf("%s: no error, and the document %s", name, doc)
		}
	}
	if doc, err := archived([]byte("\xff\xff")); err == nil {
		t.Errorf("no protobuf: no error, and the document %s", doc)
	}
}
