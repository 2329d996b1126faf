package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/terminal"
	"github.com/tracemig/tracemig/internal/verify"
)

// printable escapes control characters, which servers may put into names to steer the terminal.
type printable struct{ out io.Writer }

func (p printable) Write(b []byte) (int, error) {
	if _, err := p.out.Write(terminal.Printable(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// textWriter writes lines for people. It keeps the first error of a write, after which it writes nothing.
type textWriter struct {
	out io.Writer
	err error
}

func (w *textWriter) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.out, format, args...)
	}
}

// row writes a line of a name and what there is to say of it.
func (w *textWriter) row(name, format string, args ...any) {
	w.printf("  %-22s %s\n", name, fmt.Sprintf(format, args...))
}

// subrow writes a line about a part of what the row above tells of.
func (w *textWriter) subrow(name, format string, args ...any) {
	w.printf("    %-20s %s\n", name, fmt.Sprintf(format, args...))
}

// detail writes a line that explains the one above.
func (w *textWriter) detail(text string) { w.printf("      %s\n", text) }

// textPrinter writes for people. It keeps a few trace IDs of each reason to name them in the summary.
type textPrinter struct {
	textWriter
	examples map[string][]string
	details  map[string]string
}

// examplesShown is how many trace IDs a reason names. One more is kept, which tells whether there are more.
const examplesShown = 5

func newTextPrinter(out io.Writer) *textPrinter {
	return &textPrinter{textWriter: textWriter{out: printable{out}}, examples: map[string][]string{}, details: map[string]string{}}
}

func (p *textPrinter) trace(t migrate.TraceReport) error {
	keys := []string{string(t.State) + " " + string(t.Reason)}
	if t.Reason == "" {
		keys = nil
	}
	if t.Attachments > 0 {
		keys = append(keys, "attachments")
	}
	if t.AcceptanceEnded {
		keys = append(keys, "acceptance ended")
	}
	for _, n := range t.Notes {
		keys = append(keys, "note "+string(n.Code))
	}
	for _, k := range keys {
		p.example(k, t.TraceID, t.Detail)
	}
	return p.err
}

// example keeps a trace ID as an example for key, and the first detail.
func (p *textPrinter) example(key, traceID, detail string) {
	if ids := p.examples[key]; traceID != "" && len(ids) <= examplesShown && !slices.Contains(ids, traceID) {
		p.examples[key] = append(ids, traceID)
	}
	if p.details[key] == "" {
		p.details[key] = detail
	}
}

// ids lists the trace IDs that example kept for key.
func (p *textPrinter) ids(key string) string {
	ids := p.examples[key]
	if len(ids) == 0 {
		return ""
	}
	text := "  " + strings.Join(ids[:min(len(ids), examplesShown)], ", ")
	if len(ids) > examplesShown {
		text += ", … (-o json lists all)"
	}
	return text
}

// part names a source, and the shard of it where there is one.
func part(source string, s shard.Shard) string {
	if s.Count == 0 {
		return source
	}
	return source + " (shard " + s.String() + ")"
}

func (p *textPrinter) summary(s migrate.Summary) error {
	p.printf("%s → %s: %s\n", part(s.Source, s.Shard), s.Target, s.Outcome)
	p.row("run", "%s", s.RunID)
	p.tracesOf(&s)
	p.spansOf(&s)
	p.annotationsOf(&s)
	if s.RunLinksHidden > 0 {
		p.row("run links", "%s", notLookedFor("", s.RunLinksHidden)[0])
	}
	d := time.Duration(s.Seconds * float64(time.Second)).Round(10 * time.Millisecond)
	p.row("bytes written", "%s in %s, %.0f traces/s", size(s.Bytes), d, s.TracesPerSecond)
	p.row("traffic", "%s requests, %s retries, throttled %.1f s; %s writes to the target",
		group(s.Requests), group(s.Retries), s.ThrottledSeconds, group(s.TargetWrites))
	p.attachmentsOf(&s)
	if len(s.Notes) > 0 {
		p.printf("  values changed to fit the target:\n")
		for _, code := range slices.Sorted(maps.Keys(s.Notes)) {
			p.printf("    %-28s %s%s\n", code, group(s.Notes[code]), p.ids("note "+string(code)))
		}
	}
	return p.err
}

