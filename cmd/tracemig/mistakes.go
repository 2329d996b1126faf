package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tracemig/tracemig/internal/config"
	"github.com/tracemig/tracemig/internal/suggest"
)

// otherVerbs are the verbs of other tools for what a command does here.
var otherVerbs = map[string]string{
	"migrate": "run", "migration": "run", "copy": "run", "cp": "run", "sync": "run", "move": "run", "mv": "run", "import": "run",
	"export": "run", "transfer": "run", "replicate": "run", "load": "run", "start": "run", "execute": "run", "backfill": "run",
	"plan": "run --dry-run", "dry-run": "run --dry-run", "dryrun": "run --dry-run",
	"doctor": "check", "preflight": "check", "precheck": "check", "ping": "check", "grants": "check --print-grants",
	"diff": "verify", "compare": "verify", "validate": "verify", "prove": "verify",
	"fix": "repair", "heal": "repair", "reconcile": "repair",
	"ls": "status", "list": "status", "history": "status", "log": "status", "logs": "status", "info": "status", "show": "status",
	"runs": "status", "report": "status",
	"rehearsal": "rehearse", "test": "rehearse", "try": "rehearse", "benchmark": "rehearse", "bench": "rehearse",
	"rebuild": "checkpoint rebuild", "unlock": "checkpoint unlock", "state": "checkpoint path", "reset": "checkpoint rebuild",
	"ack": "accept", "acknowledge": "accept", "ignore": "accept", "waive": "accept", "suppress": "accept",
	"delete": "remove", "rm": "remove", "undo": "remove", "rollback": "remove", "revert": "remove", "purge": "remove",
	"sample": "demo", "example": "demo", "quickstart": "demo", "tutorial": "demo",
	"query": "sql", "queries": "sql", "cookbook": "sql", "dashboard": "sql --dashboard",
	"autocomplete": "completion", "completions": "completion",
}

// otherFlags are the names of other tools for flags. Each leads to flags of which a command has at most one.
var otherFlags = map[string]string{
	"experiment": "source", "experiment-id": "source", "experiment-name": "source", "from": "source", "src": "source", "input": "source",
	"to": "target", "dest": "target", "destination": "target", "dst": "target", "into": "target", "location": "target", "table": "target",
	"catalog": "target", "schema": "target", "prefix": "target", "table-prefix": "target", "lake": "target",
	"uri": "tracking-uri", "tracking-server": "tracking-uri", "url": "tracking-uri",
	"warehouse": "warehouse-id", "sql-warehouse": "warehouse-id", "http-path": "warehouse-id",
	"since": "start-time", "after": "start-time", "start": "start-time", "until": "end-time", "before": "end-time", "end": "end-time",
	"plan": "dry-run", "simulate": "dry-run", "what-if": "dry-run", "noop": "dry-run", "no-op": "dry-run",
	"workers": "concurrency", "threads": "concurrency", "jobs": "concurrency", "parallelism": "concurrency",
	"memory": "bytes-in-flight", "max-memory": "bytes-in-flight", "rate": "search-rate", "qps": "search-rate",
	"format": "output", "json": "output", "out": "output", "verbose": "log-level", "debug": "log-level", "quiet": "log-level",
	"state": "checkpoint", "state-file": "checkpoint", "full": "deep", "values": "deep", "timeout": "max-duration", "max": "limit",
	"create-tables": "create", "user": "principal", "grants": "print-grants", "volume": "staging-volume",
}

// noArguments is the rule of commands that take flags alone. Its error says which flag the argument may belong to.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError("%s takes no arguments, and got %s%s", c.CommandPath(), quotedList(args), strayHint(c, args[0]))
}

func quotedList(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = strconv.Quote(withoutPassword(w))
	}
	return strings.Join(all, " ")
}

// strayHint says how an argument may have come about.
func strayHint(c *cobra.Command, arg string) string {
	if _, err := strconv.ParseBool(arg); err == nil {
		return fmt.Sprintf("; write the value of a switch behind =, such as --dry-run=%s", arg)
	}
	for _, name := range []string{"source", "target"} {
		if f := c.Flag(name); f != nil && !f.Changed {
			return "; did you forget --" + name + "?"
		}
	}
	if c.Flag("source") != nil {
		return "; a name with spaces needs quotes"
	}
	return ""
}

// commandsOnly is the rule of commands that have others below them and do nothing themselves.
func commandsOnly(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand(c, args[0])
}

func unknownCommand(c *cobra.Command, word string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			names = append(names, sub.Name())
		}
	}
	what := strings.TrimPrefix(c.CommandPath()+" "+word, c.Root().Name()+" ")
	meant := suggest.Nearest(word, names...)
	if !c.HasParent() {
		meant = cmp.Or(otherVerbs[strings.ToLower(word)], meant)
	}
	if meant != "" {
		return usageError("there is no command %s; did you mean %s %s?", what, c.CommandPath(), meant)
	}
	return usageError("there is no command %s; there are %s", what, strings.Join(names, ", "))
}

// flagError says in one sentence what is wrong with a flag, where pflag has refused it.
func flagError(c *cobra.Command, err error) error {
	if args := c.Flags().Args(); c.HasSubCommands() && len(args) > 0 {
		return unknownCommand(c, args[0]) // it has no such flag because it is no command
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(c, e)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		_, usage := pflag.UnquoteUsage(e.GetFlag())
		return usageError("--%s needs a value: %s", e.GetFlag().Name, usage)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usageError("--%s %s", e.GetFlag().Name, config.BadValue(e))
	}
	if e, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return usageError("%q is no flag; a flag is written --NAME, or --NAME=VALUE", e.GetSpecifiedFlag())
	}
	return err
}

func unknownFlag(c *cobra.Command, e *pflag.NotExistError) error {
	name := e.GetSpecifiedName()
	if short := e.GetSpecifiedShortnames(); short != "" {
		long, _, _ := strings.Cut(short, "=")
		if c.Flag(long) != nil {
			return usageError("%s has no flag -%s; names of flags follow two dashes: write --%s", c.CommandPath(), long, long)
		}
		return usageError("%s has no flag -%s", c.CommandPath(), name)
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	meant := otherFlags[strings.ReplaceAll(strings.ToLower(name), "_", "-")]
	others := commandsWith(c.Root(), name)
	switch {
	case c.Flag(meant) != nil:
	case len(others) > 0:
		return usageError("%s has no flag --%s; it is one of %s", c.CommandPath(), name, strings.Join(others, ", "))
	default:
		meant = suggest.Nearest(name, names...)
	}
	if meant != "" {
		return usageError("%s has no flag --%s; did you mean --%s?", c.CommandPath(), name, meant)
	}
	return usageError("%s has no flag --%s", c.CommandPath(), name)
}

// borrowedFlags marks a command whose flags are those of another.
const borrowedFlags = "tracemig_borrowed_flags"

// commandsWith are the commands from c downwards that have a flag.
func commandsWith(c *cobra.Command, flag string) []string {
	var all []string
	if c.Annotations[borrowedFlags] != "" {
		return nil
	}
	if f := c.LocalFlags().Lookup(flag); f != nil && !f.Hidden {
		all = append(all, c.CommandPath())
	}
	for _, sub := range c.Commands() {
		all = append(all, commandsWith(sub, flag)...)
	}
	return all
}
