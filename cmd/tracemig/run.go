package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/uctables"
)

type runOptions struct {
	pairOptions
	create, dryRun           bool
	startMs                  int64
	hasStartMs               bool
	startTime, endTime       string
	lockWait                 time.Duration
	noRunLinks, noResync     bool
	serviceName              string
	clustering               bool
	searchRate, downloadRate float64
	concurrency              int
	bytesInFlight            int64
	output                   string
	logLevel, logFormat      string

	sourceName string // the identity of the source in place of its address; that of the demo changes
}

func newRunCommand(a *app) *cobra.Command {
	o := defaultRunOptions()
	c := &cobra.Command{
		Use:   "run --source EXPERIMENT --target TARGET",
		Short: "Migrate the traces of an experiment",
		Long: `Migrate what is new of an experiment's traces into a target's OTEL tables.

The source is an experiment (ID, name or workspace path) of a Databricks workspace, or of an
open-source MLflow server with --tracking-uri. The target is catalog.schema.prefix, an experiment
that is bound to a Unity Catalog trace location, or file:FOLDER/PREFIX for local Delta tables.

Interrupt once to finish what is in flight, twice to stop at once. Either way, and after any
failure, run the same command again: nothing is lost and nothing is written twice.

` + exitStatus,
		Example: `  tracemig run --source /Shared/support-agent --target main.agents.support
  tracemig run --source 1234 --target main.agents.support --start-time 2d -o json
  tracemig run --tracking-uri http://localhost:5000 --source my-experiment --target file:./lake/agent`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.hasStartMs = c.Flags().Changed("start-time-ms")
			return a.run(o)
		},
	}
	o.addFlags(c)
	return c
}

func defaultRunOptions() runOptions {
	return runOptions{
		searchRate: mlflowclient.DefaultSearchPerSecond, downloadRate: mlflowclient.DefaultDownloadPerSecond,
		concurrency: migrate.DefaultFetchers, bytesInFlight: migrate.DefaultBytesInFlight,
		output: "text", logLevel: "info", logFormat: "text",
	}
}

func (o *runOptions) addFlags(c *cobra.Command) {
	o.pairOptions.addFlags(c)
	f := c.Flags()
	f.BoolVar(&o.create, "create", false, "make the target's tables and views where they are missing")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would be done")
	f.Int64Var(&o.startMs, "start-time-ms", 0, "only traces requested at or after this time, in milliseconds since the Unix epoch")
	f.StringVar(&o.startTime, "start-time", "", "the same as RFC 3339, date (UTC) or age: 2026-01-31T12:00:00Z, 2026-01-31, 36h, 7d")
	f.StringVar(&o.endTime, "end-time", "", "only traces requested before this time")
	f.BoolVar(&o.noRunLinks, "no-run-links", false, "don't look for runs that traces were linked to later (saves one query a run)")
	f.BoolVar(&o.noResync, "no-resync", false, "leave traces that were migrated as they are, whatever changed at the source since")
	f.StringVar(&o.serviceName, "service-name", "", "service.name to give all spans; MLflow keeps none")
	f.BoolVar(&o.clustering, "clustering", false, "cluster new file: tables as the service does; delta-rs can't append to such tables")
	f.DurationVar(&o.lockWait, "lock-wait", 0, "how long to wait for another run with the same checkpoint")
	f.Float64Var(&o.searchRate, "search-rate", o.searchRate, "searches a second at the source, at most")
	f.Float64Var(&o.downloadRate, "download-rate", o.downloadRate, "trace downloads a second at the source, at most")
	f.IntVar(&o.concurrency, "concurrency", o.concurrency, "trace downloads at the same time")
	f.Int64Var(&o.bytesInFlight, "bytes-in-flight", o.bytesInFlight, "payload bytes in memory, at most; one larger trace still passes")
	f.StringVarP(&o.output, "output", "o", o.output, "text, or json for JSON lines with the summary last")
	f.StringVar(&o.logLevel, "log-level", o.logLevel, "debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", o.logFormat, "text or json")
}

