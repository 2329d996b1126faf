package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/verify"
)

// printer writes results to standard output, and nothing else goes there. Its errors are those of writing. The first one
// stays: every later call returns it too.
type printer interface {
	reads(experiment string) // names the source of what follows
	trace(migrate.TraceReport) error
	summary(migrate.Summary, ending) error
	plan(migrate.Plan, ending) error
	finding(verify.Finding) error
	report(verify.Report, ending) error
	failure(failureLine) error // of a command that has none of the others
	next(next) error           // the command that is to follow
}

// printer returns the printer for --output.
func (a *app) printer(o *runOptions) printer {
	var p printer = jsonPrinter{a.stdout}
	if o.output != "json" {
		p = newTextPrinter(a.stdout)
	}
	if a.row != nil {
		p = pairPrinter{p, a.row}
	}
	return p
}

// results is standard output. It keeps the first error of a write and returns it from then on, so that no command ends well
// whose results were lost, wherever it printed them.
type results struct {
	out   io.Writer
	color bool   // it is a terminal that shows colors
	pair  string // name of the pair that lines of JSON tell of; empty where there is one alone

	mu  sync.Mutex // so that each Write is whole
	err error
}

func newResults(out io.Writer) *results { return &results{out: out} }

func (r *results) Write(p []byte) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	n, r.err = r.out.Write(p)
	return n, r.err
}

// width is how many columns the terminal has that r is; 0 where it is none.
func (r *results) width() int {
	f, ok := r.out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// finish closes the output and returns what kept results from being written. Some file systems report only at closing that
// they are full.
func (r *results) finish() error {
	if c, ok := r.out.(io.Closer); ok {
		if err := c.Close(); r.err == nil {
			r.err = err
		}
	}
	return r.err
}

// The lines of run and verify as JSON. What else is printed as JSON has its type where it is made; schemas_test.go lists all.
type (
	traceLine struct {
		Type string `json:"type"`
		migrate.TraceReport
	}
	summaryLine struct {
		Type string `json:"type"`
		migrate.Summary
		ending
	}
	planLine struct {
		Type string `json:"type"`
		migrate.Plan
		ending
	}
	findingLine struct {
		Type string `json:"type"`
		verify.Finding
	}
	verificationLine struct {
		Type string `json:"type"`
		verify.Report
		ending
	}
)

// jsonPrinter writes one JSON object a line, with the key "type"; the summary or the plan is the last.
type jsonPrinter struct{ out *results }

func (p jsonPrinter) trace(t migrate.TraceReport) error {
	return p.line(traceLine{"trace", t})
}

func (p jsonPrinter) summary(s migrate.Summary, e ending) error {
	return p.line(summaryLine{"summary", s, e})
}

func (p jsonPrinter) plan(pl migrate.Plan, e ending) error {
	return p.line(planLine{"plan", pl, e})
}

func (p jsonPrinter) finding(f verify.Finding) error {
	return p.line(findingLine{"finding", f})
}

func (p jsonPrinter) failure(f failureLine) error { return p.line(f) }

func (p jsonPrinter) report(r verify.Report, e ending) error {
	return p.line(verificationLine{"verification", r, e})
}

// reads is for people: programs know an experiment by its ID.
func (p jsonPrinter) reads(string) {}

// next is for people: programs know what to do by the exit code.
func (p jsonPrinter) next(next) error { return nil }

// line writes v in one line.
func (p jsonPrinter) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("print a result as JSON: %w", err)
	}
	if p.out.pair != "" {
		named, err := json.Marshal(map[string]string{"pair": p.out.pair})
		if err != nil {
			return fmt.Errorf("print the name of a pair as JSON: %w", err)
		}
		named[len(named)-1] = ','
		b = append(named, b[1:]...)
	}
	_, err = p.out.Write(append(b, '\n'))
	return err
}
