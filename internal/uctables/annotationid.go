package uctables

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"

	"github.com/google/uuid"
)

// The functions below make the annotation IDs of rows whose IDs the source does not have. traceID is the trace_id of the target.
// Those of METADATA and TAG rows are made as the service makes them: when a tag is edited in MLflow later, the new row has the
// same ID, and so replaces the migrated one.

// MetadataID is the annotation_id of a trace's METADATA row.
func MetadataID(traceID string) string { return sha256ID(traceID + ":metadata") }

// TagID is the annotation_id of a trace's TAG row for a key.
func TagID(traceID, key string) string { return md5ID(traceID + ":tag:" + key) }

// RunLinkID is the annotation_id of the RUN_LINK row of a trace and an MLflow run. How the service makes it is not known; it has
// the form of TagID's.
func RunLinkID(traceID, runID string) string { return md5ID(traceID + ":run_link:" + runID) }

// OfficialTagID is the annotation_id that Databricks' own migration of experiments gives to a TAG row. The service gives another
// one, so a tag that is edited later has two live rows.
func OfficialTagID(traceID, key string) string { return sha256ID(traceID + ":tag:" + key) }

// sha256ID is the first 32 hex digits of the SHA-256 of name, written as a UUID, whose version and variant are not set.
func sha256ID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return uuid.UUID(sum[:16]).String()
}

// md5ID is a UUID in the form of version 3, from the MD5 of name without a namespace, as Java's UUID.nameUUIDFromBytes makes it.
func md5ID(name string) string {
	u := uuid.UUID(md5.Sum([]byte(name)))
	u[6] = u[6]&0x0f | 0x30
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// HexTraceID says whether a trace ID of the target has the form of OTEL: 32 lowercase hex digits.
func HexTraceID(traceID string) bool {
	b, err := hex.DecodeString(traceID)
	return err == nil && len(b) == 16 && hex.EncodeToString(b) == traceID
}
