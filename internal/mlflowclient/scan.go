package mlflowclient

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/jsonscan"
)

// The functions of this file cut span documents and do not decode them: payloads are large, and Python writes NaN,
// Infinity and lone surrogates, which a strict decoder refuses although the converter has a rule for each. They
// return slices of their input, whose contents are for the converter to read.

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
	end, err := jsonscan.MembersAt(doc, func(name []byte, value int) (end int, err error) {
		if text(name) != "spans" {
			return jsonscan.SkipValue(doc, value)
		}
		found = true
		n, end, err = jsonscan.CountElements(doc, value)
		return end, err
	})
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, errors.New(`the document has no "spans"`)
	}
	if jsonscan.SkipSpace(doc, end) != len(doc) {
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
		_, err := jsonscan.Members(trace, func(name, value []byte) error {
			switch text(name) {
			case "trace_info":
				_, err := jsonscan.Members(value, func(name, value []byte) error {
					if text(name) == "trace_id" {
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
	_, err := jsonscan.Members(answer, func(name, value []byte) error {
		switch text(name) {
		case "trace":
			return one(value)
		case "traces":
			return jsonscan.Elements(value, one)
		}
		return nil
	})
	return out, err
}
