package variant

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON appends the JSON text of one VARIANT value to dst. Numbers keep their kind: a double
// has an exponent, a decimal has the places of its scale, so Encode gives the same value again.
// Values that JSON does not have become strings, as in Spark's to_json: infinite and NaN doubles, dates, times,
// UUIDs and binary (base64). The error is ErrMalformed if the bytes are no VARIANT of version 1.
func AppendJSON(dst, value, metadata []byte) ([]byte, error) {
	return appendText(decoder{dst: dst}, value, metadata)
}

// AppendSparkJSON is AppendJSON with the text that Spark's to_json gives: doubles as Java writes them,
// decimals without trailing zeros. So it writes some different values alike (a decimal 1.0 and a 1). Java
// before 19 writes some doubles with more digits than this function.
func AppendSparkJSON(dst, value, metadata []byte) ([]byte, error) {
	return appendText(decoder{dst: dst, spark: true}, value, metadata)
}

func appendText(d decoder, value, metadata []byte) ([]byte, error) {
	dst := d.dst
	d.left = len(value)
	if err := d.dictionary(metadata); err != nil {
		return dst, err
	}
	if err := d.any(value, 0); err != nil {
		return dst, err
	}
	return d.dst, nil
}

type decoder struct {
	dst     []byte
	spark   bool
	names   []byte
	keys    int    // number of keys in the dictionary
	offsets []byte // of the keys in names, width bytes each
	width   int
	// left is how many values may still come. Each takes at least one byte, so a VARIANT has no more values than
	// bytes; without this limit, offsets that point to the same bytes again and again would take forever.
	left int
}

