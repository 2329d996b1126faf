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
	summary(migrate.Summary) error
	plan(migrate.Plan) error
	finding(verify.Finding) error
	report(verify.Report) error
	next(next) error // the command that is to follow
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

// jsonPrinter writes one JSON object a line, with the key "type"; the summary or the plan is the last.
type jsonPrinter struct{ out *results }

func (p jsonPrinter) trace(t migrate.TraceReport) error {
	return p.line(struct {
		Type string `json:"type"`
		migrate.TraceReport
	}{"trace", t})
}

func (p jsonPrinter) summary(s migrate.Summary) error {
	return p.line(struct {
		Type string `json:"type"`
		migrate.Summary
	}{"summary", s})
}

func (p jsonPrinter) plan(pl migrate.Plan) error {
	return p.line(struct {
		Type string `json:"type"`
		migrate.Plan
	}{"plan", pl})
}

func (p jsonPrinter) finding(f verify.Finding) error {
	return p.line(struct {
		Type string `json:"type"`
		verify.Finding
	}{"finding", f})
}

func (p jsonPrinter) report(r verify.Report) error {
	return p.line(struct {
		Type string `json:"type"`
		verify.Report
	}{"verification", r})
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
