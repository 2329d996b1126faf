package main

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tracemig/tracemig/internal/config"
	"github.com/tracemig/tracemig/internal/suggest"
)

// takeVariables sets the flags of the command c that were not given from the environment, and warns of variables that no command
// has a flag for.
func (a *app) takeVariables(c *cobra.Command) error {
	if strings.HasPrefix(c.Name(), cobra.ShellCompRequestCmd) {
		return nil // a shell asks for words to complete, and shows nothing else
	}
	if err := a.setFromEnvironment(c.Flags()); err != nil {
		return err
	}
	known := variables(c.Root())
	for _, variable := range a.environ {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "TRACEMIG_") || slices.Contains(known, name) || notOurs.MatchString(name) {
			continue
		}
		args := []any{"variable", name}
		if near := suggest.Nearest(name, known...); near != "" {
			args = append(args, "did_you_mean", near)
		}
		a.warner(c).Warn("an environment variable is without effect: it is no flag of any command", args...)
	}
	return nil
}

// notOurs matches variables that others set: Kubernetes in every pod beside a Service of the name tracemig, and the tests of tracemig.
var notOurs = regexp.MustCompile(`^TRACEMIG_((RIG|TEST)_\w+|(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?))$`)

// variables are the environment variables of the flags of all commands.
func variables(root *cobra.Command) (names []string) {
	add := func(f *pflag.Flag) {
		if config.OfEnvironment(f.Name) {
			names = append(names, config.Variable(f.Name))
		}
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(add)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	slices.Sort(names)
	return slices.Compact(names)
}

// warner is a log in the form that the flags of c ask for, if they do.
func (a *app) warner(c *cobra.Command) *slog.Logger {
	format := "text"
	if f := c.Flags().Lookup("log-format"); f != nil {
		format = f.Value.String()
	}
	return a.logger(format, slog.LevelWarn)
}

// withVariables adds to an error of wrong usage which of the flags that it names have their values from the environment.
func withVariables(err error, c *cobra.Command) error {
	if !endsWith(err, exitUsage) {
		return err
	}
	var from []string
	for _, f := range config.Named(c.Flags(), err.Error()) {
		if v := config.Variable(f.Name); config.Origin(f) == v {
			from = append(from, fmt.Sprintf("--%s comes from %s", f.Name, v))
		}
	}
	if len(from) == 0 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(from, ", "))
}
