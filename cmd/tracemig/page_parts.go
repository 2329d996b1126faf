package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/htmlpage"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/verify"
)

// trace keeps what a run tells of a trace.
func (s *pageSection) trace(t migrate.TraceReport) {
	if s == nil {
		return
	}
	s.found.trace(t)
	if t.State == checkpoint.Failed && len(s.found.failed) < s.rows {
		s.found.failed = append(s.found.failed, t)
	}
}

// finding keeps what a verification tells of a trace.
func (s *pageSection) finding(f verify.Finding) {
	if s == nil {
		return
	}
	s.found.example(string(f.Kind), f.TraceID, f.Detail)
	if (f.Kind.Wrong() || f.Kind == verify.Unreadable) && len(s.found.findings) < s.rows {
		s.found.findings = append(s.found.findings, f)
	}
}

// summary adds the part of a run.
func (s *pageSection) summary(sum *migrate.Summary, e ending, o *runOptions) {
	if s == nil {
		return
	}
	s.ends(part(sum.Source, sum.Shard), sum.Target, e.Window)
	there := sum.Migrated + sum.Updated + sum.Present
	p := htmlpage.Part{
		Heading: "Migration",
		Problem: problem(sum.Error),
		Figures: []htmlpage.Figure{
			{Value: group(there), Name: "traces at the target", Note: "of " + group(sum.Listed) + " listed"},
			{Value: group(sum.SpansWritten), Name: "spans written", Note: thereToo(sum.SpansPresent)},
			{Value: group(sum.AnnotationsWritten), Name: "annotations written", Note: thereToo(sum.AnnotationsPresent)},
			{Value: size(sum.Bytes), Name: "written", Note: "in " + count(sum.TargetWrites, "commit")},
			{Value: took(sum.Seconds), Name: "taken", Note: fmt.Sprintf("%.0f new traces a second", sum.TracesPerSecond)},
		},
		Shares: []htmlpage.Share{
			{Name: "migrated", Count: sum.Migrated, Tone: htmlpage.Good},
			{Name: "updated", Count: sum.Updated, Tone: htmlpage.Other},
			{Name: "already there", Count: sum.Present, Tone: htmlpage.Other},
			{Name: "deferred", Count: sum.Deferred, Tone: htmlpage.Later},
			{Name: "skipped", Count: sum.Skipped, Tone: htmlpage.Warning},
			{Name: "failed", Count: sum.Failed, Tone: htmlpage.Bad},
			{Name: "accepted", Count: sum.Accepted, Tone: htmlpage.Plain},
			{Name: "not reached", Count: sum.NotReached, Tone: htmlpage.Plain},
		},
		Days: daysOf(sum.Seen, "listed at the source", "of them at the target"),
		Facts: []htmlpage.Fact{
			{Name: "run", Value: sum.RunID, Code: true}, {Name: "began", Value: moment(sum.Started)},
			{Name: "traffic", Value: fmt.Sprintf("%s to the source, %s of them repeated", count(sum.Requests, "request"), group(sum.Retries))},
		},
	}
	if sum.ThrottledSeconds >= 0.05 {
		p.Facts = append(p.Facts, htmlpage.Fact{Name: "throttled", Value: fmt.Sprintf("%.1f s, by the source's quotas", sum.ThrottledSeconds)})
	}
	p.Blocks = slices.Concat(s.reasonsOf(sum), s.failedOf(sum, o), remarksOf(sum), s.notesOf(sum), s.idsOf(sum.Seen, sum.Target, o))
	style, verdict := verdictOfRun(sum)
	s.add(p, style, verdict)
}

func problem(e *report.Error) *htmlpage.Problem {
	if e == nil {
		return nil
	}
	return &htmlpage.Problem{Message: e.Message, Next: e.Next}
}

// thereToo says how many rows the target had before.
func thereToo(n int64) string {
	if n == 0 {
		return ""
	}
	return group(n) + " more were there"
}

func daysOf(seen *report.Seen, source, target string) *htmlpage.Days {
	if seen == nil {
		return nil
	}
	d := &htmlpage.Days{Source: source, Target: target, Other: htmlpage.Day(seen.Other())}
	for _, day := range seen.Days() {
		d.Days = append(d.Days, htmlpage.Day(day))
	}
	return d
}

