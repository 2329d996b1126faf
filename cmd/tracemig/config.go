package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tracemig/tracemig/internal/config"
	"github.com/tracemig/tracemig/internal/mlflowdb"
)

const configHelp = "file of pairs"

func newConfigCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check a file of pairs, and show what holds and where it comes from",
		Long: `A file of pairs, tracemig.yaml, names sources and targets for run, verify, repair, check and status
with --config. Each flag of tracemig run is a key of it, with underscores. A flag that is given
beats its environment variable (TRACEMIG_WAREHOUSE_ID for --warehouse-id), which beats the file, in
which a pair beats the defaults.`,
		Args: commandsOnly,
		RunE: func(*cobra.Command, []string) error { return usageError("say what to do: check, show or schema") },
	}
	c.AddCommand(newConfigCheckCommand(a), newConfigShowCommand(a), newConfigSchemaCommand(a))
	return c
}

func newConfigCheckCommand(a *app) *cobra.Command {
	path, output := "", "text"
	c := &cobra.Command{
		Use:   "check [--config FILE]",
		Short: "Find all that is wrong with a file of pairs, without asking any server",
		Long: `Read a file of pairs and tell all that is wrong with it, each with its line and what to do: keys
that there are not, values that flags don't take, names that are there twice, pairs that would get
into each other's way. Nothing is written, no server is asked, and the values of flags that the
environment has do not count.

The exit status is 0 when nothing is wrong and 2 when something is. -o json prints one line a
problem ("type":"problem") and a summary last.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if !slices.Contains(enumerations["output"], output) {
				return usageError("--output %q is neither text nor json", output)
			}
			return a.configCheck(path, output == "json")
		},
	}
	c.Flags().StringVar(&path, "config", "tracemig.yaml", configHelp)
	c.Flags().StringVarP(&output, "output", "o", output, "text or json")
	return c
}

// configProblem is a problem as JSON.
type configProblem struct {
	Type string `json:"type"`
	config.Problem
}

// configSummary is the last line of config check as JSON.
type configSummary struct {
	Type     string `json:"type"`
	File     string `json:"file"`
	Pairs    int    `json:"pairs"`
	Problems int    `json:"problems"` // how many things are wrong
	ending
}

func (a *app) configCheck(path string, asJSON bool) error {
	file, problems, err := checkConfig(a, path)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	for _, p := range problems {
		if asJSON {
			err = jsonPrinter{a.stdout}.line(configProblem{"problem", p})
		} else {
			_, err = fmt.Fprintln(printable{a.stdout}, p)
		}
	}
	var end error
	if len(problems) > 0 {
		end = reported{usageError("%s has %s", path, counted(len(problems), "problem"))}
	}
	if asJSON {
		e := ending{Version: version, ExitCode: exitCode(end, nil, false)}
		err = jsonPrinter{a.stdout}.line(configSummary{"summary", path, len(file.Pairs), len(problems), e})
	} else if len(problems) == 0 {
		_, err = fmt.Fprintf(printable{a.stdout}, "%s: %s, nothing is wrong\n", path, counted(len(file.Pairs), "pair"))
	}
	return cmp.Or(err, end)
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func newConfigSchemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of a file of pairs, for editors",
		Long: `Print the JSON Schema of a file of pairs. With it editors complete keys and mark what is wrong. For
editors with a YAML language server, the first line of the file names it:

  # yaml-language-server: $schema=./tracemig-config.json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			text, err := configSchema()
			if err == nil {
				_, err = a.stdout.Write(text)
			}
			return err
		},
	}
}

func configSchema() ([]byte, error) {
	run := &cobra.Command{}
	newRunOptions(run)
	return config.Schema(run.Flags(), configKeys(), enumerations)
}

func newConfigShowCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "show [verify|repair|check|status] [--config FILE] [FLAGS]",
		Short: "Show what holds for each pair, and where each value comes from",
		Long: `Show the value of each flag of a command (run, if none is named), and where it comes from: the
command line, an environment variable, a line of the file, or the default; with --config for each
pair. It takes the flags of the command. No server is asked. Users and passwords in addresses are
left out. -o json prints one line a pair ("type":"settings").`,
		Example: `  tracemig config show --config tracemig.yaml
  tracemig config show verify --config tracemig.yaml --deep -o json
  TRACEMIG_PROFILE=prod tracemig config show status`,
		Args: noArguments, DisableFlagsInUseLine: true, Annotations: map[string]string{borrowedFlags: "true"},
	}
	showing(a, c, "run", newRunOptions)
	add := func(name string) *cobra.Command {
		sub := &cobra.Command{Use: name, Hidden: true, Args: noArguments}
		c.AddCommand(sub)
		return sub
	}
	showing(a, add("verify"), "verify", newVerifyOptions)
	showing(a, add("repair"), "repair", newRepairOptions)
	showing(a, add("check"), "check", newCheckOptions)
	showing(a, add("status"), "status", newStatusOptions)
	return c
}

