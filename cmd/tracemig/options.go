package main

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/uctables"
)

type runOptions struct {
	pairOptions
	pairsOptions
	outletOptions
	create, createViews      bool
	dryRun                   bool
	startMs                  int64
	hasStartMs               bool
	startTime, endTime       string
	lockWait                 duration
	maxDuration              duration
	limit                    int64
	runLinks                 runlinks.Scope // empty for the default, see linksOf
	noResync                 bool
	updateSpans              bool
	settle                   duration
	verify, deep, repair     bool
	sample                   int
	asOf                     string
	allowEmpty               bool
	files                    listFiles
	stagingVolume, stage     string
	ledgerTable              string
	attachments              string
	serviceName              string
	clustering               bool
	read                     mlflowclient.Read
	searchRate, downloadRate rate
	concurrency              int
	bytesInFlight            byteSize
	statementBytes           byteSize
	output                   string
	logLevel, logFormat      string

	demo bool // it is the run of the demo, which says in its own words what is to follow
}

// enumerations are the values of flags that have only a few.
var enumerations = map[string][]string{
	"output":     {"text", "json"},
	"log-format": {"text", "json"},
	"log-level":  {"debug", "info", "warn", "error"},
	"read":       {string(mlflowclient.Exact), string(mlflowclient.Fast)},
	"run-links":  {string(runlinks.OfSource), string(runlinks.OfAll), string(runlinks.None)},
	"stage":      {"auto"},
}

// comparisonFlag names a given flag that says how source and target are compared; empty where there is none.
func (o *runOptions) comparisonFlag() string {
	switch {
	case o.deep:
		return "deep"
	case o.files.missing != "":
		return "missing-on-target"
	case o.files.differ != "":
		return "differ"
	case o.files.extra != "":
		return "extra"
	case o.allowEmpty:
		return "allow-empty"
	}
	return ""
}

func defaultRunOptions() runOptions {
	return runOptions{
		read: mlflowclient.Exact, concurrency: migrate.DefaultFetchers, bytesInFlight: migrate.DefaultBytesInFlight,
		settle: duration(migrate.DefaultSettle), output: "text", logLevel: "info", logFormat: "text", attachments: attachmentsNone,
	}
}

func (o *runOptions) addFlags(c *cobra.Command) {
	o.pairOptions.addFlags(c)
	o.pairsOptions.addFlags(c)
	f := c.Flags()
	f.BoolVar(&o.create, "create", false,
		"make the target's tables where they are missing: only where there is no service, which makes them when an experiment is created with "+
			"the location")
	f.BoolVar(&o.createViews, "create-views", false,
		"make the two views that read the tables, where they are missing: only where there is no service, which makes its own and can't bind "+
			"an experiment to a location that has others")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would be done")
	f.TextVar(&o.read, "read", o.read,
		"`how` to read spans from an MLflow server: exact, each trace as it is stored; or fast, small traces in groups, in a form that does "+
			"not hold everything")
	f.BoolVar(&o.noResync, "no-resync", false, "leave traces that were migrated as they are, whatever changed at the source since")
	o.addSpanFlags(c)
	f.BoolVar(&o.clustering, "clustering", false, "cluster new file: tables as the service does; delta-rs can't append to such tables")
	f.Var(&o.lockWait, "lock-wait", lockWaitHelp)
	f.Int64Var(&o.limit, "limit", 0,
		"stop after so many traces that are new, for a trial; with --verify or --repair only what lies before is compared")
	f.BoolVar(&o.verify, "verify", false, "compare source and target after the run, as tracemig verify does")
	f.BoolVar(&o.deep, "deep", false, "with --verify: compare every value")
	f.BoolVar(&o.allowEmpty, "allow-empty", false, "with --verify or --repair: no trace to compare is no fault")
	o.files.addFlags(c)
	f.BoolVar(&o.repair, "repair", false, "compare, and write again what is missing or differs, as tracemig repair does")
	o.addStagingFlags(c)
	o.addAttachmentFlags(c)
	o.addReadFlags(c)
	o.addTimeFlag(c)
	o.outletOptions.addFlags(c)
}

