package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
)

// ending is what the last line of a command's JSON says of the command, beside its results.
type ending struct {
	SourceName string         `json:"source_name,omitempty"` // the experiment's name; absent where it was not found out
	Window     *windowPrinted `json:"window,omitempty"`      // the request times that were asked for
	Version    string         `json:"version"`               // version of tracemig
	ExitCode   int            `json:"exit_code"`             // where more follows, that of a command that would end here
}

// windowPrinted is a window of request times as JSON.
type windowPrinted struct {
	From *time.Time `json:"from"` // inclusive; null for no bound
	To   *time.Time `json:"to"`   // exclusive; null for no bound
}

// endingOf is the ending of a command that ends with err.
func endingOf(sourceName string, w mlflowclient.Window, err error) ending {
	return ending{sourceName, &windowPrinted{timeOf(w.StartMs), timeOf(w.EndMs)}, version, exitCode(err, nil, false)}
}

// failureLine is the last line of a command that failed, or was stopped, before it had results.
type failureLine struct {
	Type    string         `json:"type"`
	Source  string         `json:"source,omitempty"`  // as it was given
	Target  string         `json:"target,omitempty"`  // as it was given
	Outcome report.Outcome `json:"outcome"`           // failed, stopped or interrupted
	Stopped report.Stop    `json:"stopped,omitempty"` // the limit at which it stopped
	Error   *report.Error  `json:"error,omitempty"`   // only of a failure
	Started time.Time      `json:"started"`           // of the process
	ending
}

// failure is the line of a command that ends with err.
func failure(ends *pairOptions, err error, e ending) failureLine {
	f := failureLine{
		Type: "summary", Source: ends.source, Target: ends.target, Outcome: report.Failed, Started: processStart.UTC(), ending: e,
	}
	stop, stopped := errors.AsType[*report.StopError](err)
	switch {
	case stopped:
		f.Outcome, f.Stopped = report.Stopped, stop.At
	case e.ExitCode == exitInterrupted:
		f.Outcome = report.Interrupted
	default:
		f.Error = report.ErrorOf(err)
	}
	return f
}

// sayFailure prints, if --output asks for JSON, the error with which the command used ends, unless a line has told it: the last
// line tells how a command ended, whatever happened.
func (a *app) sayFailure(used *cobra.Command, err error, cancelled bool) {
	if err == nil || isReported(err) || !wantsJSON(used, a.args) {
		return
	}
	given := func(name string) string {
		if f := used.Flag(name); f != nil {
			return f.Value.String()
		}
		return ""
	}
	e := ending{Version: version, ExitCode: exitCode(err, nil, cancelled)}
	ends := &pairOptions{source: given("source"), target: given("target")}
	_ = jsonPrinter{a.stdout}.failure(failure(ends, err, e)) // a.stdout keeps its error
}

// failed is err, which ends the session's command, after a line has told it that nothing else has told. cancelled says whether the user
// has interrupted the command.
func (s *session) failed(w mlflowclient.Window, err error, cancelled bool) error {
	if err == nil || isReported(err) {
		return err
	}
	e := endingOf(s.named, w, err)
	e.ExitCode = exitCode(err, nil, cancelled)
	_ = s.out.failure(failure(&s.opts.pairOptions, err, e)) // where it can't be written, err still says what went wrong
	return reported{err}
}

// wantsJSON says whether --output of the command is json. Where cobra refused the flags, it may not have come to that one.
func wantsJSON(used *cobra.Command, args []string) bool {
	if f := used.Flag("output"); f != nil && (f.Changed || f.Value.String() == "json") {
		return f.Value.String() == "json"
	}
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.ParseErrorsAllowlist.UnknownFlags = true
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	output := f.StringP("output", "o", "", "")
	_ = f.Parse(args) // what is wrong with the others is told already
	return *output == "json"
}

// reported marks an error that a line of JSON has told.
type reported struct{ error }

func (e reported) Unwrap() error { return e.error }

// isReported says whether nothing is left to tell of err as JSON.
func isReported(err error) bool {
	if _, ok := errors.AsType[reported](err); ok {
		return true
	}
	ee, coded := errors.AsType[*exitError](err)
	return coded && ee.err == nil
}

// endWith is the error of a command whose line tells that something ended like this; err is what made it fail. partial says
// what it means that not all is well.
func endWith(outcome report.Outcome, at report.Stop, err error) error {
	switch outcome {
	case report.Failed:
		return reported{err}
	case report.Interrupted:
		return reported{&exitError{exitInterrupted, errors.New("interrupted")}}
	case report.Stopped:
		return reported{&exitError{exitStopped, &report.StopError{At: at}}}
	case report.Partial:
		return &exitError{code: exitPartial}
	}
	return nil
}

// processStart is when the program began, from which --max-duration counts.
var processStart = time.Now()

// withinTime is a with a stop that ends when the process is older than limit, which may be 0 for no end. Of several pairs the limit is
// one for all. Call release in the end.
func (a *app) withinTime(limit time.Duration, ends func()) (limited *app, release func()) {
	b := *a
	if limit == 0 || a.row != nil {
		return &b, func() {}
	}
	stop, cancel := context.WithCancelCause(a.stop)
	b.stop = stop
	over := func() {
		if stop.Err() == nil {
			ends()
		}
		cancel(&report.StopError{At: report.AtMaxDuration})
	}
	left := time.Until(processStart.Add(limit))
	if left <= 0 {
		over()
		return &b, func() { cancel(nil) }
	}
	timer := time.AfterFunc(left, over)
	return &b, func() { timer.Stop(); cancel(nil) }
}

// interrupted says whether the user has ended the program, and not the end of its time.
func (a *app) interrupted() bool {
	_, stopped := errors.AsType[*report.StopError](context.Cause(a.stop))
	return a.stop.Err() != nil && !stopped
}

// stopped is err with the exit code of a command that the end of its time has stopped, where that is the cause of err.
func (a *app) stopped(err error) error {
	at, ok := errors.AsType[*report.StopError](context.Cause(a.stop))
	if _, coded := errors.AsType[*exitError](err); !ok || coded || err == nil {
		return err
	}
	if errors.Is(err, at) || errors.Is(err, context.Canceled) {
		return &exitError{exitStopped, at}
	}
	return err
}
