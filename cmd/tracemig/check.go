package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/deltalake"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/terminal"
)

type checkOptions struct {
	runOptions  // only some of which have flags here
	printGrants bool
	principal   string
}

func newCheckCommand(a *app) *cobra.Command {
	var o *checkOptions
	c := &cobra.Command{
		Use:   "check --source EXPERIMENT --target TARGET",
		Short: "Say what would keep a run from succeeding, before it begins",
		Long: `Look at all that a run would need: credentials, the source, the target and its tables, the SQL
warehouse, grants, the checkpoint. Every probe has a line with its result, a code and, where
something is wrong, what to do. None stops the others. Nothing is written; but a stopped SQL
warehouse is started, as a run would, since the tables can't be seen without.

The exit status is 0 when a run would go and 4 when it would fail. -o json prints one line a probe
("type":"probe") and a summary last.

With --print-grants only the statements are printed that give a principal what it needs.`,
		Example: `  tracemig check --source /Shared/support-agent --target main.agents.support
  tracemig check --target main.agents.support --print-grants --principal migration@example.com`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return onPairs(a, c, o, newCheckOptions, (*app).check)
		},
	}
	o = newCheckOptions(c)
	return c
}

// newCheckOptions adds the flags of check to c.
func newCheckOptions(c *cobra.Command) *checkOptions {
	o := &checkOptions{runOptions: defaultRunOptions()}
	o.addSome(c, "source", "target", "tracking-uri", "source-name", "server", "artifacts-destination", "workspace", "insecure-http", "profile",
		"source-profile", "target-profile", "host", "warehouse-id", "checkpoint", "shard", "config", "only", "parallel",
		"create", "create-views", "staging-volume", "stage", "ledger-table", "start-time-ms", "start-time", "end-time", "search-rate",
		"output", "report", "metrics-file", "log-level", "log-format")
	f := c.Flags()
	f.BoolVar(&o.printGrants, "print-grants", false, "only print the statements that grant what is needed, and make the ledger")
	f.StringVar(&o.principal, "principal", "",
		"who to grant to: a user, a group, or the application ID of a service principal (default the identity in use)")
	return o
}

func (o *checkOptions) copied() *checkOptions {
	c := *o
	return &c
}

func (a *app) check(o *checkOptions) error {
	if o.printGrants {
		return a.printGrants(*o)
	}
	if o.principal != "" {
		return usageError("--principal goes with --print-grants")
	}
	w, log, err := a.prepare(o.runOptions)
	if err != nil {
		return err
	}
	out, err := a.openOutlets(o.outletOptions, log)
	if err != nil {
		return err
	}
	return a.tell(out, a.named(&o.pairOptions), "check", a.probe(o, w, log, out.page))
}

// probe makes the probes, and prints them and shows them in page.
func (a *app) probe(o *checkOptions, w mlflowclient.Window, log *slog.Logger, page *pageSection) error {
	conn := o.connector(a, log)
	if _, err := conn.environment(); err != nil {
		return err
	}
	ledger, _ := o.ledger() // prepare has checked it
	parts := checkedParts{a: a, o: o, conn: conn}
	defer parts.close()
	out := &checkPrinter{json: o.output == "json", jsonPrinter: jsonPrinter{a.stdout}}
	counts := map[preflight.Result]int{}
	_, isTables, err := conn.betaTables(o.source)
	if err != nil {
		return err
	}
	job := preflight.Job{
		Experiment: o.source, Window: w, Create: o.create, CreateViews: o.createViews, Now: time.Now(),
		Databricks: conn.inDatabricks(), Tables: isTables, Local: o.local(), Ledger: ledger,
		Workspace:  func() (preflight.Workspace, error) { return conn.workspace() },
		Source:     parts.source,
		Target:     parts.target,
		Checkpoint: parts.checkpoint,
		Listed:     parts.listed,
	}
	if conn.inDatabricks() && !conn.oneIdentity() {
		ofSource := func() (preflight.Workspace, error) { return conn.sourceWorkspace() }
		if job.SourceWorkspace = ofSource; o.local() {
			job.Workspace, job.SourceWorkspace = ofSource, nil
		}
	}
	preflight.Run(a.stop, job, func(f preflight.Finding) {
		a.terminal.Block()
		counts[f.Result]++
		page.probe(f)
		_ = out.finding(f) // its error stays: summary returns it
	})
	if err := a.stop.Err(); err != nil {
		return err
	}
	a.row.probed(counts)
	var end error
	if counts[preflight.Failed] > 0 {
		end = &exitError{code: exitFound}
	}
	s := out.summaryOf(counts, endingOf("", w, end))
	page.checked(&s, &o.runOptions)
	if err := out.summary(s); err != nil {
		return err
	}
	return end
}

// checkedParts opens the parts of a run that check looks at, each when a probe needs it.
type checkedParts struct {
	a       *app
	o       *checkOptions
	conn    *connector
	closers []func()
}

func (p *checkedParts) close() {
	for _, c := range p.closers {
		c()
	}
}

func (p *checkedParts) source() (preflight.Source, error) {
	src, err := p.conn.source(p.a.stop, p.o.source)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, src.Close)
	return src, nil
}

// listed shows how many traces were listed so far.
func (p *checkedParts) listed(n int64) {
	if n%500 == 0 {
		p.a.terminal.Block(terminal.Line{Name: "counting", Text: group(n) + " traces of the source so far"})
	}
}

func (p *checkedParts) checkpoint(server, experimentID, target string) (string, checkpoint.Pair, error) {
	pair := checkpoint.Pair{Source: p.o.identity(server, experimentID), Target: target, Shard: p.o.shard}
	path, err := p.o.checkpointPath(p.a, pair)
	return path, pair, err
}

