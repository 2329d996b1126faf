package mlflow

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Sizes of OTEL IDs in bytes.
const (
	traceIDBytes = 16
	spanIDBytes  = 8
)

// TargetTraceID gives the ID that a trace has in the target's tables, as far as its MLflow trace ID tells:
// the 32 hex digits of tr-<hex>, of trace:/<location>/<hex>, or of the hex alone. For an ID of the user's own
// it is "", and the spans' OTEL trace ID decides.
func TargetTraceID(id string) string {
	s, _ := strings.CutPrefix(id, "tr-")
	if strings.HasPrefix(s, "trace:/") {
		s = s[strings.LastIndexByte(s, '/')+1:]
	}
	return plainHex(s, traceIDBytes)
}

// ParseTraceID reads the OTEL trace ID of a span or link in any of the forms that MLflow writes: hex, base64,
// tr-<hex> and trace:/<location>/<hex>. See ParseSpanID for the results.
func ParseTraceID(s string) (id string, exact bool) {
	if id := TargetTraceID(s); id != "" {
		return id, true
	}
	return parseID(strings.TrimPrefix(s, "tr-"), traceIDBytes)
}

// ParseSpanID reads an OTEL span ID: hex or base64. id is its lowercase hex, or "" if s is no ID or the zero
// one. exact is false where MLflow takes s for an ID and OTEL does not: hex with too few digits, which MLflow
// reads as a number.
func ParseSpanID(s string) (id string, exact bool) { return parseID(s, spanIDBytes) }

// parseID reads an ID of n bytes.
func parseID(s string, n int) (id string, exact bool) {
	if id := plainHex(s, n); id != "" {
		return id, true
	}
	if len(s) == base64.StdEncoding.EncodedLen(n) {
		var b [18]byte // DecodedLen of the longest, which counts padding
		if m, err := base64.StdEncoding.Decode(b[:], []byte(s)); err == nil && m == n {
			return plainHex(hex.EncodeToString(b[:n]), n), true
		}
	}
	if len(s) < 2*n && s != "" {
		return plainHex(strings.Repeat("0", 2*n-len(s))+s, n), false
	}
	return "", false
}

// plainHex gives s in lower case if it is the hex of n bytes that are not all zero, else "".
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
