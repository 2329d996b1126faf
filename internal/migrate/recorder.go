package migrate

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/tracemig/tracemig/internal/busy"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/resync"
	"github.com/tracemig/tracemig/internal/target"
)

// Recorder counts what a run does: while it goes on for who watches it, at the end for its summary. The zero
// value is ready for use by one run. Its methods may be called at any time.
type Recorder struct {
	mu        sync.Mutex // guards all fields, and keeps calls of onTrace apart
	summary   Summary
	phase     report.Phase
	total     int64        // traces in the window, once counted
	known     int64        // of these: those that the target has
	read      int64        // traces whose spans were asked for
	writtenAt target.Times // of all rows that the run has added
	onTrace   func(TraceReport)
	seen      report.Seen

	blocked busy.Clock // runs while a batch waits for the target
	starved busy.Clock // runs while readers wait for listed traces
}

// Counts is how far the run is.
func (r *Recorder) Counts() report.Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.summary
	return report.Counts{
		Phase: r.phase, Listed: s.Listed, Total: r.total, Read: r.read, Done: s.Handled(), Present: s.Present, Known: r.known, Failed: s.Failed,
		Spans: s.SpansWritten, Annotations: s.AnnotationsWritten, Bytes: s.Bytes,
		Blocked: r.blocked.Total(), Starved: r.starved.Total(),
	}
}

// Summary is what the run has done so far; of how it ended it knows nothing.
func (r *Recorder) Summary() Summary {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.summary
	s.DeferredReasons, s.SkippedReasons = maps.Clone(s.DeferredReasons), maps.Clone(s.SkippedReasons)
	s.FailedReasons, s.Notes = maps.Clone(s.FailedReasons), maps.Clone(s.Notes)
	s.Seconds = time.Since(s.Started).Seconds()
	return s
}

// begin notes which run this is.
func (r *Recorder) begin(job *Job, started time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary = Summary{
		RunID: job.RunID, Source: job.SourceName, Target: job.Target.String(),
		Shard: job.Checkpoint.Pair().Shard, Started: started.UTC(),
	}
	r.writtenAt, r.onTrace = target.NoTimes, job.OnTrace
}

// limit notes that as many traces were taken as should be. reached is the request time of the first that was left.
func (r *Recorder) limit(reached time.Time) {
	r.change(func(s *Summary) { s.Stopped, s.Reached = report.AtLimit, reached })
}

// end completes the summary. err is what kept the run from looking at every trace, and stop, which is nil for a run that
// came to its end, what the run ended early with.
func (r *Recorder) end(err error, stop context.Context) Summary {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.summary
	s.Seen = &r.seen
	if err != nil || stop != nil || s.Stopped != "" {
		s.NotReached = max(0, s.Listed-s.Handled())
	}
	s.Seconds = time.Since(s.Started).Seconds()
	if s.Seconds > 0 {
		s.TracesPerSecond = float64(s.Migrated) / s.Seconds
	}
	switch {
	case err != nil:
		s.Outcome, s.Stopped, s.Error = report.Failed, "", report.ErrorOf(err)
	case stop != nil:
		s.Outcome, s.Stopped = report.Ended(stop)
	case s.Stopped != "":
		s.Outcome = report.Stopped
	case s.Failed > 0, s.Duplicates != nil && *s.Duplicates > 0:
		s.Outcome = report.Partial
	default:
		s.Outcome = report.Done
	}
	return *s
}

// change runs f with the summary, alone.
func (r *Recorder) change(f func(s *Summary)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.summary)
}

// addListed counts a trace that the source has.
func (r *Recorder) addListed() { r.change(func(s *Summary) { s.Listed++ }) }

// atSource counts a trace that the source has, by when it was requested.
func (r *Recorder) atSource(requested time.Time) {
	r.change(func(*Summary) { r.seen.AtSource(requested) })
}

// atTarget counts a trace that the target has, by when it was requested.
func (r *Recorder) atTarget(rec *checkpoint.Record) {
	r.change(func(*Summary) {
		r.seen.AtTarget(report.IDs{TraceID: rec.TraceID, TargetTraceID: rec.TargetTraceID, Requested: time.UnixMilli(rec.RequestTimeMs)})
	})
}

func (r *Recorder) addRead(n int) {
	r.change(func(*Summary) {
		r.read += int64(n)
		r.phase = max(r.phase, report.Moving)
	})
}

// setTotal notes that the window has so many traces, of which the target has some.
func (r *Recorder) setTotal(total, known int64) {
	r.change(func(*Summary) { r.total, r.known = total, known })
}

// enter begins a phase.
func (r *Recorder) enter(p report.Phase) { r.change(func(*Summary) { r.phase = max(r.phase, p) }) }

// trace counts what became of a trace and tells onTrace, unless it was simply migrated.
func (r *Recorder) trace(t TraceReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.count(t)
	if r.onTrace != nil && (t.State != checkpoint.Migrated || len(t.Notes) > 0 || t.Reason != "" || t.Attachments > 0 || t.AcceptanceEnded) {
		r.onTrace(t)
	}
}

// wroteSpans counts a commit of spans at some times, wroteAnnotations one of annotations.
func (r *Recorder) wroteSpans(w target.Written, at target.Times) {
	r.wrote(w, at, func(s *Summary) (written, present *int64) { return &s.SpansWritten, &s.SpansPresent })
}

func (r *Recorder) wroteAnnotations(w target.Written, at target.Times) {
	r.wrote(w, at, func(s *Summary) (written, present *int64) { return &s.AnnotationsWritten, &s.AnnotationsPresent })
}

func (r *Recorder) wrote(w target.Written, at target.Times, counters func(*Summary) (written, present *int64)) {
	r.change(func(s *Summary) {
		written, present := counters(s)
		*written += int64(w.Inserted)
		*present += int64(w.Present)
		s.Bytes += w.Bytes
		s.TargetWrites++
		if w.Inserted > 0 {
			r.writtenAt.Join(at)
		}
	})
}

// followed counts what the target's annotations of a trace had to follow.
func (r *Recorder) followed(d *resync.Difference) {
	r.change(func(s *Summary) {
		s.AnnotationsDeleted += int64(d.Deleted)
		s.AnnotationsKept += int64(d.Kept)
	})
}

// spansDiffer counts spans that have other values at the source than in the target.
func (r *Recorder) spansDiffer(n int, updated bool) {
	r.change(func(s *Summary) {
		if updated {
			s.SpansUpdated += int64(n)
		} else {
			s.SpansChanged += int64(n)
		}
	})
}

// unit counts what is remarkable of a written trace.
func (r *Recorder) unit(u *unit) {
	if u.failed != nil || u.report.unchanged {
		return
	}
	r.change(func(s *Summary) {
		if u.takenOver {
			s.TakenOver++
		}
		if u.large {
			s.LargeForClients++
		}
		if u.copy != nil {
			s.Copied++
		}
		if u.fast {
			s.ReadFast++
		}
		s.countAttachments(&u.attachments)
	})
}

// written is the range of the times of all rows that the run has added.
func (r *Recorder) written() target.Times {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writtenAt
}
