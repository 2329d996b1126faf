package verify

import (
	"sync/atomic"

	"github.com/tracemig/tracemig/internal/busy"
	"github.com/tracemig/tracemig/internal/report"
)

// Progress says how far a verification is. It may be read at any time; the zero value is ready for use.
type Progress struct {
	compared, total, spans, annotations, wrong, read atomic.Int64

	comparing atomic.Bool
	blocked   busy.Clock // runs while read traces wait to be compared with the target
	starved   busy.Clock // runs while readers wait for listed traces
}

// Counts are the traces compared.
func (p *Progress) Counts() report.Counts {
	c := report.Counts{
		Phase: report.Preparing, Total: p.total.Load(), Read: p.read.Load(), Done: p.compared.Load(), Failed: p.wrong.Load(),
		Spans: p.spans.Load(), Annotations: p.annotations.Load(), Blocked: p.blocked.Total(), Starved: p.starved.Total(),
	}
	if p.comparing.Load() {
		c.Phase = report.Verifying
	}
	return c
}
