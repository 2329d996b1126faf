package main

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/terminal"
)

// progress shows what a run has done, until it is closed: as a block that changes on a terminal, else as a log line every few
// seconds.
type progress struct {
	term    *terminal.Terminal
	log     *slog.Logger
	counts  func() report.Counts
	source  func() mlflowclient.Stats
	started time.Time
	done    chan struct{}
	ended   chan struct{}
}

const (
	blockEvery = 250 * time.Millisecond
	lineEvery  = 5 * time.Second
)

func startProgress(term *terminal.Terminal, log *slog.Logger, counts func() report.Counts, source func() mlflowclient.Stats) *progress {
	s := &progress{
		term: term, log: log, counts: counts, source: source, started: time.Now(), done: make(chan struct{}), ended: make(chan struct{}),
	}
	every := lineEvery
	if term.Interactive() {
		every = blockEvery
	}
	go func() {
		defer close(s.ended)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				if term.Interactive() {
					term.Block(s.block())
				} else {
					s.line()
				}
			case <-s.done:
				term.Block("")
				return
			}
		}
	}()
	return s
}

func (s *progress) close() {
	close(s.done)
	<-s.ended
}

// rate is how many traces are done a second.
func (s *progress) rate(c report.Counts) float64 {
	return float64(c.Done) / max(time.Since(s.started).Seconds(), 0.001)
}

// eta is the time left, or a negative time while the number of traces is not known.
func (s *progress) eta(c report.Counts) time.Duration {
	if c.Total == 0 || c.Done == 0 {
		return -1
	}
	left := max(c.Total-c.Done, 0)
	return time.Duration(float64(left) / s.rate(c) * float64(time.Second)).Round(time.Second)
}

func (s *progress) block() string {
	c, src := s.counts(), s.source()
	var b strings.Builder
	fmt.Fprintf(&b, "traces   %s", group(c.Done))
	if c.Total > 0 {
		fmt.Fprintf(&b, " of %s (%d %%)", group(c.Total), min(100*c.Done/c.Total, 100))
	}
	fmt.Fprintf(&b, "   %.0f/s", s.rate(c))
	if eta := s.eta(c); eta >= 0 {
		fmt.Fprintf(&b, "   ETA %s", eta)
	}
	fmt.Fprintf(&b, "\nwritten  %s spans, %s annotations, %s\n", group(c.Spans), group(c.Annotations), size(c.Bytes))
	fmt.Fprintf(&b, "read     %s traces in %s requests, %s retries, throttled %s   errors %s\n",
		group(c.Read), group(src.Requests), group(src.Retries), src.Throttled.Round(100*time.Millisecond), group(c.Failed))
	return b.String()
}

func (s *progress) line() {
	c, src := s.counts(), s.source()
	args := []any{
		"traces", c.Done, "read", c.Read, "spans", c.Spans, "annotations", c.Annotations, "bytes", c.Bytes,
		"traces_per_second", int64(s.rate(c)), "retries", src.Retries,
		"throttled", src.Throttled.Round(time.Millisecond).String(), "errors", c.Failed,
	}
	if eta := s.eta(c); eta >= 0 {
		args = append(args, "total", c.Total, "eta", eta.String())
	}
	s.log.Info("progress", args...)
}

// group writes n with a comma between thousands.
func group(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes bytes with a decimal unit.
func size(n int64) string {
	switch {
	case n < 1e3:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
