package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/rehearsal"
	"github.com/tracemig/tracemig/internal/schemas"
	"github.com/tracemig/tracemig/internal/verify"
)

// A line that breaks its schema in any way is found.
func TestLinesAgainstSchemas(t *testing.T) {
	var b bytes.Buffer
	report := migrate.TraceReport{
		TraceID: "tr-1", State: checkpoint.Failed, Notes: []convert.Note{{Code: convert.NonFinite, SpanID: "1", Key: "k", Detail: "d"}},
	}
	jsonPrinter{newResults(&b)}.trace(report)
	good := b.String()
	if want := `"notes":[{"code":"non_finite","span_id":"1","key":"k","detail":"d"}]`; !strings.Contains(good, want) {
		t.Errorf("%s lacks %s", good, want)
	}
	if err := schemas.Lines("words for people\n" + good); err != nil {
		t.Error(err)
	}
	for what, line := range map[string]string{
		"another type":   strings.Replace(good, `"trace"`, `"tracing"`, 1),
		"no type":        strings.Replace(good, `"type":"trace",`, "", 1),
		"another key":    strings.Replace(good, `"span_id"`, `"SpanID"`, 1),
		"a key too few":  strings.Replace(good, `"trace_id":"tr-1",`, "", 1),
		"a key twice":    strings.Replace(good, `"trace_id":`, `"state":"failed","trace_id":`, 1),
		"another value":  strings.Replace(good, `"failed"`, `"broken"`, 1),
		"a number":       strings.Replace(good, `"tr-1"`, "1", 1),
		"half of a line": good[:len(good)/2],
	} {
		if err := schemas.Lines(line); err == nil {
			t.Errorf("%s is taken for right: %s", what, line)
		}
	}
}

// An ellipsis is printed where IDs are left out, and only there.
func TestExamples(t *testing.T) {
	for n, more := range map[int]bool{1: false, examplesShown: false, examplesShown + 1: true, 3 * examplesShown: true} {
		var b bytes.Buffer
		p := newTextPrinter(newResults(&b))
		for i := range n {
			for range 2 { // the same trace again is no further ID
				p.trace(migrate.TraceReport{TraceID: fmt.Sprintf("tr-%d", i), State: checkpoint.Failed, Reason: "r"})
			}
		}
		p.reasons("failed", int64(n), map[checkpoint.Reason]int64{"r": int64(n)})
		if got := strings.Count(b.String(), "tr-"); got != min(n, examplesShown) || strings.Contains(b.String(), "…") != more {
			t.Errorf("of %d traces, want %d IDs, and an ellipsis: %v; got %s", n, min(n, examplesShown), more, b.String())
		}
	}
}

// A list of trace IDs that could not be written to its end is an error.
func TestListsOnFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	l, err := openLists(listFiles{missing: "/dev/full"})
	if err != nil {
		t.Fatal(err)
	}
	l.add(verify.Finding{TraceID: "tr-1", Kind: verify.Missing})
	if err := l.close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("closing returns %v, want %v", err, syscall.ENOSPC)
	}
}

// failingWriter takes some writes and then none.
type failingWriter struct {
	takes int
	err   error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.takes--; w.takes < 0 {
		return 0, w.err
	}
	return len(p), nil
}

// What can't be written is an error of the call that prints it, and of every one after.
func TestPrintersReturnWriteErrors(t *testing.T) {
	for name, print := range map[string]func(*results) error{
		"trace":   func(r *results) error { return jsonPrinter{r}.trace(migrate.TraceReport{}) },
		"summary": func(r *results) error { return jsonPrinter{r}.summary(migrate.Summary{}, ending{}) },
		"plan":    func(r *results) error { return jsonPrinter{r}.plan(migrate.Plan{}, ending{}) },
		"finding": func(r *results) error { return jsonPrinter{r}.finding(verify.Finding{}) },
		"report":  func(r *results) error { return jsonPrinter{r}.report(verify.Report{}, ending{}) },
		"probe": func(r *results) error {
			return (&checkPrinter{json: true, jsonPrinter: jsonPrinter{r}}).finding(preflight.Finding{})
		},
		"probes": func(r *results) error {
			return (&checkPrinter{json: true, jsonPrinter: jsonPrinter{r}}).summary(checkSummary{OK: 1})
		},
		"step": func(r *results) error {
			return rehearsalPrinter{true, strings.NewReplacer(), jsonPrinter{r}}.step(rehearsal.Step{})
		},
		"text probe": func(r *results) error {
			return (&checkPrinter{json: false, jsonPrinter: jsonPrinter{r}}).finding(preflight.Finding{Next: "n"})
		},
		"text probes": func(r *results) error {
			return (&checkPrinter{json: false, jsonPrinter: jsonPrinter{r}}).summary(checkSummary{OK: 1})
		},
		"text steps": func(r *results) error {
			return rehearsalPrinter{false, strings.NewReplacer(), jsonPrinter{r}}.summary("kind", nil, 0, nil)
		},
		"text summary": func(r *results) error { return newTextPrinter(r).summary(migrate.Summary{}, ending{}) },
		"text plan":    func(r *results) error { return newTextPrinter(r).plan(migrate.Plan{}, ending{}) },
		"text report":  func(r *results) error { return newTextPrinter(r).report(verify.Report{}, ending{}) },
		"status table": func(r *results) error { return statusTable{now: time.Now()}.print(r, make([]pairStatus, 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			out := newResults(&failingWriter{err: syscall.EPIPE})
			for range 2 { // the second time with another printer
				if err := print(out); !errors.Is(err, syscall.EPIPE) {
					t.Errorf("error %v, want %v", err, syscall.EPIPE)
				}
			}
			if err := print(newResults(&failingWriter{takes: 100, err: syscall.EPIPE})); err != nil {
				t.Errorf("error %v where all is written, want none", err)
			}
		})
	}
}

// A summary is an error where the line of a trace before it could not be written, also if the summary itself could be.
func TestSummaryReturnsErrorsOfTraces(t *testing.T) {
	out := newResults(&failingWriter{takes: 1, err: syscall.ENOSPC})
	p := jsonPrinter{out}
	for i, want := range []error{nil, syscall.ENOSPC} {
		if err := p.trace(migrate.TraceReport{}); !errors.Is(err, want) {
			t.Errorf("trace %d: error %v, want %v", i, err, want)
		}
	}
	out.out = &failingWriter{takes: 100}
	if err := p.summary(migrate.Summary{}, ending{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v of the summary, want %v", err, syscall.ENOSPC)
	}
}
