package convert

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/jsonscan"
	"github.com/tracemig/tracemig/internal/mlflow"
)

// readAttributes reads an attributes object, or OTLP's list of key and value, into o. With texts, the strings
// of the object hold JSON texts, as in MLflow's span attributes, unless the span says otherwise.
func (c *converter) readAttributes(r *reader, o *object, texts bool) error {
	if r.next() == '[' {
		return r.array(func(int) error { return c.readKeyValue(r, o) })
	}
	if texts {
		return c.readSpanAttributes(r, o)
	}
	return c.readMembers(r, o, false)
}

// readMembers reads the members of an attributes object.
func (c *converter) readMembers(r *reader, o *object, texts bool) error {
	return r.object(func(key []byte) (err error) {
		name := c.beginAttribute(o, key)
		quoted := texts && r.next() == '"'
		var lit []byte
		size, ok := 0, false
		n := r.largeSize()
		if n > maxVariant && c.found == nil { // The bytes of an attachment could make another value of it.
			size, lit, ok = r.measure(n, 1, quoted)
		}
		if ok {
			o.endLarge(source{lit, quoted}, size)
			c.noteIdentity(o, name, lit)
			return nil
		}
		if n > 0 {
			// Memory for a large value is taken once. It would take several times as much to have it grow.
			o.buf = slices.Grow(o.buf, n+1<<16) // with room for what follows it
		}
		if o.buf, lit, ok = r.compact(o.buf, 1, quoted); ok {
			c.endValue(o, source{lit, quoted})
		} else if lit, err = r.value(); err != nil {
			return err
		} else if quoted {
			c.addText(o, name, lit)
		} else {
			c.addValue(o, name, lit, source{lit, false})
		}
		c.noteIdentity(o, name, lit)
		return nil
	})
}

// readSpanAttributes reads the attributes object of a span. Whether its strings are JSON texts or values is
// known from its request ID, which may come last. So the form of the document's first request ID is assumed, and
// a span of the other form, which is rare, is read again.
func (c *converter) readSpanAttributes(r *reader, o *object) error {
	start, notes, kept := r.i, len(c.notes), len(o.kept)
	if err := c.readMembers(r, o, !c.values); err != nil {
		return err
	}
	if c.beta || len(c.requestID) == 0 || holdsValues(c.requestID) == c.values {
		return nil
	}
	o.restart(kept)
	c.notes = c.notes[:notes]
	c.requestID, c.service = c.requestID[:0], c.service[:0]
	return c.readMembers(&reader{doc: r.doc, i: start, depth: r.depth}, o, c.values)
}

// requestIDKey is the attribute in which MLflow keeps the ID of a span's trace.
const requestIDKey = "mlflow.traceRequestId"

// holdsValues says whether the strings among a span's attributes are values, not JSON texts, by the literal of
// its request ID: MLflow's Python SDK stores a JSON text in quotes, its TypeScript SDK the ID alone. The TypeScript
// SDK parses every attribute before it stores the span, inputs and outputs too (Span.toJson and
// SpanAttributesRegistry.getAll in libs/typescript/core/src/core/entities/span.ts of MLflow's repository).
func holdsValues(requestID []byte) bool {
	return bytes.HasPrefix(requestID, []byte(`"tr-`)) || bytes.HasPrefix(requestID, []byte(`"trace:/`))
}

// firstHoldsValues looks for the document's first request ID, and says whether its span holds values. A key within
// a string of the document is not taken for it, because there the key's quotes are escaped.
func firstHoldsValues(doc []byte) bool {
	_, rest, _ := bytes.Cut(doc, []byte(`"`+requestIDKey+`"`))
	return holdsValues(bytes.TrimLeft(rest, ": \t\r\n"))
}

