package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// benchDoc is a trace of n spans of about 2 KB, as MLflow 3 writes them.
func benchDoc(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"spans": [`)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		parent := `"AAAAAAAAAAE="`
		if i == 0 {
			parent = "null"
		}
		id := []string{"AAAAAAAAAAE=", "AAAAAAAAAAI=", "AAAAAAAAAAM="}[min(i, 2)]
		if i >= 2 {
			id = fmt.Sprintf("%016x", i+1)
		}
		fmt.Fprintf(&b, `{"trace_id": "LcnjBBsToukvJIJwL/WIXQ==", "span_id": %q, "parent_span_id": %s, "name": "call", `+
			`"start_time_unix_nano": %d, "end_time_unix_nano": %d, `+
			`"events": [{"name": "e", "time_unix_nano": 1794740511220414689, "attributes": {"a": 1}}], `+
			`"status": {"code": "STATUS_CODE_OK", "message": ""}, `,
			id, parent, 1794740511220414689+i, 1794740511225414689+i)
		b.WriteString(`"attributes": {"mlflow.traceRequestId": "\"tr-2dc9e3041b13a2e92f2482702ff5885d\"", ` +
			`"mlflow.spanType": "\"LLM\"", "mlflow.spanInputs": "{\"messages\": [`)
		for j := range 6 {
			if j > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, `{\"role\": \"user\", \"content\": \"%s\", \"n\": %d, \"score\": 0.%d}`,
				strings.Repeat("some words of a prompt; ", 8), j, i)
		}
		b.WriteString(`]}", "mlflow.spanOutputs": "{\"choices\": [{\"text\": \"fine\\nand done\", \"logprob\": -1.25}]}"}, "links": []}`)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func BenchmarkConvert(b *testing.B) {
	doc := benchDoc(200)
	in := Input{Info: info("tr-2dc9e3041b13a2e92f2482702ff5885d"), Spans: doc}
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		res, err := Convert(in, Options{Source: "s"})
		if err != nil || len(res.Trace.Spans) != 200 || len(res.Notes) != 0 {
			b.Fatalf("%d spans, error %v, notes %+v, want 200 without", len(res.Trace.Spans), err, res.Notes)
		}
	}
}

var underRace bool

// TestConvertAllocations bounds the allocations of a span, which must depend neither on how many spans there are nor
// on their size.
func TestConvertAllocations(t *testing.T) {
	if underRace {
		t.Skip("pools keep nothing under the race detector")
	}
	const spans, ceiling = 200, 9
	in := Input{Info: info("tr-2dc9e3041b13a2e92f2482702ff5885d"), Spans: benchDoc(spans)}
	n := testing.AllocsPerRun(10, func() {
		if _, err := Convert(in, Options{Source: "s"}); err != nil {
			t.Fatal(err)
		}
	})
	if n > ceiling*spans {
		t.Errorf("%.1f allocations a span, at most %d are expected", n/spans, ceiling)
	}
}

// BenchmarkScan is the measure for BenchmarkConvert: it only reads the document and unquotes the strings.
func BenchmarkScan(b *testing.B) {
	doc := benchDoc(200)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	var text []byte
	for b.Loop() {
		d := jsontext.NewDecoder(bytes.NewBuffer(doc), jsontext.AllowDuplicateNames(true))
		for {
			if k := d.PeekKind(); k == '"' {
				v, err := d.ReadValue()
				if err != nil {
					b.Fatal(err)
				}
				text, _ = jsontext.AppendUnquote(text[:0], v)
				continue
			}
			if _, err := d.ReadToken(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
