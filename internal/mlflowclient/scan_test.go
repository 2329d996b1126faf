package mlflowclient

import (
	"encoding/json"
	"io"
	"testing"
)

func TestCountSpans(t *testing.T) {
	for doc, want := range map[string]int{
		`{"spans":[]}`: 0,
		` {"a":[{"spans":[1]}],"spans":[{},{}]} `: 2,
		`{"spans":[{"x":NaN,"y":-Infinity},{}]}`:  2,
		`{"spans":[{"x":"]}\\\"]"}]}`:             1,
		`{"spans":["\ud83d"]}`:                    1,
		`{"spans":null}`:                          0,
		`{"spa\u006es":[{}]}`:                     1,
		`{}`:                                      -1,
		`[]`:                                      -1,
		`{"spans":1}`:                             -1,
		`{"spans":[]}x`:                           -1,
		``:                                        -1,
		`<html>`:                                  -1,
	} {
		n, err := countSpans([]byte(doc))
		if want < 0 && err == nil || want >= 0 && (err != nil || n != want) {
			t.Errorf("%s: %d, error %v, want %d (-1: an error)", doc, n, err, want)
		}
	}
	const doc = `{"a": {"b": "c\"]"}, "spans": [{"x": [1, "y"]}, null]}`
	for i := range doc {
		if _, err := countSpans([]byte(doc[:i])); err != io.ErrUnexpectedEOF {
			t.Errorf("%s: error %v, want %v", doc[:i], err, io.ErrUnexpectedEOF)
		}
	}
}

// FuzzScan cuts any bytes. JSON is cut where encoding/json would cut it, and other text makes nothing panic.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"traces":[{"trace_info":{"trace_id":"tr-1"},"spans":[{"a":[1,{"b":"\\\""}]}]},{"spans":[]}]}`))
	f.Add([]byte(`{"trace":{"trace_info":{"trace_id":"tr-1"},"spans":[NaN]}}`))
	f.Add([]byte(`{"spans":[{},"]",[[]]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := countSpans(b)
		got, errTraces := tracesIn(b)
		var doc map[string]json.RawMessage
		if json.Unmarshal(b, &doc) != nil || doc == nil {
			return
		}
		var spans []json.RawMessage
		if raw, ok := doc["spans"]; ok && json.Unmarshal(raw, &spans) == nil && (err != nil || n != len(spans)) {
			t.Errorf("%d spans, error %v, want %d in %q", n, err, len(spans), b)
		}
		if errTraces == nil {
			for id, s := range got {
				if !json.Valid(s) {
					t.Errorf("trace %q has %q of %q, want JSON", id, s, b)
				}
			}
		}
		if err := endsEarly()(b); err != nil {
			t.Errorf("%q ends early: error %v, want none of whole JSON", b, err)
		}
	})
}
