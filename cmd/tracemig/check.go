package main

import (
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

With --print-grants only the GRANT statements are printed that a principal needs.`,
		Example: `  tracemig check --source /Shared/support-agent --target main.agents.support
  tracemig check --target main.agents.support --print-grants --principal migration@example.com`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			o.given(c)
			if o.printGrants {
				return a.printGrants(*o)
			}
			return a.check(*o)
		},
	}
	o = newCheckOptions(c)
	return c
}

// newCheckOptions adds the flags of check to c.
func newCheckOptions(c *cobra.Command) *checkOptions {
	o := &checkOptions{runOptions: defaultRunOptions()}
	o.addSome(c, "source", "target", "tracking-uri", "workspace", "insecure-http", "profile", "source-profile", "target-profile", "host",
		"warehouse-id", "checkpoint", "shard",
		"create", "create-views", "staging-volume", "stage", "start-time-ms", "start-time", "end-time", "search-rate",
		"output", "metrics-file", "log-level", "log-format")
	f := c.Flags()
	f.BoolVar(&o.printGrants, "print-grants", false, "only print the GRANT statements for the target's tables")
	f.StringVar(&o.principal, "principal", "",
		"who to grant to: a user, a group, or the application ID of a service principal (default the identity in use)")
	return o
}

func (a *app) check(o checkOptions) error {
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
	return a.tell(out, o.named(), "check", a.probe(o, w, log))
}

// probe makes the probes and prints them.
func (a *app) probe(o checkOptions, w mlflowclient.Window, log *slog.Logger) error {
	conn := o.connector(a, log)
	conn.limits = o.limits(conn.inDatabricks())
	if _, err := conn.environment(); err != nil {
		return err
	}
	parts := checkedParts{a: a, o: &o, conn: conn}
	defer parts.close()
	out := checkPrinter{json: o.output == "json", jsonPrinter: jsonPrinter{a.stdout}}
	counts := map[preflight.Result]int{}
	job := preflight.Job{
		Experiment: o.source, Window: w, Create: o.create, CreateViews: o.createViews, Now: time.Now(),
		Databricks: conn.inDatabricks(), Local: o.local(),
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
		_ = out.finding(f) // its error stays: summary returns it
	})
	if err := a.stop.Err(); err != nil {
		return err
	}
	if err := out.summary(counts); err != nil {
		return err
	}
	if counts[preflight.Failed] > 0 {
		return &exitError{code: exitFound}
	}
	return nil
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
	src, err := p.conn.source()
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
	pair := checkpoint.Pair{Source: sourceName(server, experimentID), Target: target, Shard: p.o.shard}
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
	WouldRun   bool   `json:"would_run"`
	OK         int    `json:"ok"`
	Warnings   int    `json:"warnings"`
	Failed     int    `json:"failed"`
	NotChecked int    `json:"not_checked"`
}

// checkPrinter writes findings as they come. It uses no colors.
type checkPrinter struct {
	json bool
	jsonPrinter
}

func (p checkPrinter) finding(f preflight.Finding) error {
	if p.json {
		return p.line(struct {
			Type string `json:"type"`
			preflight.Finding
		}{"probe", f})
	}
	w := textWriter{out: printable{p.out}}
	w.printf("%-11s  %-18s  %s\n", f.Result, f.Code, f.Text)
	const indent = "                                 "
	if f.Next != "" {
		w.printf("%s→ %s.\n", indent, f.Next)
	}
	for _, g := range f.Grants {
		w.printf("%s  %s;\n", indent, g)
	}
	return w.err
}

func (p checkPrinter) summary(n map[preflight.Result]int) error {
	s := checkSummary{
		Type: "summary", WouldRun: n[preflight.Failed] == 0,
		OK: n[preflight.OK], Warnings: n[preflight.Warning], Failed: n[preflight.Failed], NotChecked: n[preflight.NotChecked],
	}
	if p.json {
		return p.line(s)
	}
	verdict := "A run would fail"
	if s.WouldRun {
		verdict = "A run would go"
	}
	_, err := fmt.Fprintf(p.out, "%s: %d ok, %s, %d failed, %d not checked.\n", verdict, s.OK,
		english.Plural(s.Warnings, "warning", ""), s.Failed, s.NotChecked)
	return err
}
