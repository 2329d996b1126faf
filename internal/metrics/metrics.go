// Package metrics tells Prometheus what was migrated: in a file for node_exporter's textfile collector, and over HTTP while a
// command runs.
//
// All metrics are gauges that describe the last run, the last verification and what is known of a pair at that time. They have the
// label pair, and shard where a run takes only a part, and nothing else that grows with the number of runs or traces.
package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Pair is what is told of a source and a target. What is nil or zero is not known: in a file the values from before stay.
type Pair struct {
	Name    string // the label pair: the same in every run
	Shard   string // the label shard, such as 0/4; empty for the whole source
	Info    *Info
	Known   *Known
	Run     *Run
	Verify  *Verification
	Command *Command
}

// Info is what a pair's name stands for.
type Info struct {
	Source     string // the experiment at its server, as the checkpoint names it
	SourceName string // the experiment's name
	Target     string
	Version    string // of tracemig
}

// Known is what the checkpoint knows of a pair.
type Known struct {
	LastSuccess time.Time        // when the last run ended with which all went well; zero if there is none
	Traces      map[string]int64 // of all runs, by state
	Newest      time.Time        // latest request time of a trace at the target; zero if there is none
	At          time.Time        // when this was asked for
}

// Run is how far a run is, or how it ended.
type Run struct {
	Started                   time.Time
	Duration                  time.Duration
	Listed                    int64
	Traces                    map[string]int64 // by what became of them
	Spans, Annotations, Bytes int64            // written
	Requests, Retries         int64            // at the source
	Throttled                 time.Duration    // by the source
}

// Verification is how far a verification is, or how it ended.
type Verification struct {
	Started  time.Time
	Duration time.Duration
	Compared int64
	Traces   map[string]int64 // by what was found of them; nil while it goes on
	Passed   bool             // nothing was wrong
}

// Command is how a command ended that worked on a pair.
type Command struct {
	Name     string
	ExitCode int
	Ended    time.Time
}

// The metrics, by name, with their help.
const (
	info        = "tracemig_pair_info"
	lastSuccess = "tracemig_last_success_timestamp_seconds"
	traces      = "tracemig_traces"
	newest      = "tracemig_newest_trace_timestamp_seconds"
	lag         = "tracemig_newest_trace_lag_seconds"

	runStart       = "tracemig_run_start_timestamp_seconds"
	runDuration    = "tracemig_run_duration_seconds"
	runListed      = "tracemig_run_listed_traces"
	runTraces      = "tracemig_run_traces"
	runSpans       = "tracemig_run_written_spans"
	runAnnotations = "tracemig_run_written_annotations"
	runBytes       = "tracemig_run_written_bytes"
	requests       = "tracemig_source_requests"
	retries        = "tracemig_source_retries"
	throttled      = "tracemig_source_throttled_seconds"

	verifyStart    = "tracemig_verify_start_timestamp_seconds"
	verifyDuration = "tracemig_verify_duration_seconds"
	verifyCompared = "tracemig_verify_compared_traces"
	verifyTraces   = "tracemig_verify_traces"
	verifySuccess  = "tracemig_verify_last_success_timestamp_seconds"

	exitCode = "tracemig_exit_code"
	exitTime = "tracemig_exit_timestamp_seconds"
)

// Help says of every metric what it means.
var Help = map[string]string{
	info:        "Always 1: the source, its name, the target and tracemig's version behind the label pair.",
	lastSuccess: "When the last run ended that looked at its whole window and failed with no trace, as Unix time.",
	traces:      "Traces that the checkpoint knows, by state: migrated, skipped, deferred, failed or accepted.",
	newest:      "Latest request time of a trace at the target, as Unix time.",
	lag:         "Age of the newest trace at the target when the command ended.",

	runStart:       "When the last run began, as Unix time.",
	runDuration:    "How long the last run took, or has taken so far.",
	runListed:      "Traces that the last run has seen at the source.",
	runTraces:      "Traces of the last run by what became of them, as its summary names it.",
	runSpans:       "Spans that the last run has written.",
	runAnnotations: "Annotations that the last run has written.",
	runBytes:       "Payload that the last run has written.",
	requests:       "Requests of the last run to the source.",
	retries:        "Requests of the last run to the source that were tries of an earlier one again.",
	throttled:      "How long the source had asked the last run to hold back requests.",

	verifyStart:    "When the last verification began, as Unix time.",
	verifyDuration: "How long the last verification took, or has taken so far.",
	verifyCompared: "Traces that the last verification compared.",
	verifyTraces:   "Traces of the last verification by verdict, as tracemig verify names them.",
	verifySuccess:  "When the last verification ended that found nothing wrong, as Unix time.",

	exitCode: "Exit code of the last run, verify, repair or check, by command; one of run is for its verification too.",
	exitTime: "When that command ended, as Unix time.",
}

