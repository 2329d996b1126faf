// Package preflight looks at everything that a migration needs, before it begins. Each probe has a result and a code. No probe
// stops the others, and none writes anything.
package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Result is the result of a probe.
type Result string

// The results. A run would fail if any probe has Failed, and only then.
const (
	OK         Result = "ok"
	Warning    Result = "warning"
	Failed     Result = "failed"
	NotChecked Result = "not checked" // what the probe needs is missing, or may not be asked
)

// Finding is what one probe found.
type Finding struct {
	Code   Code     `json:"code"` // one of the Code constants, or of those that begin with CodeTable and CodeGrant
	Result Result   `json:"result"`
	Text   string   `json:"text"`             // one sentence without its full stop
	Needs  Code     `json:"needs,omitempty"`  // the probe that has to go well before this one can be made
	Next   string   `json:"next,omitempty"`   // what to do, without a full stop
	Grants []string `json:"grants,omitempty"` // SQL statements that do it, without semicolons
}

// Code names a probe for programs that read findings. Codes don't change.
type Code string

// The codes of the probes, in the order in which they are made. Where neither source nor target is in a Databricks workspace,
// its probes are left out. CodeFolder is only for local targets, CodeViews and CodeOfficial only for others.
const (
	CodeIdentity    Code = "workspace.identity"
	CodeAtSource    Code = "source.identity" // where it is another than the one above, which then is the target's
	CodeCredentials Code = "source.credentials"
	CodeVersion     Code = "source.version" // only where the source is a database of a form that is not wholly known
	CodeExperiment  Code = "source.experiment"
	CodeTraces      Code = "source.traces"
	CodeCap         Code = "source.cap"
	CodeSpans       Code = "source.spans"
	CodeBound       Code = "source.location" // only where the source experiment keeps new traces in Unity Catalog
	CodeWriters     Code = "source.writers"
	CodeLocation    Code = "target.location"
	CodeFolder      Code = "target.folder"
	CodeWarehouse   Code = "warehouse.state"
	CodeMayUse      Code = "warehouse.use"
	CodeViews       Code = "target.views"
	CodeOfficial    Code = "target.official"
	CodeTable       Code = "table."      // and spans, annotations, logs, metrics; ledger where one is kept
	CodeGrant       Code = "grant."      // and catalog, schema, spans, annotations; volume where files are staged; ledger where one is kept
	CodeDisk        Code = "target.disk" // of a local target
	CodeCheckpoint  Code = "checkpoint.file"
	CodeLock        Code = "checkpoint.lock"
	CodeStateDisk   Code = "checkpoint.disk"
)

const (
	// traceCap is how many traces an experiment takes, as Databricks documents it.
	traceCap = 100_000
	// quiet is for how long no trace may have been requested at the source, for its writers to count as stopped.
	quiet = 5 * time.Minute
	// diskWarning is the free space in bytes below which the checkpoint may not fit.
	diskWarning = 100 << 20
	// diskFull is the free space in bytes below which even an empty checkpoint, or the log of a table, may not fit.
	diskFull = 1 << 20
)

