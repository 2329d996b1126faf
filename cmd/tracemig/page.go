package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/htmlpage"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/terminal"
	"github.com/tracemig/tracemig/internal/verify"
)

// pageFile is the file of --report. A nil one takes nothing.
type pageFile struct {
	file *htmlpage.File

	mu       sync.Mutex
	sections map[string]*pageSection // by the name of the pair
}

func openPageFile(path string) (*pageFile, error) {
	f, err := htmlpage.OpenFile(path)
	if err != nil {
		return nil, err
	}
	return &pageFile{file: f, sections: map[string]*pageSection{}}, nil
}

// section is what the report tells of a pair. The name is empty where there is one alone.
func (f *pageFile) section(pair string) *pageSection {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sections[pair]
	if s == nil {
		s = &pageSection{rows: rowsAlone, found: newFound()}
		if s.Name = pair; pair != "" {
			s.rows = rowsOfPair
		}
		f.sections[pair] = s
	}
	return s
}

// write puts the page in the place of the one before.
func (f *pageFile) write(p htmlpage.Page) error {
	p.Version, p.Made = version, time.Now()
	if err := f.file.Write(p); err != nil {
		return advice.With(fmt.Errorf("the report could not be written: %w", err), "Make room, or name another file with --report")
	}
	return nil
}

// The rows of a table of traces, at most: a page that tells of many pairs would become too long otherwise.
const (
	rowsAlone  = 50
	rowsOfPair = 10
)

// pageSection collects what the report tells of one source and target. A nil one takes nothing.
type pageSection struct {
	htmlpage.Section
	experiment string // name of the source's experiment; empty where it is not known
	rows       int    // of a table of traces, at most
	code       int    // with which the command ended
	verdicts   []string
	found      found
}

// found is what was told of traces and probes since the part before.
type found struct {
	examples
	failed   []migrate.TraceReport
	findings []verify.Finding
	probes   []preflight.Finding
}

func newFound() found { return found{examples: newExamples()} }

func (s *pageSection) reads(experiment string) {
	if s != nil {
		s.experiment = experiment
	}
}

func (s *pageSection) next(n next) {
	if s != nil && len(s.Parts) > 0 {
		last := &s.Parts[len(s.Parts)-1]
		last.Steps = append(last.Steps, htmlpage.Step{Why: upperIfFirst("", n.why), Commands: []string{n.String()}})
	}
}

// add adds a part, with its verdict, to what is told of the pair, and forgets what was found before.
func (s *pageSection) add(p htmlpage.Part, style terminal.Style, verdict string) {
	p.Tone, p.Verdict = toneOf(style), strings.TrimSuffix(verdict, ".")+"."
	s.Parts, s.verdicts = append(s.Parts, p), append(s.verdicts, p.Verdict)
	s.found = newFound()
}

// ends says which source and target the section is about. It is called with what is best known of them.
func (s *pageSection) ends(source, target string, w *windowPrinted) {
	if s.experiment != "" && s.experiment != source {
		source = s.experiment + " (" + source + ")"
	}
	s.Facts = []htmlpage.Fact{{Name: "source", Value: source}, {Name: "target", Value: target}}
	if w != nil {
		s.Facts = append(s.Facts, htmlpage.Fact{Name: "request times", Value: interval(w.From, w.To)})
	}
}

// failure adds the part of a command that has no results.
func (s *pageSection) failure(f failureLine) {
	if s == nil {
		return
	}
	if len(s.Facts) == 0 {
		s.ends(f.Source, f.Target, f.Window)
	}
	p := htmlpage.Part{Heading: "No results", Facts: []htmlpage.Fact{{Name: "began", Value: moment(f.Started)}}}
	style, verdict := terminal.Warning, "It was interrupted before it had results"
	switch {
	case f.Outcome == report.Stopped:
		verdict = stoppedAt(f.Stopped) + ": it had no results yet"
	case f.Error != nil:
		style, verdict = terminal.Failed, "It failed before it had results"
		p.Problem = &htmlpage.Problem{Message: f.Error.Message, Next: f.Error.Next}
	}
	s.add(p, style, verdict)
}

// tellPage notes how a command ended with a pair, and writes the report where it is about one pair alone.
func (a *app) tellPage(o *outlets, command string, err error) error {
	s := o.page
	if s == nil {
		return nil
	}
	s.code = exitCode(err, a.stdout.err, a.interrupted())
	ee, coded := errors.AsType[*exitError](err)
	switch {
	case err == nil || coded && ee.err == nil:
	case len(s.Parts) == 0:
		s.failure(failure(&pairOptions{}, err, ending{ExitCode: s.code}))
	case coded && s.code == exitFound:
		last := &s.Parts[len(s.Parts)-1]
		last.Steps = append(last.Steps, htmlpage.Step{Why: upperIfFirst("", err.Error())})
	}
	if s.Tone = s.Parts[len(s.Parts)-1].Tone; s.Tone == htmlpage.Good {
		s.Tone = toneOf(styleOf(s.code)) // an earlier part may have found something
	}
	if o.shared {
		return nil
	}
	p := htmlpage.Page{
		Title: deeds[command] + " of " + s.title(), Tone: s.Tone, Verdict: strings.Join(s.verdicts, " "),
		Facts: append(s.Facts, exitFact(s.code)), Sections: []htmlpage.Section{s.Section},
	}
	if len(s.Parts) == 1 {
		s.Parts[0].Verdict = "" // the page says it
	}
	return o.report.write(p)
}

