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

// SameSpan says whether got, as read back from a table, is the span want. record_id does not count.
func SameSpan(want, got *Span) bool {
	return sameText(want, got, func(s *Span) (string, []JSON) {
		n := *s
		n.RecordID = ""
		n.Events, n.Links = slices.Clone(s.Events), slices.Clone(s.Links)
		fields := []*JSON{&n.Attributes, &n.ResourceAttributes}
		for i := range n.Events {
			fields = append(fields, &n.Events[i].Attributes)
		}
		for i := range n.Links {
			fields = append(fields, &n.Links[i].Attributes)
		}
		documents := take(fields)
		return string(AppendSpan(nil, &n)), documents
	})
}

// SameAnnotation says whether got, as read back from a table, is the annotation want, whatever their
// versions: the columns that Digester.Annotation leaves out don't count.
func SameAnnotation(want, got *Annotation) bool {
	return sameText(want, got, func(a *Annotation) (string, []JSON) {
		n := versionless(a)
		documents := take([]*JSON{&n.Value, &n.Metadata})
		return string(AppendAnnotation(nil, &n)), documents
	})
}

// take takes the documents out of a row, of which a mark stays.
func take(fields []*JSON) []JSON {
	var documents []JSON
	for _, f := range fields {
		documents = append(documents, *f)
		if *f != nil {
			*f = JSON("0")
		}
	}
	return documents
}

func sameText[T any](want, got *T, split func(*T) (string, []JSON)) bool {
	a, as := split(want)
	b, bs := split(got)
	return a == b && slices.EqualFunc(as, bs, sameJSON)
}

// sameJSON says whether got is the VARIANT of want in the text of any engine. A double is the same in
// any digits that give it, also in those of a decimal, but not in those of an integer; every other number
// only if it is equal, and an integer only if it is one there.
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
			return errA != nil && errB != nil // both at the end: stored writes valid JSON
		}
		if s.Kind() != t.Kind() || !sameNumber(s, t) || s.Kind() == '"' && s.String() != t.String() {
			return false
		}
	}
}

func decoder(b []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true))
}

// stored is a document as VARIANT keeps it: doubles have an exponent, decimals have not.
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
		if integer(b) {
			return false
		}
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		return errX == nil && errY == nil && x == y
	}
	if integer(a) && !integer(b) {
		return false // It became a double: engines leave a decimal's last zeros out.
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}

// integer says whether a number in the text of any engine is no double and no decimal with a fraction.
func integer(text string) bool { return !strings.ContainsAny(text, ".eE") }