// Source is what the probes ask of the source.
type Source interface {
	Identity() string
	Credentials() string
	Experiment(ctx context.Context, ref string) (mlflowclient.Experiment, error)
	ListTraces(ctx context.Context, experimentID string, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error
	FetchSpans(ctx context.Context, read mlflowclient.Read, infos []*mlflow.TraceInfo) []mlflowclient.Spans
}

// Database is what the probes ask besides of a source that is the database behind an MLflow server.
type Database interface {
	Version() string    // of the engine, and of what MLflow has made of it
	Warnings() []string // what is to be told before it is read
}

// Workspace is what the probes ask of the Databricks workspace of the source, the target or both.
type Workspace interface {
	Host() string
	Me(ctx context.Context) (databricks.Identity, error)
	Privileges(ctx context.Context, securable, name string, me databricks.Identity) (held []string, complete bool, err error)
	Owns(ctx context.Context, securable, name string, me databricks.Identity) bool
	MayUse(ctx context.Context, warehouseID string, me databricks.Identity) (bool, error)
	Warehouse(ctx context.Context, id string) (databricks.Warehouse, error)
}

// Target is what the target that the user named stands for.
type Target struct {
	Name         string             // as the opened target calls itself
	Folder       string             // of a local target; empty for another
	Location     *uctables.Location // nil for a local target
	ExperimentID string             // the experiment bound to the location, where the user named the target by it
	Volume       *uctables.Volume   // through which large batches go; nil for none
	MakeVolume   bool               // the run would make the volume where it is missing
	Warehouse    func() (id string, err error)
	// Open opens the tables to look at. It starts a stopped warehouse, as a run does.
	Open func(ctx context.Context, warehouseID string) (target.TableChecker, error)
}

// Job says what a run would do. Its functions open what the probes look at; each is called when a probe needs it.
type Job struct {
	Experiment  string // the source, as the user names it
	Window      mlflowclient.Window
	Create      bool               // the run would make missing tables
	CreateViews bool               // and missing views
	Ledger      *uctables.Location // of the run; nil for none
	Now         time.Time

	Databricks bool                      // the source is in a Databricks workspace
	Tables     bool                      // it is tables there, which take any number of traces
	Local      bool                      // the target is not in one, but on this machine
	Workspace  func() (Workspace, error) // called where the source or the target is in one
	// SourceWorkspace is that of the source, where it is reached with another identity than the target. It is nil for the same.
	SourceWorkspace func() (Workspace, error)
	Source          func() (Source, error)
	Target          func(ctx context.Context) (Target, error)
	// Checkpoint returns the path of the checkpoint, and the pair that it must belong to.
	Checkpoint func(server, experimentID, target string) (path string, p checkpoint.Pair, err error)
	// Listed is called with the number of traces listed so far. It may be nil.
	Listed func(n int64)
}

// check makes the probes of a job.
type check struct {
	Job
	ctx   context.Context
	yield func(Finding)
	ws    Workspace // nil where there is none, or it can't be asked
	me    databricks.Identity

	sourceWS       Workspace // the source's; nil where there is none, or it can't be asked
	sourceIdentity Code      // of the probe that has asked it

	experiment mlflowclient.Experiment // the source; zero where it can't be read
	unknown    Code                    // the probe for want of which source or target is not known; empty where both are
}

// Run makes all probes and calls yield with each one's finding. It ends early only with ctx.
func Run(ctx context.Context, job Job, yield func(Finding)) {
	c := &check{Job: job, ctx: ctx, yield: func(f Finding) {
		if ctx.Err() == nil {
			yield(f)
		}
	}}
	if c.Databricks || !c.Local {
		c.ws, c.me = c.identity(CodeIdentity, c.Job.Workspace)
	}
	c.sourceWS, c.sourceIdentity = c.ws, CodeIdentity
	if c.Databricks && c.SourceWorkspace != nil {
		c.sourceIdentity = CodeAtSource
		c.sourceWS, _ = c.identity(CodeAtSource, c.SourceWorkspace)
	}
	server, experimentID := c.source()
	target := c.target()
	c.checkpoint(server, experimentID, target)
}

func (c *check) ok(code Code, format string, args ...any) {
	c.yield(Finding{Code: code, Result: OK, Text: fmt.Sprintf(format, args...)})
}

func (c *check) notChecked(code Code, format string, args ...any) {
	c.yield(Finding{Code: code, Result: NotChecked, Text: fmt.Sprintf(format, args...)})
}

// needs says that a probe can't be made, because another one has found why.
func (c *check) needs(needed Code, why string, codes ...Code) {
	for _, code := range codes {
		c.yield(Finding{Code: code, Result: NotChecked, Needs: needed, Text: why + ", see " + string(needed)})
	}
}

func (c *check) warning(code Code, next, format string, args ...any) {
	c.yield(Finding{Code: code, Result: Warning, Text: fmt.Sprintf(format, args...), Next: next})
}

// failed reports an error as a finding. next says what to do where err itself does not.
func (c *check) failed(code Code, err error, next string) { c.yield(failure(code, err, next)) }

// failure is the finding of a probe that failed with err. next says what to do where err itself does not.
func failure(code Code, err error, next string) Finding {
	problem, own := advice.Split(err)
	next = cmp.Or(own, next, "Check the address and the network, and try again")
	return Finding{
		Code: code, Result: Failed, Text: strings.TrimSuffix(problem, "."),
		Next: strings.ToUpper(next[:1]) + strings.TrimSuffix(next[1:], "."),
	}
}

// Identity is the identity that the workspace knows, and the finding about it. The error is the one that the finding tells of.
func Identity(ctx context.Context, ws Workspace) (databricks.Identity, Finding, error) {
	me, err := ws.Me(ctx)
	return me, identityFinding(ws, me, err), err
}

func identityFinding(ws Workspace, me databricks.Identity, err error) Finding {
	switch {
	case errors.Is(err, databricks.ErrRefused):
		return failure(CodeIdentity, fmt.Errorf("%s: %w; they are of type %s", ws.Host(), err, me.AuthType),
			"Log in again, or make a new token: the one in use is wrong, expired or of another workspace")
	case errors.Is(err, databricks.ErrNoRight), errors.Is(err, databricks.ErrNotThere):
		return Finding{Code: CodeIdentity, Result: Warning,
			Text: fmt.Sprintf("%s does not say who the credentials (%s) speak for: %v", ws.Host(), me.AuthType, err),
			Next: "Compare the grants by hand: tracemig check --print-grants --principal NAME"}
	case err != nil:
		next := "Log in with databricks auth login, name a profile with --profile, or set DATABRICKS_TOKEN"
		if _, unreachable := errors.AsType[*url.Error](err); unreachable {
			next = "Check the host and the network"
		}
		return failure(CodeIdentity, fmt.Errorf("%s can't be asked: %w", ws.Host(), err), next)
	}
	return Finding{Code: CodeIdentity, Result: OK, Text: fmt.Sprintf("%s at %s (%s)", me.Name, ws.Host(), me.AuthType)}
}

// identity makes the probe of an identity. The workspace is nil where it can't be asked.
func (c *check) identity(code Code, open func() (Workspace, error)) (Workspace, databricks.Identity) {
	ws, err := open()
	if err != nil {
		c.failed(code, err, "")
		return nil, databricks.Identity{}
	}
	me, f, _ := Identity(c.ctx, ws)
	f.Code = code
	c.yield(f)
	if f.Result == Failed {
		return nil, databricks.Identity{}
	}
	return ws, me
}

// source makes the probes of the source. It returns the server and the experiment's ID, by which the checkpoint is found; both
// are empty where they are not known.
func (c *check) source() (server, experimentID string) {
	rest := []Code{CodeExperiment, CodeTraces, CodeCap, CodeSpans, CodeWriters}
	if !c.Databricks || c.Tables {
		rest = slices.DeleteFunc(rest, func(code Code) bool { return code == CodeCap })
	}
	skip := func(needed Code, why string, codes ...Code) (server, experimentID string) {
		c.unknown = needed
		c.needs(needed, why, codes...)
		return "", ""
	}
	if c.Databricks && c.sourceWS == nil {
		return skip(c.sourceIdentity, "the workspace can't be asked", append([]Code{CodeCredentials}, rest...)...)
	}
	src, err := c.Job.Source()
	if err != nil {
		c.failed(CodeCredentials, err, "")
		return skip(CodeCredentials, "the source can't be asked", rest...)
	}
	c.opened(src)
	experiment, err := src.Experiment(c.ctx, c.Experiment)
	if err != nil {
		c.failed(CodeExperiment, err, "")
		return skip(CodeExperiment, "the experiment can't be read", rest[1:]...)
	}
	switch {
	case c.Tables:
		c.ok(CodeExperiment, "%s has tables of the beta form, and they can be read", experiment.Name)
	case experiment.LifecycleStage == "deleted":
		c.warning(CodeExperiment, "Restore it if its traces are gone", "%s (%s) is deleted", experiment.Name, experiment.ID)
	default:
		c.ok(CodeExperiment, "%s has the ID %s", experiment.Name, experiment.ID)
	}
	c.experiment = experiment
	if l := experiment.TraceLocation; l != "" {
		c.warning(CodeBound, "Name that location as the target of a run, or use an experiment bound to another one for what was traced before",
			"the experiment is itself bound to the Unity Catalog location %s: traces logged since are there already, and only older ones are in "+
				"the experiment", l)
	}
	l := c.list(src, experiment.ID)
	c.traces(l)
	if c.Databricks && !c.Tables {
		c.traceLimit(l)
	}
	c.spans(src, l.samples)
	c.writers(src, experiment.ID)
	return src.Identity(), experiment.ID
}

// opened tells how the source was opened.
func (c *check) opened(src Source) {
	db, database := src.(Database)
	switch {
	case c.Databricks:
		c.ok(CodeCredentials, "those of the workspace, see %s", c.sourceIdentity)
	case database:
		c.ok(CodeCredentials, "%s for %s: %s", src.Credentials(), src.Identity(), db.Version())
		if w := db.Warnings(); len(w) > 0 {
			c.warning(CodeVersion, "See whether a newer tracemig knows it, or read through the server",
				"%s", strings.Join(w, "; "))
		}
	default:
		c.ok(CodeCredentials, "%s for %s", src.Credentials(), src.Identity())
	}
}

// listing is what the source's listing of traces tells.
type listing struct {
	traces      int64
	states      map[mlflow.State]int64
	first, last time.Time                      // of the request times
	samples     map[string][]*mlflow.TraceInfo // up to spanSamples ended traces for each storage that spans are in
	unlistable  []*mlflowclient.UnlistableError
	err         error // what ended it early
}

// list lists the traces of the window.
func (c *check) list(src Source, experimentID string) *listing {
	l := &listing{states: map[mlflow.State]int64{}, samples: map[string][]*mlflow.TraceInfo{}}
	w := c.Window
	w.Unlistable = func(u *mlflowclient.UnlistableError) error { l.unlistable = append(l.unlistable, u); return nil }
	l.err = src.ListTraces(c.ctx, experimentID, w, func(t *mlflow.TraceInfo) error {
		if in := t.Tags[mlflow.TagSpansLocation]; len(l.samples[in]) < spanSamples && t.State != mlflow.StateInProgress {
			l.samples[in] = append(l.samples[in], t)
		}
		if l.traces == 0 || t.RequestTime.Before(l.first) {
			l.first = t.RequestTime
		}
		if t.RequestTime.After(l.last) {
			l.last = t.RequestTime
		}
		l.traces++
		l.states[t.State]++
		if c.Listed != nil {
			c.Listed(l.traces)
		}
		return nil
	})
	return l
}

// traces tells how many traces are listed.
func (c *check) traces(l *listing) {
	switch {
	case l.err != nil:
		c.failed(CodeTraces, l.err, "")
	case len(l.unlistable) > 0:
		c.warning(CodeTraces, "Look at it at the source and correct or delete it; a run reports each and migrates the others",
			"%d listed, and the source has %d that it can't list, the first so: %v", l.traces, len(l.unlistable), l.unlistable[0])
	case l.traces == 0:
		c.warning(CodeTraces, "Check the experiment and the window: a run would do nothing", "there is no trace")
	default:
		var counts []string
		for state, count := range l.states {
			counts = append(counts, fmt.Sprintf("%d %s", count, state))
		}
		slices.Sort(counts)
		c.ok(CodeTraces, "%d (%s), requested from %s to %s", l.traces, strings.Join(counts, ", "),
			l.first.UTC().Format(time.RFC3339Nano), l.last.UTC().Format(time.RFC3339Nano))
	}
}

// traceLimit compares the number of traces with what an experiment in Databricks takes.
func (c *check) traceLimit(l *listing) {
	part := c.Window.StartMs != nil || c.Window.EndMs != nil
	switch {
	case l.err != nil:
		c.needs(CodeTraces, "the traces can't be counted", CodeCap)
	case l.traces >= traceCap*9/10:
		c.warning(CodeCap, "Migrate before it is full, or ask Databricks for a higher limit",
			"%d traces are near the %d that an experiment takes by default: new ones will be refused", l.traces, traceCap)
	case part:
		c.notChecked(CodeCap, "the window shows only a part of the traces")
	default:
		c.ok(CodeCap, "an experiment takes %d traces by default", traceCap)
	}
}

// spanSamples is how many traces are tried for each storage until one has spans.
const spanSamples = 5

// spans reads the spans of one trace for each storage that spans are in: a server may list traces whose spans it does not hand
// out, and some of a database's may lie where this machine does not reach them.
func (c *check) spans(src Source, samples map[string][]*mlflow.TraceInfo) {
	if len(samples) == 0 {
		c.notChecked(CodeSpans, "there is no trace to read the spans of, see %s", CodeTraces)
		return
	}
	var read []string
	var empty *mlflow.TraceInfo
	var elsewhere error
	for _, in := range slices.Sorted(maps.Keys(samples)) {
		t, s := c.sample(src, samples[in])
		switch {
		case s.Missing == mlflowclient.MissingElsewhere:
			elsewhere = fmt.Errorf("trace %s: %w", t.TraceID, source.Elsewhere(t, &s))
		case s.Err != nil:
			c.failed(CodeSpans, s.Err, "")
			return
		case len(s.JSON) > 0:
			read = append(read, t.TraceID)
		default:
			empty = t
		}
	}
	switch {
	case elsewhere != nil:
		f := failure(CodeSpans, elsewhere, "Name the MLflow server with --server")
		f.Result, f.Text = Warning, f.Text+"; a run leaves such traces to later ones"
		c.yield(f)
	case len(read) == 0:
		c.warning(CodeSpans, "Look at some traces at the source: if they show no spans there either, only their metadata can be migrated",
			"the source has no spans of the traces that were tried, such as %s", empty.TraceID)
	default:
		c.ok(CodeSpans, "those of %s can be read", strings.Join(read, " and "))
	}
}

// sample reads traces until one has spans. It returns that one, or the first of which there is something to tell.
func (c *check) sample(src Source, traces []*mlflow.TraceInfo) (of *mlflow.TraceInfo, found mlflowclient.Spans) {
	for _, t := range traces {
		s := src.FetchSpans(c.ctx, mlflowclient.Exact, []*mlflow.TraceInfo{t})[0]
		_, all := errors.AsType[*mlflowclient.NoWayError](s.Err)
		if all || s.Err == nil && len(s.JSON) > 0 {
			return t, s
		}
		told := found.Err != nil || found.Missing == mlflowclient.MissingElsewhere
		if of == nil || !told && (s.Err != nil || s.Missing == mlflowclient.MissingElsewhere) {
			of, found = t, s
		}
	}
	return of, found
}

var errFound = errors.New("found")

// writers looks whether traces are still written at the source.
func (c *check) writers(src Source, experimentID string) {
	since := c.Now.Add(-quiet).UnixMilli()
	var newest time.Time
	w := mlflowclient.Window{StartMs: &since, Unlistable: func(u *mlflowclient.UnlistableError) error {
		newest = time.UnixMilli(u.FromMs)
		return errFound
	}}
	err := src.ListTraces(c.ctx, experimentID, w, func(t *mlflow.TraceInfo) error {
		newest = t.RequestTime
		return errFound // one trace is enough
	})
	switch {
	case errors.Is(err, errFound):
		c.warning(CodeWriters, "Point its writers at the target, then run; what they write meanwhile is taken by the next run",
			"the experiment is still written to: a trace was requested at %s", newest.UTC().Format(time.RFC3339))
	case err != nil:
		c.failed(CodeWriters, err, "")
	default:
		c.ok(CodeWriters, "no trace was requested in the last %d minutes", int(quiet.Minutes()))
	}
}
