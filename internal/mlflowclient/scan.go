package mlflowclient

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Span documents are cut, never decoded, here: payloads are large, and Python writes NaN, Infinity
// and lone surrogates that a strict decoder refuses although the converter has a rule for each.
// So these functions follow only brackets and strings, return slices of their input, and leave what
// stands between to the converter.

var errNotJSON = errors.New("not a JSON object")

// skipSpace returns the index of the next byte of b at or after i that is no white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index behind the string that begins at i, where b[i] is its quote.
func skipString(b []byte, i int) (int, error) {
	for {
		n := bytes.IndexByte(b[i+1:], '"')
		if n < 0 {
			return 0, io.ErrUnexpectedEOF
		}
		i += 1 + n
		escapes := 0
		for b[i-1-escapes] == '\\' { // ends at a quote, the first one at the latest
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1, nil
		}
	}
}

// skipValue returns the index behind the value that begins at i.
func skipValue(b []byte, i int) (int, error) {
	depth := 0
	for i < len(b) {
		switch c := b[i]; c {
		case '"':
			var err error
			if i, err = skipString(b, i); err != nil {
				return 0, err
			}
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return 0, errNotJSON
			}
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return 0, errNotJSON
			}
			i++
			continue
		default:
			for i < len(b) && bytes.IndexByte([]byte(",:]}[{\" \n\t\r"), b[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			return i, nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}

// members calls f with each member of the object that begins at or after i of b, and returns the
// index behind it.
func members(b []byte, i int, f func(name string, value []byte) error) (int, error) {
	i = skipSpace(b, i)
	if i == len(b) {
		return 0, io.ErrUnexpectedEOF
	}
	if b[i] != '{' {
		return 0, errNotJSON
	}
	for i++; ; {
		i = skipSpace(b, i)
		if i == len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		switch b[i] {
		case '}':
			return i + 1, nil
		case ',':
			i++
			continue
		case '"':
		default:
			return 0, errNotJSON
		}
		end, err := skipString(b, i)
		if err != nil {
			return 0, err
		}
		name := text(b[i:end])
		if i = skipSpace(b, end); i == len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		if b[i] != ':' {
			return 0, errNotJSON
		}
		i = skipSpace(b, i+1)
		if end, err = skipValue(b, i); err != nil {
			return 0, err
		}
		if err := f(name, b[i:end]); err != nil {
			return 0, err
		}
		i = end
	}
}

// elements calls f with each element of the array b; null has none.
func elements(b []byte, f func(element []byte) error) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) == 0 || b[0] != '[' {
		return errNotJSON
	}
	for i := 1; ; {
		i = skipSpace(b, i)
		if i == len(b) {
			return io.ErrUnexpectedEOF
		}
		switch b[i] {
		case ']':
			return nil
		case ',':
			i++
			continue
		}
		end, err := skipValue(b, i)
		if err != nil {
			return err
		}
		if err := f(b[i:end]); err != nil {
			return err
		}
		i = end
	}
}

// text is the string of a JSON string literal, or "" of anything else.
func text(literal []byte) string {
	s, err := jsontext.AppendUnquote(nil, literal)
	if err != nil && len(s) == 0 {
		return ""
	}
	return string(s)
}

// countSpans checks that doc is one whole object with an array of spans, and counts them.
// io.ErrUnexpectedEOF means that the document ends early.
func countSpans(doc []byte) (n int, err error) {
	found := false
	end, err := members(doc, 0, func(name string, value []byte) error {
		if name != "spans" {
			return nil
		}
		found, n = true, 0
		return elements(value, func([]byte) error { n++; return nil })
	})
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, errors.New(`the document has no "spans"`)
	}
	if skipSpace(doc, end) != len(doc) {
		return 0, errors.New("more text follows the document")
	}
	return n, nil
}

// tracesIn cuts an answer of traces/get ({"trace": {…}}) or traces/batchGet ({"traces": [{…}]}) into
// the spans array of each trace, by trace ID. A trace without spans has an empty array.
func tracesIn(answer []byte) (map[string][]byte, error) {
	out := map[string][]byte{}
	one := func(trace []byte) error {
		id, spans := "", []byte("[]")
		_, err := members(trace, 0, func(name string, value []byte) error {
			switch name {
			case "trace_info":
				_, err := members(value, 0, func(name string, value []byte) error {
					if name == "trace_id" {
						id = text(value)
					}
					return nil
				})
				return err
			case "spans":
				spans = value
			}
			return nil
		})
		out[id] = spans
		return err
	}
	_, err := members(answer, 0, func(name string, value []byte) error {
		switch name {
		case "trace":
			return one(value)
		case "traces":
			return elements(value, one)
		}
		return nil
	})
	return out, err
}