// addTimeFlag adds the flag of commands that may end before they have looked at everything, so that the next one goes on.
func (o *runOptions) addTimeFlag(c *cobra.Command) {
	c.Flags().Var(&o.maxDuration, "max-duration",
		"finish what is in flight, and end with exit code 5, so long after the start: 50m, 1h30m, or seconds")
}

// addSome adds the named flags of run to another command, with the help that they have in run.
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
	f.BoolVar(&o.updateSpans, "update-spans", false,
		"put spans that have other values at the source now in the place of their rows; without it they are only reported")
	f.Var(&o.settle, "settle",
		"traces migrated sooner after their end than this are read again by later runs: spans of them may have come since (of servers that "+
			"keep spans in their tracking store)")
}

// addStagingFlags adds the flags of commands that write the target.
func (o *runOptions) addStagingFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.stagingVolume, "staging-volume", "",
		"volume, /Volumes/CATALOG/SCHEMA/VOLUME, through whose files large batches are loaded: for large migrations (--bytes-in-flight is "+
			"then 128MiB unless given)")
	f.Var(&o.statementBytes, "statement-bytes",
		"rows of one SQL statement, at most, such as 4MiB (default 8MiB, or less where the warehouse was found to refuse that)")
	f.StringVar(&o.ledgerTable, "ledger-table", "",
		"table, CATALOG.SCHEMA.NAME, in which every run leaves a row through the target's SQL warehouse; made where it is missing")
	f.StringVar(&o.stage, "stage", "", "auto: the same with a volume PREFIX_staging beside the tables, made where it is missing")
}

// stagedBytesInFlight is the default of --bytes-in-flight where batches go through files, in place of
// migrate.DefaultBytesInFlight: it lets them be large.
const stagedBytesInFlight = 128 << 20

// setStagedBytes sets --bytes-in-flight to the default for batches in files, unless the user gave a value.
func (o *runOptions) setStagedBytes(c *cobra.Command) {
	if (o.stagingVolume != "" || o.stage != "") && !c.Flags().Changed("bytes-in-flight") {
		o.bytesInFlight = stagedBytesInFlight
	}
}

// volume is the volume that the flags name for a target at l; nil where they name none.
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

func (o *runOptions) copied() *runOptions {
	c := *o
	return &c
}

func (o *runOptions) within() time.Duration { return time.Duration(o.maxDuration) }

func (o *runOptions) outside() outletOptions { return o.outletOptions }

func (o *runOptions) inMemory() (bytesInFlight int64, attachments bool) {
	return int64(o.bytesInFlight), o.attachments != attachmentsNone
}

func (o *runOptions) connector(a *app, log *slog.Logger) *connector {
	c := o.pairOptions.connector(a, log)
	c.clustering = o.clustering
	c.volume, c.makeVolume, c.statementBytes = o.volume, o.stage != "", int64(o.statementBytes)
	c.limits = o.limits(c.inDatabricks())
	return c
}

// given completes the options from which flags of c were given.
func (o *runOptions) given(c *cobra.Command) {
	o.hasStartMs = c.Flags().Changed("start-time-ms")
	o.setStagedBytes(c)
}

// problems are all that is wrong with the options, before any server is asked. Its errors are wrong usage.
func (o *runOptions) problems(a *app) []error {
	all := append(o.pairOptions.problems(), brokenRules(o, runRules)...)
	for _, check := range []func() error{
		o.checkTimes, o.checkVolume, o.validateAttachments, o.checkLevel, o.checkLedger,
		func() error { return o.checkURI(a) },
		func() error { return o.checkRead(a) },
		func() error { return o.checkRates(a) },
	} {
		if err := check(); err != nil {
			all = append(all, err)
		}
	}
	return all
}

func (o *runOptions) checkTimes() error {
	if o.asOf != "" {
		if _, err := parseTime("as-of", o.asOf, time.Now()); err != nil {
			return err
		}
	}
	if o.hasStartMs && o.startTime != "" {
		return nil // a rule says so
	}
	_, err := o.window()
	return err
}

