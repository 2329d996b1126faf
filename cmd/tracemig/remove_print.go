package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/remove"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/terminal"
	"github.com/tracemig/tracemig/internal/uctables"
)

// removedLine is a trace that was removed, or would be, or is kept, as JSON.
type removedLine struct {
	Type string `json:"type"`
	remove.Trace
}

// removalLine is the last line of remove -o json.
type removalLine struct {
	Type       string      `json:"type"`
	Source     string      `json:"source"`
	Target     string      `json:"target"`
	Shard      shard.Shard `json:"shard,omitzero"`
	Checkpoint string      `json:"checkpoint"`
	DryRun     bool        `json:"dry_run"` // it only says what would be removed
	remove.Summary
	Error *report.Error `json:"error,omitempty"` // what kept it from coming to its end; the counts are of what it had done then
	ending
}

// removalPrinter prints what a removal does, or would do.
type removalPrinter struct {
	a    *app
	o    *removeOptions
	path string // of the checkpoint
	pair checkpoint.Pair
	w    mlflowclient.Window

	kept []string // a few traces that stay whole
	left []string // a few annotations that stay
	err  error    // of printing
}

func (a *app) removalPrinter(o *removeOptions, path string, pair checkpoint.Pair, w mlflowclient.Window) *removalPrinter {
	return &removalPrinter{a: a, o: o, path: path, pair: pair, w: w}
}

// group prints what goes and what stays of some traces, or keeps it for the end.
func (p *removalPrinter) group(g remove.Group) {
	if p.o.printSQL {
		p.statements(&g)
		return
	}
	for _, t := range g.Traces {
		if p.o.output == "json" && p.err == nil {
			p.err = jsonPrinter{p.a.stdout}.line(removedLine{"removed", t})
		}
		if t.Kept != "" && len(p.kept) <= examplesShown {
			p.kept = append(p.kept, t.TraceID)
		}
		for _, k := range t.AnnotationsKept {
			if len(p.left) <= examplesShown {
				p.left = append(p.left, fmt.Sprintf("%s %s of %s, %s", k.Type, k.Name, t.TraceID, k.Reason))
			}
		}
	}
}

// statementIDs is how many IDs a statement has that a person is to run.
const statementIDs = 1000

// statements prints the DELETE statements of some traces: spans first, and METADATA last.
func (p *removalPrinter) statements(g *remove.Group) {
	l, err := uctables.ParseLocation(p.pair.Target)
	if p.err = cmp.Or(p.err, err); p.err != nil {
		return
	}
	var texts []string
	for ids := range slices.Chunk(g.WithSpans, statementIDs) {
		texts = append(texts, tablesql.DeleteSpans(l, ids, g.SpanTimes.Low, g.SpanTimes.High))
	}
	for versions := range slices.Chunk(g.Versions, statementIDs) {
		texts = append(texts, tablesql.DeleteAnnotations(l, versions))
	}
	for _, text := range texts {
		if p.err == nil {
			_, p.err = fmt.Fprintf(p.a.stdout, "%s;\n\n", text)
		}
	}
}

// end prints what was removed, or would be, by a command that ends with err.
func (p *removalPrinter) end(sum *remove.Summary, err error) error {
	if p.err != nil && err == nil {
		return p.err
	}
	p.a.terminal.Block()
	switch {
	case p.o.printSQL && err == nil:
		return p.afterStatements(sum)
	case p.o.printSQL:
		return err
	case p.o.output == "json":
		e := ending{Window: &windowPrinted{timeOf(p.w.StartMs), timeOf(p.w.EndMs)}, Version: version,
			ExitCode: exitCode(err, nil, p.a.interrupted())}
		l := removalLine{Type: "removal", Source: p.pair.Source, Target: p.pair.Target, Shard: p.pair.Shard, Checkpoint: p.path,
			DryRun: !p.o.does, Summary: *sum, Error: report.ErrorOf(err), ending: e}
		if printErr := (jsonPrinter{p.a.stdout}).line(l); printErr != nil || err == nil {
			return printErr
		}
		return reported{err}
	case err != nil && !endsWith(err, exitUsage) && sum.Traces == 0:
		return err
	}
	if printErr := p.text(sum, err); err == nil {
		return printErr
	}
	return err
}

