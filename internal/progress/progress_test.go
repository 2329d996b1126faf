package progress

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/terminal"
)

// run is a run whose figures a test sets.
type run struct {
	counts report.Counts
	source mlflowclient.Stats
	waits  retry.Waits
}

func (r *run) shown() *Progress {
	return &Progress{watched: Watched{
		Counts: func() report.Counts { return r.counts },
		Source: func() mlflowclient.Stats { return r.source },
		Target: "the SQL warehouse", Waits: &r.waits,
	}}
}

// text is the block as it stands on a screen.
func text(p *Progress) string {
	p.sample()
	p.meter.now.processor = 0 // that of the test does not matter
	for i := range p.meter.samples {
		p.meter.samples[i].processor = 0
	}
	var b strings.Builder
	for _, l := range p.block() {
		b.WriteString(l.Name + ": " + l.Text + "\n")
	}
	return b.String()
}

func check(t *testing.T, p *Progress, want string) {
	t.Helper()
	if d := cmp.Diff(strings.TrimLeft(want, "\n"), text(p)); d != "" {
		t.Error(d)
	}
}

func TestBlockOfARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{}
		p := r.shown()
		check(t, p, "preparing: reading what the target has, and the links to runs\n")
		time.Sleep(time.Hour)
		r.counts = report.Counts{Phase: report.Counting, Listed: 1500}
		check(t, p, "counting: 1,500 traces so far\n")

		// Traces that were there already are many and quick: neither the rate nor the time left counts them.
		r.counts = report.Counts{Phase: report.Moving, Done: 1000, Present: 1000}
		check(t, p, `
moving: 1,000 traces, rate –, ETA –
written: 0 spans, 0 annotations, 0 B; 1,000 traces were there already
bound by: –
`)
		for range 60 { // 20 a second, and 30 of those that were there
			time.Sleep(time.Second)
			r.counts.Done, r.counts.Present = r.counts.Done+50, r.counts.Present+30
			r.counts.Spans, r.counts.Annotations, r.counts.Bytes = r.counts.Spans+200, r.counts.Annotations+100, r.counts.Bytes+1e6
			text(p)
		}
		r.counts.Total, r.counts.Known, r.counts.Failed = 20_000, 10_000, 2
		check(t, p, `
moving: 4,000 of 20,000 traces (20 %), 20/s, ETA 7m20s
written: 12,000 spans, 6,000 annotations, 60 MB; 2,800 traces were there already; 2 failed
bound by: –
`)
		for range 30 { // only the last 30 seconds count
			time.Sleep(time.Second)
			r.counts.Done += 5
			text(p)
		}
		if got := text(p); !strings.Contains(got, "(20 %), 5.0/s, ETA 28m50s\n") {
			t.Errorf("%s lacks the rate of the last 30 seconds", got)
		}
		for range 30 {
			time.Sleep(time.Second)
			text(p)
		}
		if got := text(p); !strings.Contains(got, ", 0.0/s, ETA –\n") {
			t.Errorf("%s, want no ETA where nothing moves", got)
		}
		r.counts.Phase = report.Checking
		check(t, p, `
checking: whether the target holds rows twice
written: 12,000 spans, 6,000 annotations, 60 MB; 2,800 traces were there already; 2 failed
`)
	})
}

func TestBlockOfAVerification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{counts: report.Counts{Phase: report.Verifying, Total: 500, Read: 50}}
		p := r.shown()
		if said := text(p); !strings.Contains(said, "50 traces read, none compared yet") {
			t.Errorf("before any trace is compared it says so:\n%s", said)
		}
		for range 4 {
			time.Sleep(time.Second)
			r.counts.Done, r.counts.Spans, r.counts.Annotations = r.counts.Done+25, r.counts.Spans+100, r.counts.Annotations+50
			r.counts.Blocked += time.Second
		}
		r.counts.Failed = 1
		check(t, p, `
verifying: 100 of 500 traces (20 %), 25/s, ETA 16s
compared: 400 spans, 200 annotations; 1 found wrong
bound by: the SQL warehouse
`)
	})
}