// tracesOf says what became of the traces.
func (p *textPrinter) tracesOf(s *migrate.Summary) {
	p.row("traces migrated", "%s", group(s.Migrated))
	if s.Updated > 0 {
		p.row("traces updated", "%s, changed at the source since", group(s.Updated))
	}
	if s.TakenOver > 0 {
		p.subrow("taken over", "%s, which Databricks' own migration had moved", group(s.TakenOver))
	}
	if s.ReadFast > 0 {
		p.subrow("read fast", "%s: tracemig verify --deep reads them exactly, and finds what that form does not hold", group(s.ReadFast))
	}
	if s.LargeForClients > 0 {
		p.subrow("large for clients", "%s over 25 MB: SQL reads them, MLflow's UI and SDK can't open them in a UC location",
			group(s.LargeForClients))
	}
	p.row("already there", "%s", group(s.Present))
	p.reasons(checkpoint.Deferred, s.Deferred, s.DeferredReasons)
	p.reasons(checkpoint.Skipped, s.Skipped, s.SkippedReasons)
	p.reasons(checkpoint.Failed, s.Failed, s.FailedReasons)
	if s.Accepted > 0 {
		p.reasons(checkpoint.Accepted, s.Accepted, s.AcceptedReasons)
	}
	if s.AcceptancesEnded > 0 {
		p.row("acceptances ended", "%s, of traces that are migrated or gone now%s", group(s.AcceptancesEnded), p.ids("acceptance ended"))
	}
	if s.NotReached > 0 {
		p.row("not reached", "%s of the %s listed, before the run broke off", group(s.NotReached), group(s.Listed))
	}
}

// reasons says how many traces are in a state, and why.
func (p *textPrinter) reasons(state checkpoint.State, n int64, reasons map[checkpoint.Reason]int64) {
	p.row(string(state), "%s", group(n))
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		key := string(state) + " " + string(reason)
		p.subrow(string(reason), "%s%s", group(reasons[reason]), p.ids(key))
		if d := p.details[key]; d != "" {
			p.detail(d)
		}
	}
}

// spansOf says what became of spans.
func (p *textPrinter) spansOf(s *migrate.Summary) {
	p.row("spans written", "%s%s", group(s.SpansWritten), thereBefore(s.SpansPresent))
	if s.SpansUpdated > 0 {
		p.row("spans updated", "%s, with the values that they have at the source now", group(s.SpansUpdated))
	}
	if s.SpansChanged > 0 {
		p.row("spans changed",
			"%s have other values at the source now; tracemig repair --deep --update-spans puts them in the place of the rows%s",
			group(s.SpansChanged), p.ids(string(checkpoint.Migrated)+" "+string(migrate.ReasonSpansChanged)))
	}
}

// annotationsOf says what became of annotations, and whether rows are there more than once.
func (p *textPrinter) annotationsOf(s *migrate.Summary) {
	p.row("annotations written", "%s%s", group(s.AnnotationsWritten), thereBefore(s.AnnotationsPresent))
	if s.AnnotationsDeleted > 0 {
		p.row("annotations deleted", "%s, which the source no longer has", group(s.AnnotationsDeleted))
	}
	if s.Duplicates != nil {
		why := ""
		if *s.Duplicates > 0 {
			why = ": somebody else wrote the same at the same time. tracemig verify names the traces, " +
				"tracemig repair prints the statements that take copies away"
		}
		p.row("keys there twice", "%s%s", group(*s.Duplicates), why)
	}
	if s.AnnotationsKept > 0 {
		p.row("annotations kept", "%s, changed at the target: left as they are there", group(s.AnnotationsKept))
	}
}

// thereBefore says how many rows the target had before the run.
func thereBefore(n int64) string {
	if n == 0 {
		return ""
	}
	return " (" + group(n) + " more were there)"
}

// attachmentsOf says what became of attachments, and how to keep those that stay at the source.
func (p *textPrinter) attachmentsOf(s *migrate.Summary) {
	if n := s.AttachmentsCopied + s.AttachmentsInlined; n > 0 {
		how := "copied to files"
		if s.AttachmentsInlined > 0 {
			how = "put into spans"
		}
		p.row("attachments", "%s, %s, %s", group(n), size(s.AttachmentBytes), how)
	}
	if s.AttachmentsLeft > 0 {
		p.row("attachments left", "%s of %s traces%s", group(s.AttachmentsLeft), group(s.AttachmentTraces), p.ids("attachments"))
		p.detail("images and the like, to which spans only refer: their bytes stay at the source and would be lost with it.")
		p.detail("--attachments FOLDER (or /Volumes/… or inline) keeps those of traces that are not migrated yet")
	}
}

func (p *textPrinter) finding(f verify.Finding) error {
	p.example(string(f.Kind), f.TraceID, f.Detail)
	return p.err
}

