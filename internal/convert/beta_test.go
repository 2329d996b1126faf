package convert

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
)

const betaTrace = "0af7651916cd43dd8448eb211c80319c"

// betaDocument is a document of the beta form with a root span and a child that have more fields.
func betaDocument(root, child string) []byte {
	const span = `{"trace_id":"` + betaTrace + `","span_id":"%s","name":"n","start_time_unix_nano":1,%s}`
	return fmt.Appendf(nil, BetaDocument+`"spans":[`+span+`,`+span+`]}`, "00f067aa0ba902b7", root, "00f067aa0ba902b8",
		`"parent_span_id":"00f067aa0ba902b7",`+child)
}

// TestBetaForm converts spans whose attributes are strings, and which each have a resource and a scope of their own.
func TestBetaForm(t *testing.T) {
	doc := betaDocument(
		`"attributes":{"mlflow.traceRequestId":"tr-`+betaTrace+`","n":"1.50","s":"text","o":"{\"a\":[1]}"},`+
			`"resource":{"attributes":{"service.name":"front","host":"a\u0000"}},"instrumentation_scope":{"name":"otel"}`,
		`"attributes":{"q":"\"quoted\""},"resource":{},"instrumentation_scope":{},`+
			`"events":[{"name":"e","time_unix_nano":2,"attributes":{"x":"1"}}]`)
	info := &mlflow.TraceInfo{TraceID: "trace:/main.beta/" + betaTrace, RequestTime: time.UnixMilli(0), State: mlflow.StateOK}
	for _, test := range []struct{ flag, tag, front, back string }{
		{"", "", "front", ""}, {"", "tagged", "front", "tagged"}, {"flag", "tagged", "flag", "flag"},
	} {
		info.Tags = nil
		if test.tag != "" {
			info.Tags = map[string]string{mlflow.TagServiceName: test.tag}
		}
		res, err := Convert(Input{Info: info, Spans: doc}, Options{Source: "s", ServiceName: test.flag})
		if err != nil || len(res.Notes) > 0 || len(res.Trace.Spans) != 2 {
			t.Fatalf("%v, notes %v, %d spans", err, res.Notes, len(res.Trace.Spans))
		}
		child, root := res.Trace.Spans[0], res.Trace.Spans[1]
		got := fmt.Sprint(*root.ServiceName, string(root.ResourceAttributes), *root.ScopeName, " ",
			*child.ServiceName, string(child.ResourceAttributes), *child.ScopeName)
		want := fmt.Sprintf(`%s{"service.name":%[1]q,"host":"a\u0000"}otel %[2]s{"service.name":%[2]q}mlflow`, test.front, test.back)
		if got != want {
			t.Errorf("%+v:\ngot  %s\nwant %s", test, got, want)
		}
		if got := string(root.Attributes); got != `{"mlflow.traceRequestId":"tr-`+betaTrace+`","n":1.50,"s":"text","o":{"a":[1]}}` {
			t.Errorf("attributes of the root: %s", got)
		}
		if string(child.Attributes) != `{"q":"quoted"}` || string(child.Events[0].Attributes) != `{"x":"1"}` {
			t.Errorf("attributes of the child: %s, of its event: %s", child.Attributes, child.Events[0].Attributes)
		}
	}
}

// TestSpansOfOthers converts a trace whose spans somebody else writes: METADATA counts them, and names no experiment.
func TestSpansOfOthers(t *testing.T) {
	info := &mlflow.TraceInfo{TraceID: "trace:/main.beta/" + betaTrace, RequestTime: time.UnixMilli(0), State: mlflow.StateOK,
		Runs: []string{"r1"}, Metadata: map[string]string{mlflow.MetadataSourceRun: "r1", "mlflow.migration.sourceExperimentId": "7"}}
	res, err := Convert(Input{Info: info, SpanCount: 3, Runs: []string{"r2"}}, Options{Source: "s"})
	if err != nil || len(res.Notes) > 0 || len(res.Trace.Annotations) != 3 {
		t.Fatalf("%v, notes %v, annotations %+v; want two run links and METADATA", err, res.Notes, res.Trace.Annotations)
	}
	meta := res.Trace.Annotations[2]
	if !strings.Contains(string(meta.Metadata), `"tracemig.spans":3`) || strings.Contains(string(meta.Metadata), KeyExperimentID) ||
		!strings.Contains(string(meta.Value), `"mlflow.migration.sourceExperimentId":"7"`) {
		t.Errorf("METADATA %s, %s", meta.Value, meta.Metadata)
	}
}
