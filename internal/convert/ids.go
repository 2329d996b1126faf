package convert

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// Namespace is the UUID namespace of the IDs that tracemig derives by a recipe of its own (UUIDv5, SHA-1). The names are, with
// a zero byte between the parts:
//
//	"overflow", annotation_id, of, key, part   annotation_id of a part of a value over the limit
//	"assessment", trace_id, ...          annotation_id where the source gives none, or gives one twice
//	"trace", MLflow trace ID             trace_id where there is no OTEL one
//	"span", ...                          first 8 bytes: span_id for one that is no OTEL one, or comes twice
//	"key", key                           for an attribute key over the limit
var Namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/tracemig/tracemig"))

func derive(parts ...string) uuid.UUID {
	return uuid.NewSHA1(Namespace, []byte(strings.Join(parts, "\x00")))
}

func deriveSpanID(parts ...string) string {
	u := derive(append([]string{"span"}, parts...)...)
	return hex.EncodeToString(u[:8])
}

// recordID is a UUID of version 7 form: 48 bits of milliseconds since the Unix epoch, then the version,
// and 74 bits of SHA-256(trace_id, zero byte, span_id) around the variant.
func recordID(startNanos int64, traceID, spanID string) string {
	var u uuid.UUID
	var key [96]byte
	sum := sha256.Sum256(append(append(append(key[:0], traceID...), 0), spanID...))
	copy(u[6:], sum[:10])
	ms := uint64(max(startNanos, 0)) / 1e6
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// TargetTraceID gives the 32 hex digits of an MLflow trace ID (tr-<hex>, trace:/<location>/<hex>, or the
// hex alone), or "".
func TargetTraceID(id string) string {
	s, _ := strings.CutPrefix(id, "tr-")
	if strings.HasPrefix(s, "trace:/") {
		s = s[strings.LastIndexByte(s, '/')+1:]
	}
	return plainHex(s, 16)
}

// plainHex gives s in lower case if it is the hex of n bytes, not all zero; else "".
func plainHex(s string, n int) string {
	if len(s) != 2*n {
		return ""
	}
	zero := true
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return ""
		}
		zero = zero && c == '0'
	}
	if zero {
		return ""
	}
	return strings.ToLower(s)
}

// decodeID reads an OTEL ID of n bytes in any of the source's forms: hex, base64, and for traces tr-<hex>
// and trace:/<location>/<hex>. exact is false where MLflow would take it but OTEL would not: short hex,
// which MLflow reads as a number. "" is no ID at all, or a zero one.
func decodeID(s string, n int) (id string, exact bool) {
	if n == 16 {
		if id := TargetTraceID(s); id != "" {
			return id, true
		}
		s = strings.TrimPrefix(s, "tr-")
	}
	if id := plainHex(s, n); id != "" {
		return id, true
	}
	if len(s) == base64.StdEncoding.EncodedLen(n) {
		var b [18]byte
		if m, err := base64.StdEncoding.Decode(b[:], []byte(s)); err == nil && m == n {
			return plainHex(hex.EncodeToString(b[:n]), n), true
		}
	}
	if len(s) < 2*n && s != "" {
		return plainHex(strings.Repeat("0", 2*n-len(s))+s, n), false
	}
	return "", false
}

// isZeroID says whether s spells the ID 0, which MLflow reads as no parent.
func isZeroID(s string) bool {
	return s == "" || strings.Trim(s, "0") == "" || s == "AAAAAAAAAAA="
}
