package migrate

import (
	"time"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Row is the summary as a row of a ledger. What the summary does not say is left to the caller.
func (s *Summary) Row() uctables.Run {
	r := uctables.Run{
		RunID: s.RunID, Source: s.Source, Target: s.Target, Outcome: string(s.Outcome),
		StartedMicros: s.Started.UnixMicro(),
		EndedMicros:   s.Started.Add(time.Duration(s.Seconds * float64(time.Second))).UnixMicro(),
		Listed:        s.Listed, Migrated: s.Migrated, Updated: s.Updated, Present: s.Present,
		Deferred: s.Deferred, Skipped: s.Skipped, Failed: s.Failed, Accepted: s.Accepted,
		Spans: s.SpansWritten, Annotations: s.AnnotationsWritten, Bytes: s.Bytes,
	}
	if s.Shard.Count > 0 {
		r.Shard = s.Shard.String()
	}
	return r
}
