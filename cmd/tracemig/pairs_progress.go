package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/progress"
	"github.com/tracemig/tracemig/internal/report"
)

// shownTogether is how far all pairs are that one process works on.
type shownTogether struct {
	mu           sync.Mutex
	all          int // pairs
	ended, wrong int // of them, and those of these that did not end well
	running      []string
	now          []*shownPair // runs and verifications that go on
	before       shownCounts  // of those that have ended
}

type shownCounts struct {
	report.Counts
	mlflowclient.Stats
}

// add adds what another run has done. Times go on for all of them together, so they are not added up.
func (c *shownCounts) add(counts report.Counts, stats mlflowclient.Stats) {
	c.Listed += counts.Listed
	c.Read += counts.Read
	c.Done += counts.Done
	c.Present += counts.Present
	c.Known += counts.Known
	c.Failed += counts.Failed
	c.Spans += counts.Spans
	c.Annotations += counts.Annotations
	c.Counts.Bytes += counts.Bytes
	c.Blocked, c.Starved = max(c.Blocked, counts.Blocked), max(c.Starved, counts.Starved)
	c.Requests += stats.Requests
	c.Retries += stats.Retries
	c.Throttled = max(c.Throttled, stats.Throttled)
	c.SearchQuota, c.DownloadQuota = max(c.SearchQuota, stats.SearchQuota), max(c.DownloadQuota, stats.DownloadQuota)
	c.Answering = max(c.Answering, stats.Answering)
}

// shownPair is a run or a verification that goes on.
type shownPair struct {
	of     *shownTogether
	counts func() report.Counts
	stats  func() mlflowclient.Stats
}

// show has a run or a verification counted until it is closed.
func (s *shownTogether) show(counts func() report.Counts, stats func() mlflowclient.Stats) *shownPair {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &shownPair{s, counts, stats}
	s.now = append(s.now, p)
	return p
}

// Close ends it. What it has done stays counted.
func (p *shownPair) Close() {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.of.now = slices.DeleteFunc(p.of.now, func(other *shownPair) bool { return other == p })
	p.of.before.add(p.counts(), p.stats())
}

// begun and done note that a pair is worked on, and that it has ended.
func (s *shownTogether) begun(pair string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = append(s.running, pair)
}

func (s *shownTogether) done(pair string, well bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = slices.DeleteFunc(s.running, func(other string) bool { return other == pair })
	s.ended++
	if !well {
		s.wrong++
	}
}

// sum is what all have done.
func (s *shownTogether) sum() shownCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.before
	for _, p := range s.now {
		counts := p.counts()
		sum.add(counts, p.stats())
		if sum.Phase != report.Moving { // what moves traces is what there is to see
			sum.Phase = max(sum.Phase, counts.Phase)
		}
		if counts.Phase == report.Moving {
			sum.Phase = counts.Phase
		}
	}
	return sum
}

// pairs says how many pairs have ended and which are worked on.
func (s *shownTogether) pairs() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf("%d of %d ended", s.ended, s.all)
	if s.wrong > 0 {
		text += fmt.Sprintf(", %d not well", s.wrong)
	}
	if len(s.running) > 0 {
		text += "; now " + strings.Join(s.running, ", ")
	}
	return text
}

// start shows it until what it returns is closed.
func (s *shownTogether) start(o *overview, all int) *progress.Progress {
	s.all = all
	return progress.Start(o.terminal, o.log, progress.Watched{
		Counts: func() report.Counts { return s.sum().Counts },
		Source: func() mlflowclient.Stats { return s.sum().Stats },
		Pairs:  s.pairs, Target: "the targets", Waits: o.waits,
	})
}