// cut returns the first n bytes of b and the rest, or ok false if b is shorter.
func cut(b []byte, n int) (head, rest []byte, ok bool) {
	if n < 0 || n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

func (d *decoder) dictionary(b []byte) error {
	if len(b) == 0 || b[0]&0xf != metadataVersion {
		return ErrMalformed
	}
	d.width = int(b[0]>>6) + 1
	count, rest, ok := cut(b[1:], d.width)
	if !ok {
		return ErrMalformed
	}
	d.keys = getUint(count, d.width)
	d.offsets, d.names, ok = cut(rest, (d.keys+1)*d.width)
	if !ok {
		return ErrMalformed
	}
	return nil
}

func (d *decoder) key(id int) ([]byte, error) {
	if id >= d.keys {
		return nil, ErrMalformed
	}
	from, to := getUint(d.offsets[id*d.width:], d.width), getUint(d.offsets[(id+1)*d.width:], d.width)
	if from > to || to > len(d.names) {
		return nil, ErrMalformed
	}
	return d.names[from:to], nil
}

func (d *decoder) any(b []byte, depth int) error {
	if d.left--; d.left < 0 || len(b) == 0 || depth > MaxDepth {
		return ErrMalformed
	}
	info := b[0] >> 2
	switch b[0] & 3 {
	case basicShortStr:
		s, _, ok := cut(b[1:], int(info))
		if !ok {
			return ErrMalformed
		}
		return d.string(s)
	case basicObject:
		return d.nested(b[1:], int(info>>2&3)+1, int(info&3)+1, info>>4&1 == 1, '{', '}', depth)
	case basicArray:
		return d.nested(b[1:], 0, int(info&3)+1, info>>2&1 == 1, '[', ']', depth)
	}
	return d.primitive(info, b[1:])
}

// nested decodes an object, or with idWidth 0 an array.
func (d *decoder) nested(b []byte, idWidth, width int, large bool, open, end byte, depth int) error {
	countWidth := 1
	if large {
		countWidth = 4
	}
	count, rest, ok := cut(b, countWidth)
	if !ok {
		return ErrMalformed
	}
	n := getUint(count, countWidth)
	ids, rest, ok := cut(rest, n*idWidth)
	if !ok {
		return ErrMalformed
	}
	offsets, data, ok := cut(rest, (n+1)*width)
	if !ok {
		return ErrMalformed
	}
	d.dst = append(d.dst, open)
	for i := range n {
		if i > 0 {
			d.dst = append(d.dst, ',')
		}
		if idWidth > 0 {
			name, err := d.key(getUint(ids[i*idWidth:], idWidth))
			if err == nil {
				err = d.string(name)
			}
			if err != nil {
				return err
			}
			d.dst = append(d.dst, ':')
		}
		_, v, ok := cut(data, getUint(offsets[i*width:], width))
		if !ok {
			return ErrMalformed
		}
		if err := d.any(v, depth+1); err != nil {
			return err
		}
	}
	d.dst = append(d.dst, end)
	return nil
}

func (d *decoder) string(s []byte) error {
	start := len(d.dst)
	var err error
	if d.dst, err = jsontext.AppendQuote(d.dst, s); err != nil {
		return ErrMalformed // not UTF-8
	}
	if d.spark {
		// Spark's escapes have capital hex digits.
		for i := start; i < len(d.dst); i++ {
			if d.dst[i] != '\\' {
				continue
			}
			if i++; d.dst[i] == 'u' {
				copy(d.dst[i+1:], bytes.ToUpper(d.dst[i+1:i+5]))
				i += 4
			}
		}
	}
	return nil
}

// primitiveSize is how many bytes follow the header of a primitive; of strings and binary, how many their length has.
var primitiveSize = map[byte]int{
	typeNull: 0, typeTrue: 0, typeFalse: 0,
	typeInt8: 1, typeInt16: 2, typeInt32: 4, typeInt64: 8,
	typeDouble: 8, typeFloat: 4,
	typeDecimal4: 5, typeDecimal8: 9, typeDecimal16: 17,
	typeDate: 4, typeTimestamp: 8, typeTimestampNTZ: 8, typeUUID: 16,
	typeString: 4, typeBinary: 4,
}

func (d *decoder) primitive(typ byte, b []byte) error {
	size, known := primitiveSize[typ]
	b, rest, ok := cut(b, size)
	if !known || !ok {
		return ErrMalformed
	}
	le := binary.LittleEndian
	switch typ {
	case typeNull:
		d.dst = append(d.dst, "null"...)
	case typeTrue:
		d.dst = append(d.dst, "true"...)
	case typeFalse:
		d.dst = append(d.dst, "false"...)
	case typeInt8, typeInt16, typeInt32, typeInt64:
		d.dst = strconv.AppendInt(d.dst, getInt(b), 10)
	case typeDouble:
		return d.float(math.Float64frombits(le.Uint64(b)), 64)
	case typeFloat:
		return d.float(float64(math.Float32frombits(le.Uint32(b))), 32)
	case typeDecimal4, typeDecimal8, typeDecimal16:
		return d.decimal(int(b[0]), b[1:])
	case typeDate:
		day := time.Unix(int64(int32(le.Uint32(b)))*86400, 0).UTC()
		return d.string(day.AppendFormat(nil, time.DateOnly))
	case typeTimestamp:
		at := time.UnixMicro(int64(le.Uint64(b))).UTC()
		return d.string(at.AppendFormat(nil, "2006-01-02 15:04:05.999999-07:00"))
	case typeTimestampNTZ:
		at := time.UnixMicro(int64(le.Uint64(b))).UTC()
		return d.string(at.AppendFormat(nil, "2006-01-02 15:04:05.999999"))
	case typeUUID:
		h := hex.EncodeToString(b)
		return d.string([]byte(strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")))
	case typeString, typeBinary:
		return d.sized(typ, rest, int(le.Uint32(b)))
	}
	return nil
}

// sized decodes a string or binary value of n bytes.
func (d *decoder) sized(typ byte, b []byte, n int) error {
	s, _, ok := cut(b, n)
	if !ok {
		return ErrMalformed
	}
	if typ == typeBinary {
		s = base64.StdEncoding.AppendEncode(nil, s)
	}
	return d.string(s)
}

func (d *decoder) float(f float64, bits int) error {
	switch {
	case math.IsNaN(f):
		d.dst = append(d.dst, `"NaN"`...)
	case math.IsInf(f, 1):
		d.dst = append(d.dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		d.dst = append(d.dst, `"-Infinity"`...)
	case d.spark:
		d.dst = appendJava(d.dst, f, bits)
	default:
		d.dst = strconv.AppendFloat(d.dst, f, 'E', -1, bits)
	}
	return nil
}

func (d *decoder) decimal(scale int, unscaled []byte) error {
	if scale > maxDecimalDigits {
		return ErrMalformed
	}
	b := slices.Clone(unscaled)
	slices.Reverse(b)
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	digits := n.Text(10)
	if n.Sign() < 0 {
		d.dst = append(d.dst, '-')
		digits = digits[1:]
	}
	if d.spark {
		for scale > 0 && digits != "0" && digits[len(digits)-1] == '0' {
			digits, scale = digits[:len(digits)-1], scale-1
		}
		if digits == "0" {
			scale = 0
		}
	}
	if pad := scale + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	point := len(digits) - scale
	d.dst = append(d.dst, digits[:point]...)
	if scale > 0 {
		d.dst = append(d.dst, '.')
		d.dst = append(d.dst, digits[point:]...)
	}
	return nil
}

// appendJava appends f as Java's Double.toString does: plain from 0.001 to 10,000,000, else with one
// digit before the point and an exponent; always with a point.
func appendJava(dst []byte, f float64, bits int) []byte {
	abs := math.Abs(f)
	if abs == 0 || abs >= 1e-3 && abs < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		if !bytes.ContainsRune(dst[start:], '.') {
			dst = append(dst, ".0"...)
		}
		return dst
	}
	text := strconv.AppendFloat(nil, f, 'E', -1, bits)
	mantissa, exponent, _ := bytes.Cut(text, []byte("E"))
	dst = append(dst, mantissa...)
	if !bytes.ContainsRune(mantissa, '.') {
		dst = append(dst, ".0"...)
	}
	dst = append(dst, 'E')
	n, _ := strconv.Atoi(string(exponent)) // AppendFloat always writes a valid one
	return strconv.AppendInt(dst, int64(n), 10)
}
