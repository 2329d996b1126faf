package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// ledger is the name of the ledger; nil where none is kept.
func (o *runOptions) ledger() (*uctables.Location, error) {
	if o.ledgerTable == "" {
		return nil, nil
	}
	l, err := uctables.ParseLedger(o.ledgerTable)
	if err != nil {
		return nil, usageError("--ledger-table: %v", err)
	}
	return &l, nil
}

func (o *runOptions) checkLedger() error {
	_, err := o.ledger()
	return err
}

// prepareLedger checks the ledger, if one is kept, and makes it where it is missing.
func (s *session) prepareLedger() error {
	name, err := s.opts.ledger()
	keeper, ok := s.target.(target.LedgerKeeper)
	if err != nil || name == nil || !ok {
		return err // a local target keeps none; runRules refuses the flag for those
	}
	s.ledger = keeper.Ledger(*name)
	err = s.ledger.Check(s.stop)
	if tableMissing(err) {
		if err = s.ledger.Create(s.stop); err == nil {
			s.log.Info("made the ledger", "table", name.String())
		}
	}
	return err
}

// ledgerPatience is how long the end of a run that failed or was stopped is held up for its row in the ledger.
const ledgerPatience = 20 * time.Second

// recordInLedger adds the row of a run to the ledger, if one is kept. That it can't be written changes nothing about the run.
func (s *session) recordInLedger(sum *migrate.Summary, e ending) {
	if s.ledger == nil {
		return
	}
	text, _ := json.Marshal(summaryLine{"summary", *sum, e}) // it holds only numbers and texts, so there is no error
	row := sum.Row()
	row.By, row.SourceName, row.Version, row.ExitCode = checkpoint.ThisProcess(sum.RunID).By(), e.SourceName, e.Version, e.ExitCode
	row.WindowStartMicros, row.WindowEndMicros = micros(e.Window.From), micros(e.Window.To)
	row.Summary = string(text)
	ctx := s.stop
	if s.stop.Err() != nil || sum.Outcome == report.Failed {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(s.ctx, ledgerPatience)
		defer cancel()
	}
	err := s.ledger.Record(ctx, row)
	if err != nil && ctx.Err() != nil {
		err = advice.With(errors.New("there was no time to write it"), "What it would say is in the summary of run "+sum.RunID)
	}
	if err != nil {
		s.log.Warn("the ledger may lack the row of this run, which ended as its summary says", "table", s.opts.ledgerTable, "error", err)
	}
}

// micros is a time, if there is one, in microseconds.
func micros(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	return new(t.UnixMicro())
}
