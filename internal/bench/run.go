package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/replay"
)

func init() {
	comparisons["rerun"] = rerun
	comparisons["memory"] = memory
}

// binary is tracemig as make build makes it.
var binary = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("make", "build").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("make build: %w\n%s", err, out)
	}
	return filepath.Abs("bin/tracemig")
})

// local is a run of the program over a synthetic source into local tables.
type local struct {
	source *httptest.Server
	dir    string
}

func newLocal(s *replay.Synthetic) (*local, error) {
	dir, err := os.MkdirTemp("", "tracemig-bench-")
	if err != nil {
		return nil, err
	}
	return &local{httptest.NewServer(s.Handler()), dir}, nil
}

func (l *local) close() {
	l.source.Close()
	os.RemoveAll(l.dir)
}

// run returns what the run printed and what its process took.
func (l *local) run() (s migrate.Summary, r result, err error) {
	path, err := binary()
	if err != nil {
		return s, r, err
	}
	cmd := exec.Command(path, "run", "--tracking-uri", l.source.URL, "--source", replay.SyntheticID, "--target", "file:"+l.dir+"/t",
		"--checkpoint", l.dir+"/c.db", "-o", "json", "--search-rate", "1e6", "--download-rate", "1e6")
	if r, err = measure(cmd); err != nil {
		return s, r, err
	}
	lines := bytes.Split(bytes.TrimSpace(r.stdout), []byte("\n"))
	err = json.Unmarshal(lines[len(lines)-1], &s)
	return s, r, err
}

// rerun is a run that finds nothing new, on 100,000 traces.
func rerun(o options) error {
	n := 100_000
	if o.Traces > 0 {
		n = o.Traces
	}
	l, err := newLocal(&replay.Synthetic{Traces: n, Spans: 1, SpanBytes: 600, Large: -1})
	if err != nil {
		return err
	}
	defer l.close()
	first, _, err := l.run()
	if err != nil {
		return err
	}
	var seconds []float64
	for range o.N {
		s, _, err := l.run()
		if err != nil {
			return err
		}
		if s.TargetWrites != 0 || s.Present != int64(n) {
			return fmt.Errorf("a rerun wrote: %+v", s)
		}
		seconds = append(seconds, s.Seconds)
		first.Requests = s.Requests
	}
	fmt.Printf("nothing new on %d traces: %.2f s, %d requests, no write\n", n, median(seconds), first.Requests)
	return nil
}

// memory is the peak of resident memory for ever more traces, and with a large one among small ones.
func memory(o options) error {
	for _, c := range []struct {
		name   string
		source *replay.Synthetic
	}{
		{"1,000 traces of 12 KB", &replay.Synthetic{Traces: 1000, Spans: 6, SpanBytes: 2000, Large: -1}},
		{"10,000 traces of 12 KB", &replay.Synthetic{Traces: 10_000, Spans: 6, SpanBytes: 2000, Large: -1}},
		{"100,000 traces of 12 KB", &replay.Synthetic{Traces: 100_000, Spans: 6, SpanBytes: 2000, Large: -1}},
		{"1,000 traces, one of 100 MB", &replay.Synthetic{Traces: 1000, Spans: 6, SpanBytes: 2000, Large: 500, LargeBytes: 100 << 20}},
	} {
		var peaks []float64
		var s migrate.Summary
		// Peaks vary less than times do: one run of the largest is enough.
		for range min(o.N, max(1, 20_000/c.source.Traces)) {
			l, err := newLocal(c.source)
			if err != nil {
				return err
			}
			var r result
			s, r, err = l.run()
			l.close()
			if err != nil {
				return err
			}
			peaks = append(peaks, r.rss/1e6)
		}
		fmt.Printf("%-28s peak %4.0f MB, %.0f traces/s into local tables\n", c.name, median(peaks), s.TracesPerSecond)
	}
	return nil
}
