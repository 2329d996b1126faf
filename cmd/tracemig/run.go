package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/warehouse"
)

type runOptions struct {
	pairOptions
	create, createViews      bool
	dryRun                   bool
	startMs                  int64
	hasStartMs               bool
	startTime, endTime       string
	lockWait                 duration
	runLinks                 runlinks.Scope
	noResync                 bool
	updateSpans              bool
	settle                   duration
	verify, deep, repair     bool
	sample                   int
	asOf                     string
	allowEmpty               bool
	files                    files
	stagingVolume, stage     string
	attachments              string
	serviceName              string
	clustering               bool
	searchRate, downloadRate float64
	concurrency              int
	bytesInFlight            byteSize
	statementBytes           byteSize
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
			o.enlarge(c)
			if name := o.ofVerify(); name != "" && !o.verify && !o.repair {
				return usageError("--%s says how to compare, which a run does with --verify or --repair; add one of them, or leave it out", name)
			}
			return a.run(o)
		},
	}
	o.addFlags(c)
	return c
}

// ofVerify is a flag that was given for the comparison, if any.
func (o *runOptions) ofVerify() string {
	switch {
	case o.deep:
		return "deep"
	case o.files.missing != "":
		return "missing-on-target"
	case o.files.differ != "":
		return "differ"
	case o.files.extra != "":
		return "extra"
	}
	return ""
}

func defaultRunOptions() runOptions {
	return runOptions{
		searchRate: mlflowclient.DefaultSearchPerSecond, downloadRate: mlflowclient.DefaultDownloadPerSecond,
		runLinks: runlinks.OfSource, concurrency: migrate.DefaultFetchers, bytesInFlight: migrate.DefaultBytesInFlight,
		settle: duration(migrate.DefaultSettle), output: "text", logLevel: "info", logFormat: "text", attachments: attachmentsNone,
	}
}

func (o *runOptions) addFlags(c *cobra.Command) {
	o.pairOptions.addFlags(c)
	f := c.Flags()
	f.BoolVar(&o.create, "create", false, "make the target's tables where they are missing: only where there is no service, which makes them when an experiment is created with the location")
	f.BoolVar(&o.createViews, "create-views", false, "make the two views that read the tables, where they are missing: only where there is no service, which makes its own and can't bind an experiment to a location that has others")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would be done")
	f.BoolVar(&o.noResync, "no-resync", false, "leave traces that were migrated as they are, whatever changed at the source since")
	o.addSpanFlags(c)
	f.BoolVar(&o.clustering, "clustering", false, "cluster new file: tables as the service does; delta-rs can't append to such tables")
	f.Var(&o.lockWait, "lock-wait", lockWaitHelp)
	f.BoolVar(&o.verify, "verify", false, "compare source and target after the run, as tracemig verify does")
	f.BoolVar(&o.deep, "deep", false, "with --verify: compare every value")
	f.BoolVar(&o.allowEmpty, "allow-empty", false, "with --verify or --repair: no trace to compare is no fault")
	o.files.addFlags(c)
	f.BoolVar(&o.repair, "repair", false, "compare, and write again what is missing or differs, as tracemig repair does")
	o.addStagingFlags(c)
	o.addAttachmentFlags(c)
	o.addReadFlags(c)
}

// addSome adds the flags of run that another command has too, in run's words.
func (o *runOptions) addSome(c *cobra.Command, names ...string) {
	all := &cobra.Command{}
	o.addFlags(all)
	f := c.Flags()
	f.SortFlags = false
	for _, name := range names {
		f.AddFlag(all.Flags().Lookup(name))
	}
}

const lockWaitHelp = "how long to wait for another run with the same checkpoint: 90s, 10m, or seconds"

// addSpanFlags adds the flags of commands that may write spans of migrated traces.
func (o *runOptions) addSpanFlags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&o.updateSpans, "update-spans", false, "put spans that have other values at the source now in the place of their rows; without it they are only reported")
	f.Var(&o.settle, "settle", "traces migrated sooner after their end than this are read again by later runs: spans of them may have come since (of servers that keep spans in their tracking store)")
}

// addStagingFlags adds the flags of commands that write the target.
func (o *runOptions) addStagingFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.stagingVolume, "staging-volume", "", "volume, /Volumes/CATALOG/SCHEMA/VOLUME, through whose files large batches are loaded: for large migrations (--bytes-in-flight is then 128MiB unless given)")
	f.Var(&o.statementBytes, "statement-bytes", "rows of one SQL statement, at most, such as 4MiB (default 8MiB, or less where the warehouse was found to refuse that)")
	f.StringVar(&o.stage, "stage", "", "auto: the same with a volume PREFIX_staging beside the tables, made where it is missing")
}

