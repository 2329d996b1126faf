package progress

import (
	"runtime"
	"time"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
)

const (
	rateOver  = 30 * time.Second // the rate is that of so long
	boundOver = 10 * time.Second // and what bounds it is found of so long
	leastOver = 2 * time.Second  // of less time nothing is said
)

// sample is how far everything was at a time.
type sample struct {
	at        time.Time
	counts    report.Counts
	source    mlflowclient.Stats
	processor time.Duration // 0 where the system does not tell
}

// handled is how many traces were finished with that the target did not have before.
func (s *sample) handled() int64 { return s.counts.Done - s.counts.Present }

// meter keeps samples of the last rateOver.
type meter struct {
	samples []sample // one a second, the oldest first
	now     sample
}

// add takes a sample. Before traces are moved or compared there is no rate, so earlier samples don't count.
func (m *meter) add(s sample) {
	if s.counts.Phase <= report.Counting {
		m.samples = m.samples[:0]
	}
	m.now = s
	if n := len(m.samples); n == 0 || s.at.Sub(m.samples[n-1].at) >= time.Second {
		m.samples = append(m.samples, s)
	}
	for len(m.samples) > 2 && s.at.Sub(m.samples[1].at) >= rateOver {
		m.samples = m.samples[1:]
	}
}

// before is the latest sample that is at least so old, or else the oldest; ok says whether it is old enough to compare with.
func (m *meter) before(age time.Duration) (old *sample, ok bool) {
	for i := range m.samples {
		if i == 0 || m.now.at.Sub(m.samples[i].at) >= age {
			old = &m.samples[i]
		}
	}
	return old, old != nil && m.now.at.Sub(old.at) >= leastOver
}

// rate is how many traces a second were finished with in the last 30 seconds, without those that the target had.
func (m *meter) rate() (perSecond float64, ok bool) {
	old, ok := m.before(rateOver)
	if !ok {
		return 0, false
	}
	return float64(m.now.handled()-old.handled()) / m.now.at.Sub(old.at).Seconds(), true
}

// left is how long the traces that are left will take at this rate; ok is false while that is not known.
func (m *meter) left() (d time.Duration, ok bool) {
	rate, ok := m.rate()
	c := &m.now.counts
	todo := max(0, c.Total-c.Known-m.now.handled())
	switch {
	case c.Total == 0 || c.Phase > report.Verifying:
		return 0, false
	case todo == 0:
		return 0, true
	case !ok || rate <= 0:
		return 0, false
	}
	return time.Duration(float64(todo) / rate * float64(time.Second)), true
}

// The shares of the last seconds from which on something bounds the rate.
const (
	// A batch that has to wait for the target says by itself that the target is slower than all before it.
	blockedShare = 0.15
	busyShare    = 0.5
	// processors that work for less than this could do more.
	processorShare = 0.85
)

// bound says what the rate is bound by, as measured in the last seconds; empty where the figures tell nothing.
func (m *meter) bound(target string) string {
	old, ok := m.before(boundOver)
	if !ok || m.now.counts.Phase <= report.Counting {
		return ""
	}
	elapsed := m.now.at.Sub(old.at)
	share := func(now, before time.Duration) float64 { return float64(now-before) / float64(elapsed) }
	c, s, c0, s0 := &m.now.counts, &m.now.source, &old.counts, &old.source
	starved := share(c.Starved, c0.Starved) >= busyShare
	switch {
	case share(m.now.processor, old.processor) >= processorShare*float64(runtime.GOMAXPROCS(0)):
		return "the processors of this machine"
	case share(c.Blocked, c0.Blocked) >= blockedShare:
		return target
	case starved && share(s.SearchQuota, s0.SearchQuota) >= busyShare:
		return "the source's quota of searches"
	case !starved && share(s.DownloadQuota, s0.DownloadQuota) >= busyShare:
		return "the source's quota of downloads"
	case starved && share(s.Answering, s0.Answering) >= busyShare:
		return "the source, which lists slowly"
	case share(s.Answering, s0.Answering) >= busyShare:
		return "the source"
	}
	return ""
}
