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
	c := &collector{r: r, batches: batches}
	timer := time.NewTimer(flushAfter) // since the batch's first unit
	defer timer.Stop()
	for {
		free, starved, attachmentsStarved := c.wants()
		select {
		case u, ok := <-units:
			if !ok {
				return c.flush(ctx)
			}
			if !c.fits(u, r.limits()) {
				if err := c.flush(ctx); err != nil {
					return err
				}
			}
			if len(c.units) == 0 {
				timer.Reset(flushAfter)
			}
			c.add(u)
		case free <- c.units:
			c.taken()
		case <-timer.C:
			c.wait()
		case <-starved:
			c.wait()
		case <-attachmentsStarved:
			c.wait()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// collector collects a batch and hands it to the writer.
type collector struct {
	collected
	r       *run
	batches chan<- []*unit
	due     bool // the batch waits for the writer
}

// wants are the channels that the batch waits for: that to the writer once it is due, and before that, unless it is empty, those that
// say that somebody waits for what it holds.
func (c *collector) wants() (free chan<- []*unit, starved, attachmentsStarved <-chan struct{}) {
	switch {
	case c.due:
		return c.batches, nil, nil
	case len(c.units) > 0:
		return nil, c.r.bytes.Starved(), c.r.attachmentBytes.Starved()
	}
	return nil, nil, nil
}

// wait notes that the batch waits for the writer, unless it is empty.
func (c *collector) wait() {
	if !c.due && len(c.units) > 0 {
		c.due = true
		c.r.recorder.blocked.Begin()
	}
}

// taken notes that the writer has the batch, and begins another one.
func (c *collector) taken() {
	c.r.recorder.blocked.End()
	c.collected, c.due = collected{}, false
}

// flush hands over the batch, if it is not empty.
func (c *collector) flush(ctx context.Context) error {
	if len(c.units) == 0 {
		return nil
	}
	c.wait()
	defer c.taken()
	return send(ctx, c.batches, c.units)
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
