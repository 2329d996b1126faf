package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/verify"
)

func newVerifyCommand(a *app) *cobra.Command {
	var o *runOptions
	c := &cobra.Command{
		Use:   "verify --source EXPERIMENT --target TARGET",
		Short: "Compare source and target, trace by trace",
		Long: `Read every trace of the source again and compare it with the target: that it is there, with all
spans and annotations, each once, and with --deep every value. Nothing is written, and no checkpoint
is needed.

  pending     the target has nothing of it, and no checkpoint here says that it was moved: run again
  missing     the checkpoint says that it was moved, and the target has nothing of it
  incomplete  spans or annotations of it are missing
  differ      values differ
  duplicate   rows of it are there more than once
  unreadable  the source does not give it, so nothing is proven

These are no faults: changed (at the source, after it was migrated), newer (requested after the last
run began that looked at all, or after --as-of), open (not ended at the source), edited (annotations
changed at the target), extra (the source no longer lists it), official (moved by Databricks' own
migration), accepted (runs can't migrate it, which tracemig accept has noted).

` + exitStatus,
		Example: `  tracemig verify --source /Shared/support-agent --target main.agents.support --deep
  tracemig verify --source 1234 --target main.agents.support --sample 1000 --missing-on-target ids`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return onPairs(a, c, o, newVerifyOptions, func(a *app, o *runOptions) error { return a.withSession(*o, "verify", (*session).verify) })
		},
	}
	o = newVerifyOptions(c)
	return c
}

// newVerifyOptions adds the flags of verify to c.
func newVerifyOptions(c *cobra.Command) *runOptions {
	o := defaultRunOptions()
	o.pairOptions.addFlags(c)
	o.pairsOptions.addFlags(c)
	f := c.Flags()
	f.BoolVar(&o.deep, "deep", false, "compare every value")
	f.IntVar(&o.sample, "sample", 0, "compare only so many traces, taken at random")
	f.StringVar(&o.asOf, "as-of", "",
		"traces requested from this time on may not be there yet: RFC 3339, date (UTC) or age (default when the last run began that looked at "+
			"all, as the checkpoint tells)")
	f.BoolVar(&o.allowEmpty, "allow-empty", false, "an experiment or window without any trace to compare is no fault")
	f.StringVar(&o.verifyFrom, "verify-from", "",
		"read the source by this way: the `URI` of the server whose database --tracking-uri names, or the other way round, so that what one "+
			"way does not show is found by the other")
	o.files.addFlags(c)
	o.addReadFlags(c)
	o.addTimeFlag(c)
	o.outletOptions.addFlags(c)
	return &o
}

// verify compares a window and prints what it finds. The error is an *exitError with exitFound when something is wrong.
func (s *session) verify(w mlflowclient.Window) error {
	return s.verifyBy(w, verify.Run)
}

// verifyBy is verify with another comparison.
func (s *session) verifyBy(w mlflowclient.Window, compare comparison) error {
	r, err := s.compare(w, compare)
	if err != nil && r.Outcome == "" {
		return err
	}
	s.terminal.Block()
	end := s.endOfVerification(&r, err)
	printErr := cmp.Or(s.out.report(r, endingOf(s.named, w, end)), s.tellNext(s.afterVerification(&r)))
	if err != nil || printErr == nil {
		return end
	}
	return printErr
}

// endOfVerification is the error with which a command ends after the report r. err is what kept it from looking at all.
func (s *session) endOfVerification(r *verify.Report, err error) error {
	switch {
	case err != nil:
		return endWith(report.Failed, "", err)
	case r.Outcome != report.Done:
		return endWith(r.Outcome, r.Stopped, nil)
	}
	return s.verdict(r)
}

// verdict is nil where a verification that came to its end found nothing wrong.
func (s *session) verdict(r *verify.Report) error {
	switch {
	case r.Wrong() > 0, r.Compared == 0 && !s.opts.allowEmpty:
		return &exitError{code: exitFound}
	case r.Kinds[verify.Unreadable] > 0:
		return &exitError{code: exitPartial}
	}
	return nil
}

// comparison is verify.Run, or a function that runs it and does more with its findings. It ends early with its context.
type comparison func(context.Context, verify.Job) (verify.Report, error)

func (s *session) compare(w mlflowclient.Window, compare comparison) (verify.Report, error) {
	err := s.target.Check(s.stop)
	if missing, ok := errors.AsType[*target.TableError](err); ok && missing.Missing {
		err = advice.With(fault.With(fmt.Errorf("%s %s: there is nothing to verify", missing.Table, missing.Problem), fault.TableMissing),
			"Move the traces with tracemig run first")
	}
	if err != nil {
		return verify.Report{}, err
	}
	known, err := s.known(w)
	if err != nil {
		return verify.Report{}, err
	}
	defer known.close()
	lists, err := openLists(s.opts.files)
	if err != nil {
		return verify.Report{}, err
	}
	job := verify.Job{
		Source: s.source, ExperimentID: s.experiment, SourceName: s.pair.Source, ReadFrom: s.readFrom, Target: s.target,
		Window: w, Deep: s.opts.deep, Sample: s.opts.sample, Shard: s.opts.shard, RunLinks: s.runLinks, ServiceName: s.opts.serviceName,
		Attachments: s.attachments, Fetchers: s.opts.concurrency, BytesInFlight: int64(s.opts.bytesInFlight), Memory: s.memory(),
		Covered: known.covered, Reach: known.reach, Moved: known.moved, Accepted: known.accepted,
		CountFirst: s.terminal.Interactive(), Progress: &verify.Progress{},
	}
	job.OnFinding = func(f verify.Finding) {
		_ = s.out.finding(f) // its error stays: report returns it
		lists.add(f)
	}
	s.watchVerification(job.Progress)
	shown := s.startProgress(job.Progress.Counts)
	r, err := compare(s.stop, job)
	shown.Close()
	if lerr := lists.close(); lerr != nil {
		lerr = advice.With(fmt.Errorf("the list of trace IDs could not be written: %w", lerr), "Make room, or name a file elsewhere")
		return r, errors.Join(err, lerr)
	}
	return r, err
}

// known is what a checkpoint tells of earlier runs. It is zero where there is no checkpoint.
type known struct {
	covered time.Time // see checkpoint.LookedUpTo
	reach   time.Time
	moved   func(ctx context.Context, traceIDs []string) (map[string]bool, error)
	// accepted are traces that runs can't migrate, which somebody has accepted.
	accepted func(ctx context.Context, traceIDs []string) (map[string]*checkpoint.AcceptedTrace, error)
	store    *checkpoint.Store
}

func (k *known) close() {
	if k.store != nil {
		k.store.Close()
	}
}

// known reads the checkpoint for a verification of the window w. --as-of takes the place of the runs.
func (s *session) known(w mlflowclient.Window) (*known, error) {
	k := &known{}
	store, err := checkpoint.OpenReadOnly(s.stop, s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		k.store = store
		if err := store.BelongsTo(s.pair); err != nil {
			k.close()
			return nil, err
		}
		k.moved, k.accepted = store.Migrated, store.Holding
		if k.covered, k.reach, err = store.LookedUpTo(s.stop, w.StartMs); err != nil {
			k.close()
			return nil, err
		}
	}
	if s.opts.asOf != "" {
		at, err := parseTime("as-of", s.opts.asOf, time.Now())
		if err != nil {
			k.close()
			return nil, err
		}
		k.covered, k.reach = at, time.Unix(1<<40, 0) // the target may have traces of any later time
	}
	return k, nil
}
