package migrate

import (
	"context"
	"time"

	"github.com/tracemig/tracemig/internal/target"
)

// flushAfter is how long a half-full batch waits for more: each commit has a fixed cost.
const flushAfter = 5 * time.Second

// batch collects units into batches for one commit each. A half-full batch is written when nothing
// more comes for a while, or when readers wait for the bytes it holds.
func (r *run) batch(ctx context.Context, units <-chan *unit, batches chan<- []*unit) error {
	var b collected
	flush := func() error {
		if len(b.units) == 0 {
			return nil
		}
		err := send(ctx, batches, b.units)
		b = collected{}
		return err
	}
	timer := time.NewTimer(flushAfter) // since the batch's first unit
	defer timer.Stop()
	for {
		var err error
		select {
		case u, ok := <-units:
			if !ok {
				return flush()
			}
			if !b.fits(u, r.limits()) {
				err = flush()
			}
			if len(b.units) == 0 {
				timer.Reset(flushAfter)
			}
			b.add(u)
			// Somebody may have begun to wait for the bytes of attachments before this unit came, which holds some.
			if err == nil && u.attachments.held > 0 && r.attachmentBytes.Waited() {
				err = flush()
			}
		case <-timer.C:
			err = flush()
		case <-r.bytes.Starved():
			err = flush()
		case <-r.attachmentBytes.Starved():
			err = flush()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err != nil {
			return err
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
	l.Bytes = min(l.Bytes, r.job.BytesInFlight/share)
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
