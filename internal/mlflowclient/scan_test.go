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
			t.Errorf("%s: %d, %v, want %d", doc, n, err, want)
		}
	}
	const doc = `{"a": {"b": "c\"]"}, "spans": [{"x": [1, "y"]}, null]}`
	for i := range doc {
		if _, err := countSpans([]byte(doc[:i])); err != io.ErrUnexpectedEOF {
			t.Errorf("%s: error %v, want that it ends early", doc[:i], err)
		}
	}
}

// What is JSON is cut as encoding/json would; what is not never panics.
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
			t.Errorf("counted %d, %v in %q", n, err, b)
		}
		if errTraces == nil {
			for id, s := range got {
				if !json.Valid(s) {
					t.Errorf("trace %q has %q of %q", id, s, b)
				}
			}
		}
		if err := endsEarly()(b); err != nil {
			t.Errorf("%q ends early: %v", b, err)
		}
	})
}
