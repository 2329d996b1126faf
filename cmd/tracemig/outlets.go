package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/metrics"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/verify"
)

// outletOptions say where a command tells of itself beside standard output and standard error.
type outletOptions struct{ metricsFile, metricsAddr, summaryFile, report string }

func (o *outletOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.metricsFile, "metrics-file", "",
		"write how it ended into a `file` of node_exporter's textfile collector, such as /var/lib/node_exporter/tracemig.prom; several "+
			"commands may share it")
	f.StringVar(&o.metricsAddr, "metrics-addr", "",
		"serve the same at /metrics of an `address` while it runs: a port, for this machine alone, or host:port")
	f.StringVar(&o.summaryFile, "summary-file", "", "append the summaries that -o json prints to a `file`, a line each, whatever --output is")
	f.StringVar(&o.report, "report", "",
		"write how it ended into a `file` of HTML for people, such as report.html, in the place of the one before")
}

// outlets are what outletOptions name, opened. Any of them may be missing.
type outlets struct {
	set       *metrics.Set
	file      *metrics.File
	server    *metrics.Server
	summaries *summaryFile
	page      *pageSection // what the report tells of the pair
	report    *pageFile    // nil where none is written
	log       *slog.Logger
	shared    bool // with other pairs: they are not to be closed
}

// of are the same outlets for one of several pairs.
func (o *outlets) of(pair string, log *slog.Logger) *outlets {
	one := *o
	one.log, one.shared = log, true
	if o.summaries != nil {
		one.summaries = &summaryFile{&results{out: o.summaries, pair: pair}}
	}
	one.page = o.report.section(pair)
	return &one
}

// openOutlets opens what o names. Its errors are wrong usage: nothing was read yet.
func (a *app) openOutlets(o outletOptions, log *slog.Logger) (_ *outlets, err error) {
	if a.together != nil {
		return a.together.outlets.of(a.row.Pair, log), nil
	}
	out := &outlets{set: metrics.NewSet(), log: log}
	defer func() {
		if err != nil {
			_ = out.close() // nothing was written yet
		}
	}()
	if o.metricsFile != "" {
		if out.file, err = metrics.OpenFile(o.metricsFile); err != nil {
			return nil, outletError("metrics-file", err, "Name a file in a folder that is there and can be written to")
		}
	}
	if o.summaryFile != "" {
		if out.summaries, err = openSummaryFile(o.summaryFile); err != nil {
			return nil, outletError("summary-file", err, "Name a file in a folder that is there and can be written to")
		}
	}
	if o.report != "" {
		if out.report, err = openPageFile(o.report); err != nil {
			return nil, outletError("report", err, "Name a file in a folder that is there and can be written to")
		}
		out.page = out.report.section("")
	}
	if o.metricsAddr != "" {
		if out.server, err = metrics.Listen(a.stop, o.metricsAddr, out.set); err != nil {
			return nil, outletError("metrics-addr", err, "Name a free port of this machine, or host:port")
		}
		log.Info("metrics are served", "url", out.server.URL())
	}
	return out, nil
}

func outletError(flag string, err error, next string) error {
	if _, known := advice.Split(err); known == "" {
		err = advice.With(err, next)
	}
	return &exitError{exitUsage, fmt.Errorf("--%s: %w", flag, err)}
}

// close closes what is open. Its error is that of the summaries.
func (o *outlets) close() error {
	if o.shared {
		return nil
	}
	if o.server != nil {
		o.server.Close()
	}
	return o.summaries.close()
}

// asked says whether anybody wants metrics.
func (o *outlets) asked() bool { return o.file != nil || o.server != nil }

// put tells the metrics of a pair how a command ended with it. The error is that of the file.
func (o *outlets) put(p metrics.Pair) error {
	o.set.Put(p)
	if o.file == nil {
		return nil
	}
	return o.written(o.file.Write(o.set, nil))
}

// written is the error of writing the file of metrics, in words; nil for none.
func (o *outlets) written(err error) error {
	if err == nil {
		return nil
	}
	return advice.With(fmt.Errorf("the metrics could not be written: %w", err), "Make room, or name another file with --metrics-file")
}

// forget takes experiments that vanished out of the file of metrics: an alert on a pair that is not moved any more would never end.
func (o *overview) forget(out *outlets) error {
	if out.file == nil || len(o.gone) == 0 || !o.reports() {
		return nil
	}
	return out.written(out.file.Write(out.set, func(pair string) bool { return !slices.Contains(o.gone, pair) }))
}

// end is how a command ends that ended with err before its outlets failed with more, which may be nil. It can't end well, or with
// results to look at, where these did not reach those who wait for them.
func (o *outlets) end(err, more error) error {
	if ee, coded := errors.AsType[*exitError](err); more == nil || err != nil && (!coded || ee.err != nil) {
		if more != nil {
			o.log.Error(more.Error())
		}
		return err
	}
	return more
}

// tell writes how a command ended with a pair, and returns its error.
func (a *app) tell(o *outlets, p metrics.Pair, command string, err error) error {
	err = o.end(err, o.summaries.failed())
	err = o.end(err, a.tellPage(o, command, err))
	if !o.asked() {
		return err
	}
	p.Command = &metrics.Command{Name: command, ExitCode: exitCode(err, a.stdout.err, a.interrupted()), Ended: time.Now()}
	return o.end(err, o.put(p))
}

