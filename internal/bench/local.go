package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/tracemig/tracemig/internal/replay"
)

func init() { comparisons["local"] = intoLocal }

// intoLocal compares local tables written by tracemig, a whole process from the source to its last
// commit, with those that a script writes by pyarrow and deltalake. The script's time is its own, without
// the seconds that Python takes to import; how much of it is the writing is told too.
func intoLocal(o options) error {
	python, err := filepath.Abs(".rig/venv/bin/python")
	if err == nil {
		_, err = os.Stat(python)
	}
	if err != nil {
		return fmt.Errorf("%w: make rig installs what this comparison needs", err)
	}
	traces := o.Traces
	if traces == 0 {
		traces = 4000
	}
	source := &replay.Synthetic{Traces: traces, Spans: 6, SpanBytes: 2000, Large: -1}
	_, doc, err := document(source)
	if err != nil {
		return err
	}
	mb := float64(traces*len(doc)) / 1e6
	ours := &side{name: "tracemig", run: func() (r result, err error) {
		err = inFolder(source, func(l *local) error { _, r, err = l.run(); return err })
		return r, err
	}}
	script := &side{name: "script", run: func() (r result, err error) {
		err = inFolder(source, func(l *local) error {
			r, err = measure(exec.Command(python, "testdata/bench/local_peer.py",
				"--tracking-uri", l.source.URL, "--experiment", replay.SyntheticID, "--target", l.dir+"/t"))
			if err != nil {
				return err
			}
			own, err := scriptSays(r)
			if err == nil && own.Spans != 6*traces {
				err = fmt.Errorf("local_peer.py wrote %d of %d spans", own.Spans, 6*traces)
			}
			r.seconds = own.Seconds
			return err
		})
		return r, err
	}}
	if err := alternate(o.N, ours, script); err != nil {
		return err
	}
	writing := func(r result) float64 { own, _ := scriptSays(r); return own.WriteSeconds }
	fmt.Printf("%d traces of 6 spans and 12 KB, %.0f MB of JSON, into committed Parquet, medians of %d\n", traces, mb, o.N)
	fmt.Printf("tracemig:                %6.1f MB/s, %4.0f MB of memory; VARIANT, looks for what is there, syncs files\n", mb/ours.of(seconds), ours.of(rss)/1e6)
	fmt.Printf("pyarrow and deltalake:   %6.1f MB/s, %4.0f MB of memory; VARIANT columns as JSON texts\n", mb/script.of(seconds), script.of(rss)/1e6)
	fmt.Printf("their writing alone:     %6.1f MB/s\n", mb/script.of(writing))
	times, low, high := script.over(ours, seconds)
	fmt.Printf("tracemig is %.1f times as fast (%.1f to %.1f)\n", times, low, high)
	return nil
}

// scripted is what a script prints of itself.
type scripted struct {
	Spans        int
	Seconds      float64
	WriteSeconds float64 `json:"write_seconds"`
}

// scriptSays reads what a script printed.
func scriptSays(r result) (own scripted, err error) {
	if err := json.Unmarshal(r.stdout, &own); err != nil {
		return own, fmt.Errorf("the script printed %q: %w", r.stdout, err)
	}
	return own, nil
}

// inFolder has f run over a source into an empty folder.
func inFolder(s *replay.Synthetic, f func(*local) error) error {
	l, err := newLocal(s)
	if err != nil {
		return err
	}
	defer l.close()
	return f(l)
}