// showing makes c a command that shows the options of another.
func showing[O commandOptions](a *app, c *cobra.Command, of string, fresh func(*cobra.Command) O) {
	o := fresh(c)
	if c.Flags().Lookup("config") == nil {
		c.Flags().String("config", "", configHelp)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		output := c.Flags().Lookup("output").Value.String()
		if !slices.Contains(enumerations["output"], output) {
			return usageError("--output %q is neither text nor json", output)
		}
		show := func(pair string, f *pflag.FlagSet) error {
			s := shown{Type: "settings", Command: of, Pair: pair, Settings: a.settings(f)}
			if output == "json" {
				return jsonPrinter{a.stdout}.line(s)
			}
			return s.print(a.stdout)
		}
		path := c.Flags().Lookup("config").Value.String()
		if path == "" {
			o.given(c)
			return show("", c.Flags())
		}
		pairs, err := readPairs(a, c, path, fresh)
		for _, p := range pairs {
			err = errors.Join(err, show(p.Name, p.Flags))
		}
		return err
	}
}

// shown is what holds for a command, of a pair or without a file.
type shown struct {
	Type     string    `json:"type"`
	Command  string    `json:"command"`
	Pair     string    `json:"pair,omitempty"`
	Settings []setting `json:"settings"` // in the order of help
}

// setting is the value of a flag.
type setting struct {
	Key   string `json:"key"`   // name of the flag, with underscores
	Value string `json:"value"` // secrets are left out
	From  string `json:"from"`  // as config.Origin says it, or the name of a variable that counts where the flag has no value
}

// otherVariables are those that MLflow and Databricks have for what a flag says.
var otherVariables = map[string][]string{
	"tracking-uri": {"MLFLOW_TRACKING_URI"},
	"warehouse-id": {"MLFLOW_TRACING_SQL_WAREHOUSE_ID", "DATABRICKS_WAREHOUSE_ID"},
	"workspace":    {"MLFLOW_WORKSPACE"},
	"profile":      {"DATABRICKS_CONFIG_PROFILE"},

	"artifacts-destination": {"MLFLOW_ARTIFACTS_DESTINATION"},
}

// settings are the values of flags, in the order of help.
func (a *app) settings(f *pflag.FlagSet) (all []setting) {
	inHelpOrder(f).VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden || !config.OfEnvironment(flag.Name) || flag.Name == "config" || flag.Name == "only" {
			return
		}
		s := setting{Key: config.Key(flag.Name), Value: shownAddress(flag.Value.String()), From: config.Origin(flag)}
		if s.Value == "0" && s.From == config.Default {
			s.Value = "" // no number is given
		}
		for _, variable := range otherVariables[flag.Name] {
			if v := strings.TrimSpace(a.getenv(variable)); v != "" && s.Value == "" {
				s.Value, s.From = shownAddress(v), variable
			}
		}
		all = append(all, s)
	})
	return all
}

// shownAddress is a value without what may be secret in it, if it is an address.
func shownAddress(value string) string {
	if mlflowdb.Names(value) {
		value = mlflowdb.WithoutPassword(value)
		scheme, rest, _ := strings.Cut(value, "://")
		return scheme + "://" + rest[strings.IndexByte(rest, '@')+1:]
	}
	return config.Shown(value)
}

// print writes what holds in lines of three columns.
func (s shown) print(out *results) error {
	w := textWriter{out: printable{out}}
	if s.Pair == "" {
		w.printf("tracemig %s\n", s.Command)
	} else {
		w.printf("tracemig %s, pair %s\n", s.Command, s.Pair)
	}
	key, value := 0, 0
	for _, line := range s.Settings {
		key, value = max(key, len(line.Key)), max(value, len(line.Value))
	}
	for _, line := range s.Settings {
		w.printf("  %-*s  %-*s  %s\n", key, line.Key, min(value, 60), cmp.Or(line.Value, "–"), line.From)
	}
	return w.err
}
