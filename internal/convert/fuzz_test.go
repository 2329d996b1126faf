package convert

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// checkJSON says how a value breaks what uctables.JSON promises.
func checkJSON(v uctables.JSON, object bool) error {
	if v == nil {
		return nil
	}
	if object && v[0] != '{' {
		return fmt.Errorf("no object: %.100s", v)
	}
	if bytes.ContainsAny(v, "\n\r") {
		return fmt.Errorf("a raw line break: %.100q", v)
	}
	// AppendFormat refuses duplicate keys, lone surrogates and invalid UTF-8.
	out, err := jsontext.AppendFormat(nil, v)
	if err != nil {
		return fmt.Errorf("%w: %.100s", err, v)
	}
	if !bytes.Equal(out, v) {
		return fmt.Errorf("not compact or not canonical: %.100s", v)
	}
	p := parser{src: v}
	if !p.value(0) || p.loss != 0 || !bytes.Equal(p.out, v) {
		return fmt.Errorf("over a limit, or a number or key as it must not be: %.100s", v)
	}
	if variantBound(v) > maxVariant {
		return fmt.Errorf("too large: %d", variantBound(v))
	}
	return nil
}

// checkResult says how a converted trace breaks what writers and readers rely on.
func checkResult(in Input, res Result) error {
	tr := res.Trace
	if mlflow.TargetTraceID(tr.TraceID) != tr.TraceID {
		return fmt.Errorf("trace_id %q", tr.TraceID)
	}
	ids := map[string]bool{}
	rooted := false
	for i := range tr.Spans {
		s := &tr.Spans[i]
		if ids[s.SpanID] {
			return fmt.Errorf("span_id %q twice", s.SpanID)
		}
		ids[s.SpanID] = true
		if rooted && !s.IsRoot() {
			return fmt.Errorf("span %s stands after a root", s.SpanID)
		}
		rooted = s.IsRoot()
		if err := checkSpan(s, tr.TraceID); err != nil {
			return err
		}
	}
	if !rooted && in.Spans != nil && !slices.Contains(codes(res.Notes), NoRoot) {
		return fmt.Errorf("no root and no note")
	}
	clear(ids)
	for i := range tr.Annotations {
		a := &tr.Annotations[i]
		if a.AnnotationID == "" || ids[a.AnnotationID] {
			return fmt.Errorf("annotation_id %q twice or empty", a.AnnotationID)
		}
		ids[a.AnnotationID] = true
		if (a.Type == uctables.Metadata) != (i == len(tr.Annotations)-1) {
			return fmt.Errorf("annotation %d of %d is %s", i, len(tr.Annotations), a.Type)
		}
		if err := checkAnnotation(a, len(tr.Spans)); err != nil {
			return err
		}
	}
	return nil
}

// checkSpan is checkResult for one span of a trace.
func checkSpan(s *uctables.Span, traceID string) error {
	if err := decodeHex(s.SpanID, 16); err != nil {
		return fmt.Errorf("span_id: %w", err)
	}
	if s.TraceID != traceID {
		return fmt.Errorf("row of trace %q in %q", s.TraceID, traceID)
	}
	if s.RecordID != uctables.RecordID(s.StartTimeUnixNano, s.TraceID, s.SpanID) {
		return fmt.Errorf("record_id %q", s.RecordID)
	}
	if s.Attributes == nil {
		return fmt.Errorf("attributes NULL")
	}
	values, texts := []uctables.JSON{s.Attributes, s.ResourceAttributes}, []string{s.Name}
	for _, p := range []*string{s.ParentSpanID, s.TraceState, s.StatusMessage} {
		if p != nil {
			texts = append(texts, *p)
		}
	}
	for _, e := range s.Events {
		values, texts = append(values, e.Attributes), append(texts, e.Name)
	}
	for _, l := range s.Links {
		values = append(values, l.Attributes)
	}
	for _, v := range values {
		if err := checkJSON(v, true); err != nil {
			return err
		}
	}
	for _, t := range texts {
		if !utf8.ValidString(t) {
			return fmt.Errorf("%q is no UTF-8", t)
		}
	}
	return nil
}

// checkAnnotation is checkResult for one annotation of a trace with so many spans.
func checkAnnotation(a *uctables.Annotation, spans int) error {
	if err := checkJSON(a.Value, a.Type == uctables.Metadata); err != nil {
		return err
	}
	if err := checkJSON(a.Metadata, true); err != nil {
		return err
	}
	if a.Type == uctables.Metadata && !bytes.Contains(a.Metadata, fmt.Appendf(nil, `,"tracemig.spans":%d,`, spans)) {
		return fmt.Errorf("provenance does not name %d spans: %s", spans, a.Metadata)
	}
	return nil
}

func decodeHex(s string, n int) error {
	if len(s) != n || strings.Trim(s, "0123456789abcdef") != "" {
		return fmt.Errorf("%q is not %d lowercase hex digits", s, n)
	}
	return nil
}

