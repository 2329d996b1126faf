package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/config"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/pairs"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/terminal"
	"github.com/tracemig/tracemig/internal/verify"
)

// worstFirst are the exit codes, the worst first: that of a command that works on several pairs is the worst of theirs. A signal beats
// all, since not all was looked at. What kept a pair from its end comes before what was found of one that came to it.
var worstFirst = []int{
	exitInterrupted, exitUsage, exitFailed, fault.Credentials.ExitCode(), fault.Unreachable.ExitCode(), fault.Locked.ExitCode(),
	exitPartial, exitFound, exitStopped, exitOK,
}

// worst is the worse of two exit codes.
func worst(a, b int) int {
	rank := func(code int) int {
		if at := slices.Index(worstFirst, code); at >= 0 {
			return at
		}
		return slices.Index(worstFirst, exitFailed)
	}
	if rank(b) < rank(a) {
		return b
	}
	return a
}

// outcomes say in a word how a pair ended, by the exit code that it would have had alone. Those that are not here have failed.
var outcomes = map[int]string{
	exitOK: "done", exitPartial: "partial", exitFound: "found", exitStopped: "stopped", exitInterrupted: "interrupted",
}

// notBegun is the outcome of a pair that a signal, or the end of the time, has kept from beginning.
const notBegun = "not_begun"

// pairRow is how a command ended with one pair: a line of the table, and an element of the last line of JSON.
type pairRow struct {
	Pair     string        `json:"pair"`
	Outcome  string        `json:"outcome"` // done, partial, found, stopped, interrupted, failed or not_begun
	ExitCode int           `json:"exit_code"`
	Traces   int64         `json:"traces"` // that were moved or updated; of verify those that were compared
	Wrong    int64         `json:"wrong"`  // traces that failed, or are not as they should be; of check the probes that failed
	Spans    int64         `json:"spans"`  // that were written; of verify those that were compared
	Bytes    int64         `json:"bytes"`  // that were written
	Seconds  float64       `json:"seconds"`
	Error    *report.Error `json:"error,omitempty"`

	status *pairStatus // of the command status
	failed int64       // traces, of runs
	moved  bool        // there was a run
}

// probed notes what check has found.
func (r *pairRow) probed(n map[preflight.Result]int) {
	if r != nil {
		r.Wrong = int64(n[preflight.Failed])
	}
}

// pairPrinter notes what is printed of a pair.
type pairPrinter struct {
	printer
	row *pairRow
}

func (p pairPrinter) summary(s migrate.Summary, e ending) error {
	r := p.row
	r.moved = true
	r.Traces, r.Spans, r.Bytes = s.Migrated+s.Updated, s.SpansWritten+s.SpansUpdated, s.Bytes
	r.failed = s.Failed
	r.Wrong = r.failed
	return p.printer.summary(s, e)
}

func (p pairPrinter) plan(pl migrate.Plan, e ending) error {
	p.row.Traces, p.row.Spans, p.row.Bytes = pl.ToMigrate, pl.Spans, pl.Bytes
	return p.printer.plan(pl, e)
}

func (p pairPrinter) report(v verify.Report, e ending) error {
	r := p.row
	r.Wrong = r.failed + v.Wrong() + v.Kinds[verify.Unreadable]
	if !r.moved {
		r.Traces, r.Spans = v.Compared, v.Spans
	}
	return p.printer.report(v, e)
}

// next is printed only of a pair of which something is wrong: end prints one for all.
func (p pairPrinter) next(n next) error {
	if p.row.Wrong == 0 {
		return nil
	}
	return p.printer.next(n)
}

// overview is a command that works on several pairs, and tells of all of them at its end.
type overview struct {
	*app
	*pairsOptions
	command string
	json    bool
	dryRun  bool
	maxAge  string // of status
	log     *slog.Logger
	began   time.Time
	rows    []pairRow // in the order of the file
	gone    []string  // names of pairs of experiments that vanished
	ended   pairsLine // how all ended
}

// vanishedLine is an experiment that a pattern no longer stands for, as JSON.
type vanishedLine struct {
	Type string `json:"type"`
	Pair string `json:"pair"`
	pairs.Vanished
}

