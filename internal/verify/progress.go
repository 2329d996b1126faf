package verify

import (
	"sync/atomic"

	"github.com/tracemig/tracemig/internal/report"
)

// Progress says how far a verification is. It may be read at any time; the zero value is ready for use.
type Progress struct{ compared atomic.Int64 }

// Counts are the traces compared.
func (p *Progress) Counts() report.Counts {
	return report.Counts{Done: p.compared.Load()}
}