func (p *checkedParts) target(ctx context.Context) (preflight.Target, error) {
	name, found, err := p.conn.locate(ctx, p.o.target)
	if err != nil {
		return preflight.Target{}, err
	}
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		lake, err := deltalake.Open(path, deltalake.Options{})
		return preflight.Target{
			Name: name, Folder: filepath.Dir(path),
			Open: func(context.Context, string) (target.TableChecker, error) { return lake, nil },
		}, err
	}
	volume, err := p.o.volume(found.Location)
	if err != nil {
		return preflight.Target{}, err
	}
	return preflight.Target{
		Name: name, Location: &found.Location, ExperimentID: found.ExperimentID, Volume: volume, MakeVolume: p.o.stage != "",
		Warehouse: func() (string, error) { return databricks.WarehouseID(p.o.warehouseID, p.a.getenv, found.WarehouseTag) },
		Open: func(ctx context.Context, id string) (target.TableChecker, error) {
			wh, err := p.conn.open(ctx, found.Location, id, nil)
			if err != nil {
				return nil, err
			}
			p.closers = append(p.closers, func() { _ = wh.Close() })
			return wh, nil
		},
	}, nil
}

// checkSummary is the last line of check as JSON.
type checkSummary struct {
	Type       string `json:"type"`
	WouldRun   bool   `json:"would_run"`        // no probe failed
	Locked     bool   `json:"locked,omitempty"` // not now: another run has the checkpoint
	OK         int    `json:"ok"`               // probes
	Warnings   int    `json:"warnings"`         // probes
	Failed     int    `json:"failed"`           // probes
	NotChecked int    `json:"not_checked"`      // probes that could not be made
	ending
}

// probeLine is the finding of a probe as JSON.
type probeLine struct {
	Type string `json:"type"`
	preflight.Finding
}

// checkPrinter writes findings as they come. As text, probes that could not be made for want of the same other one share a line.
type checkPrinter struct {
	json bool
	jsonPrinter

	unmade []preflight.Finding // that need the same probe, and are not written yet
	locked bool                // another run has the checkpoint
}

func (p *checkPrinter) finding(f preflight.Finding) error {
	p.locked = p.locked || f.Code == preflight.CodeLock && f.Result == preflight.Warning
	if p.json {
		return p.line(probeLine{"probe", f})
	}
	if len(p.unmade) > 0 && p.unmade[0].Needs != f.Needs {
		if err := p.tellUnmade(); err != nil {
			return err
		}
	}
	if f.Needs != "" {
		p.unmade = append(p.unmade, f)
		return nil
	}
	return p.tell(f)
}

var resultStyles = map[preflight.Result]terminal.Style{
	preflight.OK: terminal.OK, preflight.Warning: terminal.Warning, preflight.Failed: terminal.Failed, preflight.NotChecked: terminal.Faint,
}

// probeIndent is how far the text of a finding is from the left.
const probeIndent = 33

// tell writes one finding.
func (p *checkPrinter) tell(f preflight.Finding) error {
	w := newTextWriter(p.out)
	w.lead(resultStyles[f.Result], fmt.Sprintf("%-11s", f.Result), "  %-18s  %s", f.Code, w.wrap(probeIndent, f.Text))
	indent := strings.Repeat(" ", probeIndent)
	if f.Next != "" {
		w.printf("%s→ %s.\n", indent, w.wrap(probeIndent+2, f.Next))
	}
	for _, g := range f.Grants {
		w.printf("%s  %s;\n", indent, g)
	}
	return w.err
}

// tellUnmade writes one line for all probes that could not be made.
func (p *checkPrinter) tellUnmade() error {
	unmade := p.unmade
	p.unmade = nil
	switch len(unmade) {
	case 0:
		return nil
	case 1:
		return p.tell(unmade[0])
	}
	codes := make([]string, len(unmade))
	for i, f := range unmade {
		codes[i] = string(f.Code)
	}
	w := newTextWriter(p.out)
	w.lead(resultStyles[preflight.NotChecked], fmt.Sprintf("%-11s", preflight.NotChecked),
		"  %d more probes need %s:", len(unmade), unmade[0].Needs)
	const indent = "             "
	w.printf("%s%s\n", indent, terminal.Wrap(strings.Join(codes, ", "), len(indent), cmp.Or(w.width, 100)))
	return w.err
}

// summaryOf is the last line of a check.
func (p *checkPrinter) summaryOf(n map[preflight.Result]int, e ending) checkSummary {
	return checkSummary{
		Type: "summary", WouldRun: n[preflight.Failed] == 0, Locked: p.locked,
		OK: n[preflight.OK], Warnings: n[preflight.Warning], Failed: n[preflight.Failed], NotChecked: n[preflight.NotChecked],
		ending: e,
	}
}

// verdict is the result of a check in a few words.
func (s *checkSummary) verdict() (terminal.Style, string) {
	switch {
	case !s.WouldRun:
		return terminal.Failed, "A run would fail"
	case s.Locked:
		return terminal.Warning, "A run would have to wait for the one that has the checkpoint"
	}
	return terminal.OK, "A run would go"
}

// counts are the probes by result.
func (s *checkSummary) counts() string {
	return fmt.Sprintf("%d ok, %s, %d failed, %d not checked", s.OK, english.Plural(s.Warnings, "warning", ""), s.Failed, s.NotChecked)
}

func (p *checkPrinter) summary(s checkSummary) error {
	if p.json {
		return p.line(s)
	}
	style, verdict := s.verdict()
	w := newTextWriter(p.out)
	if w.err = p.tellUnmade(); w.err == nil {
		w.verdict(style, verdict, ": %s.", s.counts())
	}
	return w.err
}
