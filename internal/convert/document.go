package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// formError says that a document is JSON, but not of the expected form.
type formError string

func (e formError) Error() string { return string(e) }

// reader streams the spans document. The values that it gives are parts of the document, which nobody changes.
type reader struct {
	*jsontext.Decoder
	doc []byte
}

func newReader(doc []byte) reader {
	return reader{jsontext.NewDecoder(bytes.NewBuffer(doc), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)), doc}
}

// value reads the next value, or the next object key.
func (r reader) value() ([]byte, error) {
	v, err := r.ReadValue()
	if err != nil {
		return nil, err
	}
	end := r.InputOffset()
	return r.doc[end-int64(len(v)) : end], nil
}

// object calls f for each member of the next value, an object, with the literal of the key. f reads the value.
func (r reader) object(f func(key []byte) error) error {
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for r.PeekKind() != '}' {
		key, err := r.value()
		if err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

// array calls f for each element of the next value, an array, with its index. f reads the element.
func (r reader) array(f func(i int) error) error {
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for i := 0; r.PeekKind() != ']'; i++ {
		if err := f(i); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

// readSpans reads the spans document into c.rows.
func (c *converter) readSpans() *Error {
	c.doc = c.in.Spans
	if !utf8.Valid(c.doc) {
		c.doc = bytes.ToValidUTF8(c.doc, []byte("\uFFFD"))
		c.note(InvalidUTF8, "", "the spans document: replaced by U+FFFD")
	}
	c.lookForAttachments()
	notes := len(c.notes)
	err := c.readDocument()
	if _, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if doc, n := repairNonFinite(c.doc); n > 0 {
			c.doc, c.notes, c.otelID, c.otelLit = doc, c.notes[:notes], "", nil
			c.note(NonFinite, "", fmt.Sprintf("%d outside of attribute texts: kept as strings", n))
			err = c.readDocument()
		}
	}
	if err == nil {
		if len(c.rows) > 0 && !c.identified {
			return &Error{Reason: OtherTrace, Err: fmt.Errorf("its document holds the spans of %.200q instead", c.other)}
		}
		return nil
	}
	if _, ok := errors.AsType[formError](err); ok {
		return &Error{Reason: SpansForm, Err: err}
	}
	return &Error{Reason: SpansNotJSON, Err: err}
}

// readDocument reads the spans of a document that is an array of them, or an object with such a member.
func (c *converter) readDocument() error {
	r := newReader(c.doc)
	c.values = firstHoldsValues(c.doc)
	found := false
	spans := func() error {
		if r.PeekKind() != '[' {
			if _, err := r.value(); err != nil {
				return err
			}
			return formError("spans is no array")
		}
		found = true
		c.rows = c.rows[:0]
		return r.array(func(i int) error { return c.readSpan(r, i) })
	}
	var err error
	switch r.PeekKind() {
	case '[':
		c.otlp = true
		err = spans()
	case '{':
		err = r.object(func(key []byte) error {
			if string(key) == `"spans"` {
				return spans()
			}
			return r.SkipValue()
		})
	default:
		if _, err = r.value(); err == nil {
			err = formError("the document is neither an array nor an object")
		}
	}
	if err != nil {
		return err
	}
	if _, err := r.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = &jsontext.SyntacticError{ByteOffset: r.InputOffset(), Err: errors.New("data after the document")}
		}
		return err
	}
	if !found {
		return formError("the document has no member spans")
	}
	return nil
}
