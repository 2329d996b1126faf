package convert

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/jsonscan"
)

// formError says that a document is JSON, but not of the expected form.
type formError string

func (e formError) Error() string { return string(e) }

// errSyntax says that a document is no JSON. reader.syntaxError tells where and why.
var errSyntax = errors.New("no JSON")

// reader reads the spans document, from one value to the next. The values that it gives are parts of the document, which
// nobody changes. Its errors are errSyntax, and those of the functions that it calls.
type reader struct {
	doc   []byte // valid UTF-8
	i     int    // where the next value begins, or where the last one ended
	depth int    // number of objects and arrays around the position
	quick quickParser

	skipping bool // the value that could not be read was one to skip
}

func newReader(doc []byte) *reader { return &reader{doc: doc, i: jsonscan.SkipSpace(doc, 0)} }

// next is the first byte of the next value, which tells its kind; 0 if there is none.
func (r *reader) next() byte {
	if r.i < len(r.doc) {
		return r.doc[r.i]
	}
	return 0
}

// value reads the next value.
func (r *reader) value() ([]byte, error) {
	start := r.i
	end, ok := jsonscan.ScanValue(r.doc, start, r.depth)
	if !ok {
		return nil, errSyntax
	}
	r.i = end
	return r.doc[start:end], nil
}

// skip reads the next value, which nobody needs.
func (r *reader) skip() error {
	_, err := r.value()
	r.skipping = err != nil
	return err
}

// largeSize is the length of the next value if it is over chunkBytes, else 0.
func (r *reader) largeSize() int {
	if len(r.doc)-r.i <= chunkBytes {
		return 0
	}
	end, err := jsonscan.SkipValue(r.doc, r.i)
	if err != nil || end-r.i <= chunkBytes {
		return 0
	}
	return end - r.i
}

// measure reads the next value, whose length is n, if compact does, and if what compact would append is over the size limit
// of a VARIANT. size is its size as variantBound has it.
func (r *reader) measure(n, depth int, quoted bool) (size int, lit []byte, ok bool) {
	const window = 1 << 20
	size, ok = r.quick.measure(r.doc, r.i, depth, quoted, window)
	if !ok || size <= maxVariant {
		return 0, nil, false
	}
	lit = r.doc[r.i : r.i+n]
	r.i += n
	return size, lit, true
}

// compact appends the next value to dst in its compact form, if quick takes it; else it reads nothing. With quoted the
// next value must be a string, and the JSON text in it is appended. lit is what was read.
func (r *reader) compact(dst []byte, depth int, quoted bool) (out, lit []byte, ok bool) {
	start := r.i
	out, end, ok := r.quick.parse(dst, r.doc, start, depth, quoted)
	if !ok {
		return dst, nil, false
	}
	r.i = end
	return out, r.doc[start:end], true
}

// object calls f for each member of the next value, an object, with the literal of the key. f reads the value.
func (r *reader) object(f func(key []byte) error) error {
	return r.nested('}', func(int) error {
		start := r.i
		end, value, ok := jsonscan.ScanName(r.doc, start)
		if !ok {
			return errSyntax
		}
		r.i = value
		return f(r.doc[start:end])
	})
}

// array calls f for each element of the next value, an array, with its index. f reads the element.
func (r *reader) array(f func(i int) error) error { return r.nested(']', f) }

// nested calls f for each member or element of the next value, which ends with the byte given.
func (r *reader) nested(closing byte, f func(i int) error) error {
	if r.depth++; r.depth > jsonscan.MaxDepth {
		return errSyntax
	}
	if r.i = jsonscan.SkipSpace(r.doc, r.i+1); r.next() != closing {
		for i := 0; ; i++ {
			if err := f(i); err != nil {
				return err
			}
			r.i = jsonscan.SkipSpace(r.doc, r.i)
			if r.next() == closing {
				break
			}
			if r.next() != ',' {
				return errSyntax
			}
			r.i = jsonscan.SkipSpace(r.doc, r.i+1)
		}
	}
	r.i++
	r.depth--
	return nil
}

// syntaxError gives the error that package jsontext has at the value or name that could not be read. ScanValue is faster,
// and tells nothing about what is wrong.
func (r *reader) syntaxError() error {
	d := jsontext.NewDecoder(bytes.NewBuffer(r.doc), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		next := jsonscan.SkipSpace(r.doc, int(d.InputOffset()))
		if next < len(r.doc) && (r.doc[next] == ',' || r.doc[next] == ':') {
			next = jsonscan.SkipSpace(r.doc, next+1)
		}
		if next >= r.i {
			break
		}
		if _, err := d.ReadToken(); err != nil {
			return err
		}
	}
	if d.StackDepth() == 0 && d.InputOffset() > 0 {
		_, err := d.ReadToken() // The document has ended, and more follows.
		if err == nil {
			err = &jsontext.SyntacticError{ByteOffset: d.InputOffset(), Err: errors.New("data after the document")}
		}
		return err
	}
	if r.skipping {
		return d.SkipValue()
	}
	for {
		if _, err := d.ReadValue(); err != nil { // It may be a name whose value is wrong.
			return err
		}
	}
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

// maxLikelySpans bounds the memory that is taken for rows before their spans are read.
const maxLikelySpans = 1000

// mayReuse says whether the document may be overwritten where it has been read: the caller allows it, and neither a fault
// in the rest of it nor attachments will have it read again.
func (c *converter) mayReuse() bool {
	if !c.in.Reuse || c.found != nil {
		return false
	}
	end, ok := jsonscan.ScanValue(c.doc, jsonscan.SkipSpace(c.doc, 0), 0)
	return ok && jsonscan.SkipSpace(c.doc, end) == len(c.doc)
}

// readDocument reads the spans of a document that is an array of them, or an object with such a member.
func (c *converter) readDocument() error {
	r := newReader(c.doc)
	c.reuse = sync.OnceValue(c.mayReuse)
	c.beta = isBeta(c.doc)
	c.values = !c.beta && firstHoldsValues(c.doc)
	found := false
	spans := func() error {
		if r.next() != '[' {
			if _, err := r.value(); err != nil {
				return err
			}
			return formError("spans is no array")
		}
		found = true
		c.rows, c.origins = c.rows[:0], c.origins[:0]
		return r.array(func(i int) error {
			if i == 1 {
				// As many spans as the first one are likely to follow. Memory for some takes less than having it grow.
				c.rows = slices.Grow(c.rows, min(len(r.doc)/r.i, maxLikelySpans))
			}
			return c.readSpan(r, i)
		})
	}
	var err error
	switch r.next() {
	case '[':
		c.otlp = true
		err = spans()
	case '{':
		err = r.object(func(key []byte) error {
			if string(key) == `"spans"` {
				return spans()
			}
			return r.skip()
		})
	default:
		if _, err = r.value(); err == nil {
			err = formError("the document is neither an array nor an object")
		}
	}
	switch {
	case err == nil && jsonscan.SkipSpace(r.doc, r.i) != len(r.doc):
		err = errSyntax
	case err == nil && !found:
		err = formError("the document has no member spans")
	}
	if errors.Is(err, errSyntax) {
		return r.syntaxError()
	}
	return err
}