// reasonsOf says why traces were not, or not wholly, migrated.
func (s *pageSection) reasonsOf(sum *migrate.Summary) []htmlpage.Block {
	t := &htmlpage.Table{Columns: []htmlpage.Column{
		{Name: "traces", Number: true}, {Name: "became"}, {Name: "why"}, {Name: "examples", Code: true},
	}}
	for _, of := range []struct {
		state   checkpoint.State
		tone    htmlpage.Tone
		reasons map[checkpoint.Reason]int64
	}{
		{checkpoint.Failed, htmlpage.Bad, sum.FailedReasons}, {checkpoint.Skipped, htmlpage.Warning, sum.SkippedReasons},
		{checkpoint.Deferred, htmlpage.Later, sum.DeferredReasons}, {checkpoint.Accepted, htmlpage.Plain, sum.AcceptedReasons},
	} {
		for _, code := range slices.Sorted(maps.Keys(of.reasons)) {
			key, why := string(of.state)+" "+string(code), inWords(code)
			cell := htmlpage.Cell{Text: why.words, Notes: []string{why.means}}
			if detail := s.found.details[key]; detail != "" && of.state != checkpoint.Failed { // failed traces are listed
				cell.Notes = append(cell.Notes, detail)
			}
			t.Rows = append(t.Rows, []htmlpage.Cell{
				{Text: group(of.reasons[code])}, {Text: string(of.state), Tone: of.tone}, cell, s.found.cell(key),
			})
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []htmlpage.Block{{Heading: "What is not, or not wholly, at the target", Table: t}}
}

// cell shows the examples of a key.
func (e *examples) cell(key string) htmlpage.Cell {
	ids, more := e.some(key)
	if more {
		ids = append(slices.Clone(ids), "…")
	}
	return htmlpage.Cell{Text: strings.Join(ids, ", ")}
}

// failedOf lists failed traces.
func (s *pageSection) failedOf(sum *migrate.Summary, o *runOptions) []htmlpage.Block {
	if sum.Failed == 0 {
		return nil
	}
	b := htmlpage.Block{
		Heading: "Failed traces",
		Texts: []string{"Every run tries them again. What can't be mended at the source or the target can be accepted, " +
			"so that it hides no other failure: tracemig accept."},
		Table: &htmlpage.Table{Columns: []htmlpage.Column{{Name: "trace", Code: true}, {Name: "why"}}},
	}
	for _, f := range s.found.failed {
		id := f.TraceID
		if id == "" {
			id = "unknown"
		}
		b.Table.Rows = append(b.Table.Rows, []htmlpage.Cell{{Text: id}, {Text: inWords(f.Reason).words, Notes: []string{f.Detail}}})
	}
	if more := sum.Failed - int64(len(s.found.failed)); more > 0 {
		b.Texts = append(b.Texts, fmt.Sprintf("These are the first %d; %s more have failed.", len(s.found.failed), group(more)))
	}
	b.Command = next{args: command("status", o.pairOptions.args(), "--list", string(checkpoint.Failed))}.String()
	return []htmlpage.Block{b}
}

// remarksOf says what else is to be known of a run.
func remarksOf(s *migrate.Summary) []htmlpage.Block {
	var texts []string
	add := func(n int64, format string) {
		if n > 0 {
			texts = append(texts, fmt.Sprintf(format, group(n)))
		}
	}
	if s.Duplicates != nil {
		add(*s.Duplicates, "%s keys are there twice: somebody else wrote the same at the same time. tracemig verify names the traces, "+
			"tracemig repair prints the statements that take copies away.")
	}
	add(s.SpansUpdated, "%s spans were updated, with the values that they have at the source now.")
	add(s.SpansChanged, "%s spans have other values at the source now; tracemig repair --deep --update-spans puts them in the place of "+
		"the rows.")
	add(s.AnnotationsDeleted, "%s annotations were deleted, which the source no longer has.")
	add(s.AnnotationsKept, "%s annotations were changed at the target, and are left as they are there.")
	add(s.TakenOver, "%s traces were taken over, which Databricks' own migration had moved.")
	add(s.AcceptancesEnded, "%s acceptances have ended, of traces that are migrated or gone now.")
	add(s.ReadFast, "%s traces were read fast: tracemig verify --deep reads them exactly, and finds what that form does not hold.")
	add(s.LargeForClients, "%s traces are over 25 MB: SQL reads them, MLflow's UI and SDK can't open them in a UC location.")
	add(s.AttachmentsCopied+s.AttachmentsInlined, "%s attachments were kept ("+size(s.AttachmentBytes)+").")
	add(s.AttachmentsLeft, "%s attachments, images and the like, stay at the source and would be lost with it. "+
		"--attachments keeps those of traces that are not migrated yet.")
	if s.RunLinksHidden > 0 {
		texts = append(texts, upperIfFirst("", notLookedFor("", s.RunLinksHidden)[0])+".")
	}
	if len(texts) == 0 {
		return nil
	}
	return []htmlpage.Block{{Heading: "To be known", Texts: texts}}
}

// notesOf says which values were changed to fit the tables.
func (s *pageSection) notesOf(sum *migrate.Summary) []htmlpage.Block {
	if len(sum.Notes) == 0 {
		return nil
	}
	b := htmlpage.Block{
		Heading: "Values that were changed to fit the tables", Texts: []string{"The original text is kept beside each of them."},
		Table: &htmlpage.Table{Columns: []htmlpage.Column{
			{Name: "values", Number: true}, {Name: "what"}, {Name: "code", Code: true}, {Name: "examples", Code: true},
		}},
	}
	for _, code := range slices.Sorted(maps.Keys(sum.Notes)) {
		b.Table.Rows = append(b.Table.Rows, append(htmlpage.Texts(group(sum.Notes[code]), noteWords[code], string(code)),
			s.found.cell("note "+string(code))))
	}
	return []htmlpage.Block{b}
}

// idsOf lists old and new IDs.
func (s *pageSection) idsOf(seen *report.Seen, target string, o *runOptions) []htmlpage.Block {
	if seen == nil || len(seen.IDs()) == 0 {
		return nil
	}
	prefix, err := newIDPrefix(target)
	if err != nil {
		prefix = "" // what the target calls itself is no location: the ID there is that alone
	}
	b := htmlpage.Block{
		Heading: "Old and new IDs",
		Table: &htmlpage.Table{Columns: []htmlpage.Column{
			{Name: "at the source", Code: true}, {Name: "at the target", Code: true}, {Name: "requested"},
		}},
		Command: next{args: command("status", o.pairOptions.args(), "--map")}.String(),
	}
	ids := seen.IDs()
	var there int64
	for _, d := range append(seen.Days(), seen.Other()) {
		there += d.Target
	}
	ids = ids[:min(len(ids), s.rows)]
	if more := there - int64(len(ids)); more > 0 {
		b.Texts = []string{fmt.Sprintf("These are the first %d; the target has %s more.", len(ids), group(more))}
	}
	for _, id := range ids {
		requested := ""
		if id.Requested.Unix() != 0 {
			requested = moment(id.Requested)
		}
		b.Table.Rows = append(b.Table.Rows, htmlpage.Texts(id.TraceID, prefix+id.TargetTraceID, requested))
	}
	return []htmlpage.Block{b}
}

// kindTones are how what a verification finds looks. What is not here is Bad.
var kindTones = map[verify.Kind]htmlpage.Tone{
	verify.Match: htmlpage.Good, verify.Unreadable: htmlpage.Warning, verify.Changed: htmlpage.Later, verify.Newer: htmlpage.Later,
	verify.Open: htmlpage.Later, verify.Edited: htmlpage.Other, verify.Extra: htmlpage.Plain, verify.Official: htmlpage.Plain,
	verify.Accepted: htmlpage.Plain,
}

func kindTone(k verify.Kind) htmlpage.Tone {
	if t, ok := kindTones[k]; ok {
		return t
	}
	return htmlpage.Bad
}

// report adds the part of a verification.
func (s *pageSection) report(r *verify.Report, e ending, o *runOptions) {
	if s == nil {
		return
	}
	s.ends(part(r.Source, r.Shard), r.Target, e.Window)
	depth := "keys and annotations' IDs; --deep compares every value"
	if r.Deep {
		depth = "every value"
	}
	p := htmlpage.Part{
		Heading: "Verification",
		Problem: problem(r.Error),
		Figures: []htmlpage.Figure{
			{Value: group(r.Kinds[verify.Match]), Name: "traces equal", Note: "of " + group(r.Compared) + " compared"},
			{Value: group(r.Wrong()), Name: "wrong"},
			{Value: group(r.Spans), Name: "spans compared"},
			{Value: group(r.Annotations), Name: "annotations compared"},
			{Value: took(r.Seconds), Name: "taken"},
		},
		Days: daysOf(&r.Seen, "at the source", "at the target"),
		Facts: []htmlpage.Fact{
			{Name: "compared", Value: depth}, {Name: "began", Value: moment(r.Started)}, {Name: "traces listed", Value: group(r.Listed)},
		},
	}
	if r.ReadFrom != "" {
		p.Facts = append(p.Facts, htmlpage.Fact{Name: "read from", Value: r.ReadFrom})
	}
	for _, k := range verify.Kinds {
		p.Shares = append(p.Shares, htmlpage.Share{Name: string(k), Count: r.Kinds[k], Tone: kindTone(k)})
	}
	var texts []string
	for _, text := range notLookedFor(r.RunLinks, r.RunLinksHidden) {
		texts = append(texts, upperIfFirst("", text)+".")
	}
	if r.AttachmentsProven > 0 {
		texts = append(texts, group(r.AttachmentsProven)+" attachments are proven.")
	}
	if r.AttachmentsLeft > 0 {
		texts = append(texts, fmt.Sprintf("%s attachments of %s traces are at the source alone, and would be lost with it.",
			group(r.AttachmentsLeft), group(r.AttachmentTraces)))
	}
	p.Blocks = slices.Concat(s.kindsOf(r), s.wrongOf(r, o))
	if len(texts) > 0 {
		p.Blocks = append(p.Blocks, htmlpage.Block{Heading: "To be known", Texts: texts})
	}
	p.Blocks = append(p.Blocks, s.idsOf(&r.Seen, r.Target, o)...)
	style, words := verdict(r)
	s.add(p, style, words)
}

// kindsOf says what was found of traces that don't simply match.
func (s *pageSection) kindsOf(r *verify.Report) []htmlpage.Block {
	t := &htmlpage.Table{Columns: []htmlpage.Column{
		{Name: "traces", Number: true}, {Name: "found"}, {Name: "means"}, {Name: "examples", Code: true},
	}}
	for _, k := range verify.Kinds {
		if n := r.Kinds[k]; n > 0 && k != verify.Match {
			t.Rows = append(t.Rows, []htmlpage.Cell{
				{Text: group(n)}, {Text: string(k), Tone: kindTone(k)}, {Text: kindWords[k]}, s.found.cell(string(k)),
			})
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []htmlpage.Block{{Heading: "What does not simply match", Table: t}}
}

// wrongOf lists the traces that are not as they should be.
func (s *pageSection) wrongOf(r *verify.Report, o *runOptions) []htmlpage.Block {
	if len(s.found.findings) == 0 {
		return nil
	}
	b := htmlpage.Block{
		Heading: "Traces that are not as they should be",
		Table:   &htmlpage.Table{Columns: []htmlpage.Column{{Name: "trace", Code: true}, {Name: "found"}, {Name: "more"}}},
	}
	for _, f := range s.found.findings {
		b.Table.Rows = append(b.Table.Rows, []htmlpage.Cell{{Text: f.TraceID}, {Text: string(f.Kind), Tone: kindTone(f.Kind)}, {Text: f.Detail}})
	}
	if more := r.Wrong() + r.Kinds[verify.Unreadable] - int64(len(s.found.findings)); more > 0 {
		b.Texts = []string{fmt.Sprintf("These are the first %d; there are %s more.", len(s.found.findings), group(more))}
	}
	more := []string{"-o", "json"}
	if r.Deep {
		more = []string{"--deep", "-o", "json"}
	}
	b.Command = next{args: command("verify", o.comparisonArgs(), more...)}.String()
	return []htmlpage.Block{b}
}

// probe keeps the finding of a probe.
func (s *pageSection) probe(f preflight.Finding) {
	if s != nil {
		s.found.probes = append(s.found.probes, f)
	}
}

var resultTones = map[preflight.Result]htmlpage.Tone{
	preflight.OK: htmlpage.Good, preflight.Warning: htmlpage.Warning, preflight.Failed: htmlpage.Bad, preflight.NotChecked: htmlpage.Plain,
}

// checked adds the part of a check.
func (s *pageSection) checked(c *checkSummary, o *runOptions) {
	if s == nil {
		return
	}
	s.ends(o.source, o.target, c.Window)
	t := &htmlpage.Table{Columns: []htmlpage.Column{{Name: "result"}, {Name: "what was found"}, {Name: "probe", Code: true}}}
	p := htmlpage.Part{
		Heading: "Check",
		Shares: []htmlpage.Share{
			{Name: "ok", Count: int64(c.OK), Tone: htmlpage.Good}, {Name: "warnings", Count: int64(c.Warnings), Tone: htmlpage.Warning},
			{Name: "failed", Count: int64(c.Failed), Tone: htmlpage.Bad}, {Name: "not checked", Count: int64(c.NotChecked), Tone: htmlpage.Plain},
		},
		Blocks: []htmlpage.Block{{Heading: "Probes", Table: t}},
	}
	for _, f := range s.found.probes {
		cell := htmlpage.Cell{Text: f.Text}
		if f.Next != "" {
			cell.Notes = []string{"→ " + f.Next + "."}
		}
		t.Rows = append(t.Rows, []htmlpage.Cell{{Text: string(f.Result), Tone: resultTones[f.Result]}, cell, {Text: string(f.Code)}})
		if f.Result == preflight.Failed || len(f.Grants) > 0 {
			step := htmlpage.Step{Why: f.Next}
			for _, g := range f.Grants {
				step.Commands = append(step.Commands, g+";")
			}
			p.Steps = append(p.Steps, step)
		}
	}
	style, verdict := c.verdict()
	s.add(p, style, verdict+": "+c.counts())
}