// FuzzSpans converts any bytes: they give rows as checkResult wants them, or a typed error, and the same a second
// time.
func FuzzSpans(f *testing.F) {
	const first, second = mlflow.AttachmentMark + "//00000000-0000-4000-8000-000000000001",
		mlflow.AttachmentMark + "//00000000-0000-4000-8000-000000000002"
	f.Add([]byte(`[{"attributes":{"a":"{\"b64_json\":\"` + first + `?content_type=image%2Fpng&trace_id=t\",\"d\":{}}",` +
		`"b":["` + first + `?content_type=%22%26%FF&trace_id=t"],"c":"` + second + `?content_type=a&trace_id=t"}}]`))
	for _, docs := range recorded(f) {
		for _, d := range docs {
			f.Add(d.input(f).Spans)
		}
	}
	f.Add([]byte(`[{"attributes":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b","value":{"arrayValue":{"values":` +
		`[{"doubleValue":"NaN"},{"intValue":"1"},{"bytesValue":"AA=="},{}]}}}]}}}]}]`))
	f.Add([]byte(`[{"attributes":{"a":"{\"a\":1,\"a\":2}","a":NaN},"events":[{"attributes":{"x":{"x":1,"x":-0.0}}}]}]`))
	f.Add([]byte(`[{"odd":1,"attributes":{"a":"{\"a\":1","b":"1","mlflow.traceRequestId":"tr-1"}},` +
		`{"attributes":{"a":"[1","mlflow.traceRequestId":"\"tr-1\""}}]`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		before := bytes.Clone(doc)
		in := Input{Info: info("tr-custom"), Spans: doc}
		res, err := Convert(in, Options{Source: "s"})
		if !bytes.Equal(doc, before) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("error %v of type %T, want an *Error", err, err)
			}
			return
		}
		if err := checkResult(in, res); err != nil {
			t.Fatal(err)
		}
		again, err := Convert(in, Options{Source: "s"})
		if err != nil || !reflect.DeepEqual(res, again) {
			t.Fatalf("another result the second time, error %v (-first +second):\n%s", err, cmp.Diff(res, again))
		}
		for _, a := range res.Attachments {
			in.Attachments = append(in.Attachments, Attachment{uctables.Attachment{ID: a.ID, Type: a.Type, Inline: true}, []byte("\x00data")})
		}
		filled, err := Convert(in, Options{Source: "s"})
		if err == nil {
			err = checkResult(in, filled)
		}
		if err != nil {
			t.Fatal("with attachments: ", err)
		}
		if n := len(filled.Attachments); n != len(res.Attachments) {
			t.Fatalf("%d attachments of %d are found when they are filled in", n, len(res.Attachments))
		}
	})
}

// FuzzValue converts one JSON text: the parsers agree on it, and every number keeps its value.
func FuzzValue(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-0.0,1e400,0.1],"a":"x"}`, `"\ud83d\ude00\ud800"`, `[NaN,-Infinity]`, `{"\u0000":1}`, `  [ 1 ] `, `[1`, `-`, `01`, `"\/"`,
		strings.Repeat("[", 300), strings.Repeat("9", 39), `9.007199254740993e15`, `1E-400`, "\"\x01\"", `{"":{"":""}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		src := []byte(text)
		out, l, ok := compact([]byte("prefix"), src, 1)
		if !bytes.HasPrefix(out, []byte("prefix")) {
			t.Fatal("prefix lost")
		}
		out = out[len("prefix"):]
		_, strict := jsontext.AppendFormat(nil, src)
		if !ok {
			if len(out) != 0 {
				t.Fatalf("refused, but appended %q", out)
			}
			if strict == nil && l&(lostDepth|lostName) == 0 {
				t.Fatal("valid JSON refused")
			}
			return
		}
		if err := checkJSON(out, false); err != nil {
			t.Fatal(err)
		}
		p := parser{src: src}
		p.space()
		if !p.value(1) || !bytes.Equal(p.out, out) || p.loss != l {
			t.Fatalf("the lenient parser says %q %b, not %q %b", p.out, p.loss, out, l)
		}
		if strict != nil || l&lostDuplicate != 0 {
			return
		}
		want, got := numbers(src), numbers(out)
		j := 0
		for _, n := range want {
			if j < len(got) && sameNumber(n, got[j]) {
				j++
			} else if l&lostNumber == 0 || !bytes.Contains(out, []byte(`"`+n+`"`)) {
				t.Fatalf("number %s is lost in %s", n, out)
			}
		}
	})
}

func numbers(b []byte) (out []string) {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	for {
		tok, err := d.ReadToken()
		if err != nil {
			return out
		}
		if tok.Kind() == '0' {
			out = append(out, tok.String())
		}
	}
}

// sameNumber says whether two spellings have one value, the sign of a float's zero included.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, y := new(big.Rat), new(big.Rat)
	for _, s := range []string{a, b} {
		if i := strings.IndexAny(s, "eE"); len(s) > 100 || i >= 0 && len(s)-i > 5 {
			return false // exact arithmetic would take too long
		}
	}
	_, ok1 := x.SetString(a)
	_, ok2 := y.SetString(b)
	return ok1 && ok2 && x.Cmp(y) == 0 && (a[0] == '-') == (b[0] == '-')
}