// stagedBytesInFlight takes the place of migrate.DefaultBytesInFlight, so that batches in files are large.
const stagedBytesInFlight = 128 << 20

// enlarge gives batches in files their memory, unless the user has decided on it.
func (o *runOptions) enlarge(c *cobra.Command) {
	if (o.stagingVolume != "" || o.stage != "") && !c.Flags().Changed("bytes-in-flight") {
		o.bytesInFlight = stagedBytesInFlight
	}
}

// volume is the one that the flags name, if any, for a target at l.
func (o *runOptions) volume(l uctables.Location) (*uctables.Volume, error) {
	var v uctables.Volume
	var err error
	switch {
	case o.stagingVolume != "":
		v, err = uctables.ParseVolume(o.stagingVolume)
	case o.stage != "":
		if v, err = l.StagingVolume(); err != nil {
			problem, next := advice.Split(err)
			err = advice.With(errors.New("--stage auto: "+problem), next+" with --staging-volume")
		}
	default:
		return nil, nil
	}
	return &v, err
}

// addReadFlags adds the flags of commands that read the source.
func (o *runOptions) addReadFlags(c *cobra.Command) {
	f := c.Flags()
	f.Int64Var(&o.startMs, "start-time-ms", 0, "only traces requested at or after this time, in milliseconds since the Unix epoch")
	f.StringVar(&o.startTime, "start-time", "", "the same as RFC 3339, date (UTC) or age: 2026-01-31T12:00:00Z, 2026-01-31, 36h, 7d")
	f.StringVar(&o.endTime, "end-time", "", "only traces requested before this time")
	f.TextVar(&o.runLinks, "run-links", o.runLinks, "`which` runs to ask for traces that were linked to them later, one query a run: source, those of the experiment; all, those of every experiment that you may see; or none")
	f.StringVar(&o.serviceName, "service-name", "", "service.name to give all spans (default what the source knows of traces that came by OTLP)")
	f.Float64Var(&o.searchRate, "search-rate", o.searchRate, "searches a second at the source, at most, of all shards together")
	f.Float64Var(&o.downloadRate, "download-rate", o.downloadRate, "trace downloads a second at the source, at most, of all shards together")
	f.IntVar(&o.concurrency, "concurrency", o.concurrency, "trace downloads at the same time, at most")
	f.Var(&o.bytesInFlight, "bytes-in-flight", "payload in memory, at most, such as 64MiB, 64MB or a number of bytes; one larger trace still passes")
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
		return usageError("--bytes-in-flight must be at least 1MiB")
	case o.statementBytes != 0 && o.statementBytes < warehouse.LeastStatementBytes:
		return usageError("--statement-bytes must be at least 64KiB")
	case o.statementBytes != 0 && o.local():
		return usageError("--statement-bytes is for tables in Unity Catalog; local ones are written without statements")
	case o.sample < 0:
		return usageError("--sample can't be negative")
	case o.stage != "" && o.stage != "auto":
		return usageError("--stage %q: the one value is auto", o.stage)
	case o.stage != "" && o.stagingVolume != "":
		return usageError("--stage and --staging-volume both say where to put files; give one of them")
	case (o.stage != "" || o.stagingVolume != "") && o.local():
		return usageError("--stage and --staging-volume are for tables in Unity Catalog; local ones are written as they are")
	case o.clustering && !o.local():
		return usageError("--clustering is for file: targets; tables in Unity Catalog are always clustered")
	case o.sample > 0 && o.files.extra != "":
		return usageError("--extra lists what a comparison of all traces finds; leave --sample out")
	case o.createViews && o.local():
		return usageError("--create-views is for tables in Unity Catalog; local ones have no views")
	case (o.verify || o.repair) && o.dryRun:
		return usageError("--dry-run writes nothing to verify or repair; run tracemig verify")
	case o.settle < 0:
		return usageError("--settle can't be negative")
	case o.lockWait < 0:
		return usageError("--lock-wait can't be negative")
	}
	if o.asOf != "" {
		if _, err := parseTime("as-of", o.asOf, time.Now()); err != nil {
			return err
		}
	}
	if o.stagingVolume != "" {
		if _, err := uctables.ParseVolume(o.stagingVolume); err != nil {
			return usageError("--staging-volume: %v", err)
		}
	}
	return o.validateAttachments()
}

