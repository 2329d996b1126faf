package warehouse

import (
	"context"
	"errors"
	"fmt"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// ledger is a table with one row for each run. To the statements it is the one table of a location of its own.
type ledger struct{ *Warehouse }

// Ledger is the ledger of that name. It uses the sessions of w, and is no longer of use once w is closed.
func (w *Warehouse) Ledger(name uctables.Location) target.Ledger {
	opts := w.opts
	opts.Location, opts.Volume = name, nil
	return ledger{&Warehouse{
		opts: opts, policy: w.policy, db: w.db, marks: w.marks, needs: grants.ToKeepLedger(name),
		actual: make(map[string]uctables.Table), locks: newLocks(uctables.Ledger),
	}}
}

// Check returns a *target.TableError where the ledger is missing, or lacks columns.
func (l ledger) Check(ctx context.Context) error {
	_, err := l.describe(ctx, uctables.Ledger)
	if errors.Is(err, errNoTable) {
		return &target.TableError{Table: l.opts.Location.Name(uctables.Ledger), Missing: true, Problem: "does not exist",
			Next: "A run makes it, or its owner does: " + tablesql.CreateLedger(l.opts.Location)}
	}
	if te, ok := errors.AsType[*target.TableError](err); ok {
		te.Next = "It is no ledger: name another table, which a run makes where it is missing."
	}
	return err
}

// Create makes the ledger where it is missing.
func (l ledger) Create(ctx context.Context) error {
	return l.exec(ctx, uctables.Ledger, tablesql.CreateLedger(l.opts.Location))
}

// Record adds the row of a run, unless it is there.
func (l ledger) Record(ctx context.Context, run uctables.Run) error {
	_, err := commitRows(ctx, l.Warehouse, []uctables.Run{run}, batch[uctables.Run, string]{
		table: uctables.Ledger, insert: tablesql.InsertRuns, count: tablesql.CountRuns(l.opts.Location),
		row: uctables.AppendRun, rowKey: uctables.AppendRunKey,
		key:   func(r *uctables.Run) string { return r.RunID },
		times: func(r *uctables.Run, t *target.Times) { t.Include(r.StartedMicros) },
	})
	if errors.Is(err, errNoTable) {
		return advice.With(fmt.Errorf("%s: %w any more", l.opts.Location.Name(uctables.Ledger), errNoTable), "The next run makes it")
	}
	return err
}