// vanished tells of experiments that a pair no longer stands for.
func (o *overview) vanished(pair, source string, gone []pairs.Vanished) {
	for _, v := range gone {
		o.gone = append(o.gone, pair+"/"+config.Part(source, v.Name))
		args := []any{"pair", pair, "experiment", v.Name, "id", v.ID}
		text := "an experiment has vanished from the pattern: it was deleted or renamed, or this identity may no longer see it"
		if v.RenamedTo != "" {
			text = "an experiment of the pattern has another name now, and goes where that one says"
			args = append(args, "now", v.RenamedTo)
		}
		o.log.Warn(text+"; what was moved of it stays where it is", args...)
		if o.json {
			_ = jsonPrinter{o.stdout}.line(vanishedLine{"vanished", pair, v}) // o.stdout keeps its error
		}
	}
}

// one works on a pair with do, and prints how it ends.
func (o *overview) one(row *pairRow, ends *pairOptions, do func(*app) error) {
	began := time.Now()
	a := *o.app
	a.row = row
	var text bytes.Buffer
	if a.stdout = (&results{out: &text, color: o.stdout.color}); o.json {
		a.stdout = newResults(o.stdout)
		a.stdout.pair = row.Pair
	}
	err := do(&a)
	row.Seconds = time.Since(began).Seconds()
	row.ExitCode = exitCode(err, nil, o.interrupted())
	if row.Outcome = outcomes[row.ExitCode]; row.Outcome == "" {
		row.Outcome = string(report.Failed)
	}
	if ee, coded := errors.AsType[*exitError](err); err != nil && !(coded && ee.err == nil) {
		if row.ExitCode != exitInterrupted && row.ExitCode != exitStopped {
			row.Error = report.ErrorOf(err)
			o.log.Error(err.Error(), "pair", row.Pair)
		}
	}
	switch {
	case o.json && err != nil && !isReported(err):
		_ = jsonPrinter{a.stdout}.failure(failure(ends, err, ending{Version: version, ExitCode: row.ExitCode})) // o.stdout keeps its error
	case text.Len() > 0: // whole, so that the texts of pairs don't mix
		_, _ = fmt.Fprintf(o.stdout, "pair %s\n%s\n", plain(row.Pair), text.Bytes())
	}
}

// failed tells the outlets of a pair for which nothing is to be done because of err, and returns that.
func (o *overview) failed(a *app, ends *pairOptions, err error) error {
	if o.dryRun {
		return err
	}
	out := o.together.outlets.of(a.row.Pair, o.log)
	out.summaries.failure(failure(ends, err, ending{Version: version, ExitCode: exitCode(err, nil, o.interrupted())}))
	return a.tell(out, a.named(ends), o.command, err)
}

// pairsLine is the last line of JSON of a command that worked on several pairs.
type pairsLine struct {
	Type     string         `json:"type"`
	Command  string         `json:"command"`
	Config   string         `json:"config"` // the file of pairs
	Pairs    int            `json:"pairs"`
	Outcomes map[string]int `json:"outcomes"` // how many pairs had each
	Traces   int64          `json:"traces"`
	Wrong    int64          `json:"wrong"` // of all pairs, as in results
	Spans    int64          `json:"spans"` // of all pairs, as in results
	Bytes    int64          `json:"bytes"`
	Seconds  float64        `json:"seconds"`
	Version  string         `json:"version"`   // of tracemig
	ExitCode int            `json:"exit_code"` // the worst of the pairs
	Results  []pairRow      `json:"results"`   // of each pair
}

// end prints how all pairs ended. Its error has the worst of their exit codes.
func (o *overview) end() error {
	l := pairsLine{
		Type: "pairs", Command: o.command, Config: o.config, Pairs: len(o.rows), Outcomes: map[string]int{}, Results: o.rows,
		Version: version,
		Seconds: time.Since(o.began).Seconds(),
	}
	for i := range o.rows {
		r := &o.rows[i]
		if r.Outcome == notBegun {
			r.ExitCode = exitStopped
			if o.interrupted() {
				r.ExitCode = exitInterrupted
			}
		}
		l.Outcomes[r.Outcome]++
		l.Traces += r.Traces
		l.Wrong += r.Wrong
		l.Spans += r.Spans
		l.Bytes += r.Bytes
		l.ExitCode = worst(l.ExitCode, r.ExitCode)
	}
	o.terminal.Block()
	stale, err := o.statuses(&l)
	o.ended = l
	switch {
	case err != nil:
	case o.json:
		err = jsonPrinter{o.stdout}.line(l)
	case o.command != "status":
		err = o.table(&l)
	}
	if n := l.Outcomes[notBegun]; n > 0 {
		o.log.Warn("pairs were not begun", "pairs", n, "of", len(o.rows), "names", strings.Join(o.named(notBegun), " "))
	}
	switch {
	case err != nil:
		return err
	case l.ExitCode == exitInterrupted:
		return reported{&exitError{exitInterrupted, errors.New("interrupted")}}
	case l.ExitCode == exitStopped:
		at, timed := errors.AsType[*report.StopError](context.Cause(o.stop))
		if !timed {
			at = &report.StopError{At: report.AtLimit}
		}
		return reported{&exitError{exitStopped, at}}
	case l.ExitCode != exitOK:
		return reported{&exitError{l.ExitCode, stale}}
	}
	return nil
}

