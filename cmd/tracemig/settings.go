package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/config"
	"github.com/tracemig/tracemig/internal/mlflowclient"
)

// filePlaces are the flags of run that don't stand just anywhere in a file of pairs.
var filePlaces = config.Keys{
	"source": config.Anywhere, "target": config.Anywhere,
	// A file that a pair alone can have, and a part of its traces.
	"checkpoint": config.OfPair, "shard": config.OfPair, "missing-on-target": config.OfPair, "differ": config.OfPair, "extra": config.OfPair,
	// What belongs to the process.
	"output": config.OfDefaults, "log-level": config.OfDefaults, "log-format": config.OfDefaults, "parallel": config.OfDefaults,
	"metrics-file": config.OfDefaults, "metrics-addr": config.OfDefaults, "summary-file": config.OfDefaults,
	"report":       config.OfDefaults,
	"max-duration": config.OfDefaults,
}

// neverInFile are the flags of run that say which file it is, or what to do just this once.
var neverInFile = map[string]bool{"config": true, "only": true, "dry-run": true, "limit": true, "help": true}

// configKeys are the flags whose values may stand in a file of pairs: those of run.
func configKeys() config.Keys {
	keys, run := config.Keys{}, &cobra.Command{}
	newRunOptions(run)
	run.Flags().VisitAll(func(f *pflag.Flag) {
		if !neverInFile[f.Name] {
			keys[f.Name] = filePlaces[f.Name]
		}
	})
	return keys
}

// checkConfig reads the file of pairs at path and finds all that is wrong with it, without the environment. It asks no server. The
// error says that it can't be read.
func checkConfig(a *app, path string) (*config.File, config.Problems, error) {
	file, problems, err := config.Read(path, configKeys())
	if err != nil {
		return nil, nil, err
	}
	for _, p := range file.Pairs {
		scratch := &cobra.Command{}
		o := newRunOptions(scratch)
		problems = append(problems, file.Set(scratch.Flags(), p)...)
		if o.trackingURI == "" {
			// Whether the source is one that they are for may be up to the environment.
			o.read, o.server, o.artifacts = mlflowclient.Exact, "", ""
		}
		problems = append(problems, problemsOfPair(a, file, p, scratch, o)...)
	}
	problems = append(problems, file.Collisions()...)
	return file, problems.Sorted(), nil
}

// problemsOfPair are those of the options of a pair, which were read from the flags of c. Afterwards a target with {name} is that of
// the one source, if the source is no pattern.
func problemsOfPair(a *app, file *config.File, p config.Pair, c *cobra.Command, o commandOptions) (all config.Problems) {
	source, target := c.Flags().Lookup("source").Value.String(), c.Flags().Lookup("target")
	template := target.Value.String()
	expanded, err := config.TargetOf(template, source)
	if err != nil && !p.Wrong["source"] {
		return append(all, problemOf(file, p, c.Flags(), err))
	}
	set := func(value string) { _ = target.Value.Set(value) } // any text can be a target
	set(expanded)
	o.given(c)
	for _, err := range o.problems(a) {
		if !slices.ContainsFunc(config.Named(c.Flags(), err.Error()), func(f *pflag.Flag) bool { return p.Wrong[f.Name] }) {
			all = append(all, problemOf(file, p, c.Flags(), err))
		}
	}
	if config.IsPattern(source) {
		set(template)
	}
	return all
}

// problemOf is what is wrong with a pair, at the line of the first flag that the error names. There flags have the names of their
// keys or variables.
func problemOf(file *config.File, p config.Pair, f *pflag.FlagSet, err error) config.Problem {
	text, next := advice.Split(err)
	if at := strings.LastIndex(text, "; "); at > 0 && next == "" {
		text, next = text[:at], text[at+2:]
	}
	problem := config.Problem{File: file.Path, Line: p.Line, Pair: p.Name}
	for _, flag := range config.Named(f, text) {
		if s, ok := p.Settings[flag.Name]; ok && config.Origin(flag) == file.At(s.Line) {
			problem.Line = s.Line
			break
		}
	}
	problem.Text, problem.Suggestion = config.InFile(f, text), config.InFile(f, next)
	return problem
}

// optionsOfPair are the options of a command for one pair of a file.
type optionsOfPair[O any] struct {
	Name    string // of the pair
	Line    int    // in the file
	Options O
	Flags   *pflag.FlagSet // what the options were read from; config.Origin tells where each value comes from
}

// commandOptions are the options of a command that works on a source and a target.
type commandOptions interface {
	// given completes the options from which flags of c were given.
	given(c *cobra.Command)
	// problems are all that is wrong with the options, before any server is asked.
	problems(a *app) []error
}

// readPairs reads the file at path, and gives what holds for the command c in each of its pairs: the flags given to c, else the
// environment, else the file. fresh makes options and adds their flags to a command, as newRunOptions does. The flags of c
// get the file's defaults too, for what is the same for all pairs. The target of a pair whose source is a pattern has its {name}
// still: config.TargetOf replaces it. Where anything is wrong with the file, the error is wrong usage and lists it all.
func readPairs[O commandOptions](a *app, c *cobra.Command, path string, fresh func(*cobra.Command) O) ([]optionsOfPair[O], error) {
	file, problems, err := checkConfig(a, path)
	if err == nil && len(problems) > 0 {
		err = problems
	}
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	for flag, place := range filePlaces {
		names := place == config.OfPair || flag == "source" || flag == "target"
		if f := c.Flags().Lookup(flag); f != nil && f.Changed && names {
			return nil, usageError("%s is for one pair, and --config names a file of them; leave it out, and choose pairs with --only",
				config.Origin(f))
		}
	}
	given := config.CommandLine(c.Flags())
	file.SetDefaults(c.Flags())
	var all []optionsOfPair[O]
	for _, p := range file.Pairs {
		scratch := &cobra.Command{}
		o := fresh(scratch)
		if err := setFlags(a, scratch.Flags(), given); err != nil {
			return nil, err
		}
		_ = file.Set(scratch.Flags(), p) // checkConfig has found no problems
		problems = append(problems, problemsOfPair(a, file, p, scratch, o)...)
		all = append(all, optionsOfPair[O]{p.Name, p.Line, o, scratch.Flags()})
	}
	if len(problems) > 0 {
		return nil, &exitError{exitUsage, problems.Sorted()}
	}
	return all, nil
}

// setFlags sets flags to the values that were given on the command line, else to those of the environment.
func setFlags(a *app, f *pflag.FlagSet, given map[string]string) error {
	for name, value := range given {
		if f.Lookup(name) != nil {
			if err := f.Set(name, value); err != nil {
				return &exitError{exitUsage, fmt.Errorf("--%s: %w", name, err)}
			}
		}
	}
	return a.setFromEnvironment(f)
}

// setFromEnvironment sets flags that were not given to the values of their environment variables.
func (a *app) setFromEnvironment(f *pflag.FlagSet) error {
	if failed := config.SetFromEnvironment(f, a.getenv); len(failed) > 0 {
		return &exitError{exitUsage, errors.Join(failed...)}
	}
	return nil
}
