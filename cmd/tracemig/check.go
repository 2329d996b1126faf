package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/deltalake"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/uctables"
)

type checkOptions struct {
	runOptions  // of which only some are flags here
	printGrants bool
	principal   string
}

func newCheckCommand(a *app) *cobra.Command {
	o := checkOptions{runOptions: defaultRunOptions()}
	c := &cobra.Command{
		Use:   "check --source EXPERIMENT --target TARGET",
		Short: "Say what would keep a run from succeeding, before it begins",
		Long: `Look at all that a run would need: credentials, the source, the target and its tables, the SQL
warehouse, grants, the checkpoint. Every probe has a line with its result, a code and, where something
is wrong, what to do. None stops the others. Nothing is written; but a stopped SQL warehouse is
started, as a run would, since the tables can't be seen without.

The exit status is 0 when a run would go and 4 when it would fail. -o json prints one line a probe
("type":"probe") and a summary last.

With --print-grants only the GRANT statements are printed that a principal needs.`,
		Example: `  tracemig check --source /Shared/support-agent --target main.agents.support
  tracemig check --target main.agents.support --print-grants --principal migration@example.com`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.hasStartMs = c.Flags().Changed("start-time-ms")
			return a.check(o)
		},
	}
	o.addSome(c, "source", "target", "tracking-uri", "workspace", "insecure-http", "profile", "host", "warehouse-id", "checkpoint", "shard",
		"create", "create-views", "staging-volume", "stage", "start-time-ms", "start-time", "end-time", "search-rate", "output", "log-level", "log-format")
	f := c.Flags()
	f.BoolVar(&o.printGrants, "print-grants", false, "only print the GRANT statements for the target's tables")
	f.StringVar(&o.principal, "principal", "", "who to grant to: a user, a group, or the application ID of a service principal (default the identity in use)")
	return c
}

func (a *app) check(o checkOptions) error {
	if o.printGrants { // which is for no source, whatever the environment says of one
		o.source = cmp.Or(o.source, "none")
		if o.checkURI(a) != nil {
			o.trackingURI = "databricks"
		}
	} else if o.principal != "" {
		return usageError("--principal goes with --print-grants")
	}
	w, log, err := a.prepare(o.runOptions)
	if err != nil {
		return err
	}
	e := o.ends(a, log)
	e.limits = o.limits()
	if o.printGrants {
		return a.printGrants(o, e)
	}
	if _, err := e.surroundings(); err != nil {
		return err
	}
	job := preflight.Job{
		Experiment: o.source, Window: w, Create: o.create, CreateViews: o.createViews, Now: time.Now(),
		Databricks: e.inDatabricks(), Local: o.local(),
		Workspace: func() (preflight.Workspace, error) { return e.workspace() },
		Listed: func(n int64) {
			if n%500 == 0 {
				a.terminal.Block("listing the source's traces: " + group(n))
			}
		},
		Checkpoint: func(server, experimentID, target string) (string, checkpoint.Pair, error) {
			p := checkpoint.Pair{Source: sourceName(server, experimentID), Target: target, Shard: o.shard}
			path, err := o.checkpointPath(a, p)
			return path, p, err
		},
	}
	var closers []func()
	defer func() {
		for _, c := range closers {
			c()
		}
	}()
	job.Source = func() (preflight.Source, error) {
		src, err := e.source()
		if err != nil {
			return nil, err
		}
		closers = append(closers, src.Close)
		return src, nil
	}
	job.Target = func(ctx context.Context) (preflight.Target, error) {
		name, t, err := e.locate(ctx, o.target)
		if err != nil {
			return preflight.Target{}, err
		}
		target := preflight.Target{Name: name}
		if path, ok := strings.CutPrefix(name, "file:"); ok {
			lake, err := deltalake.Open(path, deltalake.Options{})
			target.Folder = filepath.Dir(path)
			target.Open = func(context.Context, string) (preflight.Tables, error) { return lake, nil }
			return target, err
		}
		target.Location, target.ExperimentID, target.MakeVolume = &t.Location, t.ExperimentID, o.stage != ""
		if target.Volume, err = o.volume(t.Location); err != nil {
			return preflight.Target{}, err
		}
		target.Warehouse = func() (string, error) { return databricks.WarehouseID(o.warehouseID, a.getenv, t.WarehouseTag) }
		target.Open = func(ctx context.Context, id string) (preflight.Tables, error) {
			wh, err := e.open(ctx, t.Location, id, nil)
			if err != nil {
				return nil, err
			}
			closers = append(closers, func() { _ = wh.Close() })
			return wh, nil
		}
		return target, nil
	}

	out := checkPrinter{json: o.output == "json", jsonPrinter: jsonPrinter{a.stdout}}
	counts := map[preflight.Result]int{}
	preflight.Run(a.stop, job, func(f preflight.Finding) {
		a.terminal.Block("")
		counts[f.Result]++
		out.finding(f)
	})
	if err := a.stop.Err(); err != nil {
		return err
	}
	out.summary(counts)
	if counts[preflight.Failed] > 0 {
		return &exitError{code: exitFound}
	}
	return nil
}

