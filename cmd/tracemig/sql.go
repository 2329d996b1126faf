package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/cookbook"
	"github.com/tracemig/tracemig/internal/deltalake"
	"github.com/tracemig/tracemig/internal/suggest"
	"github.com/tracemig/tracemig/internal/uctables"
)

type sqlOptions struct {
	runOptions // only some of which have flags here
	engine     string
	days       int
	dashboard  bool
	recipe     string // empty for none
}

func newSQLCommand(a *app) *cobra.Command {
	o := sqlOptions{runOptions: defaultRunOptions()}
	c := &cobra.Command{
		Use:   "sql [RECIPE --target TARGET]",
		Short: "Print a query for the migrated traces, ready to run",
		Long: `Print one of the queries of the cookbook for the tables of a target: traces a day, tokens and cost
by model, slow spans, feedback, sessions, and others. Without RECIPE they are listed. Only the query
goes to standard output, so it can be piped into what runs it. Nothing is written, and no SQL
warehouse is started.

The query is for Databricks, or for DuckDB where the target is local tables. For DuckDB it names the
files that the tables have now: print it anew after the next run. Spark follows the tables itself.

With --dashboard an AI/BI dashboard of the same queries is printed, as a file to import into a
Databricks workspace.`,
		Example: `  tracemig sql
  tracemig sql --target main.agents.support tokens
  tracemig sql --target file:./lake/agent feedback | duckdb
  tracemig sql --target file:./lake/agent --engine spark --days 30 traces
  tracemig sql --target main.agents.support --dashboard > traces.lvdash.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError("tracemig sql prints one query, and got %s", quotedList(args))
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, typed string) (all []cobra.Completion, d cobra.ShellCompDirective) {
			for _, name := range cookbook.Names {
				if len(args) == 0 && strings.HasPrefix(name, typed) {
					all = append(all, cobra.CompletionWithDesc(name, cookbook.About(name)))
				}
			}
			return all, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.recipe = args[0]
			}
			return a.sql(&o)
		},
	}
	o.addSome(c, "target", "profile", "target-profile", "host")
	f := c.Flags()
	f.StringVar(&o.engine, "engine", "",
		"what is to run the query: databricks, spark or duckdb (default duckdb for file: targets, else databricks)")
	f.IntVar(&o.days, "days", 365, "how many days back from now the query looks")
	f.BoolVar(&o.dashboard, "dashboard", false, "print a dashboard for Databricks AI/BI in place of a query")
	return c
}

var sqlRules = []rule[*sqlOptions]{
	{
		broken: func(o *sqlOptions) bool { return o.engine != "" && !slices.Contains(someWords["engine"], o.engine) },
		says:   "--engine %q is none of databricks, spark and duckdb",
		value:  func(o *sqlOptions) string { return o.engine },
	},
	{
		broken: func(o *sqlOptions) bool { return o.days < 1 || o.days > 100_000 },
		says:   "--days must be between 1 and 100000",
	},
	{
		broken: func(o *sqlOptions) bool { return o.engine == string(cookbook.DuckDB) && !o.local() },
		says:   "--engine duckdb is for local tables: name them with --target file:FOLDER/PREFIX",
	},
	{
		broken: func(o *sqlOptions) bool { return o.engine == string(cookbook.Databricks) && o.local() },
		says:   "--engine databricks is for tables in Unity Catalog; local ones are read by duckdb or spark",
	},
	{
		broken: func(o *sqlOptions) bool { return o.dashboard && o.recipe != "" },
		says:   "--dashboard shows several queries; leave out the recipe",
	},
	{
		broken: func(o *sqlOptions) bool { return o.dashboard && (o.local() || o.engine == string(cookbook.Spark)) },
		says:   "--dashboard is for tables in Unity Catalog, which a Databricks workspace reads",
	},
}

// problems are all that is wrong with the options, before any server is asked.
func (o *sqlOptions) problems() []error {
	if o.recipe != "" && !slices.Contains(cookbook.Names, o.recipe) {
		if near := suggest.Nearest(o.recipe, cookbook.Names...); near != "" {
			return []error{usageError("there is no recipe %s; did you mean %s?", o.recipe, near)}
		}
		return []error{usageError("there is no recipe %s; there are %s", o.recipe, strings.Join(cookbook.Names, ", "))}
	}
	if o.target == "" {
		return []error{usageError("--target is missing; write catalog.schema.prefix, an experiment, or file:FOLDER/PREFIX")}
	}
	if err := checkTarget(o.target); err != nil {
		return []error{err}
	}
	return brokenRules(o, sqlRules)
}

func (a *app) sql(o *sqlOptions) error {
	if o.recipe == "" && !o.dashboard {
		return a.listRecipes()
	}
	if err := firstOf(o.problems()); err != nil {
		return err
	}
	if o.local() {
		tables, err := o.localTables(a.stop)
		if err != nil {
			return err
		}
		return a.printQuery(tables, o)
	}
	l, err := o.connector(a, a.logger("text", 0)).location(a.stop, o.target)
	if err != nil {
		return err
	}
	if !o.dashboard {
		return a.printQuery(cookbook.InCatalog(l), o)
	}
	text, err := cookbook.Dashboard(l, o.days)
	if err == nil {
		_, err = a.stdout.Write(text)
	}
	return err
}

func (a *app) listRecipes() error {
	var b strings.Builder
	for _, name := range cookbook.Names {
		fmt.Fprintf(&b, "%-12s %s\n", name, cookbook.About(name))
	}
	_, err := a.stdout.Write([]byte(b.String()))
	return err
}

func (a *app) printQuery(t cookbook.Tables, o *sqlOptions) error {
	_, err := fmt.Fprintln(a.stdout, t.SQL(o.recipe, o.days)+";")
	return err
}

// localTables are the tables on this machine that the flags name.
func (o *sqlOptions) localTables(ctx context.Context) (t cookbook.Tables, err error) {
	path, err := filepath.Abs(strings.TrimPrefix(o.target, "file:"))
	if err != nil {
		return t, fmt.Errorf("target %s: %w", o.target, err)
	}
	lake, err := deltalake.Open(path, deltalake.Options{})
	if err != nil {
		return t, err
	}
	spans, err := lake.Files(ctx, uctables.Spans)
	if err != nil {
		return t, err
	}
	annotations, err := lake.Files(ctx, uctables.Annotations)
	switch {
	case err != nil:
		return t, err
	case o.engine == string(cookbook.Spark):
		return cookbook.InFolder(path), nil
	case len(spans) == 0 || len(annotations) == 0:
		// DuckDB learns the columns from the files, so without any there is nothing that it could query.
		return t, advice.With(fmt.Errorf("the tables of %s hold no rows", o.target), "Move traces into them with tracemig run")
	}
	return cookbook.InFiles(spans, annotations, time.Now().UTC().Format(time.RFC3339)), nil
}