// title names the source.
func (s *pageSection) title() string {
	source := s.experiment
	if source == "" {
		source = s.Facts[0].Value
	}
	if strings.Trim(source, "0123456789") == "" {
		return "experiment " + source
	}
	return source
}

// deeds are what commands do.
var deeds = map[string]string{"run": "Migration", "verify": "Verification", "repair": "Repair", "check": "Check"}

func exitFact(code int) htmlpage.Fact {
	return htmlpage.Fact{Name: "exit code", Value: fmt.Sprintf("%d: %s", code, exitWords[code])}
}

// exitWords say what exit codes mean.
var exitWords = map[int]string{
	exitOK: "all done", exitFailed: "failed, nothing more could be done", exitUsage: "wrong usage",
	exitPartial: "done, but some traces failed, or rows are there twice", exitFound: "something wrong was found",
	exitStopped: "stopped at a limit, the next run goes on", 11: "another run works with the same checkpoint",
	12: "no credentials, or not the permissions that it takes", 13: "the source, the workspace or the SQL warehouse can't be reached",
	exitInterrupted: "interrupted, the same command goes on",
}

// toneOf is how a style looks in a page.
func toneOf(style terminal.Style) htmlpage.Tone {
	switch style {
	case terminal.OK:
		return htmlpage.Good
	case terminal.Warning:
		return htmlpage.Warning
	}
	return htmlpage.Bad
}

// tellPage writes the report of all pairs. err is how the command ends; where no pair was worked on, the report tells that alone.
func (o *overview) tellPage(out *outlets, err error) error {
	if out.report == nil || o.dryRun {
		return nil
	}
	l := &o.ended
	code := exitCode(err, o.stdout.err, o.interrupted())
	p := htmlpage.Page{
		Title: fmt.Sprintf("%s of %s", deeds[o.command], pairsOf(l.Pairs)), Tone: toneOf(styleOf(code)),
		Facts: []htmlpage.Fact{
			{Name: "file of pairs", Value: filepath.Base(o.config)}, exitFact(code), {Name: "began", Value: moment(o.began)},
			{Name: "took", Value: took(time.Since(o.began).Seconds())},
		},
	}
	if l.Pairs == 0 && err != nil {
		s := &pageSection{found: newFound()}
		s.failure(failure(&pairOptions{}, err, ending{ExitCode: code}))
		p.Title, p.Verdict, p.Sections = deeds[o.command]+" of "+filepath.Base(o.config), s.verdicts[0], []htmlpage.Section{s.Section}
		return out.report.write(p)
	}
	var ends []string
	for _, outcome := range slices.Sorted(maps.Keys(l.Outcomes)) {
		ends = append(ends, fmt.Sprintf("%d %s", l.Outcomes[outcome], strings.ReplaceAll(outcome, "_", " ")))
	}
	p.Verdict = pairsOf(l.Pairs) + ": " + strings.Join(ends, ", ") + "."
	p.Overview = o.pageTable()
	for i := range l.Results {
		r := &l.Results[i]
		s := out.report.section(r.Pair)
		s.Facts = append(s.Facts, exitFact(r.ExitCode))
		if r.Outcome == notBegun {
			s.Tone = htmlpage.Warning
			s.Parts = []htmlpage.Part{{Heading: "Not begun", Tone: htmlpage.Warning, Verdict: "The command ended before it came to this pair."}}
		}
		p.Sections = append(p.Sections, s.Section)
	}
	return out.report.write(p)
}

func pairsOf(n int) string {
	if n == 1 {
		return "1 pair"
	}
	return strconv.Itoa(n) + " pairs"
}

// pageTable has a row for each pair, as the text has.
func (o *overview) pageTable() *htmlpage.Table {
	head := columns[o.command]
	t := &htmlpage.Table{Columns: []htmlpage.Column{{Name: "pair"}, {Name: "outcome"}}}
	for _, name := range []string{head[0], head[1], head[2], "took", "exit code"} {
		if name != "" {
			t.Columns = append(t.Columns, htmlpage.Column{Name: name, Number: true})
		}
	}
	for i := range o.ended.Results {
		r := &o.ended.Results[i]
		row := []htmlpage.Cell{
			{Text: r.Pair, To: &i}, {Text: strings.ReplaceAll(r.Outcome, "_", " "), Tone: toneOf(styleOf(r.ExitCode))},
		}
		for n, value := range []int64{r.Traces, r.Wrong, r.Spans} {
			if head[n] != "" {
				row = append(row, htmlpage.Cell{Text: group(value)})
			}
		}
		t.Rows = append(t.Rows, append(row, htmlpage.Texts(took(r.Seconds), strconv.Itoa(r.ExitCode))...))
	}
	return t
}

// took is a duration for people.
func took(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