// What bounds the rate is what was waited for, and nothing is said where that does not tell.
func TestBound(t *testing.T) {
	const all = 10 * time.Second
	for _, test := range []struct {
		counts report.Counts
		source mlflowclient.Stats
		want   string
	}{
		{report.Counts{}, mlflowclient.Stats{}, ""},
		{report.Counts{Blocked: all / 4}, mlflowclient.Stats{Answering: all, DownloadQuota: all}, "the SQL warehouse"},
		{report.Counts{Blocked: all / 20}, mlflowclient.Stats{Answering: all, DownloadQuota: all}, "the source's quota of downloads"},
		{report.Counts{}, mlflowclient.Stats{Answering: all, DownloadQuota: all / 5, SearchQuota: all}, "the source"},
		{report.Counts{Starved: all}, mlflowclient.Stats{Answering: all, SearchQuota: all}, "the source's quota of searches"},
		{report.Counts{Starved: all}, mlflowclient.Stats{Answering: all, DownloadQuota: all}, "the source, which lists slowly"},
		{report.Counts{}, mlflowclient.Stats{Answering: all / 5}, ""},
	} {
		var m meter
		began := time.Now()
		m.add(sample{at: began, counts: report.Counts{Phase: report.Moving}})
		test.counts.Phase = report.Moving
		m.add(sample{at: began.Add(all), counts: test.counts, source: test.source})
		if got := m.bound("the SQL warehouse"); got != test.want {
			t.Errorf("%+v, %+v: bound by %q, want %q", test.counts, test.source, got, test.want)
		}
		m.samples[0].processor = -1000 * time.Hour // since then all processors have worked
		if got := m.bound("the SQL warehouse"); got != "the processors of this machine" {
			t.Errorf("with busy processors: bound by %q", got)
		}
	}
}

// What waits has a line while it waits, and not before it has done so for a moment.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{counts: report.Counts{Phase: report.Verifying}}
		p := r.shown()
		first, second := r.waits.Operation(), r.waits.Operation()
		wait := func() retry.Wait { return retry.Wait{Err: errors.New("EOF"), Until: time.Now().Add(2 * time.Minute)} }
		first.Waits("the source does not answer (EOF)", wait())
		if got := text(p); strings.Contains(got, "waiting") {
			t.Errorf("a wait is shown at once:\n%s", got)
		}
		time.Sleep(5 * time.Second)
		second.Waits("the SQL warehouse asks for another try (busy)", wait())
		if got, want := text(p), "\nwaiting: the source does not answer (EOF); gives up in 1m55s\n"; !strings.HasSuffix(got, want) {
			t.Errorf("%s does not end with %s", got, want)
		}
		first.Over()
		time.Sleep(time.Second)
		if got, want := text(p), "\nwaiting: the SQL warehouse asks for another try (busy); gives up in 1m59s\n"; !strings.HasSuffix(got, want) {
			t.Errorf("%s does not end with %s", got, want)
		}
		second.Over()
		if got := text(p); strings.Contains(got, "waiting") {
			t.Errorf("nothing waits any more:\n%s", got)
		}
	})
}

// In a pipe there are lines of keys and values, every few seconds, and what is not known is left out.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "bound_by" { // the processors may be busy
				return slog.Attr{}
			}
			return a
		}}))
		var mu sync.Mutex
		counts := report.Counts{Phase: report.Moving}
		watched := (&run{}).shown().watched
		watched.Counts = func() report.Counts {
			mu.Lock()
			defer mu.Unlock()
			return counts
		}
		p := Start(terminal.New(f, func(string) string { return "" }), log, watched)
		time.Sleep(4 * time.Second)
		mu.Lock()
		counts.Done, counts.Read, counts.Spans, counts.Annotations, counts.Bytes = 50, 60, 70, 80, 90
		mu.Unlock()
		time.Sleep(2 * time.Second)
		mu.Lock()
		counts.Total = 100
		mu.Unlock()
		time.Sleep(5 * time.Second)
		p.Close()
		const line = "level=INFO msg=progress phase=moving traces=50 read=60 spans=70 annotations=80 bytes=90 "
		want := line + "traces_per_second=10 retries=0 throttled=0s errors=0\n" +
			line + "traces_per_second=5 retries=0 throttled=0s errors=0 total=100 eta=10s\n"
		if d := cmp.Diff(want, out.String()); d != "" {
			t.Error(d)
		}
	})
}

func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 300 * time.Millisecond: "1s", 59 * time.Second: "59s", 2 * time.Minute: "2m00s", 184 * time.Second: "3m04s",
		2*time.Hour + 13*time.Minute: "2h13m", 100 * time.Hour: "4 days",
	} {
		if got := brief(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
