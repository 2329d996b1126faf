package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/accept"
	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/shard"
)

type acceptOptions struct {
	pairOptions
	from, reason string
	undo         bool
	lockWait     duration
	output       string

	traceIDs []string
	stdin    io.Reader
}

func newAcceptCommand(a *app) *cobra.Command {
	o := acceptOptions{output: "text"}
	c := &cobra.Command{
		Use:   "accept --source EXPERIMENT --target TARGET --reason TEXT TRACE…",
		Short: "Accept that some traces can't be migrated, so that runs end with 0 again",
		Long: `Note in the checkpoint that traces which failed are known to, and why that is accepted. Runs go on
trying them, but count a failure as accepted and not as failed, so they end with 0; verify does the
same. A trace that can be migrated after all is, and its acceptance ends.

An acceptance holds for the reason that the trace failed for when it was given: where it fails for
another one, it counts as failed again. If one of the IDs is not that of a failed trace, nothing is
changed. --undo takes acceptances back.

The IDs are arguments, or stand in a file, one a line; blank lines and lines that begin with # are
left out. What status --list accepted -o csv has written is taken back with its reasons: keep it
where the checkpoint may get lost, since the target's tables don't know what was accepted.`,
		Example: `  tracemig status --source /Shared/agent --target main.agents.support --list failed
  tracemig accept --source /Shared/agent --target main.agents.support --reason "lost in May" tr-1b2c
  tracemig accept --checkpoint ./checkpoint.db --from ids.txt --reason "agreed with its team"
  tracemig accept --checkpoint ./checkpoint.db --undo tr-1b2c`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			o.traceIDs, o.stdin = args, c.InOrStdin()
			return a.accept(&o)
		},
	}
	o.addFlags(c)
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "file of trace IDs, one a line, or CSV of status --list; - for standard input")
	f.StringVar(&o.reason, "reason", "", "why it is accepted, for those who look at it later")
	f.BoolVar(&o.undo, "undo", false, "take acceptances back: the traces count as failed again")
	f.Var(&o.lockWait, "lock-wait", lockWaitHelp)
	f.StringVarP(&o.output, "output", "o", o.output, "text, or json for a line a trace with a summary last")
	return c
}

// acceptRules are the rules for accept.
var acceptRules = []rule[*acceptOptions]{
	{
		broken: func(o *acceptOptions) bool { return o.output != "text" && o.output != "json" },
		says:   "--output %q is neither text nor json",
		value:  func(o *acceptOptions) string { return o.output },
	},
	{
		broken: func(o *acceptOptions) bool { return len(o.traceIDs) == 0 && o.from == "" },
		says:   "no trace is named; give IDs, or a file of them with --from",
	},
	{
		broken: func(o *acceptOptions) bool { return len(o.traceIDs) > 0 && o.from != "" },
		says:   "--from and the arguments both name traces; give one of them",
	},
	{
		broken: func(o *acceptOptions) bool { return o.undo && o.reason != "" },
		says:   "--undo takes no --reason; leave one of them out",
	},
	{
		broken: func(o *acceptOptions) bool { return !o.undo && o.from == "" && strings.TrimSpace(o.reason) == "" },
		says:   "--reason is missing; say why it is accepted, for those who look at it later",
	},
	{
		broken: func(o *acceptOptions) bool { return o.lockWait < 0 },
		says:   "--lock-wait can't be negative",
	},
}

func (a *app) accept(o *acceptOptions) error {
	if err := firstOf(brokenRules(o, acceptRules)); err != nil {
		return err
	}
	traces, err := o.traces()
	if err != nil {
		return err
	}
	path, pair, err := a.pair(o.pairOptions, o.connector(a, a.terminal.Logger("text", 0)))
	if err == nil {
		_, err = os.Stat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return advice.With(fmt.Errorf("there is no checkpoint: %w", err),
			"Check its path, or run tracemig run first: a trace can be accepted once a run has failed with it")
	}
	if err != nil {
		return err
	}
	me := checkpoint.ThisProcess("accept")
	lock, err := checkpoint.TakeLock(a.stop, path, time.Duration(o.lockWait), me)
	if err != nil {
		return err
	}
	defer lock.Release()
	s, err := checkpoint.Open(a.stop, path, pair)
	if err != nil {
		return err
	}
	defer s.Close()
	return a.acceptIn(s, path, o, traces, me.By())
}

