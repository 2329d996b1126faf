package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/remove"
	"github.com/tracemig/tracemig/internal/target"
)

type removeOptions struct {
	pairOptions
	runID, traces          string
	startTime, endTime     string
	dryRun, printSQL, does bool
	lockWait               duration
	output                 string

	stdin io.Reader
}

func newRemoveCommand(a *app) *cobra.Command {
	o := removeOptions{output: "text"}
	c := &cobra.Command{
		Use:   "remove --source EXPERIMENT --target TARGET --yes",
		Short: "Undo a migration: remove from the target what tracemig wrote",
		Long: `Remove the rows that tracemig has written of a source's traces from the target's tables, and
nothing else: all traces, those that one run moved, those of a list, or those of a window.

What is kept, and counted: annotations that somebody changed, deleted or added at the target; spans
of others; and whole traces that Databricks' own migration wrote and a run has taken over. Traces of
other sources in the same tables are not looked at. Copies of attachments stay where they are.

Without --yes it says what it would remove, and ends with 2. Cut off at any moment and run again, it
ends the same. A later run migrates the traces again, as long as the source has them: stop nightly
runs first. Older versions of the tables keep the rows until VACUUM.

` + exitStatus,
		Example: `  tracemig remove --source /Shared/agent --target main.agents.support --dry-run
  tracemig remove --source /Shared/agent --target main.agents.support --run 0199f3… --yes
  tracemig remove --checkpoint ./checkpoint.db --traces ids.txt --yes
  tracemig remove --source /Shared/agent --target main.agents.support --end-time 7d --print-sql`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			o.stdin = c.InOrStdin()
			return a.remove(&o)
		},
	}
	o.addFlags(c)
	f := c.Flags()
	f.StringVar(&o.runID, "run", "",
		"only traces that the run with this `ID` migrated, as the checkpoint tells: tracemig status lists the runs")
	f.StringVar(&o.traces, "traces", "",
		"only traces of a `file` of old or new IDs, one a line, or CSV of status --list or --map; - for standard input")
	f.StringVar(&o.startTime, "start-time", "",
		"only traces requested at or after this time: 2026-01-31T12:00:00Z, 2026-01-31 (UTC), or an age, 36h or 7d")
	f.StringVar(&o.endTime, "end-time", "", "only traces requested before this time, in the same forms")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would be removed")
	f.BoolVar(&o.printSQL, "print-sql", false, "print the DELETE statements that do the same, and run none")
	f.BoolVar(&o.does, "yes", false, "remove it")
	f.Var(&o.lockWait, "lock-wait", lockWaitHelp)
	f.StringVarP(&o.output, "output", "o", o.output, "text, or json for a line a trace with a summary last")
	return c
}

// removeRules are the rules for remove.
var removeRules = []rule[*removeOptions]{
	{
		broken: func(o *removeOptions) bool { return !slices.Contains(enumerations["output"], o.output) },
		says:   "--output %q is neither text nor json",
		value:  func(o *removeOptions) string { return o.output },
	},
	{
		broken: func(o *removeOptions) bool {
			ways := 0
			for _, given := range []bool{o.runID != "", o.traces != "", o.startTime != "" || o.endTime != ""} {
				if given {
					ways++
				}
			}
			return ways > 1
		},
		says: "--run, --traces, and --start-time with --end-time each say which traces; give one of them",
	},
	{
		broken: func(o *removeOptions) bool { return o.printSQL && (o.dryRun || o.does) },
		says:   "--print-sql runs nothing, so it goes with neither --dry-run nor --yes",
	},
	{
		broken: func(o *removeOptions) bool { return o.dryRun && o.does },
		says:   "--dry-run removes nothing, and --yes does; give one of them",
	},
	{
		broken: func(o *removeOptions) bool { return o.printSQL && o.output != "text" },
		says:   "--print-sql prints SQL alone; leave out --output",
	},
	{
		broken: func(o *removeOptions) bool { return o.printSQL && o.local() },
		says:   "--print-sql is for tables in Unity Catalog; from local tables only tracemig itself removes rows, with --yes",
	},
	{
		broken: func(o *removeOptions) bool { return o.lockWait < 0 },
		says:   "--lock-wait can't be negative",
	},
}

