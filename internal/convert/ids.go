package convert

import (
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// Namespace is the UUID namespace of the IDs that tracemig derives by a recipe of its own (UUIDv5, SHA-1). These are
// the names, with a zero byte between their parts:
//
//	"overflow", annotation_id, of, key, part   annotation_id of a part of a value over the limit
//	"assessment", trace_id, ...          annotation_id if the source gives none, or gives one twice
//	"trace", MLflow trace ID             trace_id if there is no OTEL one
//	"span", ...                          first 8 bytes: span_id for an ID that is no OTEL one, or that comes twice
//	"key", key                           in the name for an attribute key over the limit
var Namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/tracemig/tracemig"))

func derive(parts ...string) uuid.UUID {
	return uuid.NewSHA1(Namespace, []byte(strings.Join(parts, "\x00")))
}

func deriveSpanID(parts ...string) string {
	u := derive(append([]string{"span"}, parts...)...)
	return hex.EncodeToString(u[:8])
}

// isZeroID says whether s is empty or spells the ID 0. MLflow takes a span with such a parent for a root.
func isZeroID(s string) bool {
	return s == "" || strings.Trim(s, "0") == "" || s == "AAAAAAAAAAA="
}