func (o *runOptions) validate() error {
	if err := o.pairOptions.validate(); err != nil {
		return err
	}
	switch {
	case o.output != "text" && o.output != "json":
		return usageError("--output %q is neither text nor json", o.output)
	case o.logFormat != "text" && o.logFormat != "json":
		return usageError("--log-format %q is neither text nor json", o.logFormat)
	case o.hasStartMs && o.startTime != "":
		return usageError("--start-time-ms and --start-time both say when to start; give one of them")
	case o.searchRate <= 0 || o.downloadRate <= 0:
		return usageError("--search-rate and --download-rate must be above 0")
	case o.concurrency < 1:
		return usageError("--concurrency must be 1 or more")
	case o.bytesInFlight < 1<<20:
		return usageError("--bytes-in-flight must be at least 1048576")
	case o.lockWait < 0:
		return usageError("--lock-wait can't be negative")
	}
	return nil
}

func (a *app) run(o runOptions) error {
	w, log, err := a.prepare(o)
	if err != nil {
		return err
	}
	var out printer = newTextPrinter(a.stdout)
	if o.output == "json" {
		out = jsonPrinter{a.stdout}
	}
	return a.runWindow(o, w, out, log)
}

// prepare reads what the flags mean; its errors are wrong usage.
func (a *app) prepare(o runOptions) (w mlflowclient.Window, log *slog.Logger, err error) {
	if err := o.validate(); err != nil {
		return w, nil, err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return w, nil, usageError("--log-level %q is none of debug, info, warn, error", o.logLevel)
	}
	var startMs *int64
	if o.hasStartMs {
		startMs = &o.startMs
	}
	w, err = window(startMs, o.startTime, o.endTime, time.Now())
	return w, a.terminal.Logger(o.logFormat, level), err
}

// runWindow migrates or plans and prints what became of it.
func (a *app) runWindow(o runOptions, w mlflowclient.Window, out printer, log *slog.Logger) error {
	summary, err := a.migrate(o, w, out, log)
	if summary == nil {
		if err != nil && o.output == "json" {
			// Whoever reads the last line finds a summary there, whatever happened.
			out.summary(migrate.Summary{Source: o.source, Target: o.target, Outcome: migrate.OutcomeFailed, Error: err.Error(), Started: time.Now().UTC()})
		}
		return err
	}
	a.terminal.Block("")
	out.summary(*summary)
	switch summary.Outcome {
	case migrate.OutcomeFailed:
		return err
	case migrate.OutcomeInterrupted:
		return &exitError{exitInterrupted, fmt.Errorf("interrupted")}
	case migrate.OutcomePartial:
		return &exitError{code: exitPartial}
	}
	return nil
}