// statuses prints the status of the pairs, and finds those that are stale.
func (o *overview) statuses(l *pairsLine) (stale, err error) {
	var all []pairStatus
	for i := range o.rows {
		if st := o.rows[i].status; st != nil {
			all = append(all, *st)
		}
	}
	if stale = staleError(all, o.maxAge); stale != nil {
		l.ExitCode = worst(l.ExitCode, exitFound)
	}
	if len(all) > 0 && !o.json {
		err = statusTable{o.stdout.width(), o.stdout.color, time.Now()}.print(o.stdout, all)
	}
	return stale, err
}

// named are the pairs with an outcome.
func (o *overview) named(outcome string) (names []string) {
	for i := range o.rows {
		if o.rows[i].Outcome == outcome {
			names = append(names, o.rows[i].Pair)
		}
	}
	return names
}

// columns are the headings of the table, by command. What a command does not do has no column.
var columns = map[string][3]string{
	"run": {"moved", "failed", "spans"}, "repair": {"moved", "wrong", "spans"}, "verify": {"compared", "wrong", "spans"},
	"check": {"", "failed", ""},
}

// styleOf is how the outcome of a pair with an exit code looks.
func styleOf(code int) terminal.Style {
	switch code {
	case exitOK:
		return terminal.OK
	case exitPartial, exitStopped:
		return terminal.Warning
	}
	return terminal.Failed
}

// table prints a line for each pair, and one for all.
func (o *overview) table(l *pairsLine) error {
	head := columns[o.command]
	titles := []string{"pair", "outcome", head[0], head[1], head[2], "written", "took", "exit"}
	shown := func(column int) bool {
		return titles[column] != "" && (titles[column] != "written" || head[0] == "moved")
	}
	var rows [][]string
	add := func(cells ...string) {
		var row []string
		for i, cell := range cells {
			if shown(i) {
				row = append(row, cell)
			}
		}
		rows = append(rows, row)
	}
	row := func(r *pairRow) {
		took := time.Duration(r.Seconds * float64(time.Second)).Round(10 * time.Millisecond)
		add(plain(r.Pair), strings.ReplaceAll(r.Outcome, "_", " "), group(r.Traces), group(r.Wrong), group(r.Spans), size(r.Bytes),
			took.String(), fmt.Sprint(r.ExitCode))
	}
	add(titles...)
	for i := range l.Results {
		row(&l.Results[i])
	}
	all := "1 pair"
	if l.Pairs != 1 {
		all = fmt.Sprintf("%d pairs", l.Pairs)
	}
	var ends []string
	for _, outcome := range slices.Sorted(maps.Keys(l.Outcomes)) {
		ends = append(ends, fmt.Sprintf("%d %s", l.Outcomes[outcome], outcome))
	}
	row(&pairRow{
		Pair: all, Outcome: strings.Join(ends, ", "), ExitCode: l.ExitCode,
		Traces: l.Traces, Wrong: l.Wrong, Spans: l.Spans, Bytes: l.Bytes, Seconds: l.Seconds,
	})
	if width := o.stdout.width(); width > 0 {
		cutTo(width, rows, func(column int) bool { return column < 2 })
	}
	if o.stdout.color {
		for i := range l.Results {
			rows[i+1][1] = styleOf(l.Results[i].ExitCode).Paint(rows[i+1][1])
		}
	}
	text := layOut(rows, func(column int) bool { return column > 1 }) + "\n"
	if _, err := io.WriteString(o.stdout, text); err != nil || o.command != "run" || o.dryRun || l.ExitCode != exitOK {
		return err
	}
	var f flags
	f.add("config", o.config)
	f.add("only", o.only)
	return newTextPrinter(o.stdout).next(next{"to prove it, value by value", command("verify", f, "--deep")})
}
