package main

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroups are the groups in which help shows flags, and in each its flags in the order in which they are shown. A flag that
// stands in no group is shown under "Other", and fails TestHelp.
var flagGroups = []struct {
	title string
	flags string
}{
	{"What to make", "experiment location grant-to"},
	{"What to move", "source target config only run traces start-time start-time-ms end-time shard run-links attachments service-name"},
	{"How to reach it", "tracking-uri server artifacts-destination workspace insecure-http profile source-profile target-profile host " +
		"warehouse-id"},
	{"What to do", "dry-run print-sql yes no-resync update-spans settle create create-views clustering print-grants principal from " +
		"reason undo"},
	{"What to print", "engine days dashboard"},
	{"What to compare", "verify repair deep verify-from sample as-of allow-empty missing-on-target differ extra"},
	{"Limits and speed", "limit max-duration parallel read concurrency bytes-in-flight search-rate download-rate " +
		"staging-volume stage statement-bytes"},
	{"What is remembered", "source-name checkpoint lock-wait ledger-table"},
	{"Output", "list map links max-age output log-level log-format report summary-file metrics-file metrics-addr"},
	{"Help", "help version"},
}

// helpColumns bounds the lines of flags in help: pflag breaks them here, or up to five columns later rather than leave a short rest.
const helpColumns = 94

// groupOf is the title of the group that a flag stands in; empty for none.
func groupOf(flag string) string {
	for _, g := range flagGroups {
		for name := range strings.FieldsSeq(g.flags) {
			if name == flag {
				return g.title
			}
		}
	}
	return ""
}

// titleOf is the title that a flag is shown under.
func titleOf(flag string) string { return cmp.Or(groupOf(flag), "Other") }

// flagHelp matches the first line of a flag in what pflag writes. Its other lines begin further right.
var flagHelp = regexp.MustCompile(`(?m)^ {2}(?:-\w, | {4})--([\w-]+)`)

// flagUsages is the help of flags in their groups, as pflag lays it out for all of them together, so that the texts stand below
// each other.
func flagUsages(flags *pflag.FlagSet) string {
	sorted := inHelpOrder(flags)
	var b strings.Builder
	last := ""
	for line := range strings.Lines(sorted.FlagUsagesWrapped(helpColumns)) {
		if m := flagHelp.FindStringSubmatch(line); m != nil {
			if title := titleOf(m[1]); title != last {
				fmt.Fprintf(&b, "\n%s:\n", title)
				last = title
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

// inHelpOrder are the same flags, in the order of their groups.
func inHelpOrder(flags *pflag.FlagSet) *pflag.FlagSet {
	sorted := pflag.NewFlagSet("", pflag.ContinueOnError)
	sorted.SortFlags = false
	for _, g := range flagGroups {
		for name := range strings.FieldsSeq(g.flags) {
			if f := flags.Lookup(name); f != nil {
				sorted.AddFlag(f)
			}
		}
	}
	sorted.AddFlagSet(flags)
	return sorted
}

// newHelpCommand is cobra's, but that a command that there is not is wrong usage.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Tell more of a command",
		RunE: func(c *cobra.Command, args []string) error {
			named, rest, err := c.Root().Find(args)
			switch {
			case err != nil:
				return err
			case len(rest) > 0:
				return unknownCommand(named, rest[0])
			}
			return named.Help()
		},
	}
}

// printUsage writes what help shows below a command's description.
func printUsage(w io.Writer, c *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.Runnable() && !c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", c.CommandPath())
	}
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				fmt.Fprintf(&b, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.AddFlagSet(c.LocalFlags())
	flags.AddFlagSet(c.InheritedFlags())
	b.WriteString(flagUsages(flags))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help tells more of a command.\n", c.CommandPath())
	}
	_, err := io.WriteString(w, b.String())
	return err
}
