package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/repair"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/verify"
)

// files are where trace IDs are written, one a line, by what was found.
type files struct{ missing, differ, extra string }

func newVerifyCommand(a *app) *cobra.Command {
	o := defaultRunOptions()
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
migration).

` + exitStatus,
		Example: `  tracemig verify --source /Shared/support-agent --target main.agents.support --deep
  tracemig verify --source 1234 --target main.agents.support --sample 1000 --missing-on-target lost.txt`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.hasStartMs = c.Flags().Changed("start-time-ms")
			return a.withSession(o, (*session).verify)
		},
	}
	o.pairOptions.addFlags(c)
	f := c.Flags()
	f.BoolVar(&o.deep, "deep", false, "compare every value")
	f.IntVar(&o.sample, "sample", 0, "compare only so many traces, taken at random")
	f.StringVar(&o.asOf, "as-of", "", "traces requested from this time on may not be there yet: RFC 3339, date (UTC) or age (default when the last run began that looked at all, as the checkpoint tells)")
	f.BoolVar(&o.allowEmpty, "allow-empty", false, "an experiment or window without any trace to compare is no fault")
	o.files.addFlags(c)
	o.addReadFlags(c)
	return c
}

func (f *files) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.missing, "missing-on-target", "", "file for the IDs of traces that are pending, missing or incomplete")
	c.Flags().StringVar(&f.differ, "differ", "", "file for the IDs of traces that differ or have rows twice")
	c.Flags().StringVar(&f.extra, "extra", "", "file for the IDs of traces that the source no longer lists")
}

func newRepairCommand(a *app) *cobra.Command {
	o := defaultRunOptions()
	c := &cobra.Command{
		Use:   "repair --source EXPERIMENT --target TARGET",
		Short: "Verify, and write again what is missing or differs",
		Long: `Verify, write what is missing of the traces that are found, and verify again. Annotations that
differ get a newer version. No row is deleted or overwritten, but for spans that differ with --deep
--update-spans. Spans that are there twice are left to you, and the message says how.

