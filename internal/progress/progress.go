// Package progress shows how far a run or a verification is: as a block that changes on a terminal, else as a log line
// every few seconds.
package progress

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/terminal"
)

// Watched is what is shown. Its functions may be called at any time.
type Watched struct {
	Counts func() report.Counts
	Source func() mlflowclient.Stats
	Pairs  func() string // which pairs it is of, where there are several; nil for one
	Target string        // what the target is called where it bounds the rate
	Waits  *retry.Waits  // what waits for another try; may be nil
}

// Progress shows something until it is closed.
type Progress struct {
	term    *terminal.Terminal
	log     *slog.Logger
	watched Watched
	meter   meter
	done    chan struct{}
	ended   chan struct{}
}

const (
	blockEvery = 250 * time.Millisecond
	lineEvery  = 5 * time.Second
	// shownAfter is how long something has waited when it is shown: most waits are over by then.
	shownAfter = time.Second
)

// Start begins to show w.
func Start(term *terminal.Terminal, log *slog.Logger, w Watched) *Progress {
	p := &Progress{term: term, log: log, watched: w, done: make(chan struct{}), ended: make(chan struct{})}
	every, show := lineEvery, p.line
	if term.Interactive() {
		every, show = blockEvery, func() { term.Block(p.block()...) }
		w.Waits.Watch(true)
	}
	p.sample()
	go func() {
		defer close(p.ended)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				p.sample()
				show()
			case <-p.done:
				term.Block()
				return
			}
		}
	}()
	return p
}

// Close ends it, and removes the block.
func (p *Progress) Close() {
	p.watched.Waits.Watch(false)
	close(p.done)
	<-p.ended
}

func (p *Progress) sample() {
	s := sample{at: time.Now(), counts: p.watched.Counts(), source: p.watched.Source()}
	s.processor, _ = processorTime()
	p.meter.add(s)
}

var phases = map[report.Phase]string{
	report.Preparing: "preparing", report.Counting: "counting", report.Moving: "moving", report.Verifying: "verifying",
	report.Checking: "checking",
}

// unknown stands where a figure is not known.
const unknown = "–"

func (p *Progress) block() []terminal.Line {
	c := &p.meter.now.counts
	lines := []terminal.Line{{Name: phases[c.Phase], Style: terminal.Strong}}
	switch c.Phase {
	case report.Preparing:
		lines[0].Text = "reading what the target has, and the links to runs"
	case report.Counting:
		lines[0].Text = humanize.Comma(c.Listed) + " traces so far"
	case report.Checking:
		lines[0].Text = "whether the target holds rows twice"
		lines = append(lines, p.written())
	default:
		lines[0].Text = p.traces()
		lines = append(lines, p.written(), terminal.Line{Name: "bound by", Style: terminal.Strong, Text: or(p.meter.bound(p.watched.Target))})
	}
	if p.watched.Pairs != nil {
		lines = append(lines, terminal.Line{Name: "pairs", Text: p.watched.Pairs()})
	}
	if w := p.waiting(); w != "" {
		lines = append(lines, terminal.Line{Name: "waiting", Text: w, Style: terminal.Warning})
	}
	return lines
}

func or(s string) string {
	if s == "" {
		return unknown
	}
	return s
}

// traces says how many traces are done, how fast, and when the others will be.
func (p *Progress) traces() string {
	c := &p.meter.now.counts
	text := humanize.Comma(c.Done) + " traces"
	if c.Done == 0 && c.Read > 0 {
		text = humanize.Comma(c.Read) + " traces read, none written yet"
		if c.Phase == report.Verifying {
			text = humanize.Comma(c.Read) + " traces read, none compared yet"
		}
	}
	if c.Total > 0 && c.Done > 0 {
		text = fmt.Sprintf("%s of %s traces (%d %%)", humanize.Comma(c.Done), humanize.Comma(c.Total), min(100*c.Done/c.Total, 100))
	}
	rate, eta := "rate "+unknown, unknown
	if r, ok := p.meter.rate(); ok {
		rate = rateText(r) + "/s"
	}
	if d, ok := p.meter.left(); ok {
		eta = brief(d)
	}
	return fmt.Sprintf("%s, %s, ETA %s", text, rate, eta)
}

// written says what was written, or compared.
func (p *Progress) written() terminal.Line {
	c := &p.meter.now.counts
	text := fmt.Sprintf("%s spans, %s annotations", humanize.Comma(c.Spans), humanize.Comma(c.Annotations))
	l := terminal.Line{Name: "written", Style: terminal.Strong, Text: text}
	wrong := "failed"
	if c.Phase == report.Verifying {
		l.Name, wrong = "compared", "found wrong"
	} else {
		l.Text += ", " + humanize.Bytes(uint64(c.Bytes))
	}
	if c.Present > 0 {
		l.Text += fmt.Sprintf("; %s traces were there already", humanize.Comma(c.Present))
	}
	if c.Failed > 0 {
		l.Text += fmt.Sprintf("; %s %s", humanize.Comma(c.Failed), wrong)
		l.Style = terminal.Failed
	}
	return l
}

// waiting says what waits for another try and until when, empty where nothing waits for long.
func (p *Progress) waiting() string {
	w, ok := p.watched.Waits.Longest()
	now := p.meter.now.at
	if !ok || now.Sub(w.Since) < shownAfter {
		return ""
	}
	return w.What + "; gives up in " + brief(max(0, w.Until.Sub(now)))
}

func rateText(perSecond float64) string {
	if perSecond < 10 {
		return fmt.Sprintf("%.1f", perSecond)
	}
	return humanize.Comma(int64(perSecond + 0.5))
}

// brief writes a length of time with one or two units.
func brief(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", (d+time.Second-1)/time.Second)
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", (d+12*time.Hour)/(24*time.Hour))
}

func (p *Progress) line() {
	c, src := &p.meter.now.counts, &p.meter.now.source
	rate, _ := p.meter.rate()
	args := []any{
		"phase", phases[c.Phase], "traces", c.Done, "read", c.Read, "spans", c.Spans, "annotations", c.Annotations, "bytes", c.Bytes,
		"traces_per_second", int64(rate), "retries", src.Retries,
		"throttled", src.Throttled.Round(time.Millisecond).String(), "errors", c.Failed,
	}
	if c.Total > 0 {
		args = append(args, "total", c.Total)
	}
	if d, ok := p.meter.left(); ok {
		args = append(args, "eta", d.Round(time.Second).String())
	}
	if b := p.meter.bound(p.watched.Target); b != "" {
		args = append(args, "bound_by", b)
	}
	if p.watched.Pairs != nil {
		args = append(args, "pairs", p.watched.Pairs())
	}
	if w := p.waiting(); w != "" {
		args = append(args, "waiting", w)
	}
	p.log.Info("progress", args...)
}