// printGrants needs no workspace where the location and the principal are named.
func (a *app) printGrants(o checkOptions, e *ends) error {
	if o.local() {
		return usageError("--print-grants is for tables in Unity Catalog; local ones have no grants")
	}
	if strings.ContainsFunc(o.principal, unicode.IsControl) {
		return usageError("--principal holds a control character; no principal's name does")
	}
	l, err := uctables.ParseLocation(o.target)
	if err != nil {
		_, t, err := e.locate(a.stop, o.target)
		if err != nil {
			return err
		}
		l = t.Location
	}
	if o.principal == "" {
		ws, err := e.workspace()
		if err != nil {
			return fmt.Errorf("who is it for? Name a principal with --principal, or log in: %w", err)
		}
		me, f := preflight.Identity(a.stop, ws)
		if f.Result != preflight.OK {
			return advice.With(errors.New(f.Text), "Name a principal with --principal")
		}
		o.principal = me.Name
	}
	statements := grants.Statements(l, o.principal)
	if v, err := o.volume(l); err != nil {
		return err
	} else if v != nil && o.stage != "" {
		statements = append(statements, grants.ToMakeVolume(*v).Statement(o.principal))
	} else if v != nil {
		statements = append(statements, grants.ToStage(*v).Statement(o.principal))
	}
	for _, g := range statements {
		if o.output == "json" {
			jsonPrinter{a.stdout}.line(grantPrinted{"grant", g})
		} else {
			fmt.Fprintln(a.stdout, g+";")
		}
	}
	fmt.Fprintln(a.terminal, "Besides, it needs CAN USE on the SQL warehouse, which is given in the warehouse's permissions.")
	return nil
}

// grantPrinted is a statement of --print-grants as JSON.
type grantPrinted struct {
	Type      string `json:"type"`
	Statement string `json:"statement"`
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

func (p checkPrinter) finding(f preflight.Finding) {
	if p.json {
		p.line(struct {
			Type string `json:"type"`
			preflight.Finding
		}{"probe", f})
		return
	}
	out := printable{p.out}
	fmt.Fprintf(out, "%-11s  %-18s  %s\n", f.Result, f.Code, f.Text)
	const indent = "                                 "
	if f.Next != "" {
		fmt.Fprintf(out, "%s→ %s.\n", indent, f.Next)
	}
	for _, g := range f.Grants {
		fmt.Fprintf(out, "%s  %s;\n", indent, g)
	}
}

func (p checkPrinter) summary(n map[preflight.Result]int) {
	if p.json {
		p.line(checkSummary{"summary", n[preflight.Failed] == 0, n[preflight.OK], n[preflight.Warning], n[preflight.Failed], n[preflight.NotChecked]})
		return
	}
	verdict := "A run would go"
	if n[preflight.Failed] > 0 {
		verdict = "A run would fail"
	}
	fmt.Fprintf(p.out, "%s: %d ok, %d warnings, %d failed, %d not checked.\n", verdict, n[preflight.OK], n[preflight.Warning], n[preflight.Failed], n[preflight.NotChecked])
}
