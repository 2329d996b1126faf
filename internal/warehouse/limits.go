package warehouse

import "github.com/tracemig/tracemig/internal/target"

// parameterLimits bound a statement whose rows are in a parameter. It is large enough that its fixed cost (0.3 to 0.5 s)
// counts little, and within what servers were seen to take as one parameter.
var parameterLimits = target.Limits{Rows: 5000, Bytes: 8 << 20}

// fileLimits bound a statement whose rows are in files. Its cost hardly grows with its size, so large ones are better.
var fileLimits = target.Limits{Rows: 50_000, Bytes: 64 << 20, PreferLarge: true}

// LeastStatementBytes is a size of a statement, in bytes of rows, that no server refuses.
const LeastStatementBytes = 64 << 10

// Limits says how much one statement should hold at most, by what is known so far.
func (w *Warehouse) Limits() target.Limits {
	l := parameterLimits
	if w.staging != nil {
		l = fileLimits
	} else if w.opts.StatementBytes > 0 {
		l.Bytes = w.opts.StatementBytes
	}
	if learnt := w.learntBytes.Load(); learnt > 0 {
		l.Bytes = min(l.Bytes, learnt)
	}
	return l
}

// LimitStatements says that an earlier run found the warehouse to refuse statements of more than so many bytes of rows. It
// has no effect on rows in files.
func (w *Warehouse) LimitStatements(bytes int64) {
	if w.staging == nil {
		w.learntBytes.Store(bytes)
	}
}

// StatementBytes is how many bytes of rows a statement may have, after the warehouse has refused larger ones. It is 0 where
// the warehouse has refused none, and where it takes rows from files.
func (w *Warehouse) StatementBytes() int64 {
	if w.staging != nil {
		return 0
	}
	return w.learntBytes.Load()
}

// learnTooLarge notes that so many bytes were too much for one statement.
func (w *Warehouse) learnTooLarge(bytes int64) {
	for {
		now := w.learntBytes.Load()
		next := max(LeastStatementBytes, bytes/2)
		if now != 0 && now <= next || w.learntBytes.CompareAndSwap(now, next) {
			return
		}
	}
}
