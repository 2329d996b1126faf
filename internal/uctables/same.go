package uctables

import (
	"bytes"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/variant"
)

// SameSpan says whether got, as read back from a table, is the span want, whatever their record_id.
func SameSpan(want, got *Span) bool {
	return sameText(want, got, func(s *Span) (string, []JSON) {
		n := *s
		n.RecordID = ""
		documents := takeOut(n.Documents())
		return string(AppendSpan(nil, &n)), documents
	})
}

// SameAnnotation says whether got, as read back from a table, is the annotation want, whatever their versions: it does not compare
// the columns that Digester.Annotation leaves out.
func SameAnnotation(want, got *Annotation) bool {
	return sameText(want, got, func(a *Annotation) (string, []JSON) {
		n := versionless(a)
		documents := takeOut([]*JSON{&n.Value, &n.Metadata})
		return string(AppendAnnotation(nil, &n)), documents
	})
}

// takeOut returns the documents of a row and puts a placeholder in the place of each.
func takeOut(fields []*JSON) []JSON {
	var documents []JSON
	for _, f := range fields {
		documents = append(documents, *f)
		if *f != nil {
			*f = JSON("0")
		}
	}
	return documents
}

// sameText compares two rows that split separates into their documents and the text of the rest.
func sameText[T any](want, got *T, split func(*T) (string, []JSON)) bool {
	a, as := split(want)
	b, bs := split(got)
	return a == b && slices.EqualFunc(as, bs, sameJSON)
}

// sameJSON says whether got is the VARIANT of want, as the text that any engine makes of it. A double is the same in all digits that
// give it, also in those of a decimal, but not in those of an integer. Any other number is the same only if it is equal, and an
// integer only as an integer.
func sameJSON(want, got JSON) bool {
	if want == nil || got == nil {
		return want == nil && got == nil
	}
	a, err := stored(want)
	if err != nil {
		return false
	}
	b, err := stored(got)
	if err != nil {
		return false
	}
	if bytes.Equal(a, b) {
		return true
	}
	x, y := decoder(a), decoder(b)
	for {
		s, errA := x.ReadToken()
		t, errB := y.ReadToken()
		if errA != nil || errB != nil {
			return errA != nil && errB != nil // both have ended, since stored writes valid JSON
		}
		if s.Kind() != t.Kind() || !sameNumber(s, t) || s.Kind() == '"' && s.String() != t.String() {
			return false
		}
	}
}

func decoder(b []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true))
}

// stored is a document as a VARIANT holds it: only doubles have an exponent.
func stored(v JSON) ([]byte, error) {
	var e variant.Encoder
	value, metadata, err := e.Encode(v)
	if err != nil {
		return nil, err
	}
	return variant.AppendJSON(nil, value, metadata)
}

func sameNumber(want, got jsontext.Token) bool {
	if want.Kind() != '0' {
		return true
	}
	a, b := want.String(), got.String()
	if strings.ContainsRune(a, 'E') {
		if isInteger(b) {
			return false
		}
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		return errX == nil && errY == nil && x == y
	}
	if isInteger(a) && !isInteger(b) {
		return false // It has become a double: of a decimal, engines would have left out the last zeros.
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}

// isInteger says whether the text of a number, by any engine, is neither a double nor a decimal with a fraction.
func isInteger(text string) bool { return !strings.ContainsAny(text, ".eE") }