// traces are the traces that the options name, with the reasons why they are accepted.
func (o *acceptOptions) traces() (traces []accept.Trace, err error) {
	for _, id := range o.traceIDs {
		traces = append(traces, accept.Trace{ID: strings.TrimSpace(id)})
	}
	if o.from != "" {
		if traces, err = readTraces("from", o.from, o.stdin, "failed"); err != nil {
			return nil, err
		}
	}
	for i := range traces {
		t := &traces[i]
		switch {
		case t.ID == "":
			return nil, usageError("one of the trace IDs is empty")
		case o.reason != "":
			t.Why = strings.TrimSpace(o.reason)
		}
		if t.Why == "" && !o.undo {
			return nil, usageError("--reason is missing, and %s gives none for %s in a column %s", o.from, t.ID, accept.ColumnWhy)
		}
	}
	return traces, nil
}

// acceptIn accepts, or takes acceptances back, and prints what it did.
func (a *app) acceptIn(s *checkpoint.Store, path string, o *acceptOptions, traces []accept.Trace, by string) error {
	do := func() ([]checkpoint.AcceptedTrace, error) { return accept.Accept(a.stop, s, traces, by, time.Now()) }
	if o.undo {
		do = func() ([]checkpoint.AcceptedTrace, error) { return accept.Undo(a.stop, s, traces) }
	}
	done, err := do()
	wrong, refused := errors.AsType[*accept.WrongError](err)
	if err != nil && (!refused || o.output != "json") {
		return err
	}
	name, nameErr := s.SourceName(a.stop)
	if nameErr != nil {
		return nameErr
	}
	p := s.Pair()
	if o.output != "json" {
		return printAccepted(&textWriter{out: printable{a.stdout}}, part(cmp.Or(name, p.Source), p.Shard)+" → "+p.Target, o.undo, done)
	}
	out := jsonPrinter{a.stdout}
	for _, t := range done {
		l := acceptedLine{Type: "acceptance", TraceID: t.TraceID, State: t.State, Reason: t.Reason, Detail: t.Detail}
		if !o.undo {
			l.Accepted = &t.Acceptance
		}
		if err := out.line(l); err != nil {
			return err
		}
	}
	sum := acceptSummary{
		Type: "accept", Source: p.Source, SourceName: name, Target: p.Target, Shard: p.Shard, Checkpoint: path, Undo: o.undo, Traces: len(done),
		ending: ending{Version: version, ExitCode: exitCode(err, nil, false)},
	}
	if refused {
		sum.Wrong = len(wrong.Wrong)
		for _, w := range wrong.Wrong {
			if err := out.line(acceptedLine{Type: "acceptance", TraceID: w.TraceID, Problem: w.Problem}); err != nil {
				return err
			}
		}
	}
	if printErr := out.line(sum); err == nil || printErr != nil {
		return errors.Join(err, printErr)
	}
	return reported{err}
}

// acceptedLine is a trace that accept was asked for, as JSON.
type acceptedLine struct {
	Type     string                 `json:"type"`
	TraceID  string                 `json:"trace_id"`
	State    checkpoint.State       `json:"state,omitempty"` // that it has now
	Reason   checkpoint.Reason      `json:"reason,omitempty"`
	Detail   string                 `json:"detail,omitempty"`
	Accepted *checkpoint.Acceptance `json:"accepted,omitempty"`
	Problem  string                 `json:"problem,omitempty"` // why nothing was changed
}

// acceptSummary is the last line of accept -o json.
type acceptSummary struct {
	Type       string      `json:"type"`
	Source     string      `json:"source"`
	SourceName string      `json:"source_name,omitempty"`
	Target     string      `json:"target"`
	Shard      shard.Shard `json:"shard,omitzero"`
	Checkpoint string      `json:"checkpoint"`
	Undo       bool        `json:"undo"`           // acceptances were taken back
	Traces     int         `json:"traces_changed"` // how many are accepted now, or with --undo no longer
	Wrong      int         `json:"traces_wrong"`   // if there are any, nothing was changed
	ending
}

// printAccepted says for people which traces of a pair are accepted now, or no longer.
func printAccepted(w *textWriter, pair string, undo bool, traces []checkpoint.AcceptedTrace) error {
	for _, t := range traces {
		w.printf("  %s  %s: %s\n", t.TraceID, inWords(t.Reason).words, cmp.Or(plain(t.Detail), "-"))
	}
	n := count(int64(len(traces)), "trace")
	if undo {
		w.printf("%s: %s no longer accepted; a failure counts as one again\n", pair, n)
	} else {
		w.printf("%s: %s accepted; runs go on trying, and count a failure as accepted\n", pair, n)
	}
	return w.err
}
