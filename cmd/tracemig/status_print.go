package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/shard"
)

// pairStatus is what a checkpoint tells of its pair, in the form in which it is printed as JSON.
type pairStatus struct {
	Type       string                     `json:"type"`
	Source     string                     `json:"source"`
	SourceName string                     `json:"source_name,omitempty"` // the experiment's, when a run last asked for it
	Target     string                     `json:"target"`
	pair       string                     // its name in a file of pairs; empty where there is none
	Shard      shard.Shard                `json:"shard,omitzero"`
	Checkpoint string                     `json:"checkpoint"`
	FromTarget bool                       `json:"from_target"`       // there is no checkpoint, so the target's tables were read
	Complete   bool                       `json:"complete"`          // it holds all that the target holds
	UsedBy     string                     `json:"used_by,omitempty"` // process that has the checkpoint now
	Traces     map[checkpoint.State]int64 `json:"traces"`
	Reasons    []reasonCount              `json:"reasons"`                       // of traces that were not simply migrated
	Newest     *time.Time                 `json:"newest_request_time,omitempty"` // of the traces that are in the target
	Covered    *coverage                  `json:"covered,omitempty"`             // absent where no run has looked at its whole window
	Runs       int64                      `json:"runs"`                          // how many there were
	LastRun    *runStatus                 `json:"last_run,omitempty"`            // only in a status of all checkpoints
	Success    *time.Time                 `json:"last_success,omitempty"`        // when the last run ended whose outcome was done
	Stale      *bool                      `json:"stale,omitempty"`               // that was longer ago than --max-age; nil without the flag
}

type reasonCount struct {
	State   checkpoint.State  `json:"state"`
	Reason  checkpoint.Reason `json:"reason"`
	Traces  int64             `json:"traces"`
	Example string            `json:"example"`          // trace ID
	Detail  string            `json:"detail,omitempty"` // of the example

	Accepted *checkpoint.Acceptance `json:"accepted,omitempty"` // of the example
}

// coverage is the window of the run that looked at the source up to the latest request time.
type coverage struct {
	From  *time.Time `json:"from,omitempty"` // inclusive; nil for no bound
	Until time.Time  `json:"until"`          // exclusive
	RunID string     `json:"run_id"`
}

type runStatus struct {
	Type        string         `json:"type"`
	RunID       string         `json:"run_id"`
	Started     time.Time      `json:"started"`
	Ended       *time.Time     `json:"ended,omitempty"`
	By          string         `json:"by"`                     // user@host
	WindowStart *time.Time     `json:"window_start,omitempty"` // inclusive; absent for no bound
	WindowEnd   *time.Time     `json:"window_end,omitempty"`   // exclusive; absent for no bound
	Outcome     report.Outcome `json:"outcome"`
	Migrated    int64          `json:"traces_migrated"` // traces
	Failed      int64          `json:"traces_failed"`   // traces
	// Summary is as the run printed it, without the keys type, source_name, window, version and exit_code. It is absent while the
	// run goes on.
	Summary json.RawMessage `json:"summary,omitempty"`
}

// pairStatus reads what s tells, and calls onRun for each run, the latest first. path is where the checkpoint is, or would be.
func (a *app) pairStatus(s *checkpoint.Store, path string, fromTarget bool, onRun func(runStatus) error) (pairStatus, error) {
	st, err := s.Status(a.stop, path, func(r checkpoint.Run) error { return onRun(newRunStatus(r)) })
	p := pairStatus{
		Type: "status", Source: s.Pair().Source, SourceName: st.SourceName, Target: s.Pair().Target, Shard: s.Pair().Shard,
		Checkpoint: path, FromTarget: fromTarget, Complete: st.Complete, Traces: st.Traces, Reasons: []reasonCount{}, Runs: st.Runs,
	}
	if st.UsedBy != nil {
		p.UsedBy = st.UsedBy.String()
	}
	for _, c := range st.Reasons {
		r := reasonCount{State: c.State, Reason: c.Reason, Traces: c.Traces, Example: c.Example, Detail: c.Detail}
		if c.State == checkpoint.Accepted {
			r.Accepted = st.Accepted[c.Example]
		}
		p.Reasons = append(p.Reasons, r)
	}
	if !st.LastDone.IsZero() {
		p.Success = &st.LastDone
	}
	if st.NewestMs != 0 {
		p.Newest = timeOf(&st.NewestMs)
	}
	if c := st.Covered; c != nil {
		p.Covered = &coverage{From: timeOf(c.FromMs), Until: c.Until, RunID: c.RunID}
	}
	return p, err
}

func newRunStatus(r checkpoint.Run) runStatus {
	rs := runStatus{
		Type: "run", RunID: r.ID, Started: r.Start, By: r.By, WindowStart: timeOf(r.WindowStartMs), WindowEnd: timeOf(r.WindowEndMs),
		Outcome: r.Outcome, Migrated: r.Migrated, Failed: r.Failed, Summary: json.RawMessage(r.Summary),
	}
	if !r.End.IsZero() {
		rs.Ended = &r.End
	}
	return rs
}

func timeOf(ms *int64) *time.Time {
	if ms == nil {
		return nil
	}
	t := time.UnixMilli(*ms).UTC()
	return &t
}

