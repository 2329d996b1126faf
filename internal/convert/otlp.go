package convert

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/tracemig/tracemig/internal/jsonscan"
)

// readKeyValue reads one element of OTLP's attribute list: {"key": …, "value": AnyValue}.
func (c *converter) readKeyValue(r *reader, o *object) error {
	if r.next() != '{' {
		lit, err := r.value()
		if err != nil {
			return err
		}
		c.note(BadValue, "attributes", "an element that is no key and value")
		o.keep("attributes", lit)
		return nil
	}
	key, value, badKey, err := readPair(r, c.plain)
	if err != nil {
		return err
	}
	c.plain = value
	if badKey {
		c.note(BadValue, "attributes", "a key that is no string")
	}
	name := c.beginAttribute(o, key)
	c.noteIdentity(o, name, value)
	// For an attribute text of 0, false or "", MLflow's get (_SpanAttributesRegistry in mlflow/entities/span.py) gives None, and
	// OTLP has nothing. MLflow's own attributes are JSON texts, whose null is one.
	c.unsure = c.unsure || o == &c.spanAttrs && string(value) == "null" && !bytes.HasPrefix(name, []byte("mlflow."))
	c.addValue(o, name, value, source{})
	return nil
}

// readPair reads an object of key and value. It gives the literal of the key, and the value as plain JSON in the memory
// of dst. badKey says that a key was no string; the key is then the literal of its JSON text.
func readPair(r *reader, dst []byte) (key, value []byte, badKey bool, err error) {
	key, value = []byte(`""`), append(dst[:0], "null"...)
	err = r.object(func(k []byte) (err error) {
		switch string(k) {
		case `"key"`:
			if key, err = r.value(); err == nil && key[0] != '"' {
				key, badKey = quote(nil, key), true
			}
		case `"value"`:
			value, err = anyValue(r, value[:0])
		default:
			err = r.skip()
		}
		return err
	})
	return key, value, badKey, err
}

// anyValue appends OTLP's AnyValue as the plain JSON that MLflow's attribute texts have for it.
func anyValue(r *reader, dst []byte) ([]byte, error) {
	if r.next() != '{' {
		lit, err := r.value()
		return append(dst, lit...), err
	}
	at := len(dst)
	dst = append(dst, "null"...)
	err := r.object(func(key []byte) (err error) {
		dst = dst[:at]
		name := strings.ToLower(strings.ReplaceAll(string(key), "_", ""))
		switch name {
		case `"arrayvalue"`:
			dst, err = anyList(r, dst, '[', ']', anyValue)
			return err
		case `"kvlistvalue"`:
			dst, err = anyList(r, dst, '{', '}', anyMember)
			return err
		}
		lit, err := r.value()
		if err != nil {
			return err
		}
		switch name {
		case `"intvalue"`:
			dst = appendInteger(dst, lit)
		case `"doublevalue"`:
			dst = appendDouble(dst, lit)
		default:
			dst = append(dst, lit...)
		}
		return nil
	})
	return dst, err
}

// anyList appends an ArrayValue or KeyValueList between brackets, and each of its values with the function given.
func anyList(r *reader, dst []byte, open, shut byte, appendValue func(*reader, []byte) ([]byte, error)) ([]byte, error) {
	dst = append(dst, open)
	if r.next() != '{' {
		return append(dst, shut), r.skip()
	}
	err := r.object(func(key []byte) error {
		if string(key) != `"values"` || r.next() != '[' {
			return r.skip()
		}
		return r.array(func(i int) (err error) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst, err = appendValue(r, dst)
			return err
		})
	})
	return append(dst, shut), err
}

// anyMember appends one element of a KeyValueList as a member of an object.
func anyMember(r *reader, dst []byte) ([]byte, error) {
	if r.next() != '{' {
		lit, err := r.value()
		return append(append(dst, `"":`...), lit...), err
	}
	key, value, _, err := readPair(r, nil)
	dst = append(append(dst, key...), ':')
	return append(dst, value...), err
}

// appendInteger spells an int_value, which protobuf's JSON has as a string, as a number.
func appendInteger(dst, lit []byte) []byte {
	if text, _ := unquote(lit); jsonscan.IsNumber([]byte(text)) {
		return append(dst, text...)
	}
	return append(dst, lit...)
}

// appendDouble spells a double_value as Python's repr does, and so as MLflow's attribute texts have it.
func appendDouble(dst, lit []byte) []byte {
	text, _ := unquote(lit)
	switch text {
	case "NaN", "Infinity", "-Infinity":
		return append(dst, text...) // bare, as Python's json.dumps has them
	}
	if !jsonscan.IsNumber([]byte(text)) {
		return append(dst, lit...)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return append(dst, text...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if bytes.IndexByte(dst[at:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}