` + exitStatus,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.hasStartMs = c.Flags().Changed("start-time-ms")
			o.enlarge(c)
			return a.withSession(o, (*session).repair)
		},
	}
	o.pairOptions.addFlags(c)
	f := c.Flags()
	f.BoolVar(&o.deep, "deep", false, "compare every value")
	f.Var(&o.lockWait, "lock-wait", lockWaitHelp)
	o.files.addFlags(c)
	o.addSpanFlags(c)
	o.addStagingFlags(c)
	o.addAttachmentFlags(c)
	o.addReadFlags(c)
	return c
}

// withSession opens what the options name for do.
func (a *app) withSession(o runOptions, do func(*session, mlflowclient.Window) error) error {
	w, log, err := a.prepare(o)
	if err != nil {
		return err
	}
	s, err := a.openSession(o, o.printer(a.stdout), log)
	if err != nil {
		return err
	}
	defer s.close()
	return do(s, w)
}

// verify compares a window and prints what it finds. The error is an *exitError with exitFound when something is wrong.
func (s *session) verify(w mlflowclient.Window) error {
	return s.verifyBy(w, verify.Run)
}

// verifyBy is verify where compare makes the comparison.
func (s *session) verifyBy(w mlflowclient.Window, compare comparison) error {
	r, err := s.compare(w, compare)
	if err != nil && r.Outcome == "" {
		return s.failed(err)
	}
	s.terminal.Block("")
	s.out.report(r)
	switch {
	case err != nil:
		return err
	case r.Outcome == report.Interrupted:
		return &exitError{exitInterrupted, errors.New("interrupted")}
	case r.Wrong() > 0, r.Compared == 0 && !s.opts.allowEmpty:
		return &exitError{code: exitFound}
	case r.Kinds[verify.Unreadable] > 0:
		return &exitError{code: exitPartial}
	}
	return nil
}

// comparison is verify.Run, or what does more with its findings. It ends early with its context.
type comparison func(context.Context, verify.Job) (verify.Report, error)

func (s *session) compare(w mlflowclient.Window, compare comparison) (verify.Report, error) {
	err := s.target.Check(s.stop)
	var missing *target.TableError
	if errors.As(err, &missing) && missing.Missing {
		err = advice.With(fmt.Errorf("%s %s: there is nothing to verify", missing.Table, missing.Problem), "Move the traces with tracemig run first")
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
	run := s.job(w)
	job := verify.Job{
		Source: s.source, ExperimentID: s.experiment, SourceName: s.pair.Source, Target: s.target, Window: w,
		Deep: s.opts.deep, Sample: s.opts.sample, Shard: s.opts.shard, RunLinks: run.RunLinks, ServiceName: run.ServiceName,
		Attachments: run.Attachments,
		Fetchers:    run.Fetchers, BytesInFlight: run.BytesInFlight, Covered: known.covered, Reach: known.reach, Moved: known.moved, Progress: &verify.Progress{},
	}
	job.OnFinding = func(f verify.Finding) {
		s.out.finding(f)
		lists.add(f)
	}
	st := startProgress(s.terminal, s.log, job.Progress.Counts, s.source.Stats)
	r, err := compare(s.stop, job)
	st.close()
	if lerr := lists.close(); lerr != nil {
		lerr = advice.With(fmt.Errorf("the list of trace IDs could not be written: %w", lerr), "Make room, or name a file elsewhere")
		return r, errors.Join(err, lerr)
	}
	return r, err
}

// known is what a checkpoint tells of earlier runs; all of it is zero where there is none.
type known struct {
	covered time.Time // up to which request time runs have looked at all that is compared
	reach   time.Time // up to which they can have moved any: a run takes traces that come while it goes on, but not all that do
	moved   func(ctx context.Context, traceIDs []string) (map[string]bool, error)
	store   *checkpoint.Store
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
		k.moved = func(ctx context.Context, traceIDs []string) (map[string]bool, error) {
			rs, err := store.Get(ctx, traceIDs)
			moved := make(map[string]bool, len(rs))
			for id, r := range rs {
				moved[id] = r.State == checkpoint.Migrated
			}
			return moved, err
		}
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
		k.covered, k.reach = at, time.Unix(1<<40, 0) // whatever else the target has
	}
	return k, nil
}

// repair verifies, has a run look again at what it finds, and verifies again.
func (s *session) repair(w mlflowclient.Window) error {
	if s.opts.sample > 0 {
		return usageError("--sample is for verify: repair looks at all traces")
	}
	found, err := s.reopenWrong(w)
	var code *exitError
	if found == 0 || err != nil && !(errors.As(err, &code) && code.code == exitFound) {
		return err
	}
	s.log.Info("writing again what was found", "traces", found)
	if err := s.run(w); err != nil && !(errors.As(err, &code) && code.code == exitPartial) {
		return err
	}
	err = s.verify(w)
	if errors.As(err, &code) && code.code == exitFound {
		code.err = fmt.Errorf("spans that the target has stay as they are. tracemig repair --deep --update-spans puts those that differ "+
			"in the place of their rows; to have all spans of a trace written anew, delete them "+
			"(DELETE FROM %s_otel_spans WHERE trace_id = '…') and run tracemig repair again", s.target)
	}
	return err
}

// reopenWrong verifies, and records in the checkpoint which traces the next run is to look at.
func (s *session) reopenWrong(w mlflowclient.Window) (found int, err error) {
	store, release, err := s.lock("repair")
	if err != nil {
		return 0, s.failed(err)
	}
	defer release()
	if err := migrate.Rebuild(s.stop, store, s.target, s.pair.Source, "repair"); err != nil {
		return 0, s.failed(err)
	}
	err = s.verifyBy(w, func(ctx context.Context, job verify.Job) (r verify.Report, err error) {
		found, r, err = repair.Reopen(s.ctx, ctx, store, job)
		return r, err
	})
	return found, err
}

// lists are the files of trace IDs.
type lists struct {
	byKind map[verify.Kind]*os.File
	all    []*os.File
	err    error
}

func openLists(f files) (*lists, error) {
	l := &lists{byKind: map[verify.Kind]*os.File{}}
	for _, list := range []struct {
		path  string
		kinds []verify.Kind
	}{
		{f.missing, []verify.Kind{verify.Pending, verify.Missing, verify.Incomplete}},
		{f.differ, []verify.Kind{verify.Differ, verify.Duplicate}},
		{f.extra, []verify.Kind{verify.Extra}},
	} {
		if list.path == "" {
			continue
		}
		file, err := os.OpenFile(list.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			l.close()
			return nil, advice.With(fmt.Errorf("open the list of trace IDs: %w", err), "Name a file that can be written")
		}
		l.all = append(l.all, file)
		for _, k := range list.kinds {
			l.byKind[k] = file
		}
	}
	return l, nil
}

func (l *lists) add(f verify.Finding) {
	if file := l.byKind[f.Kind]; file != nil && l.err == nil {
		_, l.err = fmt.Fprintln(file, f.TraceID)
	}
}

// close returns the first error of all that was written.
func (l *lists) close() error {
	for _, f := range l.all {
		if err := f.Close(); l.err == nil {
			l.err = err
		}
	}
	return l.err
}
