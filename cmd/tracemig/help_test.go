package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tracemig/tracemig/internal/terminal"
)

// allCommands are c and the commands below it, but for those that cobra hides.
func allCommands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			all = append(all, allCommands(sub)...)
		}
	}
	return all
}

// testRoot is the root command with its output going to out.
func testRoot(out io.Writer) *cobra.Command {
	noEnv := func(string) string { return "" }
	return newRootCommand(&app{stdout: newResults(out), terminal: terminal.New(os.Stderr, noEnv), getenv: noEnv})
}

// TestHelp holds that no line of any command's help is longer than 100 columns, that every flag stands in a group, and that no
// size or time stands there as a bare number.
func TestHelp(t *testing.T) {
	for _, c := range allCommands(testRoot(io.Discard)) {
		var out strings.Builder
		root := testRoot(&out)
		root.SetArgs(append(strings.Fields(c.CommandPath())[1:], "--help"))
		if err := root.Execute(); err != nil {
			t.Errorf("%s --help: %v", c.CommandPath(), err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
				t.Errorf("%s --help has a line of %d columns, want at most 100: %s", c.CommandPath(), n, line)
			}
		}
		if strings.Contains(out.String(), "\nOther:\n") {
			t.Errorf("%s --help has flags under Other", c.CommandPath())
		}
		flags := 0
		c.InitDefaultHelpFlag()
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			flags++
			if groupOf(f.Name) == "" {
				t.Errorf("%s: --%s stands in no group; add it to one of flagGroups in help.go", c.CommandPath(), f.Name)
			}
			if !strings.Contains(out.String(), "--"+f.Name+" ") {
				t.Errorf("%s --help does not show --%s", c.CommandPath(), f.Name)
			}
			if _, size := f.Value.(*byteSize); size && strings.Trim(f.DefValue, "0123456789") == "" && f.DefValue != "0" {
				t.Errorf("%s: the default of --%s is %s, want it with a unit", c.CommandPath(), f.Name, f.DefValue)
			}
		})
		if flags == 0 {
			t.Errorf("%s has no flags, want at least --help", c.CommandPath())
		}
	}
}

// TestOtherNames holds that the names of other tools lead to commands and flags that there are.
func TestOtherNames(t *testing.T) {
	root := testRoot(io.Discard)
	for verb, command := range otherVerbs {
		words := strings.Fields(command)
		c, rest, err := root.Find(words)
		if err != nil || c == root || len(rest) > 0 && c.Flags().Lookup(strings.TrimPrefix(rest[0], "--")) == nil {
			t.Errorf("%s leads to tracemig %s, which is no command: %v", verb, command, err)
		}
		if c, _, _ := root.Find([]string{verb}); c != root {
			t.Errorf("%s is a command, so it needs no other", verb)
		}
	}
	for name, flag := range otherFlags {
		if len(commandsWith(root, flag)) == 0 && !strings.Contains(" max-duration limit ", flag) {
			t.Errorf("--%s leads to --%s, which no command has", name, flag)
		}
	}
}

// TestArguments holds that commands refuse arguments in words of our own: cobra's say "unknown command".
func TestArguments(t *testing.T) {
	for _, c := range allCommands(testRoot(io.Discard)) {
		if c.Args == nil {
			if c.Name() != "help" {
				t.Errorf("%s has no rule for its arguments", c.CommandPath())
			}
			continue
		}
		if c.Name() == "accept" {
			continue // its arguments are trace IDs, which can be anything
		}
		if err := c.Args(c, []string{"x", "y", "z"}); err == nil || !endsWith(err, exitUsage) {
			t.Errorf("%s x y z: %v, want wrong usage in words of our own: noArguments or commandsOnly", c.CommandPath(), err)
		}
	}
}

// TestCompletedFlags holds that what shells complete are flags, and that flags which name a file have files completed.
func TestCompletedFlags(t *testing.T) {
	root := testRoot(io.Discard)
	for _, words := range []map[string][]string{enumerations, someWords} {
		for flag := range words {
			if len(commandsWith(root, flag)) == 0 {
				t.Errorf("there are words for --%s, which no command has", flag)
			}
		}
	}
	for flag := range lookUps {
		if len(commandsWith(root, flag)) == 0 {
			t.Errorf("values of --%s are looked up, and no command has it", flag)
		}
	}
	for _, c := range allCommands(root) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if strings.HasPrefix(f.Usage, "file ") && !slices.Contains(fileFlags, f.Name) {
				t.Errorf("%s --%s names a file; add it to fileFlags in complete.go", c.CommandPath(), f.Name)
			}
		})
	}
}