func (p *textPrinter) report(r verify.Report) error {
	p.printf("%s → %s: %s\n", part(r.Source, r.Shard), r.Target, verdict(&r))
	depth := "keys and annotations' IDs; --deep compares values"
	if r.Deep {
		depth = "every value"
	}
	p.row("traces compared", "%s of %s, %s spans, %s annotations: %s",
		group(r.Compared), group(r.Listed), group(r.Spans), group(r.Annotations), depth)
	p.kinds(r.Kinds)
	for _, text := range notLookedFor(r.RunLinks, r.RunLinksHidden) {
		p.row("run links", "%s", text)
	}
	if r.AttachmentsProven > 0 {
		p.row("attachments proven", "%s", group(r.AttachmentsProven))
	}
	if r.AttachmentsLeft > 0 {
		p.row("attachments left", "%s of %s traces: their bytes are at the source alone and would be lost with it",
			group(r.AttachmentsLeft), group(r.AttachmentTraces))
	}
	clear(p.examples)
	clear(p.details)
	return p.err
}

// verdict is the result of a verification in a few words.
func verdict(r *verify.Report) string {
	switch {
	case r.Outcome != report.Done:
		return string(r.Outcome)
	case r.Compared == 0:
		return "nothing compared"
	case r.Equal && r.Sample > 0:
		return "sample equal"
	case r.Equal:
		return "equal"
	case r.Wrong() == r.Kinds[verify.Pending] && r.Wrong() > 0:
		return fmt.Sprintf("NOT COMPLETE: %s of %s not moved; run again", group(r.Kinds[verify.Pending]), group(r.Compared))
	case r.Wrong() > 0:
		return "NOT EQUAL"
	case r.Kinds[verify.Unreadable] > 0:
		return "not all proven"
	}
	but := ""
	if n := r.Kinds[verify.Accepted]; n > 0 {
		but = fmt.Sprintf(" but %s accepted, which can't be migrated", group(n))
	}
	if r.Kinds[verify.Changed]+r.Kinds[verify.Newer] == 0 {
		return "equal" + but
	}
	return "nothing lost" + but + "; the next run follows what is new"
}

// kinds says how many traces were found to be of each kind.
func (p *textPrinter) kinds(counts map[verify.Kind]int64) {
	for _, k := range verify.Kinds {
		n := counts[k]
		if n == 0 && k != verify.Match {
			continue
		}
		p.subrow(string(k), "%s%s", group(n), p.ids(string(k)))
		if d := p.details[string(k)]; d != "" {
			p.detail(d)
		}
	}
}

// notLookedFor says which run links were not looked for.
func notLookedFor(which runlinks.Scope, hidden int64) (texts []string) {
	switch which {
	case runlinks.OfSource:
		texts = append(texts, "links to runs of other experiments were not looked for; --run-links all does")
	case runlinks.None:
		texts = append(texts, "links to runs were not looked for; --run-links source or all does")
	}
	if hidden > 0 {
		texts = append(texts,
			fmt.Sprintf("the source did not show %s experiments or runs of others: links to them were not looked for", group(hidden)))
	}
	return texts
}

func (p *textPrinter) plan(pl migrate.Plan) error {
	p.printf("%s → %s: dry run, nothing was written\n", part(pl.Source, pl.Shard), pl.Target)
	if pl.CreatesTables {
		p.printf("  the tables are missing and would be made\n")
	}
	when := ""
	if pl.Earliest != nil {
		when = fmt.Sprintf(", requested from %s to %s", pl.Earliest.Format(time.RFC3339Nano), pl.Latest.Format(time.RFC3339Nano))
	}
	p.row("traces in the window", "%s%s", group(pl.Listed), when)
	for _, st := range slices.Sorted(maps.Keys(pl.ByState)) {
		p.subrow(string(st), "%s", group(pl.ByState[st]))
	}
	p.row("already there", "%s", group(pl.Present))
	if pl.Updated > 0 {
		p.row("would be updated", "%s", group(pl.Updated))
	}
	p.row("would be deferred", "%s", group(pl.Deferred))
	if pl.Unlistable > 0 {
		p.row("would fail", "%s, which the source has and can't list: a run would tell which", group(pl.Unlistable))
	}
	p.row("would be migrated", "%s: about %s spans, %s annotations, %s of spans",
		group(pl.ToMigrate), group(pl.Spans), group(pl.Annotations), size(pl.Bytes))
	if pl.ToTakeOver > 0 {
		p.printf("    %s of them Databricks' own migration has moved: their annotations would be brought to tracemig's form\n",
			group(pl.ToTakeOver))
	}
	if pl.EstimatedSizes > 0 {
		p.printf("    %s of them don't tell their size and are taken to be like the others\n", group(pl.EstimatedSizes))
	}
	return p.err
}
