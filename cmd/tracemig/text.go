package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

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
	out   io.Writer
	color bool
	width int // lines are broken between words where that many columns are full; 0 for never
	err   error
}

func newTextWriter(out *results) textWriter {
	return textWriter{out: printable{out}, color: out.color, width: out.width()}
}

// lead writes a line that begins with words in a style.
func (w *textWriter) lead(style terminal.Style, words, format string, args ...any) {
	w.paint(style, words)
	w.printf(format+"\n", args...)
}

// marks stand before verdicts where there are colors. The words have none: not every color can be read on every ground.
var marks = map[terminal.Style]string{terminal.OK: "✓", terminal.Warning: "!", terminal.Failed: "✗"}

// verdict writes a line that says how something ended.
func (w *textWriter) verdict(style terminal.Style, words, format string, args ...any) {
	if w.color {
		w.paint(style, marks[style])
		words = " " + words
	}
	w.lead(terminal.Strong, w.wrap(2, words), format, args...)
}

// paint writes words in a style.
func (w *textWriter) paint(style terminal.Style, words string) {
	if w.err != nil {
		return
	}
	words = string(terminal.Printable([]byte(words)))
	if w.color {
		words = style.Paint(words)
	}
	out := w.out
	if safe, ok := out.(printable); ok { // which would take the colors away
		out = safe.out
	}
	_, w.err = io.WriteString(out, words)
}

func (w *textWriter) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.out, format, args...)
	}
}

// wrap is text that begins behind an indent, and goes on there in further lines where one is too narrow.
func (w *textWriter) wrap(indent int, text string) string {
	return terminal.Wrap(string(terminal.Printable([]byte(text))), indent, w.width)
}

// row writes a line of a name and what there is to say of it.
func (w *textWriter) row(name, format string, args ...any) {
	w.printf("  %-22s %s\n", name, w.wrap(25, fmt.Sprintf(format, args...)))
}

// subrow writes a line about a part of what the row above tells of.
func (w *textWriter) subrow(name, format string, args ...any) {
	w.printf("    %-20s %s\n", name, w.wrap(25, fmt.Sprintf(format, args...)))
}

// detail writes a line that explains the one above. Empty text is left out.
func (w *textWriter) detail(text string) {
	if text != "" {
		w.printf("        %s\n", w.wrap(8, text))
	}
}

// textPrinter writes for people. It keeps a few trace IDs of each reason to name them in the summary.
type textPrinter struct {
	textWriter
	examples

	experiment string // name of the source's experiment; empty where it is not known
}

func newTextPrinter(out *results) *textPrinter {
	return &textPrinter{textWriter: newTextWriter(out), examples: newExamples()}
}

func (p *textPrinter) reads(experiment string) { p.experiment = experiment }

// next prints the command that is to follow.
func (p *textPrinter) next(n next) error {
	p.lead(terminal.Strong, "Next", ", %s:\n  %s", n.why, n)
	return p.err
}

func (p *textPrinter) trace(t migrate.TraceReport) error {
	p.examples.trace(t)
	return p.err
}

// part names a source, and the shard of it where there is one.
func part(source string, s shard.Shard) string {
	if s.Count == 0 {
		return source
	}
	return source + " (shard " + s.String() + ")"
}