// named is the pair of o as metrics name it: by what the user calls it, since nothing else is known of it before it is opened, and
// the same in every run.
func (a *app) named(o *pairOptions) metrics.Pair {
	p := metrics.Pair{Name: o.source + " → " + o.target}
	if a.row != nil {
		p.Name = a.row.Pair
	}
	if o.shard.Count > 0 {
		p.Shard = o.shard.String()
	}
	return p
}

// observer is a printer that hands on what is printed to the outlets of a session too.
type observer struct {
	printer
	s *session
}

func (p observer) summary(sum migrate.Summary, e ending) error {
	p.s.told.Run = runMetrics(&sum)
	p.s.outlets.set.Put(p.s.told)
	p.s.outlets.summaries.summary(sum, e)
	p.s.outlets.page.summary(&sum, e, &p.s.opts)
	return p.printer.summary(sum, e)
}

func (p observer) reads(experiment string) {
	p.s.outlets.page.reads(experiment)
	p.printer.reads(experiment)
}

func (p observer) trace(t migrate.TraceReport) error {
	p.s.outlets.page.trace(t)
	return p.printer.trace(t)
}

func (p observer) finding(f verify.Finding) error {
	p.s.outlets.page.finding(f)
	return p.printer.finding(f)
}

func (p observer) next(n next) error {
	p.s.outlets.page.next(n)
	return p.printer.next(n)
}

func (p observer) failure(f failureLine) error {
	p.s.outlets.summaries.failure(f)
	p.s.outlets.page.failure(f)
	return p.printer.failure(f)
}

func (p observer) report(r verify.Report, e ending) error {
	p.s.told.Verify = verifyMetrics(&r)
	p.s.told.Verify.Passed = r.Outcome == report.Done && p.s.verdict(&r) == nil
	p.s.outlets.set.Put(p.s.told)
	p.s.outlets.summaries.report(r, e)
	p.s.outlets.page.report(&r, e, &p.s.opts)
	return p.printer.report(r, e)
}

// watchRun has the metrics follow a run. before is what the source's client had done before it.
func (s *session) watchRun(r *migrate.Recorder, before mlflowclient.Stats) {
	s.told.Known = s.remembered()
	p := s.told
	s.outlets.set.Watch(p.Name, p.Shard, func() metrics.Pair {
		now, sum := p, r.Summary()
		if !sum.Started.IsZero() {
			addStats(&sum, before, s.source.Stats())
			now.Run = runMetrics(&sum)
		}
		return now
	})
}

// watchVerification has the metrics follow a verification.
func (s *session) watchVerification(progress *verify.Progress) {
	p, began := s.told, time.Now()
	s.outlets.set.Watch(p.Name, p.Shard, func() metrics.Pair {
		now := p
		now.Verify = &metrics.Verification{Started: began, Duration: time.Since(began), Compared: progress.Counts().Done}
		return now
	})
}

// remembered is what the checkpoint knows of the pair; nil where that can't be told, or nobody asks.
func (s *session) remembered() *metrics.Known {
	if !s.outlets.asked() {
		return nil
	}
	store, err := checkpoint.OpenReadOnly(s.ctx, s.path)
	if err != nil {
		return nil // It is not there yet, or the command has said what is wrong with it.
	}
	defer store.Close()
	if store.BelongsTo(s.pair) != nil {
		return nil
	}
	k := &metrics.Known{At: time.Now(), Traces: map[string]int64{}}
	st, err := store.Status(s.ctx, s.path, func(checkpoint.Run) error { return nil })
	k.LastSuccess = st.LastDone
	if err != nil {
		s.log.Warn("what the checkpoint knows is missing in the metrics", "error", err)
		return nil
	}
	for state, n := range st.Traces {
		k.Traces[string(state)] = n
	}
	if st.NewestMs > 0 {
		k.Newest = time.UnixMilli(st.NewestMs)
	}
	return k
}

func runMetrics(s *migrate.Summary) *metrics.Run {
	return &metrics.Run{
		Started: s.Started, Duration: seconds(s.Seconds), Listed: s.Listed,
		Traces: map[string]int64{
			"migrated": s.Migrated, "updated": s.Updated, "already_there": s.Present, "deferred": s.Deferred, "skipped": s.Skipped,
			"failed": s.Failed, "accepted": s.Accepted, "not_reached": s.NotReached,
		},
		Spans: s.SpansWritten, Annotations: s.AnnotationsWritten, Bytes: s.Bytes,
		Requests: s.Requests, Retries: s.Retries, Throttled: seconds(s.ThrottledSeconds),
	}
}

func verifyMetrics(r *verify.Report) *metrics.Verification {
	v := &metrics.Verification{Started: r.Started, Duration: seconds(r.Seconds), Compared: r.Compared, Traces: map[string]int64{}}
	for _, kind := range verify.Kinds {
		v.Traces[string(kind)] = r.Kinds[kind]
	}
	return v
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
