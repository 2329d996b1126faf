package main

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
)

func newRunCommand(a *app) *cobra.Command {
	var o *runOptions
	c := &cobra.Command{
		Use:   "run --source EXPERIMENT --target TARGET",
		Short: "Migrate the traces of an experiment",
		Long: `Migrate what is new of an experiment's traces into a target's OTEL tables.

The source is an experiment (ID, name or workspace path) of a Databricks workspace or, with
--tracking-uri, of an open-source MLflow server or the database behind it. The target is
catalog.schema.prefix, an experiment that is bound to a Unity Catalog trace location, or
file:FOLDER/PREFIX for local Delta tables.

Interrupt once to finish what is in flight, twice to stop at once. Either way, and after any
failure, run the same command again: nothing is lost and nothing is written twice.

` + exitStatus,
		Example: `  tracemig run --source /Shared/support-agent --target main.agents.support
  tracemig run --source 1234 --target main.agents.support --start-time 2d -o json
  tracemig run --tracking-uri http://localhost:5000 --source my-agent --target file:./lake/agent
  tracemig run --tracking-uri postgresql://reader@db/mlflow --source agent --target file:lake/agent`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			o.given(c)
			if name := o.comparisonFlag(); name != "" && !o.verify && !o.repair {
				return usageError("--%s says how to compare, which a run does with --verify or --repair; add one of them, or leave it out", name)
			}
			return onPairs(a, c, o, newRunOptions, (*app).run)
		},
	}
	o = newRunOptions(c)
	return c
}

// newRunOptions adds the flags of run to c.
func newRunOptions(c *cobra.Command) *runOptions {
	o := defaultRunOptions()
	o.addFlags(c)
	return &o
}

func (a *app) run(o *runOptions) error { return a.withSession(*o, "run", (*session).migrateAndVerify) }

// migrateAndVerify migrates or plans, verifies and repairs, as the options say, and prints the results.
func (s *session) migrateAndVerify(w mlflowclient.Window) error {
	if s.opts.dryRun {
		return s.plan(w)
	}
	summary, err := s.run(w)
	switch {
	case endsWith(err, exitStopped) && summary.Stopped == report.AtLimit:
		w = s.upToLimit(w, summary.Reached)
	case err != nil && !endsWith(err, exitPartial):
		return err
	}
	switch {
	case s.opts.repair:
		return cmp.Or(s.repair(w), err)
	case s.opts.verify:
		return cmp.Or(s.verify(w), err)
	}
	return err
}

// upToLimit is the part of a window in which a run that stopped at --limit has looked at all traces. What follows it compares
// that, and writes what is wrong there.
func (s *session) upToLimit(w mlflowclient.Window, reached time.Time) mlflowclient.Window {
	end := reached.UnixMilli()
	w.EndMs = &end
	s.opts.limit = 0
	s.opts.allowEmpty = true // traces of the same millisecond may be on both sides of the limit
	return w
}

// run migrates a window. Its error is nil, an *exitError, or what kept it from looking at every trace. The summary is nil when
// no run began.
func (s *session) run(w mlflowclient.Window) (*migrate.Summary, error) {
	summary, err := s.migrate(w)
	if summary == nil {
		return nil, err
	}
	s.terminal.Block()
	end := endWith(summary.Outcome, summary.Stopped, err)
	told := endingOf(s.named, w, end)
	printErr := cmp.Or(s.out.summary(*summary, told), s.tellNext(s.afterRun(summary)))
	s.recordInLedger(summary, told)
	if summary.Outcome == report.Failed || printErr == nil {
		return summary, end
	}
	return summary, printErr
}

// migrate runs the pipeline under the checkpoint's lock. The summary is nil when no run began.
func (s *session) migrate(w mlflowclient.Window) (*migrate.Summary, error) {
	defer s.nextRun()
	runID := s.runID
	s.mark(runID)
	missing, err := s.checkTables()
	if err != nil {
		return nil, err
	}
	// The lock comes before the tables: none are made for a run that can't begin.
	store, release, err := s.lock(runID)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.prepareLedger(); err != nil {
		return nil, err
	}
	if err := s.prepareTables(missing); err != nil {
		return nil, err
	}
	if err := s.stage(store); err != nil {
		return nil, err
	}
	if err := s.prepareStatements(store); err != nil {
		return nil, err
	}
	began := []any{"run_id", runID, "checkpoint", s.path}
	if s.opts.logFormat == "json" {
		began = began[2:] // each line has the ID
	}
	s.log.Info("the run has begun", began...)

	record := checkpoint.Run{
		ID: runID, Start: time.Now(), By: checkpoint.ThisProcess(runID).By(), WindowStartMs: w.StartMs, WindowEndMs: w.EndMs,
	}
	if err := store.StartRun(s.ctx, record); err != nil {
		return nil, err
	}
	if err := store.SetSourceName(s.ctx, s.named); err != nil {
		return nil, err
	}
	job := s.job(w)
	job.RunID, job.Checkpoint = runID, store
	job.OnTrace = func(t migrate.TraceReport) { _ = s.out.trace(t) } // its error stays: summary returns it
	before := s.source.Stats()
	s.watchRun(job.Recorder, before)
	shown := s.startProgress(job.Recorder.Counts)
	sum, err := migrate.Run(s.ctx, s.stop, job)
	shown.Close()
	s.recordStatementBytes(store)
	if ended := sum.Outcome == report.Done || sum.Outcome == report.Partial; ended && sum.InWindow == 0 {
		s.noTraces(w)
	}
	addStats(&sum, before, s.source.Stats())

	text, _ := json.Marshal(sum) // it holds only numbers and texts, so there is no error
	record.End, record.Outcome, record.Summary = time.Now(), sum.Outcome, string(text)
	record.Migrated, record.Failed = sum.Migrated, sum.Failed
	// A run that was interrupted twice records its end too: without that it would count as killed.
	if ferr := store.FinishRun(context.WithoutCancel(s.ctx), record); ferr != nil {
		s.log.Warn("the end of the run could not be noted in the checkpoint", "error", ferr)
	}
	return &sum, err
}

// addStats adds to a summary what the source's client has done since before.
func addStats(sum *migrate.Summary, before, now mlflowclient.Stats) {
	sum.Requests, sum.Retries = now.Requests-before.Requests, now.Retries-before.Retries
	sum.ThrottledSeconds = (now.Throttled - before.Throttled).Seconds()
}

// plan makes and prints the plan of a dry run. It writes nothing: a checkpoint that does not exist is made as a temporary one.
func (s *session) plan(w mlflowclient.Window) error {
	path := s.path
	if _, err := os.Stat(path); err != nil {
		path = ""
	}
	store, err := checkpoint.Open(s.stop, path, s.pair)
	if err != nil {
		return err
	}
	defer store.Close()
	job := s.job(w)
	job.Checkpoint = store
	p, err := migrate.MakePlan(s.stop, job, s.opts.create)
	if err != nil {
		return err
	}
	err = s.out.plan(p, endingOf(s.named, w, nil))
	if p.Listed == 0 {
		s.noTraces(w)
	}
	return err
}