// limits are the shares of one shard: a source's quotas are for all who ask it.
func (o *runOptions) limits() mlflowclient.Limits {
	shards := float64(max(o.shard.Count, 1))
	return mlflowclient.Limits{SearchPerSecond: o.searchRate / shards, RunsPerSecond: mlflowclient.DefaultRunsPerSecond / shards, DownloadPerSecond: o.downloadRate / shards}
}

func (a *app) run(o runOptions) error { return a.withSession(o, (*session).all) }

// prepare reads what the flags mean; its errors are wrong usage.
func (a *app) prepare(o runOptions) (w mlflowclient.Window, log *slog.Logger, err error) {
	if err := o.validate(); err != nil {
		return w, nil, err
	}
	if err := o.checkURI(a); err != nil {
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

// all migrates or plans, verifies and repairs, as the options say, and prints what became of it.
func (s *session) all(w mlflowclient.Window) error {
	if s.opts.dryRun {
		return s.plan(w)
	}
	err := s.run(w)
	var partial *exitError
	if err != nil && !(errors.As(err, &partial) && partial.code == exitPartial) {
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

// run migrates a window. Its error is nil, an *exitError, or what kept it from looking at every trace.
func (s *session) run(w mlflowclient.Window) error {
	summary, err := s.migrate(w)
	if summary == nil {
		return s.failed(err)
	}
	s.terminal.Block("")
	s.out.summary(*summary)
	switch summary.Outcome {
	case report.Failed:
		return err
	case report.Interrupted:
		return &exitError{exitInterrupted, errors.New("interrupted")}
	case report.Partial:
		return &exitError{code: exitPartial}
	}
	return nil
}

// migrate runs the pipeline under the checkpoint's lock. The summary is nil when no run began.
func (s *session) migrate(w mlflowclient.Window) (*migrate.Summary, error) {
	defer s.nextRun()
	runID := s.runID
	missing, err := s.checkTables()
	if err != nil {
		return nil, err
	}
	// The checkpoint first: tables are not made for a run that can't begin.
	store, release, err := s.lock(runID)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.prepareTables(missing); err != nil {
		return nil, err
	}
	if err := s.stage(store); err != nil {
		return nil, err
	}
	if err := s.prepareStatements(store); err != nil {
		return nil, err
	}
	s.log.Info("run", "id", runID, "checkpoint", s.path)

	began := checkpoint.Run{ID: runID, Start: time.Now(), By: checkpoint.ThisProcess(runID).By(), WindowStartMs: w.StartMs, WindowEndMs: w.EndMs}
	if err := store.StartRun(s.ctx, began); err != nil {
		return nil, err
	}
	job := s.job(w)
	job.RunID, job.Checkpoint, job.OnTrace = runID, store, s.out.trace
	before := s.source.Stats()
	st := startProgress(s.terminal, s.log, job.Recorder.Counts, s.source.Stats)
	sum, err := migrate.Run(s.ctx, s.stop.Done(), job)
	st.close()
	s.noteStatements(store)
	if ended := sum.Outcome == report.Done || sum.Outcome == report.Partial; ended && sum.InWindow == 0 {
		s.noTraces(w)
	}
	stats := s.source.Stats()
	sum.Requests, sum.Retries = stats.Requests-before.Requests, stats.Retries-before.Retries
	sum.ThrottledSeconds = (stats.Throttled - before.Throttled).Seconds()

	text, _ := json.Marshal(sum) // plain numbers and texts
	began.End, began.Outcome, began.Migrated, began.Failed, began.Summary = time.Now(), sum.Outcome, sum.Migrated, sum.Failed, string(text)
	if ferr := store.FinishRun(context.WithoutCancel(s.ctx), began); ferr != nil { // interrupted twice, it was not killed
		s.log.Warn("the end of the run could not be noted in the checkpoint", "error", ferr)
	}
	return &sum, err
}

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
		s.log.Info("made no views: the service makes its own when an experiment is created with this location; where there is none, --create-views does")
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

// plan compares the source with what is known of the target. It writes nothing: a checkpoint that is
// not there yet is made in memory only.
func (s *session) plan(w mlflowclient.Window) error {
	path := s.path
	if _, err := os.Stat(path); err != nil {
		path = ""
	}
	store, err := checkpoint.Open(s.stop, path, s.pair)
	if err != nil {
		return s.failed(err)
	}
	defer store.Close()
	job := s.job(w)
	job.Checkpoint = store
	p, err := migrate.MakePlan(s.stop, job, s.opts.create)
	if err != nil {
		return s.failed(err)
	}
	s.out.plan(p)
	if p.Listed == 0 {
		s.noTraces(w)
	}
	return nil
}