// selection is which traces the flags name.
func (o *removeOptions) selection() (sel remove.Selection, w mlflowclient.Window, err error) {
	if w, err = window(nil, o.startTime, o.endTime, time.Now()); err != nil {
		return sel, w, err
	}
	sel = remove.Selection{RunID: o.runID, StartMs: w.StartMs, EndMs: w.EndMs}
	if o.traces == "" {
		return sel, w, nil
	}
	traces, err := readTraces("traces", o.traces, o.stdin, "migrated")
	for _, t := range traces {
		sel.IDs = append(sel.IDs, t.ID)
	}
	return sel, w, err
}

func (a *app) remove(o *removeOptions) error {
	if err := firstOf(brokenRules(o, removeRules)); err != nil {
		return err
	}
	sel, w, err := o.selection()
	if err != nil {
		return err
	}
	conn := o.connector(a, a.terminal.Logger("text", 0))
	path, pair, err := a.pair(o.pairOptions, conn)
	if errors.Is(err, fs.ErrNotExist) {
		return advice.With(err, "Name the --source and --target that it is for")
	}
	if err != nil {
		return err
	}
	if err := a.checkRemovalOf(o, pair); err != nil {
		return err
	}
	tables, remover, err := a.openToRemove(conn, pair.Target)
	if err != nil {
		return err
	}
	defer tables.Close()
	job := remove.Job{Target: tables, Remover: remover, Pair: pair, Select: sel, DryRun: !o.does}
	p := a.removalPrinter(o, path, pair, w)
	job.OnGroup = p.group
	id := uuid.Must(uuid.NewV7()).String()
	if m, ok := tables.(target.Marker); ok && o.does {
		m.SetMark(target.Mark{Version: version, RunID: id})
	}
	sum, err := remove.WithCheckpoint(a.ctx, a.stop, path, time.Duration(o.lockWait), id, job)
	if err == nil && !o.does && !o.dryRun && !o.printSQL {
		err = usageError("nothing was removed: say --yes to remove this, or --dry-run if that is all")
	}
	return p.end(&sum, err)
}

// checkRemovalOf refuses what can't be known before the pair is.
func (a *app) checkRemovalOf(o *removeOptions, pair checkpoint.Pair) error {
	if o.printSQL && strings.HasPrefix(pair.Target, "file:") { // which a checkpoint has named
		return usageError("--print-sql is for tables in Unity Catalog, and the target is %s", pair.Target)
	}
	if shards := checkpoint.Shards(a.stop, a.getenv, pair); len(shards) > 0 && o.checkpoint == "" {
		return usageError("it was migrated in shards, whose checkpoints would go on telling of the traces: remove each with --shard %s",
			strings.Join(shards, ", --shard "))
	}
	return nil
}

// openToRemove opens the tables of a target. They must be there.
func (a *app) openToRemove(conn *connector, ref string) (target.Writer, target.Remover, error) {
	tables, err := conn.target(a.stop, ref)
	if err != nil {
		return nil, nil, err
	}
	err = tables.Check(a.stop)
	if missing, ok := errors.AsType[*target.TableError](err); ok && missing.Missing {
		err = advice.With(fmt.Errorf("%s %s: there is nothing to remove", missing.Table, missing.Problem), "Check --target")
	}
	remover, ok := tables.(target.Remover)
	if err == nil && !ok {
		err = fmt.Errorf("%s is a target from which no rows can be removed", tables)
	}
	if err != nil {
		tables.Close()
		return nil, nil, err
	}
	return tables, remover, nil
}