// text says for people what was removed, or would be.
func (p *removalPrinter) text(sum *remove.Summary, err error) error {
	w := newTextWriter(p.a.stdout)
	style, words := terminal.OK, "Removed "
	if !p.o.does {
		words = "Would remove "
	} else if err != nil {
		style, words = terminal.Warning, "Removed, before it broke off, "
	}
	w.verdict(style, words+count(sum.Traces, "trace")+" from "+p.pair.Target, " (%s)", part(p.pair.Source, p.pair.Shard))
	w.row("spans", "%s", count(sum.Spans, "row"))
	w.row("annotations", "%s", count(sum.Annotations, "row"))
	if sum.TracesKept > 0 {
		w.row("traces kept", "%s  %s", group(sum.TracesKept), aFew(p.kept))
		w.detail("Databricks' own migration wrote them, and a run has taken them over: they stay as they are")
	}
	if n := sum.AnnotationsEdited + sum.AnnotationsAdded; n > 0 {
		w.row("annotations kept", "%s changed at the target, %s added there", group(sum.AnnotationsEdited), group(sum.AnnotationsAdded))
		for i, text := range p.left {
			if i == examplesShown {
				text = "… (-o json lists all)"
			}
			w.detail(plain(text))
		}
	}
	if sum.SpansKept > 0 {
		w.row("spans kept", "%s of other writers", count(sum.SpansKept, "row"))
	}
	if len(sum.Absent) > 0 {
		w.row("not there", "%s: %s", count(int64(len(sum.Absent)), "ID"), plain(strings.Join(sum.Absent, ", ")))
	}
	if len(sum.Folders) > 0 {
		w.row("attachments", "copies stay in %s", plain(strings.Join(sum.Folders, ", ")))
	}
	if p.o.runID != "" && sum.Traces == 0 && err == nil {
		w.detail("the checkpoint tells of no trace that this run migrated and the target has; one that was rebuilt since does not know")
	}
	return w.err
}

// aFew names a few of several IDs.
func aFew(ids []string) string {
	if len(ids) > examplesShown {
		ids = append(slices.Clone(ids[:examplesShown]), "… (-o json lists all)")
	}
	return plain(strings.Join(ids, " "))
}

// afterStatements prints, as comments of SQL, what the statements do and what is to follow them.
func (p *removalPrinter) afterStatements(sum *remove.Summary) error {
	w := textWriter{out: printable{p.a.stdout}}
	w.printf("-- tracemig %s: in this order, these statements remove %s of %s from %s: %s of spans and %s of annotations.\n",
		version, count(sum.Traces, "trace"), plain(p.pair.Source), plain(p.pair.Target), count(sum.Spans, "row"), count(sum.Annotations, "row"))
	w.printf("-- Kept: %s of Databricks' own migration, %s changed at the target and %s added there, %s of other writers.\n",
		count(sum.TracesKept, "trace"), count(sum.AnnotationsEdited, "annotation"), group(sum.AnnotationsAdded), count(sum.SpansKept, "span"))
	if len(sum.Absent) > 0 {
		w.printf("-- Not there: %s\n", plain(strings.Join(sum.Absent, ", ")))
	}
	w.printf("-- Then have the checkpoint forget the traces: %s\n", plain(p.rebuild().String()))
	return w.err
}

// rebuild is the command that fills the checkpoint anew.
func (p *removalPrinter) rebuild() next {
	return next{args: append([]string{"checkpoint", "rebuild"}, p.o.pairOptions.args()...)}
}
