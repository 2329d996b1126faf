package main

import (
	"context"
	"strings"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/target"
)

// checkTables checks that the target can be written, before anything is made or read. missing says that tables are missing
// which prepareTables is to make. Missing local tables are made without --create too: they cost nothing and have no owner.
func (s *session) checkTables() (missing bool, err error) {
	err = s.target.Check(s.stop)
	if missing = tableMissing(err); missing && (s.opts.create || s.opts.local()) {
		return true, nil
	}
	return missing, err
}

// prepareTables makes the tables that are missing, and the views if the flags ask for them.
func (s *session) prepareTables(missing bool) error {
	if missing || s.opts.create {
		if err := s.target.Create(s.stop); err != nil {
			return err
		}
	}
	if missing {
		s.log.Info("made the target's tables", "tables", s.target.String())
	}
	if missing && !s.opts.local() && !s.opts.createViews {
		s.log.Info("made no views: the service makes its own when an experiment is created with this location; where there is none, " +
			"--create-views does")
	}
	if !s.opts.createViews {
		return nil
	}
	views, ok := s.target.(target.ViewCreator)
	if !ok {
		return nil // a local target; runRules refuses --create-views for those
	}
	made, err := views.CreateViews(s.stop)
	if len(made) > 0 {
		s.log.Warn("made views: while they stand, no experiment can be bound to the location", "views", strings.Join(made, ", "))
	}
	return err
}

// stage prepares a target that loads large batches through files, if the flags say where.
func (s *session) stage(store *checkpoint.Store) error {
	stager, ok := s.target.(target.Stager)
	if !ok {
		return nil
	}
	owner, err := store.Owner(s.stop)
	if err != nil {
		return err
	}
	return stager.Stage(s.stop, owner)
}

// mark has the target's commits name the run that makes them.
func (s *session) mark(runID string) {
	if m, ok := s.target.(target.Marker); ok {
		m.SetMark(target.Mark{Version: version, RunID: runID})
	}
}

// prepareStatements tells the target how large earlier runs found that statements may be, unless the user gave their size.
func (s *session) prepareStatements(store *checkpoint.Store) error {
	sender, ok := s.target.(target.StatementSender)
	if !ok {
		return nil
	}
	if s.opts.statementBytes > 0 {
		return nil
	}
	known, err := store.StatementBytes(s.stop)
	if err == nil && known > 0 {
		sender.LimitStatements(known)
	}
	return err
}

// recordStatementBytes records for later runs how large this one found that statements may be, and logs it.
func (s *session) recordStatementBytes(store *checkpoint.Store) {
	sender, ok := s.target.(target.StatementSender)
	if !ok {
		return
	}
	ctx := context.WithoutCancel(s.ctx)
	known, err := store.StatementBytes(ctx)
	if found := sender.StatementBytes(); err == nil && found > 0 && found != known {
		s.log.Info("the SQL warehouse refuses larger statements; later runs send none, unless --statement-bytes says so", "bytes", found)
		err = store.SetStatementBytes(ctx, found)
	}
	if err != nil {
		s.log.Warn("the size of statements could not be noted in the checkpoint", "error", err)
	}
}
