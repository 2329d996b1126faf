package uctables

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"

	"github.com/google/uuid"
)

// The annotation IDs of the rows that a trace has by itself. traceID is the trace_id of the target. That
// of a METADATA and of a TAG row are the service's own recipes: a tag that is edited in MLflow later gets
// a row with the same ID, which so takes the place of the migrated one.

// MetadataID is the annotation_id of a trace's METADATA row.
func MetadataID(traceID string) string { return sha256ID(traceID + ":metadata") }

// TagID is the annotation_id of a trace's TAG row for a key.
func TagID(traceID, key string) string { return md5ID(traceID + ":tag:" + key) }

// RunLinkID is the annotation_id of the RUN_LINK row of a trace and an MLflow run. The service's recipe is
// not known; this is TagID's form.
func RunLinkID(traceID, runID string) string { return md5ID(traceID + ":run_link:" + runID) }

// OfficialTagID is the annotation_id that Databricks' own migration of experiments gives a TAG row. The
// service does not know it, so a tag that is edited later has two live rows.
func OfficialTagID(traceID, key string) string { return sha256ID(traceID + ":tag:" + key) }

// sha256ID is the first 32 hex digits of the SHA-256 of name, written as a UUID; version and variant are
// not set.
func sha256ID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return uuid.UUID(sum[:16]).String()
}

// md5ID is a UUID of version 3 form over the MD5 of name without a namespace, as Java's
// UUID.nameUUIDFromBytes makes it.
func md5ID(name string) string {
	u := uuid.UUID(md5.Sum([]byte(name)))
	u[6] = u[6]&0x0f | 0x30
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// HexTraceID says whether a target's trace ID is one that OTEL knows: 32 lowercase hex digits.
func HexTraceID(traceID string) bool {
	b, err := hex.DecodeString(traceID)
	return err == nil && len(b) == 16 && hex.EncodeToString(b) == traceID
}
