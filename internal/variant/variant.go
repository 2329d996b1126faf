// Package variant turns JSON text into the VARIANT binary form and back.
//
// The form is that of the Parquet project's "Variant Binary Encoding" (VariantEncoding.md in
// apache/parquet-format), version 1: a metadata blob, which is the dictionary of the object keys, and
// a value blob. Encode makes the choices that Spark's parse_json makes, so that Spark's functions (to_json,
// schema_of_variant, variant_get) give the same for both:
//
//   - an integer that fits takes the smallest of 1, 2, 4 and 8 bytes; -0 is 0;
//   - any other number without an exponent is a decimal (4, 8 or 16 bytes, the smallest that fits) if it
//     has at most 38 digits and 38 decimal places; it keeps the scale it was written with;
//     -0.0 is the decimal 0;
//   - every other number is a double, 1e400 and a 400-digit integer become infinite; -0e0 stays negative;
//   - strings up to 63 bytes are short strings; an escaped lone surrogate becomes a question mark;
//   - the fields of an object are sorted by name in UTF-16 code units, as java.lang.String compares;
//     the dictionary is in order of first appearance;
//   - duplicate keys are refused.
package variant

import (
	"errors"
	"fmt"
)

// Limits of Encode.
//
// Spark 4.0.2 has limits of its own, measured. A text that is meant for any target should keep within these:
//   - parse_json takes 1000 levels of arrays and objects. Where from_json reads a VARIANT inside a row,
//     the row's own levels count too (an attributes column has 999, attributes of an event 997),
//     and a text with more levels makes the whole row NULL instead of an error;
//   - parse_json refuses keys of more than 50,000 characters and numbers of more than 1000 digits. VARIANT
//     holds both, so Encode takes them;
//   - parse_json takes NUL in keys and strings, empty keys, and 1e400 as infinite. Of a document with two keys that
//     differ only in lone surrogates it makes a malformed VARIANT; Encode gives ErrDuplicateKey;
//   - parse_json ignores text after the document, Encode refuses it;
//   - schema_of_variant runs out of stack somewhere before 1000 levels, depending on the thread.
const (
	// MaxSize is how many bytes the value and the metadata may each have: the limit of the first
	// engines with VARIANT. Spark 4.0.2 takes more.
	MaxSize = 16 << 20
	// MaxDepth is how deep arrays and objects may nest, as in parse_json; a scalar has depth 0.
	MaxDepth = 1000
)

// Errors of Encode, for errors.Is. ErrMalformed is that of AppendJSON and AppendSparkJSON.
var (
	ErrDuplicateKey = errors.New("an object has the same key twice")
	ErrTooDeep      = fmt.Errorf("arrays and objects nest deeper than %d", MaxDepth)
	ErrTooLarge     = fmt.Errorf("the VARIANT has more than %d bytes", MaxSize)
	ErrMalformed    = errors.New("malformed VARIANT")
)

// SyntaxError says that a text is no JSON document (RFC 8259, in UTF-8).
type SyntaxError struct {
	Offset  int // in bytes
	Problem string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("not a JSON document: %s at byte %d", e.Problem, e.Offset)
}

// The header of a value: its two low bits are the basic type, the others depend on it.
const (
	basicPrimitive = 0
	basicShortStr  = 1
	basicObject    = 2
	basicArray     = 3
)

// Primitive types.
const (
	typeNull         = 0
	typeTrue         = 1
	typeFalse        = 2
	typeInt8         = 3
	typeInt16        = 4
	typeInt32        = 5
	typeInt64        = 6
	typeDouble       = 7
	typeDecimal4     = 8
	typeDecimal8     = 9
	typeDecimal16    = 10
	typeDate         = 11
	typeTimestamp    = 12
	typeTimestampNTZ = 13
	typeFloat        = 14
	typeBinary       = 15
	typeString       = 16
	typeUUID         = 20
)

const (
	metadataVersion = 1
	maxShortStr     = 63
)

// byteWidth is how many bytes an offset or field ID up to n takes.
func byteWidth(n int) int {
	switch {
	case n < 1<<8:
		return 1
	case n < 1<<16:
		return 2
	case n < 1<<24:
		return 3
	}
	return 4
}

func putUint(b []byte, n, width int) {
	for i := range width {
		b[i] = byte(n >> (8 * i))
	}
}

func getUint(b []byte, width int) int {
	n := 0
	for i := range width {
		n |= int(b[i]) << (8 * i)
	}
	return n
}

// getInt reads a signed integer that takes all of b, up to eight bytes.
func getInt(b []byte) int64 {
	unused := 64 - 8*len(b)
	return int64(getUint(b, len(b))) << unused >> unused
}
