package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/uctables"
)

type statusOptions struct {
	pairOptions
	list   string
	idMap  bool
	output string
}

func newStatusCommand(a *app) *cobra.Command {
	o := statusOptions{output: "text"}
	c := &cobra.Command{
		Use:   "status [--source EXPERIMENT --target TARGET | --checkpoint FILE]",
		Short: "Show what was migrated, by which runs, and what was not and why",
		Long: `Show what the checkpoint of a source and target knows: its runs, its traces by state and reason,
and up to which request time the source is covered. A run whose process is gone without having
noted its end is shown as killed. Nothing is written.

With --checkpoint alone no server is asked. Without any flag there is one line for each checkpoint
of the default folder. A checkpoint that is gone is told from the target's tables, which know the
migrated and skipped traces, not the runs nor what was deferred or failed.

With --list and --map there is one line a trace: CSV has a header, JSON lines have a "type".`,
		Example: `  tracemig status
  tracemig status --source /Shared/support-agent --target main.agents.support
  tracemig status --checkpoint ./checkpoint.db --list failed -o json
  tracemig status --source /Shared/support-agent --target main.agents.support --map -o csv > ids.csv`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.status(o) },
	}
	o.addFlags(c)
	f := c.Flags()
	f.StringVar(&o.list, "list", "", "list the traces that are migrated, skipped, deferred or failed")
	f.BoolVar(&o.idMap, "map", false, "list old and new ID of every trace that is in the target")
	f.StringVarP(&o.output, "output", "o", o.output, "text or json; csv too with --list and --map")
	return c
}

func (o *statusOptions) validate() error {
	states := []checkpoint.State{checkpoint.Migrated, checkpoint.Skipped, checkpoint.Deferred, checkpoint.Failed}
	listing := o.list != "" || o.idMap
	switch {
	case o.output != "text" && o.output != "json" && o.output != "csv":
		return usageError("--output %q is none of text, json, csv", o.output)
	case o.output == "csv" && !listing:
		return usageError("--output csv is for --list and --map")
	case o.list != "" && o.idMap:
		return usageError("--list and --map both say what to list; give one of them")
	case o.list != "" && !slices.Contains(states, checkpoint.State(o.list)):
		return usageError("--list %q is none of migrated, skipped, deferred, failed", o.list)
	case listing && o.all():
		return usageError("--list and --map are for one source and target; name them, or their --checkpoint")
	case o.shard.Count > 0 && o.all():
		return usageError("--shard is for one source and target; name them, or leave it out for all checkpoints")
	case o.all() || o.checkpoint != "" && o.source == "" && o.target == "":
		return nil
	}
	return o.pairOptions.validate()
}

// all says whether no pair is named.
func (o *statusOptions) all() bool { return o.source == "" && o.target == "" && o.checkpoint == "" }

func (a *app) status(o statusOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	if o.all() {
		return a.statusOfAll(o.output)
	}
	e := o.ends(a, a.terminal.Logger("text", 0))
	path, pair, err := a.pair(o.pairOptions, e)
	if errors.Is(err, fs.ErrNotExist) {
		return advice.With(err, "Check the path, or name --source and --target to be told from the target's tables")
	}
	if err != nil {
		return err
	}
	s, err := checkpoint.OpenReadOnly(a.stop, path)
	fromTarget := errors.Is(err, fs.ErrNotExist)
	if fromTarget {
		e.log.Info("there is no checkpoint; reading the target's tables", "checkpoint", path)
		if shards := checkpoint.Shards(a.stop, a.getenv, pair); len(shards) > 0 {
			e.log.Info("what was deferred or failed stands in the checkpoints of shards; add --shard", "shards", strings.Join(shards, " "))
		}
		s, err = a.temporary(o.target, e, pair)
	}
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.BelongsTo(pair); err != nil {
		return err
	}
	switch {
	case o.list != "":
		return a.listTraces(s, checkpoint.State(o.list), o.output)
	case o.idMap:
		return a.listIDs(s, o.output)
	}
	var recent []runStatus
	st, err := a.pairStatus(s, path, fromTarget, func(r runStatus) {
		if o.output == "json" {
			jsonPrinter{a.stdout}.line(r)
		} else if len(recent) < runsShown {
			recent = append(recent, r)
		}
	})
	if err != nil {
		return err
	}
	if o.output == "json" {
		jsonPrinter{a.stdout}.line(st)
		return nil
	}
	return a.printStatus(st, recent)
}

