package replay

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
)

// The client reads all traces of a synthetic experiment, and each converts without a note.
func TestSynthetic(t *testing.T) {
	s := &Synthetic{Traces: 1203, Spans: 6, SpanBytes: 2000, Large: 7, LargeBytes: 1 << 20}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	c, err := mlflowclient.NewServer(server.URL, mlflowclient.ServerCredentials{}, mlflowclient.Options{
		Limits: mlflowclient.Limits{SearchPerSecond: 1e6, DownloadPerSecond: 1e6},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var infos []*mlflow.TraceInfo
	if err := c.ListTraces(t.Context(), SyntheticID, mlflowclient.Window{}, func(info *mlflow.TraceInfo) error {
		infos = append(infos, info)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(infos) != 1203 || infos[1202].TraceID != traceID(1202) {
		t.Fatalf("%d traces, want 1203, the last one %s", len(infos), traceID(1202))
	}
	for _, i := range []int{0, 7, 1202} {
		spans := c.FetchSpans(t.Context(), mlflowclient.Exact, infos[i:i+1])[0]
		if spans.Err != nil || spans.Missing != "" || !json.Valid(spans.JSON) {
			t.Fatalf("trace %d: error %v, missing %q, want valid JSON and nothing missing", i, spans.Err, spans.Missing)
		}
		want, size := 6, 12_000
		if i == 7 {
			want, size = 7, 12_000+1<<20
		}
		res, err := convert.Convert(convert.Input{Info: infos[i], Spans: spans.JSON}, convert.Options{Source: "s"})
		if err != nil || len(res.Trace.Spans) != want || len(res.Notes) > 0 || len(res.Trace.Annotations) != 4 {
			t.Errorf("trace %d: error %v, %d spans, %d annotations, notes %v, want %d spans, 4 annotations and no notes",
				i, err, len(res.Trace.Spans), len(res.Trace.Annotations), res.Notes, want)
		}
		if off := len(spans.JSON) - size; off < -2000 || off > 2000 {
			t.Errorf("trace %d has %d bytes, want about %d", i, len(spans.JSON), size)
		}
	}
}
