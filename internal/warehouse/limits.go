package warehouse

import (
	"github.com/tracemig/tracemig/internal/target"
)

// limits of one statement: large enough that its fixed cost (0.3 to 0.5 s) counts little, and within
// what servers were seen to take as one parameter.
var limits = target.Limits{Rows: 5000, Bytes: 8 << 20}

// LeastStatementBytes is how large a statement is, in bytes of rows, that no server refuses for its size.
const LeastStatementBytes = 64 << 10

// Limits says how much one statement should hold at most, by what was learnt so far.
func (w *Warehouse) Limits() target.Limits {
	l := limits
	if w.staging != nil {
		l = stagedLimits
	} else if w.opts.StatementBytes > 0 {
		l.Bytes = w.opts.StatementBytes
	}
	if learnt := w.most.Load(); learnt > 0 {
		l.Bytes = min(l.Bytes, learnt)
	}
	return l
}

// LimitStatements says that an earlier run found the warehouse to refuse statements of more than so many bytes. Rows
// that are staged are not bound by it.
func (w *Warehouse) LimitStatements(bytes int64) {
	if w.staging == nil {
		w.most.Store(bytes)
	}
}

// StatementBytes is the largest statement that the warehouse may be sent, in bytes of rows, after it has refused
// larger ones; 0 where it has refused none, or takes rows by files.
func (w *Warehouse) StatementBytes() int64 {
	if w.staging != nil {
		return 0
	}
	return w.most.Load()
}

// learn notes that so many bytes were too much for one statement.
func (w *Warehouse) learn(bytes int64) {
	for {
		now := w.most.Load()
		next := max(LeastStatementBytes, bytes/2)
		if now != 0 && now <= next || w.most.CompareAndSwap(now, next) {
			return
		}
	}
}
