package jsonscan

import "bytes"

// MaxDepth is how deep ScanValue lets values be nested: as deep as package jsontext does.
const MaxDepth = 10_000

// ScanString returns the index after the string that begins with the quote b[i]. ok is false if it is not closed, or
// holds a control character or a wrong escape. An escaped lone surrogate is right.
func ScanString(b []byte, i int) (end int, ok bool) {
	for i++; ; {
		i += PlainLen(b[i:])
		if i == len(b) {
			return 0, false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, true
		case c < ' ':
			return 0, false
		case c != '\\':
			i++
		case i+1 < len(b) && Unescape(b[i+1]) != 0:
			i += 2
		default:
			_, n := UnicodeEscape(b[i:])
			if n == 0 {
				return 0, false
			}
			i += n
		}
	}
}

// ScanValue returns the index after the value that begins at i, which depth values enclose. ok is false if there is no
// value, or if it is nested too deep. Names may come twice in an object.
func ScanValue(b []byte, i, depth int) (end int, ok bool) {
	if i >= len(b) {
		return 0, false
	}
	switch b[i] {
	case '"':
		return ScanString(b, i)
	case '{', '[':
		if depth == MaxDepth {
			return 0, false
		}
		return scanNested(b, i, depth+1)
	case 't':
		return scanWord(b, i, "true")
	case 'f':
		return scanWord(b, i, "false")
	case 'n':
		return scanWord(b, i, "null")
	}
	n, ok := ScanNumber(b, i)
	if digits := bytes.TrimPrefix(b[i:n.End], []byte("-")); !ok && n.Digits > 1 && digits[0] == '0' {
		return n.End - len(digits) + 1, true // A number that begins with zero ends there, and what follows it is wrong.
	}
	return n.End, ok
}

func scanWord(b []byte, i int, word string) (end int, ok bool) {
	end = i + len(word)
	return end, end <= len(b) && string(b[i:end]) == word
}

// scanNested is ScanValue for an object or array. depth counts itself.
func scanNested(b []byte, i, depth int) (end int, ok bool) {
	closing := b[i] + 2 // In ASCII, the closing bracket and brace come two after the opening ones.
	if i = SkipSpace(b, i+1); i < len(b) && b[i] == closing {
		return i + 1, true
	}
	for {
		if closing == '}' {
			if _, i, ok = ScanName(b, i); !ok {
				return 0, false
			}
		}
		if i, ok = ScanValue(b, i, depth); !ok {
			return 0, false
		}
		if i = SkipSpace(b, i); i == len(b) {
			return 0, false
		}
		switch b[i] {
		case closing:
			return i + 1, true
		case ',':
			i = SkipSpace(b, i+1)
		default:
			return 0, false
		}
	}
}

// ScanName returns the index after the name of a member that begins at i, and the index of the member's value.
func ScanName(b []byte, i int) (end, value int, ok bool) {
	if i >= len(b) || b[i] != '"' {
		return 0, 0, false
	}
	if end, ok = ScanString(b, i); !ok {
		return 0, 0, false
	}
	if i = SkipSpace(b, end); i == len(b) || b[i] != ':' {
		return 0, 0, false
	}
	return end, SkipSpace(b, i+1), true
}
