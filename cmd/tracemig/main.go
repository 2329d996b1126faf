// Command tracemig moves GenAI traces from MLflow experiments into Unity Catalog's OTEL tables.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/terminal"
)

// Exit codes. The help of the root command and the README list them. Those of errors, such as 12 for credentials, are in package
// fault.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartial     = 3
	exitFound       = 4
	exitStopped     = 5
	exitInterrupted = 130
)

// exitError ends the program with a code. Where err is nil, the command has printed all that there is to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

// Fault says that the usage was wrong, where it was.
func (e *exitError) Fault() fault.Kind {
	if e.code == exitUsage {
		return fault.Usage
	}
	return ""
}

// endsWith says whether err ends the program with a code.
func endsWith(err error, code int) bool {
	e, ok := errors.AsType[*exitError](err)
	return ok && e.code == code
}

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// app is what commands need of the process that they run in.
type app struct {
	stdout   *results
	terminal *terminal.Terminal
	waits    *retry.Waits // what waits for another try
	getenv   func(string) string
	args     []string // of the command line, without the program's name
	environ  []string // all variables, as os.Environ has them

	// together is what several pairs share, and row tells of the one of them that is worked on; nil where there is one pair alone.
	together *together
	row      *pairRow

	// stop ends at the first signal: from then on nothing new is begun. ctx ends when the user can't wait, see interrupts.
	ctx, stop context.Context
}

// logger is a log of level and above. Where several pairs are worked on, its lines name the pair.
func (a *app) logger(format string, level slog.Level) *slog.Logger {
	log := a.terminal.Logger(format, level)
	if a.row != nil {
		log = log.With("pair", a.row.Pair)
	}
	return log
}

func main() { os.Exit(realMain()) }

func realMain() int {
	// What libraries write to the standard logger is in the errors that they return too.
	log.SetOutput(io.Discard)
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], cobra.ShellCompRequestCmd) {
		os.Stderr, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a shell could show it in the line that is being typed
	}
	a := &app{
		stdout: newResults(os.Stdout), terminal: terminal.New(os.Stderr, os.Getenv), waits: &retry.Waits{},
		getenv: os.Getenv, environ: os.Environ(), args: os.Args[1:],
	}
	a.stdout.color = terminal.Colored(os.Stdout, os.Getenv)
	ctx, cancel := context.WithCancel(context.Background())
	stop, cancelStop := context.WithCancel(ctx)
	defer cancel()
	a.ctx, a.stop = ctx, stop
	go interrupts(notified(), func() {
		cancelStop()
		fmt.Fprintln(a.terminal, "Interrupted: finishing what is in flight. Ctrl-C again, after a second, stops at once.")
	}, cancel, func() { os.Exit(exitInterrupted) })
	cancelled := func() bool { return stop.Err() != nil }
	return a.execute(newRootCommand(a), cancelled)
}

// execute runs the command, says its error, if any, in one line, and returns the exit code.
func (a *app) execute(root *cobra.Command, cancelled func() bool) int {
	began := false
	stopProfile := func() error { return nil }
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		began = true
		if err := a.takeVariables(c); err != nil {
			return err
		}
		dir := c.Flag("pprof").Value.String()
		if dir == "" {
			return nil
		}
		stop, err := startProfile(dir)
		if err == nil {
			stopProfile = stop
		}
		return err
	}
	root.SetArgs(a.args)
	used, err := root.ExecuteContextC(a.ctx)
	if err != nil && !began {
		err = &exitError{exitUsage, err} // cobra refused flags or arguments
	}
	err = withVariables(err, used)
	if perr := stopProfile(); err == nil {
		err = perr
	}
	a.terminal.Block()
	a.sayFailure(used, err, cancelled())
	lost := a.stdout.finish()
	if lost != nil && errors.Is(err, lost) {
		err = nil // sayLost says it
	}
	code := exitCode(err, lost, cancelled())
	if lost != nil {
		a.sayLost(lost)
	}
	a.sayError(err, code, used)
	return code
}

// exitCode is the code for the error of a command, and for lost, which kept its results from being written.
func exitCode(err, lost error, cancelled bool) int {
	ee, coded := errors.AsType[*exitError](err)
	var code int
	switch {
	case err == nil:
		code = exitOK
	case coded:
		code = ee.code
	case cancelled:
		code = exitInterrupted
	default:
		code = fault.Of(err).ExitCode()
	}
	switch code {
	case exitOK, exitPartial, exitFound, exitStopped: // they refer to the results
		if lost != nil {
			return exitFailed
		}
	}
	return code
}

// sayLost says that results could not be written.
func (a *app) sayLost(lost error) {
	err := advice.With(fmt.Errorf("the results could not be written to standard output: %w", lost),
		"Make room, or send them elsewhere, and run the same command again")
	a.sayProblem(err)
}

// sayProblem prints an error.
func (a *app) sayProblem(err error) {
	_ = a.terminal.Say(terminal.Failed, "Error:", err.Error()) // who can't be told is not told that either
}

// sayError says what kept the command used from ending well, unless it has said so itself.
func (a *app) sayError(err error, code int, used *cobra.Command) {
	ee, coded := errors.AsType[*exitError](err)
	switch {
	case err == nil, coded && ee.err == nil:
	case code == exitInterrupted:
		fmt.Fprintln(a.terminal, "Interrupted. Run the same command again to go on.")
	case code == exitStopped:
		fmt.Fprintf(a.terminal, "%s. Run the same command again to go on.\n", upperIfFirst("", err.Error()))
	default:
		a.sayProblem(err)
		if code == exitUsage {
			fmt.Fprintf(a.terminal, "See %s --help.\n", used.CommandPath())
		}
	}
}