// statusAsJSON prints a line for each run, and one for the checkpoint.
func (a *app) statusAsJSON(s *checkpoint.Store, path string, fromTarget bool, fresh time.Time) (pairStatus, error) {
	out := jsonPrinter{a.stdout}
	var last *runStatus
	st, err := a.pairStatus(s, path, fromTarget, func(r runStatus) error {
		if last == nil {
			last = &r
		}
		return out.line(r)
	})
	if err != nil {
		return st, err
	}
	st.judge(fresh)
	err = out.line(st) // without the last run, which has a line of its own
	st.LastRun = last
	return st, err
}

// runsShown is how many runs the text shows: a nightly job makes many.
const runsShown = 10

// statusAsText prints the checkpoint and its latest runs for people.
func (a *app) statusAsText(s *checkpoint.Store, path string, fromTarget bool, fresh time.Time) (pairStatus, error) {
	var recent []runStatus
	st, err := a.pairStatus(s, path, fromTarget, func(r runStatus) error {
		if len(recent) < runsShown {
			recent = append(recent, r)
		}
		return nil
	})
	if err != nil {
		return st, err
	}
	st.judge(fresh)
	b := bufio.NewWriter(a.stdout)
	w := &textWriter{out: b, width: a.stdout.width()}
	name := st.Source
	if st.SourceName != "" {
		name = plain(st.SourceName) + " (" + name + ")"
	}
	w.printf("%s → %s\n", part(name, st.Shard), st.Target)
	switch {
	case st.FromTarget:
		w.row("checkpoint", "none at %s: told from the target, which knows no runs, nor what was deferred or failed", st.Checkpoint)
	case !st.Complete:
		w.row("checkpoint", "%s, not filled to its end: the next run does that, or tracemig checkpoint rebuild", st.Checkpoint)
	default:
		w.row("checkpoint", "%s", st.Checkpoint)
	}
	if st.UsedBy != "" {
		w.row("in use by", "%s", st.UsedBy)
	}
	printStates(w, &st)
	if st.Newest != nil {
		w.row("newest request time", "%s", stamp(st.Newest))
	}
	if c := st.Covered; c != nil {
		w.row("covered", "%s by run %s", interval(c.From, &c.Until), c.RunID)
	}
	if !st.FromTarget {
		w.row("last success", "%s", st.success(time.Now()))
	}
	printRuns(w, recent, st.Runs)
	if len(recent) > 0 {
		st.LastRun = &recent[0]
	}
	return st, cmp.Or(w.err, b.Flush())
}

// printStates prints how many traces are in each state, and why.
func printStates(w *textWriter, st *pairStatus) {
	states := []checkpoint.State{checkpoint.Migrated, checkpoint.Deferred, checkpoint.Skipped, checkpoint.Failed}
	if st.FromTarget {
		states = []checkpoint.State{checkpoint.Migrated, checkpoint.Skipped}
	} else if st.Traces[checkpoint.Accepted] > 0 {
		states = append(states, checkpoint.Accepted)
	}
	for _, state := range states {
		w.row("traces "+string(state), "%s", group(st.Traces[state]))
		for _, r := range st.Reasons {
			if r.State != state {
				continue
			}
			more := ""
			if r.Traces > 1 {
				more = fmt.Sprintf(", … (--list %s lists all)", state)
			}
			why := inWords(r.Reason)
			w.subrow(why.words, "%s  %s%s", group(r.Traces), plain(r.Example), more)
			w.detail(why.means)
			w.detail(plain(r.Detail))
			if a := r.Accepted; a != nil {
				w.detail(fmt.Sprintf("accepted by %s at %s: %s", plain(a.By), a.At.Format(time.RFC3339), plain(a.Why)))
			}
		}
	}
}

// printRuns prints a table of the latest of total runs.
func printRuns(w *textWriter, recent []runStatus, total int64) {
	if len(recent) == 0 {
		return
	}
	more := ""
	if total > runsShown {
		more = fmt.Sprintf(", the latest %d of %s (-o json lists all)", runsShown, group(total))
	}
	w.printf("  runs%s\n", more)
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	t := textWriter{out: table}
	t.printf("    id\tstarted\ttook\toutcome\tmigrated\tfailed\twindow\tby\n")
	for _, r := range recent {
		took := "-"
		if r.Ended != nil {
			took = r.Ended.Sub(r.Started).Round(10 * time.Millisecond).String()
		}
		t.printf("    %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.RunID, r.Started.Format(time.RFC3339), took, r.Outcome,
			group(r.Migrated), group(r.Failed), interval(r.WindowStart, r.WindowEnd), plain(r.By))
	}
	if err := cmp.Or(t.err, table.Flush()); w.err == nil {
		w.err = err
	}
}

// plain replaces what is not printable in s, which comes from the source: it must not break the line or steer the terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}

func interval(from, until *time.Time) string {
	text := func(t *time.Time) string { return t.Format(time.RFC3339Nano) }
	switch {
	case from == nil && until == nil:
		return "all"
	case from == nil:
		return "before " + text(until)
	case until == nil:
		return "from " + text(from)
	}
	return "from " + text(from) + " before " + text(until)
}
