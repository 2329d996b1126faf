package uctables

import "math"

// Replacement is a newer version of an annotation that the table has.
type Replacement struct {
	Annotation
	// ReplacesMicros is the updated_at of the version that it replaces. The row is left alone where the
	// table has an even newer version of its annotation_id: somebody changed it meanwhile.
	// With NoVersion it is written only where the table has no row of its annotation_id.
	ReplacesMicros int64
	// ReplacesCreatedMicros is the created_at of that version, where it is looked for: the table is
	// pruned by the range of all these times and of CreatedAtMicros. With NoVersion, where a row might be.
	ReplacesCreatedMicros int64
}

// NoVersion is the updated_at that Replacement.ReplacesMicros names where there is nothing to replace:
// before all others.
const NoVersion = math.MinInt64
