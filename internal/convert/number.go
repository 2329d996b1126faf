package convert

import (
	"bytes"
	"strconv"

	"github.com/tracemig/tracemig/internal/jsonscan"
)

const (
	// maxNumber bounds the spelling of a number in bytes. Measured: Spark 4.0.2 refuses an integer of 1,001 digits.
	maxNumber = 256
	// decimalDigits is the precision and the largest scale of a decimal in a VARIANT.
	decimalDigits = 38
	// doubleDigits is the most that a double's shortest spelling needs.
	doubleDigits = 17
)

// spelling says how a JSON number is to be written.
type spelling int

const (
	numberAsIs     spelling = iota
	numberNegZero           // a plain decimal of value -0: a decimal in a VARIANT has no sign of zero
	numberAsString          // no VARIANT number holds it
)

// spellNumber says how a JSON number is to be written so that parse_json keeps its value. n is its form.
// parse_json makes integers and plain decimals of up to 38 digits exact numbers; any other number becomes
// the nearest double.
func spellNumber(tok []byte, n jsonscan.Number) spelling {
	if !n.Exponent && n.Digits+n.Places <= decimalDigits && (n.Places == 0 || tok[0] != '-') {
		return numberAsIs // nearly all
	}
	if len(tok) > maxNumber {
		return numberAsString
	}
	var buf [maxNumber]byte
	digits := significantDigits(buf[:0], tok)
	if !n.Exponent {
		return spellDecimal(tok, digits, n.Places)
	}
	if len(digits) == 0 || isDouble(tok, digits) {
		return numberAsIs
	}
	return numberAsString
}

// spellDecimal is spellNumber for a number without an exponent that has these digits and places.
func spellDecimal(tok, digits []byte, places int) spelling {
	switch {
	case len(digits) == 0 && places > 0 && tok[0] == '-':
		return numberNegZero
	case len(digits) == 0, len(digits) <= decimalDigits && places <= decimalDigits:
		return numberAsIs
	case places > 0 && isDouble(tok, digits):
		return numberAsIs
	}
	return numberAsString
}

// significantDigits appends the digits of a number without its exponent, from the first that is not zero.
func significantDigits(dst, tok []byte) []byte {
	for _, c := range tok {
		switch {
		case c == 'e' || c == 'E':
			return dst
		case c >= '1' && c <= '9', c == '0' && len(dst) > 0:
			dst = append(dst, c)
		}
	}
	return dst
}

// isDouble says whether the double that is nearest to the number tok has the same digits when it is spelled with as
// many.
func isDouble(tok, digits []byte) bool {
	digits = bytes.TrimRight(digits, "0")
	if len(digits) > doubleDigits {
		return false
	}
	f, err := strconv.ParseFloat(string(tok), 64)
	if err != nil {
		return false // out of range
	}
	var text, buf [32]byte
	nearest := strconv.AppendFloat(text[:0], f, 'e', len(digits)-1, 64)
	return bytes.Equal(significantDigits(buf[:0], nearest), digits)
}
