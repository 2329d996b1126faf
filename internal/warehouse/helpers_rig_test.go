//go:build rig

package warehouse

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

func TestMain(m *testing.M) { rig.Main(m) }

// workspace answers requests of the REST API that the stand-in does not have, and sends the others on.
type workspace struct {
	http.RoundTripper
	before func(*http.Request) *http.Response // sees every request, and may answer it; may be nil
}

func (w workspace) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.before != nil {
		if answer := w.before(r); answer != nil {
			return answer, nil
		}
	}
	for _, path := range []string{"/sql/", "/api/2.0/fs/", "/api/2.1/unity-catalog/volumes"} {
		if strings.HasPrefix(r.URL.Path, path) {
			return w.RoundTripper.RoundTrip(r)
		}
	}
	status, body := http.StatusNotFound, `{"error_code":"ENDPOINT_NOT_FOUND","message":"no such endpoint"}`
	if strings.HasPrefix(r.URL.Path, "/api/2.0/sql/warehouses/") {
		status, body = http.StatusOK, `{"id":"rig","state":"RUNNING"}`
	}
	return answer(r, status, body), nil
}

func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r}
}

// open returns a writer to new tables of the shared warehouse; create says whether they are made.
func open(t *testing.T, create bool) (*rig.Warehouse, *Warehouse) {
	t.Helper()
	server := rig.SharedWarehouse(t)
	return server, openAt(t, server, rig.TablePrefix(t), create, "")
}

// openAt returns a writer to the tables with that prefix. An empty token is that of the server.
func openAt(t *testing.T, server *rig.Warehouse, prefix string, create bool, token string) *Warehouse {
	t.Helper()
	return openWith(t, server, prefix, create, token, nil, nil)
}

// openWith is openAt with a volume for files, and with a function that sees every request and may answer it.
func openWith(
	t *testing.T, server *rig.Warehouse, prefix string, create bool, token string,
	volume *uctables.Volume, before func(*http.Request) *http.Response,
) *Warehouse {
	t.Helper()
	if token == "" {
		token = server.Token
	}
	t.Setenv("DATABRICKS_HOST", server.URL())
	t.Setenv("DATABRICKS_TOKEN", token)
	cfg, err := databricks.Load(databricks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	cfg.HTTPTransport = workspace{transport, before}
	w, err := Open(t.Context(), Options{
		Config:      cfg,
		WarehouseID: "rig",
		Location:    uctables.Location{Catalog: "spark_catalog", Schema: "default", Prefix: prefix},
		UserAgent:   "tracemig/test",
		Volume:      volume,
		Retry:       &retry.Policy{Initial: 50 * time.Millisecond, Max: time.Second, Budget: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if create {
		if err := w.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

const base = 1_700_000_000_000_000

// spans makes n spans of trace number i, the root last.
func spans(i, n int) []uctables.Span {
	var s []uctables.Span
	for j := n - 1; j >= 0; j-- {
		start := int64(base + i*1000 + j)
		span := uctables.Span{
			RecordID: fmt.Sprintf("r-%d-%d", i, j), TimeMicros: start, Date: uctables.Day(start), ScopeName: new("mlflow"),
			TraceID: fmt.Sprintf("%032x", i+1), SpanID: fmt.Sprintf("%016x", j+1),
			Name: fmt.Sprintf("span %d ${x} \n\"'\\", j), Kind: "SPAN_KIND_INTERNAL", StartTimeUnixNano: start * 1000,
			EndTimeUnixNano: new(start*1000 + 5_000_001), StatusCode: new("STATUS_CODE_OK"),
			Attributes: fmt.Appendf(nil, "{\"mlflow.spanInputs\":{\"q\":%d},\n\"n\":9007199254740993,\"d\":1.5e-7,"+
				"\"big\":12345678901234567890,\"s\":\"${env:HOME} \\u0000\"}", j),
		}
		if j > 0 {
			span.ParentSpanID = new(fmt.Sprintf("%016x", 1))
		}
		s = append(s, span)
	}
	return s
}

// annotations are a tag, a feedback and the METADATA row of trace number i.
func annotations(i, spans int, source string) []uctables.Annotation {
	trace := fmt.Sprintf("%032x", i+1)
	at := int64(base + i*1000)
	row := func(id string, typ uctables.AnnotationType, name, value string) uctables.Annotation {
		return uctables.Annotation{AnnotationID: id + trace, TargetType: uctables.TargetTrace, TargetID: trace, Type: typ, Name: name,
			Value: uctables.JSON(value), CreatedAtMicros: at, UpdatedAtMicros: at}
	}
	feedback := row("f", uctables.Feedback, "correct", "true")
	feedback.Metadata = uctables.JSON(`{"mlflow.source.source_type":"HUMAN","mlflow.source.source_id":"ann","k":"v"}`)
	meta := row("m", uctables.Metadata, "metadata", `{"client_request_id":"c","trace_metadata":{"mlflow.user":"ann"}}`)
	meta.Metadata = fmt.Appendf(nil, `{"tracemig.source":%q,"tracemig.source_trace_id":"tr-%d","tracemig.digest":"d%d","tracemig.spans":%d}`,
		source, i, i, spans)
	return []uctables.Annotation{row("t", uctables.Tag, "tag", `"v"`), feedback, meta}
}

// count is how many rows the table has.
func count(t *testing.T, s *rig.Warehouse, w *Warehouse, table uctables.Table) int64 {
	t.Helper()
	return s.SQL(t, "SELECT count(*) FROM "+w.opts.Location.Name(table))[0][0].(int64)
}

func isRowError(err error) bool {
	_, ok := errors.AsType[*target.RowError](err)
	return ok
}