// temporary makes a checkpoint that is gone once closed, from what the target tells.
func (a *app) temporary(ref string, e *ends, pair checkpoint.Pair) (*checkpoint.Store, error) {
	target, err := e.target(a.stop, ref)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	s, err := checkpoint.Open(a.stop, "", pair)
	if err != nil {
		return nil, err
	}
	if err := migrate.Rebuild(a.stop, s, target, pair.Source, ""); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// pairStatus is what a checkpoint tells of its pair, as JSON too.
type pairStatus struct {
	Type       string                     `json:"type"`
	Source     string                     `json:"source"`
	Target     string                     `json:"target"`
	Shard      shard.Shard                `json:"shard,omitzero"`
	Checkpoint string                     `json:"checkpoint"`
	FromTarget bool                       `json:"from_target"` // there is no checkpoint
	Complete   bool                       `json:"complete"`    // it holds all that the target holds
	UsedBy     string                     `json:"used_by,omitempty"`
	Traces     map[checkpoint.State]int64 `json:"traces"`
	Reasons    []reasonCount              `json:"reasons"`
	Newest     *time.Time                 `json:"newest_request_time,omitempty"`
	Covered    *coverage                  `json:"covered,omitempty"`
	Runs       int64                      `json:"runs"`
	LastRun    *runStatus                 `json:"last_run,omitempty"` // where the runs are not told one by one
}

type reasonCount struct {
	State   checkpoint.State `json:"state"`
	Reason  string           `json:"reason"`
	Traces  int64            `json:"traces"`
	Example string           `json:"example"`          // trace ID
	Detail  string           `json:"detail,omitempty"` // of the example
}

// coverage is the window of the run that saw most of the source's time to its end.
type coverage struct {
	From  *time.Time `json:"from,omitempty"` // inclusive; nil for no bound
	Until time.Time  `json:"until"`          // exclusive
	RunID string     `json:"run_id"`
}

type runStatus struct {
	Type        string          `json:"type"`
	RunID       string          `json:"run_id"`
	Started     time.Time       `json:"started"`
	Ended       *time.Time      `json:"ended,omitempty"`
	By          string          `json:"by"`
	WindowStart *time.Time      `json:"window_start,omitempty"`
	WindowEnd   *time.Time      `json:"window_end,omitempty"`
	Outcome     report.Outcome  `json:"outcome"`
	Migrated    int64           `json:"traces_migrated"`
	Failed      int64           `json:"traces_failed"`
	Summary     json.RawMessage `json:"summary,omitempty"`
}

// pairStatus reads what s tells; onRun hears of every run, the latest first. path is where the checkpoint is, or would be.
func (a *app) pairStatus(s *checkpoint.Store, path string, fromTarget bool, onRun func(runStatus)) (pairStatus, error) {
	st, err := s.Status(a.stop, path, func(r checkpoint.Run) { onRun(newRunStatus(r)) })
	p := pairStatus{
		Type: "status", Source: s.Pair().Source, Target: s.Pair().Target, Shard: s.Pair().Shard, Checkpoint: path, FromTarget: fromTarget,
		Complete: st.Complete, Traces: st.Traces, Reasons: []reasonCount{}, Runs: st.Runs,
	}
	if st.UsedBy != nil {
		p.UsedBy = st.UsedBy.String()
	}
	for _, c := range st.Reasons {
		p.Reasons = append(p.Reasons, reasonCount(c))
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

// runsShown is how many runs are shown to people; a nightly job makes many.
const runsShown = 10

func (a *app) printStatus(st pairStatus, recent []runStatus) error {
	w := bufio.NewWriter(a.stdout)
	fmt.Fprintf(w, "%s → %s\n", part(st.Source, st.Shard), st.Target)
	switch {
	case st.FromTarget:
		fmt.Fprintf(w, "  %-22s none at %s: told from the target, which knows no runs, nor what was deferred or failed\n", "checkpoint", st.Checkpoint)
	case !st.Complete:
		fmt.Fprintf(w, "  %-22s %s, not filled to its end: the next run does that, or tracemig checkpoint rebuild\n", "checkpoint", st.Checkpoint)
	default:
		fmt.Fprintf(w, "  %-22s %s\n", "checkpoint", st.Checkpoint)
	}
	if st.UsedBy != "" {
		fmt.Fprintf(w, "  %-22s %s\n", "in use by", st.UsedBy)
	}
	for _, state := range []checkpoint.State{checkpoint.Migrated, checkpoint.Deferred, checkpoint.Skipped, checkpoint.Failed} {
		if state != checkpoint.Migrated && st.FromTarget && state != checkpoint.Skipped {
			continue
		}
		fmt.Fprintf(w, "  %-22s %s\n", "traces "+string(state), group(st.Traces[state]))
		for _, r := range st.Reasons {
			if r.State == state {
				fmt.Fprintf(w, "    %-20s %s  %s", r.Reason, group(r.Traces), plain(r.Example))
				if r.Traces > 1 {
					fmt.Fprintf(w, ", … (--list %s lists all)", state)
				}
				fmt.Fprintln(w)
				if r.Detail != "" {
					fmt.Fprintf(w, "      %s\n", plain(r.Detail))
				}
			}
		}
	}
	if st.Newest != nil {
		fmt.Fprintf(w, "  %-22s %s\n", "newest request time", stamp(st.Newest))
	}
	if c := st.Covered; c != nil {
		fmt.Fprintf(w, "  %-22s %s by run %s\n", "covered", interval(c.From, &c.Until), c.RunID)
	}
	if len(recent) == 0 {
		return w.Flush()
	}
	fmt.Fprint(w, "  runs")
	if st.Runs > runsShown {
		fmt.Fprintf(w, ", the latest %d of %s (-o json lists all)", runsShown, group(st.Runs))
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "    id\tstarted\ttook\toutcome\tmigrated\tfailed\twindow\tby")
	for _, r := range recent {
		took := "-"
		if r.Ended != nil {
			took = r.Ended.Sub(r.Started).Round(10 * time.Millisecond).String()
		}
		fmt.Fprintf(t, "    %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.RunID, r.Started.Format(time.RFC3339), took, r.Outcome,
			group(r.Migrated), group(r.Failed), interval(r.WindowStart, r.WindowEnd), plain(r.By))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return w.Flush()
}

// statusOfAll prints one line a checkpoint of the default folder. One that can't be read is an error,
// after the others were printed.
func (a *app) statusOfAll(output string) error {
	dir, paths, err := checkpoint.InDefaultDir(a.getenv)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		a.terminal.Logger("text", 0).Info("there are no checkpoints; name one with --checkpoint, or a --source and --target", "folder", dir)
	}
	var failed []error
	for _, path := range paths {
		st, err := func() (pairStatus, error) {
			s, err := checkpoint.OpenReadOnly(a.stop, path)
			if err != nil {
				return pairStatus{}, err
			}
			defer s.Close()
			var last *runStatus
			st, err := a.pairStatus(s, path, false, func(r runStatus) {
				if last == nil {
					last = &r
				}
			})
			st.LastRun = last
			return st, err
		}()
		switch {
		case a.stop.Err() != nil:
			return a.stop.Err()
		case err != nil:
			failed = append(failed, err)
		case output == "json":
			jsonPrinter{a.stdout}.line(st)
		default:
			last := "no run yet"
			if r := st.LastRun; r != nil {
				last = "last run " + r.Started.Format(time.RFC3339) + " " + string(r.Outcome)
			}
			fmt.Fprintf(a.stdout, "%s → %s: %s migrated, %s deferred, %s skipped, %s failed; %s\n", part(st.Source, st.Shard), st.Target,
				group(st.Traces[checkpoint.Migrated]), group(st.Traces[checkpoint.Deferred]), group(st.Traces[checkpoint.Skipped]), group(st.Traces[checkpoint.Failed]), last)
		}
	}
	return errors.Join(failed...)
}

// tracePrinted is a trace of status --list as JSON.
type tracePrinted struct {
	Type          string           `json:"type"`
	TraceID       string           `json:"trace_id"`
	TargetTraceID string           `json:"target_trace_id,omitempty"`
	RequestTime   *time.Time       `json:"request_time,omitempty"`
	State         checkpoint.State `json:"state"`
	Reason        string           `json:"reason,omitempty"`
	Detail        string           `json:"detail,omitempty"`
	RunID         string           `json:"run_id,omitempty"`
}

func (a *app) listTraces(s *checkpoint.Store, state checkpoint.State, output string) error {
	l := a.newLister(output, "trace_id", "target_trace_id", "request_time", "state", "reason", "detail", "run_id")
	return l.flush(s.Records(a.stop, state, func(r checkpoint.Record) error {
		var at *time.Time
		if r.RequestTimeMs != 0 { // not known where an earlier tracemig wrote the target
			at = timeOf(&r.RequestTimeMs)
		}
		return l.line(tracePrinted{"trace", r.TraceID, r.TargetTraceID, at, r.State, r.Reason, r.Detail, r.RunID},
			r.TraceID, r.TargetTraceID, stamp(at), string(r.State), r.Reason, r.Detail, r.RunID)
	}))
}

// mapping is a trace of status --map as JSON.
type mapping struct {
	Type    string `json:"type"`
	TraceID string `json:"trace_id"`
	NewID   string `json:"new_id"`
	Target  string `json:"target"`
}

func (a *app) listIDs(s *checkpoint.Store, output string) error {
	target := s.Pair().Target
	prefix := "" // of new IDs; the traces of local tables are known by their target trace ID
	if !strings.HasPrefix(target, "file:") {
		l, err := uctables.ParseLocation(target)
		if err != nil {
			return err
		}
		prefix = "trace:/" + l.Catalog + "." + l.Schema + "." + l.Prefix + "/"
	}
	l := a.newLister(output, "trace_id", "new_id", "target")
	return l.flush(s.Moved(a.stop, func(r checkpoint.Record) error {
		id := prefix + r.TargetTraceID
		return l.line(mapping{"mapping", r.TraceID, id, target}, r.TraceID, id, target)
	}))
}

// lister prints one line a trace, in the form that -o asks for.
type lister struct {
	output string
	out    *bufio.Writer
	csv    *csv.Writer
}

func (a *app) newLister(output string, columns ...string) *lister {
	l := &lister{output: output, out: bufio.NewWriter(a.stdout)}
	l.csv = csv.NewWriter(l.out)
	if output == "csv" {
		l.csv.Write(columns) // its error stays for flush
	}
	return l
}

// line prints v as JSON, or else its cells.
func (l *lister) line(v any, cells ...string) error {
	switch l.output {
	case "csv":
		return l.csv.Write(cells)
	case "json":
		return json.NewEncoder(l.out).Encode(v)
	}
	for i, c := range cells {
		if cells[i] = plain(c); c == "" {
			cells[i] = "-"
		}
	}
	_, err := fmt.Fprintln(l.out, strings.Join(cells, "  "))
	return err
}

// flush writes out what was printed, also when listing ended with err.
func (l *lister) flush(err error) error {
	l.csv.Flush()
	return errors.Join(err, l.csv.Error(), l.out.Flush())
}

// plain keeps a terminal's line one line, whatever the source put into s.
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
