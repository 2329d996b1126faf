package main

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/setup"
	"github.com/tracemig/tracemig/internal/terminal"
	"github.com/tracemig/tracemig/internal/uctables"
)

const (
	targetWait  = 5 * time.Minute
	targetPause = 3 * time.Second
)

func newTargetCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "target",
		Short: "Make the target of a migration in a workspace",
		Args:  commandsOnly,
		RunE:  func(*cobra.Command, []string) error { return usageError("say what to do: create") },
	}
	c.AddCommand(newTargetCreateCommand(a))
	return c
}

type targetOptions struct {
	runOptions // only some of which have flags here
	experiment string
	location   string
	grantTo    []string
}

func newTargetCreateCommand(a *app) *cobra.Command {
	o := targetOptions{runOptions: defaultRunOptions()}
	c := &cobra.Command{
		Use:   "create --experiment PATH --location CATALOG.SCHEMA.PREFIX",
		Short: "Create an experiment that is bound to a Unity Catalog location",
		Long: `Create an MLflow experiment whose traces are kept in Unity Catalog, wait until the service has made
its tables and views, name the SQL warehouse that reads them, and print or make the grants that it
takes to log traces there. Tables that conform are adopted. It may be run again: what is there is
left as it is, and the exit status is 0 where nothing is missing.

An experiment is bound to a location when it is created and never afterwards. So an experiment that
is there stays where it is: create a new one, move the traces with tracemig run, and have your
applications log into the new one; the last lines say how.

It takes CAN MANAGE on the experiment's folder, USE CATALOG, USE SCHEMA and CREATE TABLE on the
schema, and CAN USE on the warehouse.`,
		Example: `  tracemig target create --experiment /Shared/support --location main.agents.support \
    --warehouse-id abc123
  tracemig target create --experiment /Shared/support --location main.agents.support \
    --warehouse-id abc123 --grant-to support-agents --grant-to ann@example.com`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return a.createTarget(&o) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.experiment, "experiment", "", "name of the experiment, a path in the workspace such as /Shared/support")
	f.StringVar(&o.location, "location", "", "where its traces are kept: catalog.schema.prefix")
	o.addSome(c, "profile", "host", "warehouse-id")
	f.Lookup("warehouse-id").Usage =
		"SQL warehouse with which the service reads the traces (default $MLFLOW_TRACING_SQL_WAREHOUSE_ID, $DATABRICKS_WAREHOUSE_ID)"
	f.StringArrayVar(&o.grantTo, "grant-to", nil,
		"`principal` that is to log traces there: a user, a group, or the application ID of a service principal; may be given several times. "+
			"Without it the statements are printed")
	o.addSome(c, "output", "log-level", "log-format")
	return c
}

// targetRules are the rules for target create.
var targetRules = []rule[*targetOptions]{
	{
		broken: func(o *targetOptions) bool { return o.experiment == "" },
		says:   "--experiment is missing; write a path in the workspace, such as /Shared/support",
	},
	{
		broken: func(o *targetOptions) bool { return o.experiment != "" && !strings.HasPrefix(o.experiment, "/") },
		says:   "--experiment %q is no path in the workspace; write one such as /Shared/support",
		value:  func(o *targetOptions) string { return o.experiment },
	},
	{
		broken: func(o *targetOptions) bool { return o.location == "" },
		says:   "--location is missing; write catalog.schema.prefix, such as main.agents.support",
	},
	{
		broken: func(o *targetOptions) bool { return o.output != "text" && o.output != "json" },
		says:   "--output %q is neither text nor json",
		value:  func(o *targetOptions) string { return o.output },
	},
}

