package convert

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/race"
	"github.com/tracemig/tracemig/internal/uctables"
)

const attached = "tr-0123456789abcdef0123456789abcdef"

// attachmentID is the n-th ID of attachments, and reference a reference to it.
func attachmentID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func reference(n int, contentType string, size int) string {
	return fmt.Sprintf("mlflow-attachment://%s?content_type=%s&trace_id=%s&size=%d",
		attachmentID(n), url.QueryEscape(contentType), attached, size)
}

// attachedSpans is a document of one span with the value as its inputs, as MLflow writes it, and with a plain
// text attribute beside them.
func attachedSpans(t testing.TB, inputs any, text string) []byte {
	t.Helper()
	inner, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(map[string]any{"spans": []any{map[string]any{
		"context": map[string]any{"trace_id": strings.TrimPrefix(attached, "tr-"), "span_id": "00000000000000aa"},
		"name":    "root", "parent_id": nil,
		"start_time": 1, "end_time": 2, "attributes": map[string]any{"mlflow.spanInputs": string(inner), "text": text},
		"events": []any{map[string]any{"name": "e", "timestamp": 1, "attributes": map[string]any{"image": text}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func attributesOf(t testing.TB, row uctables.JSON) map[string]any {
	t.Helper()
	var attrs map[string]any
	if err := json.Unmarshal(row, &attrs); err != nil {
		t.Fatal(err)
	}
	return attrs
}

// metadataList is what METADATA lists of the attachments.
func metadataList(t testing.TB, res Result) []uctables.Attachment {
	t.Helper()
	var m struct {
		List []uctables.Attachment `json:"tracemig.attachments"`
	}
	if err := json.Unmarshal(res.Trace.Annotations[len(res.Trace.Annotations)-1].Metadata, &m); err != nil {
		t.Fatal(err)
	}
	return m.List
}

func TestAttachmentsAreFoundAndLeft(t *testing.T) {
	inputs := map[string]any{"messages": []any{
		map[string]any{"image_url": map[string]any{"url": reference(1, "image/png", 5)}},
		map[string]any{"n": 1.50, "text": "see " + reference(7, "image/png", 5), reference(8, "image/png", 5): "a key is no reference"},
		[]any{[]any{reference(2, "audio/wav", 6)}}, reference(1, "image/png", 5), "mlflow-attachment://nobody?content_type=a&trace_id=b",
	}}
	doc := attachedSpans(t, inputs, reference(3, "application/pdf", 7))
	res := convert(t, Input{Info: info(attached), Spans: doc})
	want := []mlflow.Attachment{
		{ID: attachmentID(1), TraceID: attached, Type: "image/png", Size: 5}, {ID: attachmentID(2), TraceID: attached, Type: "audio/wav",
			Size: 6},
		{ID: attachmentID(3), TraceID: attached, Type: "application/pdf", Size: 7},
	}
	if d := cmp.Diff(want, res.Attachments); d != "" {
		t.Errorf("found (-want +got):\n%s", d)
	}
	list := []uctables.Attachment{
		{ID: attachmentID(1), Type: "image/png", Bytes: 5},
		{ID: attachmentID(2), Type: "audio/wav", Bytes: 6},
		{ID: attachmentID(3), Type: "application/pdf", Bytes: 7},
	}
	if d := cmp.Diff(list, metadataList(t, res)); d != "" {
		t.Errorf("listed (-want +got):\n%s", d)
	}
	attrs := map[string]any{"mlflow.spanInputs": normal(t, inputs), "text": reference(3, "application/pdf", 7)}
	if d := cmp.Diff(attrs, attributesOf(t, res.Trace.Spans[0].Attributes)); d != "" {
		t.Errorf("attributes changed (-want +got):\n%s", d)
	}

	// An attachment whose place has been decided is listed with it; the rows are otherwise the same.
	copied := uctables.Attachment{ID: attachmentID(1), Type: "image/png", Bytes: 5, SHA256: "ab", Path: "/f/1"}
	kept := convert(t, Input{Info: info(attached), Spans: doc, Attachments: []Attachment{{Attachment: copied}}})
	list[0] = copied
	if d := cmp.Diff(list, metadataList(t, kept)); d != "" {
		t.Errorf("listed (-want +got):\n%s", d)
	}
	if d := cmp.Diff(res.Trace.Spans, kept.Trace.Spans); d != "" {
		t.Errorf("spans changed (-want +got):\n%s", d)
	}
}

func normal(t testing.TB, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	var out any
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAttachmentsInline has the bytes replace their references in the form that MLflow's SDK took them out of.
func TestAttachmentsInline(t *testing.T) {
	data := []byte("\x89PNG\r\n\x1a\n")
	b64 := base64.StdEncoding.EncodeToString(data)
	for name, c := range map[string]struct {
		typ  string
		form func(v string) any // with v where the bytes were
		raw  bool               // as plain base64
	}{
		"data URI": {"image/png", func(v string) any { return v }, false},
		"OpenAI image": {"image/jpeg",
			func(v string) any { return map[string]any{"type": "image_url", "image_url": map[string]any{"url": v}} }, false},
		"parameters": {"text/plain;charset=utf-8", func(v string) any { return []any{v} }, false},
		"OpenAI audio in": {"audio/wav", func(v string) any {
			return map[string]any{"type": "input_audio", "input_audio": map[string]any{"data": v}}
		}, true},
		"OpenAI audio in, mp3": {"audio/mpeg", func(v string) any {
			return map[string]any{"type": "input_audio", "input_audio": map[string]any{"data": v, "format": "mp3"}}
		}, true},
		"other audio": {"audio/ogg", func(v string) any {
			return map[string]any{"type": "input_audio", "input_audio": map[string]any{"data": v, "format": "wav"}}
		}, false},
		"OpenAI audio out": {"audio/wav", func(v string) any { return map[string]any{"audio": map[string]any{"data": v, "transcript": "t"}} },
			true},
		"Anthropic": {"image/png", func(v string) any {
			return map[string]any{"type": "image", "source": map[string]any{"type": "base64", "data": v}}
		}, true},
		"Anthropic, typed": {"image/gif", func(v string) any {
			return []any{map[string]any{"type": "image", "source": map[string]any{"media_type": "image/gif", "type": "base64", "data": v}}}
		}, true},
		"Anthropic by URL": {"image/gif", func(v string) any {
			return map[string]any{"type": "image", "source": map[string]any{"type": "url", "data": v}}
		}, false},
		"DALL-E": {"image/png", func(v string) any { return map[string]any{"data": []any{map[string]any{"b64_json": v}}} }, true},
		"Bedrock": {"image/webp", func(v string) any {
			return map[string]any{"image": map[string]any{"format": "webp", "source": map[string]any{"bytes": v}}}
		}, true},
		"Gemini": {"image/png", func(v string) any {
			return map[string]any{"inline_data": map[string]any{"mime_type": "image/png", "data": v}}
		}, true},
		"Responses":   {"image/png", func(v string) any { return map[string]any{"type": "image_generation_call", "result": v} }, true},
		"a mere data": {"image/png", func(v string) any { return map[string]any{"data": v} }, false},
	} {
		given := Attachment{uctables.Attachment{ID: attachmentID(1), Type: c.typ, Bytes: int64(len(data)), SHA256: "ab", Inline: true}, data}
		doc := attachedSpans(t, map[string]any{"x": c.form(reference(1, c.typ, len(data)))}, "text")
		res := convert(t, Input{Info: info(attached), Spans: doc, Attachments: []Attachment{given}})
		want := "data:" + c.typ + ";base64," + b64
		if c.raw {
			want = b64
		}
		got := res.Trace.Spans[0].Attributes
		if d := cmp.Diff(normal(t, map[string]any{"x": c.form(want)}), attributesOf(t, got)["mlflow.spanInputs"]); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if d := cmp.Diff([]uctables.Attachment{given.Attachment}, metadataList(t, res)); d != "" {
			t.Errorf("%s: listed (-want +got):\n%s", name, d)
		}
		// The row is the same as if MLflow had not taken the bytes out.
		plain := convert(t, Input{Info: info(attached), Spans: attachedSpans(t, map[string]any{"x": c.form(want)}, "text")})
		if want := plain.Trace.Spans[0].Attributes; !bytes.Equal(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}

	// Plain texts and attributes of events too.
	doc := attachedSpans(t, 1, reference(1, "image/png", len(data)))
	given := Attachment{uctables.Attachment{ID: attachmentID(1), Type: "image/png", Inline: true}, data}
	res := convert(t, Input{Info: info(attached), Spans: doc, Attachments: []Attachment{given}})
	want := "data:image/png;base64," + b64
	if got := attributesOf(t, res.Trace.Spans[0].Attributes)["text"]; got != want {
		t.Errorf("the text attribute is %v, want %s", got, want)
	}
	if got := attributesOf(t, res.Trace.Spans[0].Events[0].Attributes)["image"]; got != want {
		t.Errorf("the event's attribute is %v, want %s", got, want)
	}
}

// An inline attachment over the limit of a VARIANT is kept in parts, like any other value, and none of it is lost.
func TestHugeAttachmentInline(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("megabytes")
	}
	data := bytes.Repeat([]byte{0, 1, 2}, maxVariant/3)
	inputs := func(v string) any { return map[string]any{"prompt": "draw", "image": v} }
	doc := attachedSpans(t, inputs(reference(1, "image/png", len(data))), "text")
	given := Attachment{uctables.Attachment{ID: attachmentID(1), Type: "image/png", Inline: true}, data}
	res := convert(t, Input{Info: info(attached), Spans: doc, Attachments: []Attachment{given}})
	var text strings.Builder
	for _, e := range res.Trace.Spans[0].Events {
		if e.Name == OverflowName {
			text.WriteString(attributesOf(t, e.Attributes)["text"].(string))
		}
	}
	var got any
	if err := json.Unmarshal([]byte(text.String()), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(normal(t, inputs("data:image/png;base64,"+base64.StdEncoding.EncodeToString(data))), got); d != "" {
		t.Errorf("the parts hold something else than the inputs (%d bytes of differences)", len(d))
	}
	if len(res.Notes) != 1 || res.Notes[0].Code != TooLarge {
		t.Errorf("notes %+v, want one of code %s", res.Notes, TooLarge)
	}
}