// migrate opens both ends and the checkpoint and runs the pipeline, or plans it. The summary is nil
// when no run began.
func (a *app) migrate(o runOptions, w mlflowclient.Window, out printer, log *slog.Logger) (*migrate.Summary, error) {
	runID := uuid.Must(uuid.NewV7()).String()
	if o.logFormat == "json" { // where the lines of many runs come together
		log = log.With("run_id", runID)
	}
	e := o.ends(a, log)
	e.clustering = o.clustering
	e.limits = mlflowclient.Limits{SearchPerSecond: o.searchRate, DownloadPerSecond: o.downloadRate}
	src, err := e.source()
	if err != nil {
		return nil, err
	}
	defer src.Close()
	experiment, err := src.Experiment(a.stop, o.source)
	if err != nil {
		return nil, err
	}
	target, err := e.target(a.stop, o.target)
	if err != nil {
		return nil, err
	}
	defer target.Close()

	job := migrate.Job{
		RunID: runID, Source: src, ExperimentID: experiment.ID, SourceName: sourceName(cmp.Or(o.sourceName, src.Identity()), experiment.ID),
		Target: target, Window: w, RunLinks: !o.noRunLinks, Resync: !o.noResync, ServiceName: o.serviceName,
		Fetchers: o.concurrency, BytesInFlight: o.bytesInFlight, CountFirst: a.terminal.Interactive(),
		Progress: &migrate.Progress{}, OnTrace: out.trace,
	}
	log.Info("source", "experiment", experiment.ID, "name", experiment.Name, "server", src.Identity())
	log.Info("target", "tables", target.String())

	path := o.checkpoint
	pair := checkpoint.Pair{Source: job.SourceName, Target: target.String()}
	if path == "" {
		if path, err = checkpoint.DefaultPath(a.getenv, pair); err != nil {
			return nil, err
		}
	}
	if o.dryRun {
		return nil, a.plan(o, job, path, pair, out)
	}
	if err := a.prepareTables(o, target, log); err != nil {
		return nil, err
	}
	lock, err := checkpoint.TakeLock(a.stop, path, o.lockWait, holder(runID))
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	if job.Checkpoint, err = checkpoint.Open(a.ctx, path, pair); err != nil {
		return nil, err
	}
	defer job.Checkpoint.Close()
	log.Info("run", "id", runID, "checkpoint", path)

	began := checkpoint.Run{ID: runID, Start: time.Now(), By: holder(runID).By(),
		WindowStartMs: w.StartMs, WindowEndMs: w.EndMs}
	if err := job.Checkpoint.StartRun(a.ctx, began); err != nil {
		return nil, err
	}
	st := startProgress(a.terminal, log, job.Progress, src.Stats)
	s, err := migrate.Run(a.ctx, a.stop.Done(), job)
	st.close()
	stats := src.Stats()
	s.Requests, s.Retries, s.ThrottledSeconds = stats.Requests, stats.Retries, stats.Throttled.Seconds()

	text, _ := json.Marshal(s) // plain numbers and texts
	began.End, began.Outcome, began.Migrated, began.Failed, began.Summary = time.Now(), string(s.Outcome), s.Migrated, s.Failed, string(text)
	if ferr := job.Checkpoint.FinishRun(a.ctx, began); ferr != nil && a.ctx.Err() == nil {
		log.Warn("the end of the run could not be noted in the checkpoint", "error", ferr)
	}
	return &s, err
}

// prepareTables fails before anything is read when the target can't be written. Local tables cost
// nothing and have no owner to ask, so they are made without the flag.
func (a *app) prepareTables(o runOptions, target uctables.Writer, log *slog.Logger) error {
	err := target.Check(a.stop)
	missing := tableMissing(err)
	if err != nil && !missing {
		return err
	}
	if !o.create && !(missing && strings.HasPrefix(o.target, "file:")) {
		return err
	}
	if err := target.Create(a.stop); err != nil {
		return err
	}
	if missing {
		log.Info("made the target's tables", "tables", target.String())
	}
	return target.Check(a.stop)
}

// plan compares the source with what is known of the target. It writes nothing: a checkpoint that is
// not there yet is made in memory only.
func (a *app) plan(o runOptions, job migrate.Job, path string, pair checkpoint.Pair, out printer) error {
	if _, err := os.Stat(path); err != nil {
		path = ""
	}
	var err error
	if job.Checkpoint, err = checkpoint.Open(a.stop, path, pair); err != nil {
		return err
	}
	defer job.Checkpoint.Close()
	p, err := migrate.MakePlan(a.stop, job, o.create)
	if err != nil {
		return err
	}
	out.plan(p)
	return nil
}

func holder(runID string) checkpoint.Holder {
	h := checkpoint.Holder{PID: os.Getpid(), Since: time.Now(), RunID: runID, Host: "unknown host", User: "unknown user"}
	if host, err := os.Hostname(); err == nil {
		h.Host = host
	}
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	return h
}
