package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
)

// The exit code of several pairs is the worst of theirs, in whatever order they end.
func TestWorst(t *testing.T) {
	for i, a := range worstFirst {
		for _, b := range worstFirst[i:] {
			if got := [2]int{worst(a, b), worst(b, a)}; got != [2]int{a, a} {
				t.Errorf("worst of %d and %d: %v, want %d", a, b, got, a)
			}
		}
	}
	if got := worst(exitPartial, 77); got != 77 {
		t.Errorf("worst of %d and a code that nobody knows: %d, want that", exitPartial, got)
	}
}

// fileOf has a pair for each name.
func fileOf(names ...string) string {
	var b strings.Builder
	b.WriteString("defaults:\n  tracking_uri: http://127.0.0.1:5000\npairs:\n")
	for i, name := range names {
		fmt.Fprintf(&b, "  - name: %s\n    source: s%d\n    target: file:lake/t%d\n", name, i, i)
	}
	return b.String()
}

// overTest does do for the pairs of a file, as run with args does, and returns what is printed and the exit code.
func overTest(t *testing.T, a *app, path string, do func(*app, *runOptions) error, args ...string) (printed string, code int) {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	var stdout bytes.Buffer
	a.stdout = newResults(&stdout)
	c := &cobra.Command{Use: "run"}
	o := newRunOptions(c)
	if err := c.ParseFlags(append(args, "--config", path)); err != nil {
		t.Fatal(err)
	}
	err := onPairs(a, c, o, newRunOptions, do)
	return stdout.String(), exitCode(err, nil, a.stop.Err() != nil)
}

// So many pairs are worked on at the same time as --parallel says; none stops the others, and each has its own results whole.
func TestPairsInParallel(t *testing.T) {
	a, path := configApp(t, fileOf("a", "b", "c", "d", "e", "f"), nil)
	var mu sync.Mutex
	busy, most := 0, 0
	met := make(chan struct{}, 3)
	do := func(a *app, o *runOptions) error {
		mu.Lock()
		busy++
		most = max(most, busy)
		mu.Unlock()
		select { // until three are here
		case met <- struct{}{}:
			for len(met) < cap(met) && t.Context().Err() == nil {
				time.Sleep(time.Millisecond)
			}
		default:
		}
		out := a.printer(o)
		for range 100 {
			if err := out.trace(migrate.TraceReport{TraceID: strings.Repeat("t", 200)}); err != nil {
				return err
			}
		}
		sum := migrate.Summary{Source: o.source, Migrated: 2, Updated: 1, Failed: 1, SpansWritten: 7, Bytes: 5}
		if err := out.summary(sum, ending{}); err != nil {
			return err
		}
		mu.Lock()
		busy--
		mu.Unlock()
		switch a.row.Pair {
		case "b":
			return reported{errors.New("broken")}
		case "c":
			return &exitError{code: exitPartial}
		}
		return nil
	}
	printed, code := overTest(t, a, path, do, "--parallel", "3", "-o", "json")
	if most != 3 || code != exitFailed {
		t.Errorf("%d at the same time, exit code %d; want 3 and %d", most, code, exitFailed)
	}
	perPair := map[string]int{}
	var last pairsLine
	for line := range strings.Lines(printed) {
		var l struct{ Pair, Type string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		perPair[l.Pair+" "+l.Type]++
		if l.Type == "pairs" {
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := map[string]int{" pairs": 1}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		want[name+" trace"], want[name+" summary"] = 100, 1
	}
	if d := cmp.Diff(want, perPair); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]int{"done": 4, "failed": 1, "partial": 1}, last.Outcomes); d != "" {
		t.Error(d)
	}
	if last.Traces != 18 || last.Wrong != 6 || last.Spans != 42 || last.Bytes != 30 || last.ExitCode != exitFailed {
		t.Errorf("%+v", last)
	}
}

// The texts of pairs stand whole one after the other, whatever is printed at the same time.
func TestTextsOfPairsDontMix(t *testing.T) {
	a, path := configApp(t, fileOf("a", "b", "c"), nil)
	do := func(a *app, _ *runOptions) error {
		for range 200 {
			fmt.Fprintf(a.stdout, "%s ", a.row.Pair)
		}
		fmt.Fprintln(a.stdout)
		return nil
	}
	printed, code := overTest(t, a, path, do)
	for _, name := range []string{"a", "b", "c"} {
		if text := "pair " + name + "\n" + strings.Repeat(name+" ", 200) + "\n\n"; !strings.Contains(printed, text) {
			t.Errorf("the text of %s is not whole", name)
		}
	}
	if !strings.Contains(printed, "3 pairs  3 done") || code != exitOK {
		t.Errorf("exit code %d after %s", code, printed[max(0, len(printed)-300):])
	}
}

// A signal keeps pairs from beginning.
func TestPairsThatAreNotBegun(t *testing.T) {
	a, path := configApp(t, fileOf("a", "b", "c"), nil)
	stop, cancel := context.WithCancel(t.Context())
	a.stop = stop
	do := func(a *app, _ *runOptions) error {
		cancel()
		return a.stop.Err()
	}
	printed, code := overTest(t, a, path, do, "--parallel", "1")
	if code != exitInterrupted || !strings.Contains(printed, "3 pairs  1 interrupted, 2 not begun") {
		t.Errorf("exit code %d, want %d, after\n%s", code, exitInterrupted, printed)
	}
}

// The memory and the quotas are those of the process: all pairs share them.
func TestPairsShare(t *testing.T) {
	a, path := configApp(t, fileOf("a", "b")+"    bytes_in_flight: 96MiB\n    attachments: inline\n", nil)
	seen := map[*together]int{}
	do := func(a *app, o *runOptions) error {
		c := o.connector(a, nil)
		s := &session{app: a}
		if c.servers != &a.together.servers || c.identities != &a.together.identities || s.memory() != a.together.memory {
			t.Error("the pair shares less than it should")
		}
		b := a.together.memory.Payload.Join()
		defer b.Leave()
		if got, want := b.Part(), int64(72<<20); got != want { // the rest is for attachments
			t.Errorf("%d bytes of payload, want %d", got, want)
		}
		seen[a.together]++
		return nil
	}
	if _, code := overTest(t, a, path, do, "--parallel", "1"); code != exitOK || len(seen) != 1 {
		t.Errorf("exit code %d, %d things are shared, want 1", code, len(seen))
	}
}

// What is shown of all pairs are the sums of what each has done, also of those that have ended.
func TestShownTogether(t *testing.T) {
	s := &shownTogether{all: 3}
	first := s.show(func() report.Counts { return report.Counts{Phase: report.Verifying, Done: 10, Spans: 20, Blocked: 5} },
		func() mlflowclient.Stats { return mlflowclient.Stats{Requests: 3, Throttled: 9} })
	s.show(func() report.Counts { return report.Counts{Phase: report.Moving, Done: 1, Failed: 1, Blocked: 4} },
		func() mlflowclient.Stats { return mlflowclient.Stats{Requests: 4, Throttled: 2} })
	s.begun("a")
	s.begun("b")
	want := shownCounts{
		report.Counts{Phase: report.Moving, Done: 11, Failed: 1, Spans: 20, Blocked: 5}, mlflowclient.Stats{Requests: 7, Throttled: 9},
	}
	if d := cmp.Diff(want, s.sum()); d != "" {
		t.Error(d)
	}
	first.Close()
	s.done("a", false)
	if d := cmp.Diff(want, s.sum()); d != "" {
		t.Errorf("after the end of one: %s", d)
	}
	if got, want := s.pairs(), "1 of 3 ended, 1 not well; now b"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
