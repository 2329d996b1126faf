package main

import (
	"encoding/json"
	"fmt"
	"io"
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

// printer writes results to standard output, and nothing else goes there.
type printer interface {
	trace(migrate.TraceReport)
	summary(migrate.Summary)
	plan(migrate.Plan)
	finding(verify.Finding)
	report(verify.Report)
}

// printer is that of the output that the options name.
func (o *runOptions) printer(out io.Writer) printer {
	if o.output == "json" {
		return jsonPrinter{out}
	}
	return newTextPrinter(out)
}

// jsonPrinter writes one JSON object a line, with the key "type"; the summary or the plan is the last.
type jsonPrinter struct{ out io.Writer }

func (p jsonPrinter) trace(t migrate.TraceReport) {
	p.line(struct {
		Type string `json:"type"`
		migrate.TraceReport
	}{"trace", t})
}

func (p jsonPrinter) summary(s migrate.Summary) {
	p.line(struct {
		Type string `json:"type"`
		migrate.Summary
	}{"summary", s})
}

func (p jsonPrinter) plan(pl migrate.Plan) {
	p.line(struct {
		Type string `json:"type"`
		migrate.Plan
	}{"plan", pl})
}

func (p jsonPrinter) finding(f verify.Finding) {
	p.line(struct {
		Type string `json:"type"`
		verify.Finding
	}{"finding", f})
}

func (p jsonPrinter) report(r verify.Report) {
	p.line(struct {
		Type string `json:"type"`
		verify.Report
	}{"verification", r})
}

func (p jsonPrinter) line(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs of texts and numbers
	}
	p.out.Write(append(b, '\n')) // results keeps its error
}

// textPrinter writes for people. It keeps a few trace IDs of each reason to name them in the summary.
type textPrinter struct {
	out      io.Writer
	examples map[string][]string
	details  map[string]string
}

// examplesShown is how many trace IDs a reason names. One more is kept, which tells whether there are more.
const examplesShown = 5

// printable keeps what servers put into names from steering the terminal.
type printable struct{ out io.Writer }

