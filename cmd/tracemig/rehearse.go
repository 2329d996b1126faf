package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/rehearsal"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/terminal"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/warehouse"
)

func newRehearseCommand(a *app) *cobra.Command {
	o := defaultRunOptions()
	c := &cobra.Command{
		Use:   "rehearse --target TARGET [--source EXPERIMENT]",
		Short: "Try a SQL warehouse in tables of its own, and drop them",
		Long: `Make tables beside the target's, with names of their own (PREFIX_rehearsal_ID_otel_…), and try
there what a migration relies on: values of every kind, statements of 1, 4, 8 and 15 MB, the time
of a commit, large results, two writers of the same rows at once, statements whose answer is not
waited for, newer versions. With --source some of its traces are written too. The tables are
dropped in the end, also after Ctrl-C; the target's own are not touched.

It needs CREATE TABLE on the schema. In the report catalog, schema, tables, warehouse, workspace and
source have other names, so that it can be sent to others.

The exit status is 0 when all steps went well, 4 when the tables held something else than they
should, or a step could not be tried.`,
		Example: `  tracemig rehearse --target main.agents.support
  tracemig rehearse --target main.agents.support --source /Shared/support-agent -o json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return a.rehearse(o) },
	}
	o.addSome(c, "target", "source", "tracking-uri", "server", "artifacts-destination", "workspace", "insecure-http", "profile",
		"source-profile", "target-profile", "host", "warehouse-id", "output", "log-level", "log-format")
	c.Flags().Lookup("target").Usage = "catalog.schema.prefix, or an experiment bound to such a location"
	return c
}

func (a *app) rehearse(o runOptions) error {
	sampled := o.source != ""
	if !sampled { // no source is read, so what the environment says of one does not matter
		o.source, o.trackingURI = "none", "databricks"
	}
	if o.target == "" {
		return errNoLocation
	}
	if _, folder := folder(o.target); folder || o.local() {
		return usageError("rehearse tries a SQL warehouse; for local tables there is tracemig demo")
	}
	_, log, err := a.prepare(o)
	if err != nil {
		return err
	}
	conn := o.connector(a, log)
	_, found, err := conn.locate(a.stop, o.target)
	if err != nil {
		return err
	}
	id, err := databricks.WarehouseID(conn.warehouseID, conn.getenv, found.WarehouseTag)
	if err != nil {
		return err
	}
	scratch := found.Location.Scratch(strings.ReplaceAll(uuid.NewString(), "-", "")[:8])
	job := rehearsal.Job{Open: scratchOpener(conn, scratch, id)}
	hidden := hiddenNames(found.Location, scratch, id)
	if sampled {
		src, err := conn.source(a.stop, o.source)
		if err != nil {
			return err
		}
		defer src.Close()
		hidden = append(hidden, hiddenSourceNames(src.Identity(), o.source)...)
		job.Sample = func(ctx context.Context, yield func(uctables.Trace) error) error {
			experiment, err := src.Experiment(ctx, o.source)
			if err != nil {
				return err
			}
			return rehearsal.Sample(ctx, src, experiment.ID, yield)
		}
	}
	ws, err := conn.workspace()
	if err != nil {
		return err
	}
	hidden = append(hidden, strings.TrimPrefix(ws.Host(), "https://"), "WORKSPACE")
	tried, err := ws.Warehouse(a.stop, id)
	if err != nil {
		return fmt.Errorf("SQL warehouse %s: %w", id, err)
	}
	a.terminal.Block(terminal.Line{Name: "rehearsing", Text: "in " + scratch.String()})
	return a.runRehearsal(job, tried.Kind(), rehearsalPrinter{
		json: o.output == "json", jsonPrinter: jsonPrinter{a.stdout}, hide: strings.NewReplacer(hidden...),
	})
}

// runRehearsal rehearses on a warehouse of some kind, and prints what it finds.
func (a *app) runRehearsal(job rehearsal.Job, kind string, out rehearsalPrinter) error {
	job.Step = func(s rehearsal.Step) {
		a.terminal.Block()
		_ = out.step(s) // its error stays: summary returns it
	}
	began := time.Now()
	steps, err := rehearsal.Run(a.stop, job)
	a.terminal.Block()
	if len(steps) == 0 && err != nil {
		return err
	}
	end := a.endOfRehearsal(steps, err)
	if printErr := out.summary(kind, steps, time.Since(began), end); err == nil && printErr != nil {
		return printErr
	}
	return end
}

// endOfRehearsal is the error with which the command ends after some steps. err is what broke them off.
func (a *app) endOfRehearsal(steps []rehearsal.Step, err error) error {
	wrong := func(s rehearsal.Step) bool { return s.Result != rehearsal.OK }
	switch {
	case err != nil && a.stop.Err() != nil:
		return reported{&exitError{exitInterrupted, err}}
	case err != nil:
		return reported{err}
	case a.stop.Err() != nil:
		return reported{&exitError{exitInterrupted, errors.New("interrupted; the scratch tables are dropped")}}
	case slices.ContainsFunc(steps, wrong):
		return &exitError{code: exitFound}
	}
	return nil
}

// opener is the function of rehearsal.Job that opens the scratch tables; waiting is called when the warehouse is waited for.
type opener = func(ctx context.Context, waiting func(error, time.Duration)) (rehearsal.Target, error)

func scratchOpener(conn *connector, scratch uctables.Location, id string) opener {
	return func(ctx context.Context, waiting func(error, time.Duration)) (rehearsal.Target, error) {
		opts, err := conn.warehouseOptions(scratch, id, nil)
		if err != nil {
			return nil, err
		}
		log := opts.Waiting
		opts.Waiting = func(err error, wait time.Duration) {
			waiting(err, wait)
			log(err, wait)
		}
		wh, err := warehouse.Open(ctx, opts)
		if err != nil {
			return nil, err // wh would be a nil *Warehouse in an interface that is not nil
		}
		wh.SetMark(target.Mark{Version: version, RunID: "rehearsal"})
		return wh, nil
	}
}

// hiddenNames are pairs of a name of the target and the word that replaces it in the report. The bare name of a catalog or
// schema may be an ordinary word, so it is replaced only where it stands in quotes.
func hiddenNames(l, scratch uctables.Location, warehouseID string) []string {
	return []string{
		scratch.Prefix, "SCRATCH", l.Catalog + "." + l.Schema, "CATALOG.SCHEMA",
		uctables.QuoteName(l.Catalog), "CATALOG", uctables.QuoteName(l.Schema), "SCHEMA", warehouseID, "WAREHOUSE",
	}
}

// hiddenSourceNames is hiddenNames for the source.
func hiddenSourceNames(server, experiment string) []string {
	names := []string{server, "SERVER", experiment, "EXPERIMENT"}
	if u, err := url.Parse(server); err == nil && u.Host != "" {
		names = append(names, u.Host, "SERVER")
	}
	return names
}

// rehearsalPrinter writes steps as they end. It replaces the names of the tables, servers and the like that were used.
type rehearsalPrinter struct {
	json bool
	hide *strings.Replacer
	jsonPrinter
}

// stepLine is a step as JSON.
type stepLine struct {
	Type string `json:"type"`
	rehearsal.Step
}

func (p rehearsalPrinter) step(s rehearsal.Step) error {
	s.Text = p.hide.Replace(s.Text)
	if p.json {
		return p.line(stepLine{"step", s})
	}
	_, err := fmt.Fprintf(printable{p.out}, "%-7s  %-20s  %s\n", s.Result, s.Name, s.Text)
	return err
}

// rehearsed is the last line of rehearse as JSON.
type rehearsed struct {
	Type      string        `json:"type"`
	Version   string        `json:"version"`
	Warehouse string        `json:"warehouse"` // its kind
	OK        int           `json:"ok"`        // steps that went well
	Wrong     int           `json:"wrong"`     // steps after which the tables held something else than they should
	Failed    int           `json:"failed"`    // steps that could not be tried
	Left      int           `json:"left"`      // steps that were left out, since it was stopped
	Seconds   float64       `json:"seconds"`
	ExitCode  int           `json:"exit_code"`
	Error     *report.Error `json:"error,omitempty"` // what broke it off
}

// summary prints how many steps went how. end is the error with which the command ends.
func (p rehearsalPrinter) summary(kind string, steps []rehearsal.Step, took time.Duration, end error) error {
	n := map[rehearsal.Result]int{}
	for _, s := range steps {
		n[s.Result]++
	}
	r := rehearsed{
		"rehearsal", version, kind, n[rehearsal.OK], n[rehearsal.Wrong], n[rehearsal.Failed], n[rehearsal.Left], took.Seconds(),
		exitCode(end, nil, false), p.hidden(end),
	}
	if p.json {
		return p.line(r)
	}
	_, err := fmt.Fprintf(p.out, "tracemig %s on a warehouse of kind %s: %d ok, %d wrong, %d failed, %d left, in %.0f s.\n",
		r.Version, r.Warehouse, r.OK, r.Wrong, r.Failed, r.Left, r.Seconds)
	return err
}

// hidden tells the failure that a rehearsal ended with, without names; nil for none.
func (p rehearsalPrinter) hidden(end error) *report.Error {
	if _, coded := errors.AsType[*exitError](end); coded {
		return nil
	}
	e := report.ErrorOf(end)
	if e != nil {
		e.Message, e.Next = p.hide.Replace(e.Message), p.hide.Replace(e.Next)
	}
	return e
}