func (p *textPrinter) summary(s migrate.Summary, _ ending) error {
	style, words := verdictOfRun(&s)
	p.verdict(style, words, "")
	p.pair(s.Source, s.Shard, s.Target)
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

// pair names the source and the target.
func (p *textPrinter) pair(source string, s shard.Shard, target string) {
	name := part(source, s)
	if p.experiment != "" {
		name = p.experiment + " (" + name + ")"
	}
	p.row("source", "%s", name)
	p.row("target", "%s", target)
}

// count is a number of things, such as "1 trace" or "2,000 traces".
func count(n int64, thing string) string {
	return group(n) + " " + english.PluralWord(int(n), thing, "")
}

// verdictOfRun says in a sentence how a run ended.
func verdictOfRun(s *migrate.Summary) (terminal.Style, string) {
	style := terminal.OK
	switch {
	case s.Outcome == report.Failed, s.Outcome == report.Partial:
		style = terminal.Failed
	case s.Outcome == report.Interrupted, s.Outcome == report.Stopped, s.Skipped > 0:
		style = terminal.Warning
	}
	begin := map[report.Outcome]string{
		report.Failed: "The run failed: ", report.Interrupted: "Interrupted: ", report.Stopped: stoppedAt(s.Stopped) + ": ",
	}[s.Outcome]
	there := s.Migrated + s.Updated + s.Present
	switch {
	case s.Listed == 0 && s.Outcome == report.Done:
		return terminal.Warning, "Nothing to move: no trace was listed."
	case s.Listed == 0:
		return style, begin + "no trace was listed."
	case there == s.Listed && there == 1:
		return style, begin + "The one trace is in " + s.Target + "."
	}
	be := "are"
	if there == 1 {
		be = "is"
	}
	of := fmt.Sprintf("%s of %s %s in %s", group(there), count(s.Listed, "trace"), be, s.Target)
	if there == s.Listed {
		of = fmt.Sprintf("all %s are in %s", count(there, "trace"), s.Target)
	}
	return style, begin + upperIfFirst(begin, of) + rest(s) + "."
}

// stoppedAt says at which limit something stopped, as the beginning of a sentence.
func stoppedAt(at report.Stop) string { return upperIfFirst("", (&report.StopError{At: at}).Error()) }

func upperIfFirst(before, s string) string {
	if before == "" {
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}

// rest says what became of the traces that are not in the target.
func rest(s *migrate.Summary) string {
	var parts []string
	add := func(n int64, one, more string) {
		if n == 1 {
			parts = append(parts, "1 "+one)
		} else if n > 1 {
			parts = append(parts, group(n)+" "+more)
		}
	}
	add(s.Deferred, "waits for a later run", "wait for a later run")
	add(s.Skipped, "was skipped", "were skipped")
	add(s.Failed, "failed", "failed")
	add(s.Accepted, "can't be migrated, as was accepted", "can't be migrated, as was accepted")
	add(s.NotReached, "was not reached", "were not reached")
	if s.Duplicates != nil {
		add(*s.Duplicates, "row is there twice", "rows are there twice")
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + strings.Join(parts, ", ")
}

// tracesOf says what became of the traces that were listed: the numbers below add up to it.
func (p *textPrinter) tracesOf(s *migrate.Summary) {
	p.row("traces listed", "%s", group(s.Listed))
	p.subrow("migrated", "%s", group(s.Migrated))
	if s.Updated > 0 {
		p.subrow("updated", "%s, changed at the source since", group(s.Updated))
	}
	p.subrow("already there", "%s", group(s.Present))
	p.reasons(checkpoint.Deferred, s.Deferred, s.DeferredReasons)
	p.reasons(checkpoint.Skipped, s.Skipped, s.SkippedReasons)
	p.reasons(checkpoint.Failed, s.Failed, s.FailedReasons)
	if s.Accepted > 0 {
		p.reasons(checkpoint.Accepted, s.Accepted, s.AcceptedReasons)
	}
	if s.NotReached > 0 {
		p.subrow("not reached", "%s, before the run ended", group(s.NotReached))
	}
	// Which shard a trace belongs to may show only when it is read.
	switch other := s.Listed - s.Handled() - s.NotReached; {
	case other > 0:
		p.subrow("of other shards", "%s", group(other))
	case other < 0:
		p.subrow("listed by others", "−%s", group(-other))
	}
	if s.AcceptancesEnded > 0 {
		p.row("acceptances ended", "%s, of traces that are migrated or gone now%s", group(s.AcceptancesEnded), p.ids("acceptance ended"))
	}
	if s.TakenOver > 0 {
		p.row("taken over", "%s, which Databricks' own migration had moved", group(s.TakenOver))
	}
	if s.ReadFast > 0 {
		p.row("read fast", "%s: tracemig verify --deep reads them exactly, and finds what that form does not hold", group(s.ReadFast))
	}
	if s.Copied > 0 {
		p.row("copied by SQL", "%s: the warehouse converted their spans, which did not pass through here", group(s.Copied))
	}
	if s.LargeForClients > 0 {
		p.row("large for clients", "%s over 25 MB: SQL reads them, MLflow's UI and SDK can't open them in a UC location",
			group(s.LargeForClients))
	}
}

// reasons says how many traces are in a state, and why.
func (p *textPrinter) reasons(state checkpoint.State, n int64, reasons map[checkpoint.Reason]int64) {
	p.subrow(string(state), "%s", group(n))
	for _, code := range slices.Sorted(maps.Keys(reasons)) {
		key, why := string(state)+" "+string(code), inWords(code)
		p.printf("      %-18s %s\n", why.words, p.wrap(25, group(reasons[code])+p.ids(key)))
		p.detail(why.means)
		p.detail(p.details[key])
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

// failure is for programs: people are told the error itself.
func (p *textPrinter) failure(failureLine) error { return p.err }

func (p *textPrinter) finding(f verify.Finding) error {
	p.example(string(f.Kind), f.TraceID, f.Detail)
	return p.err
}

func (p *textPrinter) report(r verify.Report, _ ending) error {
	style, words := verdict(&r)
	p.verdict(style, words+".", "")
	p.pair(r.Source, r.Shard, r.Target)
	if r.ReadFrom != "" {
		p.row("read from", "%s", plain(r.ReadFrom))
	}
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
	p.examples = newExamples()
	return p.err
}

// verdict is the result of a verification in a few words.
func verdict(r *verify.Report) (terminal.Style, string) {
	wrong, pending, compared := r.Wrong(), r.Kinds[verify.Pending], count(r.Compared, "trace")
	switch {
	case r.Outcome == report.Interrupted:
		return terminal.Warning, "Interrupted: " + compared + " compared"
	case r.Outcome == report.Stopped:
		return terminal.Warning, stoppedAt(r.Stopped) + ": " + compared + " compared"
	case r.Outcome != report.Done:
		return terminal.Failed, "The verification failed: " + compared + " compared"
	case r.Compared == 0:
		return terminal.Warning, "Nothing compared, so nothing is proven: no trace was listed"
	case r.Equal && r.Sample > 0:
		return terminal.OK, "Sample equal: " + compared
	case r.Equal:
		return terminal.OK, "Equal: " + compared
	case wrong == pending && wrong > 0:
		return terminal.Failed, fmt.Sprintf("NOT COMPLETE: %s of %s not moved", group(pending), compared)
	case wrong > 0:
		return terminal.Failed, fmt.Sprintf("NOT EQUAL: %s of %s", group(wrong), compared)
	case r.Kinds[verify.Unreadable] > 0:
		return terminal.Failed, fmt.Sprintf("Not all proven: the source does not give %s of %s", group(r.Kinds[verify.Unreadable]), compared)
	}
	but := ""
	if n := r.Kinds[verify.Accepted]; n > 0 {
		but = fmt.Sprintf(", but for %s that can't be migrated, as was accepted", group(n))
	}
	if r.Kinds[verify.Changed]+r.Kinds[verify.Newer] == 0 {
		return terminal.OK, "Equal: " + compared + but
	}
	return terminal.OK, "Nothing lost: " + compared + " compared" + but + "; the next run follows what is new"
}

// kinds says how many traces were found to be of each kind.
func (p *textPrinter) kinds(counts map[verify.Kind]int64) {
	for _, k := range verify.Kinds {
		n := counts[k]
		if n == 0 && k != verify.Match {
			continue
		}
		p.subrow(string(k), "%s%s", group(n), p.ids(string(k)))
		p.detail(p.details[string(k)])
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

func (p *textPrinter) plan(pl migrate.Plan, _ ending) error {
	p.lead(terminal.Strong, "Dry run", ": nothing was written.")
	p.pair(pl.Source, pl.Shard, pl.Target)
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