func (p printable) Write(b []byte) (int, error) {
	if _, err := p.out.Write(terminal.Printable(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func newTextPrinter(out io.Writer) *textPrinter {
	return &textPrinter{out: printable{out}, examples: map[string][]string{}, details: map[string]string{}}
}

func (p *textPrinter) trace(t migrate.TraceReport) {
	keys := []string{string(t.State) + " " + t.Reason}
	if t.Reason == "" {
		keys = nil
	}
	if t.Attachments > 0 {
		keys = append(keys, "attachments")
	}
	for _, n := range t.Notes {
		keys = append(keys, "note "+string(n.Code))
	}
	for _, k := range keys {
		p.example(k, t.TraceID, t.Detail)
	}
}

// example keeps a trace ID for key, and the first detail.
func (p *textPrinter) example(key, traceID, detail string) {
	if ids := p.examples[key]; traceID != "" && len(ids) <= examplesShown && !slices.Contains(ids, traceID) {
		p.examples[key] = append(ids, traceID)
	}
	if p.details[key] == "" {
		p.details[key] = detail
	}
}

// part is a source, or the part of it that a shard is.
func part(source string, s shard.Shard) string {
	if s.Count == 0 {
		return source
	}
	return source + " (shard " + s.String() + ")"
}

func (p *textPrinter) summary(s migrate.Summary) {
	w := p.out
	fmt.Fprintf(w, "%s → %s: %s\n", part(s.Source, s.Shard), s.Target, s.Outcome)
	fmt.Fprintf(w, "  %-22s %s\n", "run", s.RunID)
	fmt.Fprintf(w, "  %-22s %s\n", "traces migrated", group(s.Migrated))
	if s.Updated > 0 {
		fmt.Fprintf(w, "  %-22s %s, changed at the source since\n", "traces updated", group(s.Updated))
	}
	if s.TakenOver > 0 {
		fmt.Fprintf(w, "    %-20s %s, which Databricks' own migration had moved\n", "taken over", group(s.TakenOver))
	}
	if s.LargeForClients > 0 {
		fmt.Fprintf(w, "    %-20s %s over 25 MB: SQL reads them, MLflow's UI and SDK can't open them in a UC location\n", "large for clients", group(s.LargeForClients))
	}
	fmt.Fprintf(w, "  %-22s %s\n", "already there", group(s.Present))
	p.reasons("deferred", s.Deferred, s.DeferredReasons)
	p.reasons("skipped", s.Skipped, s.SkippedReasons)
	p.reasons("failed", s.Failed, s.FailedReasons)
	if s.NotReached > 0 {
		fmt.Fprintf(w, "  %-22s %s of the %s listed, before the run broke off\n", "not reached", group(s.NotReached), group(s.Listed))
	}
	fmt.Fprintf(w, "  %-22s %s", "spans written", group(s.SpansWritten))
	if s.SpansPresent > 0 {
		fmt.Fprintf(w, " (%s more were there)", group(s.SpansPresent))
	}
	if s.SpansUpdated > 0 {
		fmt.Fprintf(w, "\n  %-22s %s, with the values that they have at the source now", "spans updated", group(s.SpansUpdated))
	}
	if s.SpansChanged > 0 {
		fmt.Fprintf(w, "\n  %-22s %s have other values at the source now; tracemig repair --deep --update-spans puts them in the place of the rows%s", "spans changed",
			group(s.SpansChanged), p.ids(string(checkpoint.Migrated)+" "+migrate.ReasonSpansChanged))
	}
	fmt.Fprintf(w, "\n  %-22s %s", "annotations written", group(s.AnnotationsWritten))
	if s.AnnotationsPresent > 0 {
		fmt.Fprintf(w, " (%s more were there)", group(s.AnnotationsPresent))
	}
	if s.AnnotationsDeleted > 0 {
		fmt.Fprintf(w, "\n  %-22s %s, which the source no longer has", "annotations deleted", group(s.AnnotationsDeleted))
	}
	if s.Duplicates != nil {
		fmt.Fprintf(w, "\n  %-22s %s", "keys there twice", group(*s.Duplicates))
		if *s.Duplicates > 0 {
			fmt.Fprint(w, ": somebody else wrote the same at the same time. tracemig verify names the traces, tracemig repair prints the statements that take copies away")
		}
	}
	if s.AnnotationsKept > 0 {
		fmt.Fprintf(w, "\n  %-22s %s, changed at the target: left as they are there", "annotations kept", group(s.AnnotationsKept))
	}
	if s.RunLinksHidden > 0 {
		fmt.Fprintf(w, "\n  %-22s %s", "run links", notLookedFor("", s.RunLinksHidden)[0])
	}
	d := time.Duration(s.Seconds * float64(time.Second)).Round(10 * time.Millisecond)
	fmt.Fprintf(w, "\n  %-22s %s in %s, %.0f traces/s\n", "bytes written", size(s.Bytes), d, s.TracesPerSecond)
	fmt.Fprintf(w, "  %-22s %s requests, %s retries, throttled %.1f s; %s commits\n", "traffic",
		group(s.Requests), group(s.Retries), s.ThrottledSeconds, group(s.TargetWrites))
	p.attachments(&s)
	if len(s.Notes) > 0 {
		fmt.Fprintln(w, "  values changed to fit the target:")
		for _, code := range sortedKeys(s.Notes) {
			fmt.Fprintf(w, "    %-28s %s%s\n", code, group(s.Notes[code]), p.ids("note "+string(code)))
		}
	}
}

// attachments says what became of them, and how those that stay behind are kept.
func (p *textPrinter) attachments(s *migrate.Summary) {
	w := p.out
	if n := s.AttachmentsCopied + s.AttachmentsInlined; n > 0 {
		how := "copied to files"
		if s.AttachmentsInlined > 0 {
			how = "put into spans"
		}
		fmt.Fprintf(w, "  %-22s %s, %s, %s\n", "attachments", group(n), size(s.AttachmentBytes), how)
	}
	if s.AttachmentsLeft > 0 {
		fmt.Fprintf(w, "  %-22s %s of %s traces%s\n", "attachments left", group(s.AttachmentsLeft), group(s.AttachmentTraces), p.ids("attachments"))
		fmt.Fprintf(w, "      images and the like, to which spans only refer: their bytes stay at the source and would be lost with it.\n")
		fmt.Fprintf(w, "      --attachments FOLDER (or /Volumes/… or inline) keeps those of traces that are not migrated yet\n")
	}
}

func (p *textPrinter) finding(f verify.Finding) {
	p.example(string(f.Kind), f.TraceID, f.Detail)
}

func (p *textPrinter) report(r verify.Report) {
	w := p.out
	verdict := string(r.Outcome)
	switch {
	case r.Outcome != report.Done:
	case r.Compared == 0:
		verdict = "nothing compared"
	case r.Equal && r.Sample > 0:
		verdict = "sample equal"
	case r.Equal:
		verdict = "equal"
	case r.Wrong() == r.Kinds[verify.Pending] && r.Wrong() > 0:
		verdict = fmt.Sprintf("NOT COMPLETE: %s of %s not moved; run again", group(r.Kinds[verify.Pending]), group(r.Compared))
	case r.Wrong() > 0:
		verdict = "NOT EQUAL"
	case r.Kinds[verify.Unreadable] > 0:
		verdict = "not all proven"
	default:
		verdict = "nothing lost; the next run follows what is new"
	}
	fmt.Fprintf(w, "%s → %s: %s\n", part(r.Source, r.Shard), r.Target, verdict)
	depth := "keys and annotations' IDs; --deep compares values"
	if r.Deep {
		depth = "every value"
	}
	fmt.Fprintf(w, "  %-22s %s of %s, %s spans, %s annotations: %s\n", "traces compared", group(r.Compared), group(r.Listed), group(r.Spans), group(r.Annotations), depth)
	for _, k := range verify.Kinds {
		if n := r.Kinds[k]; n > 0 || k == verify.Match {
			fmt.Fprintf(w, "    %-20s %s%s\n", k, group(n), p.ids(string(k)))
			if d := p.details[string(k)]; d != "" {
				fmt.Fprintf(w, "      %s\n", d)
			}
		}
	}
	for _, text := range notLookedFor(r.RunLinks, r.RunLinksHidden) {
		fmt.Fprintf(w, "  %-22s %s\n", "run links", text)
	}
	if r.AttachmentsProven > 0 {
		fmt.Fprintf(w, "  %-22s %s\n", "attachments proven", group(r.AttachmentsProven))
	}
	if r.AttachmentsLeft > 0 {
		fmt.Fprintf(w, "  %-22s %s of %s traces: their bytes are at the source alone and would be lost with it\n", "attachments left", group(r.AttachmentsLeft), group(r.AttachmentTraces))
	}
	clear(p.examples)
	clear(p.details)
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
		texts = append(texts, fmt.Sprintf("the source did not show %s experiments or runs of others: links to them were not looked for", group(hidden)))
	}
	return texts
}

func (p *textPrinter) reasons(state string, n int64, reasons map[string]int64) {
	fmt.Fprintf(p.out, "  %-22s %s\n", state, group(n))
	for _, reason := range sortedKeys(reasons) {
		key := state + " " + reason
		fmt.Fprintf(p.out, "    %-20s %s%s\n", reason, group(reasons[reason]), p.ids(key))
		if d := p.details[key]; d != "" {
			fmt.Fprintf(p.out, "      %s\n", d)
		}
	}
}

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

func (p *textPrinter) plan(pl migrate.Plan) {
	w := p.out
	fmt.Fprintf(w, "%s → %s: dry run, nothing was written\n", part(pl.Source, pl.Shard), pl.Target)
	if pl.CreatesTables {
		fmt.Fprintln(w, "  the tables are missing and would be made")
	}
	fmt.Fprintf(w, "  %-22s %s", "traces in the window", group(pl.Listed))
	if pl.Earliest != nil {
		fmt.Fprintf(w, ", requested from %s to %s", pl.Earliest.Format(time.RFC3339Nano), pl.Latest.Format(time.RFC3339Nano))
	}
	fmt.Fprintln(w)
	for _, st := range sortedKeys(pl.ByState) {
		fmt.Fprintf(w, "    %-20s %s\n", st, group(pl.ByState[st]))
	}
	fmt.Fprintf(w, "  %-22s %s\n", "already there", group(pl.Present))
	if pl.Updated > 0 {
		fmt.Fprintf(w, "  %-22s %s\n", "would be updated", group(pl.Updated))
	}
	fmt.Fprintf(w, "  %-22s %s\n", "would be deferred", group(pl.Deferred))
	if pl.Unlistable > 0 {
		fmt.Fprintf(w, "  %-22s %s, which the source has and can't list: a run would tell which\n", "would fail", group(pl.Unlistable))
	}
	fmt.Fprintf(w, "  %-22s %s: about %s spans, %s annotations, %s of spans\n", "would be migrated", group(pl.ToMigrate),
		group(pl.Spans), group(pl.Annotations), size(pl.Bytes))
	if pl.ToTakeOver > 0 {
		fmt.Fprintf(w, "    %s of them Databricks' own migration has moved: their annotations would be brought to tracemig's form\n", group(pl.ToTakeOver))
	}
	if pl.EstimatedSizes > 0 {
		fmt.Fprintf(w, "    %s of them don't tell their size and are taken to be like the others\n", group(pl.EstimatedSizes))
	}
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