// TestNumbers compares the rule for numbers with its definition, in exact arithmetic.
func TestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tok := rapid.StringMatching(`-?(0|[1-9][0-9]{0,45})(\.[0-9]{1,45})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number")
		out, l, ok := compact(nil, []byte(tok), 0)
		if !ok {
			t.Fatalf("%s refused", tok)
		}
		if l == lostNumber {
			if string(out) != `"`+tok+`"` {
				t.Fatalf("%s became %s", tok, out)
			}
			// A decimal of VARIANT would hold few enough digits.
			if digits := strings.Trim(tok, "-"); !strings.ContainsAny(digits, ".eE") && len(digits) <= decimalDigits {
				t.Fatalf("%s fits a decimal", tok)
			}
			f, err := strconv.ParseFloat(tok, 64)
			if err == nil && strings.ContainsAny(tok, "eE") && sameNumber(tok, strconv.FormatFloat(f, 'e', -1, 64)) && len(tok) < 100 {
				t.Fatalf("%s is a double's own spelling", tok)
			}
			return
		}
		if !sameNumber(tok, string(out)) {
			t.Fatalf("%s became %s", tok, out)
		}
	})
}

// TestDoubles spells any double as Python's json.dumps does, and wants the same double.
func TestDoubles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		text := appendDouble(nil, strconv.AppendFloat(nil, f, 'g', -1, 64))
		out, l, ok := compact(nil, text, 0)
		if !ok || l != 0 {
			t.Fatalf("%s refused: %b", text, l)
		}
		if g, err := strconv.ParseFloat(string(out), 64); err != nil || g != f {
			t.Fatalf("%s became %s", text, out)
		}
	})
}

// TestProperties builds traces of many shapes. Their IDs and keys come from few, so that the same one often comes twice.
func TestProperties(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "a", "ü😀", "line\nbreak", "\u2028", `{"a":1}`, `{"a":1,"a":2}`,
		"[NaN]", "{cut", "-0.0", "1e400", `"x"`, "null", "\x00", "a\xff"})
	id := rapid.SampledFrom([]string{"null", `""`, `"0000000000000001"`, `"0000000000000002"`, `"AAAAAAAAAAE="`,
		`"EfzHQJwVUE0="`, `"x"`, "5", `"\ud800"`})
	key := rapid.SampledFrom([]string{`"a"`, `"b"`, `"tracemig.raw.a"`, `"\u0061"`, `"\u0000"`, `"\ud800"`})
	rapid.Check(t, func(t *rapid.T) {
		var doc strings.Builder
		doc.WriteString("[")
		for i := range rapid.IntRange(0, 6).Draw(t, "spans") {
			if i > 0 {
				doc.WriteString(",")
			}
			fmt.Fprintf(&doc, `{"span_id":%s,"parent_span_id":%s,"trace_id":%s,"name":%s,"start_time_unix_nano":%d,"attributes":{`,
				id.Draw(t, "id"), id.Draw(t, "parent"), id.Draw(t, "trace"), lit(text.Draw(t, "name")), rapid.Int64().Draw(t, "start"))
			for j := range rapid.IntRange(0, 20).Draw(t, "attributes") {
				if j > 0 {
					doc.WriteString(",")
				}
				fmt.Fprintf(&doc, "%s:%s", key.Draw(t, "key"), lit(text.Draw(t, "value")))
			}
			doc.WriteString("}}")
		}
		doc.WriteString("]")
		ti := info(rapid.SampledFrom([]string{trTrace, "tr-mine"}).Draw(t, "trace"))
		ti.Tags = rapid.MapOf(text, text).Draw(t, "tags")
		ti.Metadata = rapid.MapOf(text, text).Draw(t, "metadata")
		for range rapid.IntRange(0, 3).Draw(t, "assessments") {
			a := mlflow.Assessment{ID: text.Draw(t, "assessment"), Name: "n", Metadata: rapid.MapOf(text, text).Draw(t, "metadata")}
			if rapid.Bool().Draw(t, "feedback") {
				a.Feedback = &mlflow.Feedback{Value: jsontext.Value(text.Draw(t, "value"))}
			}
			ti.Assessments = append(ti.Assessments, a)
		}
		in := Input{Info: ti, Spans: []byte(doc.String()), Runs: rapid.SliceOf(text).Draw(t, "runs")}
		res, err := Convert(in, Options{Source: "s"})
		if err != nil {
			t.Fatal(err)
		}
		if err := checkResult(in, res); err != nil {
			t.Fatal(err)
		}
		if again, _ := Convert(in, Options{Source: "s"}); !reflect.DeepEqual(res, again) {
			t.Fatalf("another result the second time (-first +second):\n%s", cmp.Diff(res, again))
		}
	})
}

// TestNoteCodesDocumented wants every code in the package documentation and in the list.
func TestNoteCodesDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile("convert.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), "NoteCode = \""); n != len(NoteCodes) {
		t.Errorf("%d codes are declared, %d are in NoteCodes", n, len(NoteCodes))
	}
	for _, c := range NoteCodes {
		if !strings.Contains(string(doc), "//\t"+string(c)+" ") {
			t.Errorf("doc.go does not say what %s means", c)
		}
	}
}