// beginAttribute begins the member of an attribute. It gives the attribute's name.
func (c *converter) beginAttribute(o *object, keyLit []byte) (name []byte) {
	name, key, l := attributeKey(keyLit)
	if l != 0 {
		c.noteLoss(l, string(name))
		o.keep(string(name)+".key", keyLit)
	}
	if len(name) > maxName {
		long := name
		name = []byte(longKeyPrefix + derive("key", string(long)).String())
		key = quote(nil, name)
		c.note(LongKey, string(name), "stands for a key of "+strconv.Itoa(len(long))+" bytes")
		o.keep(string(name)+".key", keyLit)
	}
	if o.begin(key) {
		c.note(DuplicateKey, string(name), "the last one stands")
	}
	return name
}

// noteIdentity keeps the value of an attribute of the span that tells whose span it is, or which service made it.
func (c *converter) noteIdentity(o *object, name, lit []byte) {
	if o != &c.spanAttrs {
		return
	}
	switch string(name) {
	case requestIDKey:
		c.requestID = append(c.requestID[:0], lit...)
	case mlflow.TagServiceName:
		c.service = append(c.service[:0], lit...)
	}
}

// attributeKey gives the text of a key, and its literal in canonical spelling.
func attributeKey(lit []byte) (name, key []byte, l loss) {
	if bytes.IndexByte(lit, '\\') < 0 {
		return lit[1 : len(lit)-1], lit, 0
	}
	_, text, l := objectName(lit)
	return []byte(text), quote(nil, text), l
}

// addValue ends an attribute whose value is lit, as far as a VARIANT takes it. from is as in object.end.
func (c *converter) addValue(o *object, name, lit []byte, from source) {
	at := len(o.buf)
	var l loss
	var ok bool
	if o.buf, l, ok = compact(o.buf, lit, 1); !ok {
		o.buf = quote(o.buf[:at], lit)
	}
	c.endValue(o, from)
	if l&keepsRaw != 0 {
		o.keep(string(name), lit)
	}
	if l != 0 {
		c.noteLoss(l, string(name))
	}
}

// addText ends an attribute whose value is a string literal that may hold a JSON text.
func (c *converter) addText(o *object, name, lit []byte) {
	text, clean := unquoteText(c.text, lit)
	c.text = text
	at := len(o.buf)
	var l loss
	ok := false
	if mayBeJSON(text) {
		o.buf, l, ok = compact(o.buf, text, 1)
	}
	if ok {
		from := source{lit, true}
		if !clean {
			from = source{bytes.Clone(text), false}
		}
		c.endValue(o, from)
		if l&keepsRaw != 0 {
			o.keep(string(name), text)
		}
	} else {
		if l == 0 && beginsJSON(text) {
			c.note(InvalidJSON, string(name), "kept as a string")
		}
		if !clean {
			l |= lostSurrogate
			o.keep(string(name), lit)
		}
		o.buf = append(o.buf[:at], canonical(lit)...)
		c.endValue(o, source{lit, false})
	}
	if l != 0 {
		c.noteLoss(l, string(name))
	}
	if cap(c.text) > chunkBytes {
		c.text = nil
	}
}

// unquoteText gives the text of a string literal, in the memory of dst if that suffices. In a text with lone surrogates,
// for which clean is false, their escapes stay where keepLone can have them.
func unquoteText(dst, lit []byte) (text []byte, clean bool) {
	text, ok := jsonscan.AppendUnquoted(dst[:0], lit)
	var err error
	if !ok {
		text, err = jsontext.AppendUnquote(text, lit)
	}
	if err != nil {
		text, _ = jsontext.AppendUnquote(text[:0], keepLone(lit))
	}
	return text, err == nil
}

// mayBeJSON says whether text could be JSON by its first character.
func mayBeJSON(text []byte) bool {
	i := jsonscan.SkipSpace(text, 0)
	if i == len(text) {
		return false
	}
	switch c := text[i]; c {
	case '{', '[', '"', 't', 'f', 'n', 'N', 'I':
		return true
	default:
		return beginsNumber(c)
	}
}

// beginsJSON says whether text that is no JSON was meant as such: most such texts are cut off.
func beginsJSON(text []byte) bool {
	i := jsonscan.SkipSpace(text, 0)
	return i < len(text) && (text[i] == '{' || text[i] == '[' || text[i] == '"')
}
