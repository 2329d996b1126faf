package convert

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/race"
)

// TestReuse converts values over the size limit twice, the second time with the permission to overwrite the document: the
// result is the same, and shares the document's memory unless the document is to be read again.
func TestReuse(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("megabytes")
	}
	words := strings.Repeat("0123456789 é ", maxVariant/12)
	message := `{"role": "user", "content": "a \"word\"\n", "n": -1.5e3},`
	messages := "[" + strings.Repeat(message, maxVariant/len(message)) + "null]"
	text := lit(messages)
	span := func(attributes string) string { return `{"name":"n","attributes":{` + attributes + `}}` }
	for _, tt := range []struct {
		name, doc string
		reuses    bool
	}{
		{"a text", span(`"a":` + lit(`"`+words+`"`)), true},
		{"JSON in a string", span(`"a":1,"b":` + text + `,"c":` + text + `,"d":"x"`), true},
		{"JSON", span(`"mlflow.traceRequestId":"tr-1","a":` + messages), true},
		{"a text that is no JSON", span(`"a":` + lit("{"+messages)), true},
		{"OTLP", `{"attributes":[{"key":"a","value":{"stringValue":` + text + `}}]}`, false}, // the value is no part of the document,
		{"an event's", `{"events":[{"name":"e","attributes":{"a":` + messages + `}}],"attributes":{"b":` + text + `}}`, true},
		{"a key that comes twice", span(`"a":` + text + `,"a":2,"b":` + text), true},
		{"NaN behind it", span(`"a":`+text) + `,` + span(`"a":NaN`), false},
		{"with an attachment", span(`"a":` + text + `,"b":"` + mlflow.AttachmentMark + `"`), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := []byte(`{"spans":[` + tt.doc + `]}`)
			in := Input{Info: info("tr-1"), Spans: bytes.Clone(doc)}
			want, err := Convert(in, Options{Source: "s"})
			if err != nil || !bytes.Equal(in.Spans, doc) {
				t.Fatalf("error %v, document changed: %t, want neither", err, !bytes.Equal(in.Spans, doc))
			}
			in.Reuse = true
			got, err := Convert(in, Options{Source: "s"})
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("error %v, another result (-want +got):\n%.3000s", err, cmp.Diff(want, got))
			}
			if reused := !bytes.Equal(in.Spans, doc); reused != tt.reuses {
				t.Errorf("document overwritten: %t, want %t", reused, tt.reuses)
			}
		})
	}
}