// Set is the pairs that a process works on. It is a prometheus.Collector; its methods may be called at any time.
type Set struct {
	mu    sync.Mutex
	pairs map[key]func() Pair
}

// key is what tells the pairs of a set apart.
type key struct{ pair, shard string }

// NewSet makes a set without pairs.
func NewSet() *Set { return &Set{pairs: map[key]func() Pair{}} }

// Put tells of a pair, in place of what was told of it before.
func (s *Set) Put(p Pair) { s.Watch(p.Name, p.Shard, func() Pair { return p }) }

// Watch calls now whenever the pair is asked for, until Put or another Watch takes its place.
func (s *Set) Watch(name, shard string, now func() Pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pairs[key{name, shard}] = now
}

// Describe yields nothing: the label shard is there only where it has a value, which a description can't say.
func (s *Set) Describe(chan<- *prometheus.Desc) {}

// Collect yields the metrics of all pairs.
func (s *Set) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.pairs))
	s.mu.Unlock()
	for _, now := range all {
		p := now()
		p.collect(func(name string, value float64, labels ...string) { ch <- p.gauge(name, value, labels) })
	}
}

// gatherer gathers the set by the rules of Prometheus' own registry.
func (s *Set) gatherer() prometheus.Gatherer {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(s)
	return r
}

// gauge is one metric of p. labels are names and values besides those of p.
func (p *Pair) gauge(name string, value float64, labels []string) prometheus.Metric {
	names, values := []string{"pair"}, []string{p.Name}
	if p.Shard != "" {
		names, values = append(names, "shard"), append(values, p.Shard)
	}
	for i := 0; i < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	for i := range values {
		values[i] = strings.ToValidUTF8(values[i], "\uFFFD") // Prometheus refuses others.
	}
	return prometheus.MustNewConstMetric(prometheus.NewDesc(name, Help[name], names, nil), prometheus.GaugeValue, value, values...)
}

// collect emits what is known of p.
func (p *Pair) collect(emit func(name string, value float64, labels ...string)) {
	if i := p.Info; i != nil {
		emit(info, 1, "source", i.Source, "source_name", i.SourceName, "target", i.Target, "version", i.Version)
	}
	if p.Known != nil {
		p.Known.collect(emit)
	}
	if p.Run != nil {
		p.Run.collect(emit)
	}
	if v := p.Verify; v != nil {
		emit(verifyStart, unix(v.Started))
		emit(verifyDuration, v.Duration.Seconds())
		emit(verifyCompared, float64(v.Compared))
		for verdict, n := range v.Traces {
			emit(verifyTraces, float64(n), "verdict", verdict)
		}
		if v.Passed {
			emit(verifySuccess, unix(v.Started.Add(v.Duration)))
		}
	}
	if c := p.Command; c != nil {
		emit(exitCode, float64(c.ExitCode), "command", c.Name)
		emit(exitTime, unix(c.Ended), "command", c.Name)
	}
}

func (k *Known) collect(emit func(name string, value float64, labels ...string)) {
	for state, n := range k.Traces {
		emit(traces, float64(n), "state", state)
	}
	if !k.LastSuccess.IsZero() {
		emit(lastSuccess, unix(k.LastSuccess))
	}
	if !k.Newest.IsZero() {
		emit(newest, unix(k.Newest))
		emit(lag, k.At.Sub(k.Newest).Seconds())
	}
}

func (r *Run) collect(emit func(name string, value float64, labels ...string)) {
	emit(runStart, unix(r.Started))
	emit(runDuration, r.Duration.Seconds())
	emit(runListed, float64(r.Listed))
	for result, n := range r.Traces {
		emit(runTraces, float64(n), "result", result)
	}
	emit(runSpans, float64(r.Spans))
	emit(runAnnotations, float64(r.Annotations))
	emit(runBytes, float64(r.Bytes))
	emit(requests, float64(r.Requests))
	emit(retries, float64(r.Retries))
	emit(throttled, r.Throttled.Seconds())
}

// unix is a time as Prometheus counts it.
func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