// window is the request times that the flags ask for.
func (o *runOptions) window() (mlflowclient.Window, error) {
	var startMs *int64
	if o.hasStartMs {
		startMs = &o.startMs
	}
	return window(startMs, o.startTime, o.endTime, time.Now())
}

func (o *runOptions) checkVolume() error {
	if o.stagingVolume == "" {
		return nil
	}
	if _, err := uctables.ParseVolume(o.stagingVolume); err != nil {
		return usageError("--staging-volume: %v", err)
	}
	return nil
}

func (o *runOptions) checkLevel() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return usageError("--log-level %q is none of debug, info, warn, error", o.logLevel)
	}
	return nil
}

// addReadFlags adds the flags of commands that read the source.
func (o *runOptions) addReadFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.startTime, "start-time", "",
		"only traces requested at or after this time: 2026-01-31T12:00:00Z, 2026-01-31 (UTC), or an age, 36h or 7d")
	f.Int64Var(&o.startMs, "start-time-ms", 0, "the same in milliseconds since the Unix epoch")
	f.StringVar(&o.endTime, "end-time", "", "only traces requested before this time, in the same forms")
	f.TextVar(&o.runLinks, "run-links", o.runLinks,
		"`which` runs to ask for traces that were linked to them later, one query a run: source, those of the experiment; all, those of every "+
			"experiment that you may see; or none (default source; all for a database, which needs no queries for it)")
	f.StringVar(&o.serviceName, "service-name", "",
		"service.name to give all spans (default what the source knows of traces that came by OTLP)")
	f.Var(&o.searchRate, "search-rate",
		"searches a second at the source, at most, of all shards together (default 25, a workspace's quota; none for an MLflow server)")
	f.Var(&o.downloadRate, "download-rate",
		"trace downloads a second at the source, at most, of all shards together (default 200, a workspace's quota; none for an MLflow server)")
	f.IntVar(&o.concurrency, "concurrency", o.concurrency, "trace downloads at the same time, at most")
	f.Var(&o.bytesInFlight, "bytes-in-flight",
		"payload in memory, at most, such as 64MiB, 64MB or a number of bytes; one larger trace still passes")
	f.StringVarP(&o.output, "output", "o", o.output, "text, or json for JSON lines with the summary last")
	f.StringVar(&o.logLevel, "log-level", o.logLevel, "debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", o.logFormat, "text or json")
}

// linksOf is which runs to ask for links to traces of the source that conn leads to.
func (o *runOptions) linksOf(conn *connector) runlinks.Scope {
	if o.runLinks == "" && conn.inDatabase() {
		return runlinks.OfAll
	}
	return cmp.Or(o.runLinks, runlinks.OfSource)
}

// limits are the rates for one shard. A source's quotas are for all of its clients together, so shards share them.
func (o *runOptions) limits(inDatabricks bool) mlflowclient.Limits {
	l := mlflowclient.Limits{SearchPerSecond: float64(o.searchRate), DownloadPerSecond: float64(o.downloadRate)}
	if inDatabricks {
		l.SearchPerSecond = cmp.Or(l.SearchPerSecond, mlflowclient.DefaultSearchPerSecond)
		l.RunsPerSecond = mlflowclient.DefaultRunsPerSecond
		l.DownloadPerSecond = cmp.Or(l.DownloadPerSecond, mlflowclient.DefaultDownloadPerSecond)
	}
	shards := float64(max(o.shard.Count, 1))
	return mlflowclient.Limits{
		SearchPerSecond: l.SearchPerSecond / shards, RunsPerSecond: l.RunsPerSecond / shards, DownloadPerSecond: l.DownloadPerSecond / shards,
	}
}

// prepare checks the flags, and reads the window and the log from them. Its errors are wrong usage.
func (a *app) prepare(o runOptions) (w mlflowclient.Window, log *slog.Logger, err error) {
	if err := firstOf(o.problems(a)); err != nil {
		return w, nil, err
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(o.logLevel)) // it is right: problems has looked at it
	w, err = o.window()
	return w, a.logger(o.logFormat, level), err
}
