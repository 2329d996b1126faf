package migrate

import (
	"context"
	"time"

	"github.com/tracemig/tracemig/internal/target"
)

// flushAfter is how long a half-full batch waits for more: each commit has a fixed cost.
const flushAfter = 5 * time.Second

// batch collects units into batches for one commit each. A half-full batch is due when nothing more comes for a while, or
// when somebody waits for the bytes it holds, here or in another run. It then goes on growing until the writer is free: so
// commits stay large where writing is what takes the time.
func (r *run) batch(ctx context.Context, units <-chan *unit, batches chan<- []*unit) error {
	var b collected
	due := false
	flush := func() error {
		if len(b.units) == 0 {
			return nil
		}
		r.recorder.blocked.Begin()
		err := send(ctx, batches, b.units)
		r.recorder.blocked.End()
		b, due = collected{}, false
		return err
	}
	timer := time.NewTimer(flushAfter) // since the batch's first unit
	defer timer.Stop()
	for {
		var free chan<- []*unit
		var starved, attachmentsStarved <-chan struct{}
		switch {
		case due:
			free = batches
		case len(b.units) > 0:
			starved, attachmentsStarved = r.bytes.Starved(), r.attachmentBytes.Starved()
		}
		select {
		case u, ok := <-units:
			if !ok {
				return flush()
			}
			if !b.fits(u, r.limits()) {
				if err := flush(); err != nil {
					return err
				}
			}
			if len(b.units) == 0 {
				timer.Reset(flushAfter)
			}
			b.add(u)
		case free <- b.units:
			b, due = collected{}, false
		case <-timer.C:
			due = len(b.units) > 0
		case <-starved:
			due = true
		case <-attachmentsStarved:
			due = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// limits is what one batch may hold. The target may learn to take less, so they are asked for each time.
func (r *run) limits() target.Limits {
	l := r.job.Target.Limits()
	share := int64(4) // Two batches are being written and one is collected at a time; reading needs room too.
	if l.PreferLarge {
		share = 2 // One is written while the next is collected.
	}
	l.Bytes = min(l.Bytes, r.bytes.Part()/share)
	return l
}

// collected is a batch while it is collected.
type collected struct {
	units              []*unit
	spans, annotations int
	bytes              int64
}

func (b *collected) fits(u *unit, l target.Limits) bool {
	return b.spans+len(u.rows.Spans) <= l.Rows && b.annotations+len(u.rows.Annotations) <= l.Rows && b.bytes+u.weight <= l.Bytes
}

func (b *collected) add(u *unit) {
	b.units = append(b.units, u)
	b.spans += len(u.rows.Spans)
	b.annotations += len(u.rows.Annotations)
	b.bytes += u.weight
}
