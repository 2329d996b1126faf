package uctables

import (
	"crypto/sha256"

	"github.com/google/uuid"
)

// RecordID is column record_id of a span that tracemig has written: a UUID of version 7 form, with 48 bits of milliseconds since
// the Unix epoch, then the version, and 74 bits of SHA-256(trace_id, zero byte, span_id) around the variant. A span that is written
// twice has the same one, and a row with another one is not tracemig's.
func RecordID(startNanos int64, traceID, spanID string) string {
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
