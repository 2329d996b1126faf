// Command tracemig moves GenAI traces from MLflow experiments into Unity Catalog's OTEL tables.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/terminal"
)

// Exit codes. The help of the root command and the README list them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartial     = 3
	exitFound       = 4
	exitInterrupted = 130
)

// exitError ends the program with a code. A nil err says that everything was said already.
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

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// app is what commands get from the world.
type app struct {
	stdout   *results
	terminal *terminal.Terminal
	getenv   func(string) string

	// stop ends at the first signal: nothing new is begun. ctx ends when the user can't wait, see interrupts.
	ctx, stop context.Context
}

func main() { os.Exit(realMain()) }

func realMain() int {
	// Libraries write to the standard logger what their errors say anyway.
	log.SetOutput(io.Discard)
	a := &app{stdout: newResults(os.Stdout), terminal: terminal.New(os.Stderr, os.Getenv), getenv: os.Getenv}
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

// execute runs the command and says its error, if any, in one line.
func (a *app) execute(root *cobra.Command, cancelled func() bool) int {
	began := false
	stopProfile := func() error { return nil }
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		began = true
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
	used, err := root.ExecuteContextC(a.ctx)
	if perr := stopProfile(); err == nil {
		err = perr
	}
	a.terminal.Block("")
	lost := a.stdout.finish()
	if lost != nil && errors.Is(err, lost) {
		err = nil // it is said below
	}
	if err == nil && lost == nil {
		return exitOK
	}
	code := exitFailed
	var ee *exitError
	switch {
	case err == nil:
	case errors.As(err, &ee):
		code = ee.code
	case !began: // cobra refused flags or arguments
		code = exitUsage
	case cancelled():
		code = exitInterrupted
	}
	if lost != nil {
		// What the other codes say would be in the results.
		if code != exitUsage && code != exitInterrupted {
			code = exitFailed
		}
		fmt.Fprintf(a.terminal, "Error: the results could not be written to standard output: %v. Make room, or send them elsewhere, and run the same command again\n", lost)
	}
	switch {
	case err == nil, ee != nil && ee.err == nil:
	case code == exitInterrupted:
		fmt.Fprintln(a.terminal, "Interrupted. Run the same command again to go on.")
	default:
		fmt.Fprintf(a.terminal, "Error: %v\n", err)
		if code == exitUsage {
			fmt.Fprintf(a.terminal, "See %s --help.\n", used.CommandPath())
		}
	}
	return code
}
