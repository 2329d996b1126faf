package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/repair"
	"github.com/tracemig/tracemig/internal/verify"
)

func newRepairCommand(a *app) *cobra.Command {
	var o *runOptions
	c := &cobra.Command{
		Use:   "repair --source EXPERIMENT --target TARGET",
		Short: "Verify, and write again what is missing or differs",
		Long: `Verify, write what is missing of the traces that are found, and verify again. Annotations that
differ get a newer version. No row is deleted or overwritten, but for spans that differ with --deep
--update-spans. Spans that are there twice are left to you, and the message says how.

` + exitStatus,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return onPairs(a, c, o, newRepairOptions, func(a *app, o *runOptions) error { return a.withSession(*o, "repair", (*session).repair) })
		},
	}
	o = newRepairOptions(c)
	return c
}

// newRepairOptions adds the flags of repair to c.
func newRepairOptions(c *cobra.Command) *runOptions {
	o := defaultRunOptions()
	o.pairOptions.addFlags(c)
	o.pairsOptions.addFlags(c)
	f := c.Flags()
	f.BoolVar(&o.deep, "deep", false, "compare every value")
	f.Var(&o.lockWait, "lock-wait", lockWaitHelp)
	o.files.addFlags(c)
	o.addSpanFlags(c)
	o.addStagingFlags(c)
	o.addAttachmentFlags(c)
	o.addReadFlags(c)
	o.addTimeFlag(c)
	o.outletOptions.addFlags(c)
	return &o
}

// repair verifies, runs a migration that looks again at the traces that are not as they should be, and verifies again.
func (s *session) repair(w mlflowclient.Window) error {
	found, err := s.reopenWrong(w)
	if found == 0 || err != nil && !endsWith(err, exitFound) {
		return err
	}
	s.log.Info("writing again what was found", "traces", found)
	if _, err := s.run(w); err != nil && !endsWith(err, exitPartial) {
		return err
	}
	err = s.verify(w)
	if endsWith(err, exitFound) {
		return reported{&exitError{exitFound, fmt.Errorf("spans that the target has stay as they are. "+
			"tracemig repair --deep --update-spans puts those that differ in the place of their rows; to have all spans of a trace "+
			"written anew, delete them (DELETE FROM %s_otel_spans WHERE trace_id = '…') and run tracemig repair again", s.target)}}
	}
	return err
}

// reopenWrong verifies, and records in the checkpoint which traces the next run is to look at.
func (s *session) reopenWrong(w mlflowclient.Window) (found int, err error) {
	store, release, err := s.lock("repair")
	if err != nil {
		return 0, err
	}
	defer release()
	if err := migrate.Rebuild(s.stop, store, s.target, s.pair.Source); err != nil {
		return 0, err
	}
	err = s.verifyBy(w, func(ctx context.Context, job verify.Job) (r verify.Report, err error) {
		found, r, err = repair.Reopen(s.ctx, ctx, store, job)
		return r, err
	})
	return found, err
}
