package main

import (
	"context"
	"strings"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/target"
)

// checkTables fails before anything is made or read when the target can't be written. missing says that
// prepareTables is to make tables. Local ones cost nothing and have no owner to ask, so they are made without
// --create.
func (s *session) checkTables() (missing bool, err error) {
	err = s.target.Check(s.stop)
	if missing = tableMissing(err); missing && (s.opts.create || s.opts.local()) {
		return true, nil
	}
	return missing, err
}

// prepareTables makes the tables that are missing, and what else the flags say.
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
		return nil // a local target, which the flag was refused for
	}
	made, err := views.CreateViews(s.stop)
	if len(made) > 0 {
		s.log.Warn("made views: while they stand, no experiment can be bound to the location", "views", strings.Join(made, ", "))
	}
	return err
}

// stage has a target that can put large batches into files do so, if it was told where.
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

// prepareStatements tells the target whose statements it sends, and what earlier runs found of their size, unless the
// user says how large they are to be.
func (s *session) prepareStatements(store *checkpoint.Store) error {
	sender, ok := s.target.(target.StatementSender)
	if !ok {
		return nil
	}
	sender.SetRun(s.runID)
	if s.opts.statementBytes > 0 {
		return nil
	}
	known, err := store.StatementBytes(s.stop)
	if err == nil && known > 0 {
		sender.LimitStatements(known)
	}
	return err
}

// noteStatements notes for later runs what this one found, and says it.
func (s *session) noteStatements(store *checkpoint.Store) {
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
