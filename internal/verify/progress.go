package verify

import (
	"sync/atomic"

	"github.com/tracemig/tracemig/internal/report"
)

// Progress says how far a verification is. It may be read at any time; the zero value is ready for use.
type Progress struct{ listed, compared atomic.Int64 }

// Counts are the traces seen at the source and those compared.
func (p *Progress) Counts() report.Counts {
	return report.Counts{Listed: p.listed.Load(), Done: p.compared.Load()}
}