func (a *app) createTarget(o *targetOptions) error {
	if err := firstOf(append(brokenRules(o, targetRules), o.checkLevel(), checkHost(o.host))); err != nil {
		return err
	}
	l, err := uctables.ParseLocation(o.location)
	if err != nil {
		return usageError("--location: %v", err)
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(o.logLevel)) // checkLevel has looked at it
	log := a.terminal.Logger(o.logFormat, level)
	o.trackingURI = "databricks"
	warehouse, err := databricks.WarehouseID(o.warehouseID, a.getenv, "")
	if err != nil {
		return err
	}
	ws, err := o.connector(a, log).workspace()
	if err != nil {
		return err
	}
	a.terminal.Block(terminal.Line{Name: "target", Text: "looking at " + o.experiment + " and " + l.String()})
	made, err := setup.Run(a.stop, setup.Job{
		Service: ws, Experiment: o.experiment, Location: l, Warehouse: warehouse, GrantTo: o.grantTo,
		Wait: targetWait, Pause: targetPause, Log: log,
	})
	a.terminal.Block()
	line := targetLine{
		Type: "target", Experiment: o.experiment, Location: l.String(), Result: made, Outcome: report.Done,
		Version: version, ExitCode: exitCode(err, nil, a.interrupted()),
	}
	switch {
	case err == nil:
	case a.interrupted():
		line.Outcome = report.Interrupted
	default:
		line.Outcome, line.Error = report.Failed, report.ErrorOf(err)
	}
	return line.print(a.stdout, o, err)
}

// targetLine is what target create prints as JSON.
type targetLine struct {
	Type       string `json:"type"`
	Experiment string `json:"experiment"` // its name
	Location   string `json:"location"`   // where its traces are kept: catalog.schema.prefix
	setup.Result
	Outcome  report.Outcome `json:"outcome"` // done, failed or interrupted
	Error    *report.Error  `json:"error,omitempty"`
	Version  string         `json:"version"`
	ExitCode int            `json:"exit_code"`
}

// print prints the line of a command that ends with err, and returns the error that the command ends with.
func (t *targetLine) print(out *results, o *targetOptions, err error) error {
	if o.output == "json" {
		if printErr := (jsonPrinter{out}).line(t); printErr != nil {
			return printErr
		}
		if err != nil {
			err = reported{err}
		}
		return err
	}
	if t.ExperimentID == "" {
		return err
	}
	if _, printErr := io.WriteString(out, t.text(o)); err == nil {
		err = printErr
	}
	return err
}

// text is what there is now, and what comes next.
func (t *targetLine) text(o *targetOptions) string {
	var b strings.Builder
	state := "was there"
	if t.Created {
		state = "created"
	}
	fmt.Fprintf(&b, "%s (%s) is bound to %s: %s\n", t.Experiment, t.ExperimentID, t.Location, state)
	for _, name := range append(t.Tables, t.Views...) {
		fmt.Fprintf(&b, "  %s\n", name)
	}
	for _, name := range t.Missing {
		fmt.Fprintf(&b, "  %s is not there yet\n", name)
	}
	if t.WarehouseID == "" { // It ended before.
		return b.String()
	}
	fmt.Fprintf(&b, "SQL warehouse %s reads its traces\n", t.WarehouseID)
	if len(o.grantTo) == 0 {
		b.WriteString("\nFor whoever is to log traces there, in the place of PRINCIPAL (--grant-to runs them):\n")
	} else {
		b.WriteString("\nGrants:\n")
	}
	for _, g := range t.Grants {
		note := ";"
		if g.Error != "" {
			note = "; -- refused: " + string(terminal.Printable([]byte(g.Error)))
		}
		fmt.Fprintf(&b, "  %s%s\n", g.Statement, note)
	}
	fmt.Fprintf(&b, `
Next, move the traces that there are:
  tracemig run --source EXPERIMENT --target %s
and have applications log new ones there: in Python by mlflow.set_experiment(%s), or
  export MLFLOW_EXPERIMENT_ID=%s
  export MLFLOW_TRACING_SQL_WAREHOUSE_ID=%s
An experiment is bound to a location when it is created and never afterwards: one that is there already stays where it is.
`, shellWord(t.Experiment), strconv.Quote(t.Experiment), t.ExperimentID, t.WarehouseID)
	return b.String()
}
