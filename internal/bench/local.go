package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

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
	var ours, script, writing, ratios, ourMemory, scriptMemory []float64
	for round := range o.N {
		sides := []func() error{
			func() error {
				return inFolder(source, func(l *local) error {
					_, r, err := l.run()
					ours, ourMemory = append(ours, mb/r.seconds), append(ourMemory, r.rss/1e6)
					return err
				})
			},
			func() error {
				return inFolder(source, func(l *local) error {
					r, err := measure(exec.Command(python, "testdata/bench/local_peer.py",
						"--tracking-uri", l.source.URL, "--experiment", replay.SyntheticID, "--target", l.dir+"/t"))
					if err != nil {
						return err
					}
					var own struct {
						Spans        int
						Seconds      float64
						WriteSeconds float64 `json:"write_seconds"`
					}
					if json.Unmarshal(r.stdout, &own) != nil || own.Spans != 6*traces {
						return fmt.Errorf("local_peer.py printed %q", r.stdout)
					}
					script, scriptMemory = append(script, mb/own.Seconds), append(scriptMemory, r.rss/1e6)
					writing = append(writing, mb/own.WriteSeconds)
					return nil
				})
			},
		}
		if round%2 == 1 {
			slices.Reverse(sides)
		}
		for _, run := range sides {
			if err := run(); err != nil {
				return err
			}
		}
		ratios = append(ratios, ours[round]/script[round])
	}
	fmt.Printf("%d traces of 6 spans and 12 KB, %.0f MB of JSON, into committed Parquet, medians of %d\n", traces, mb, o.N)
	fmt.Printf("tracemig:                %6.1f MB/s, %4.0f MB of memory; VARIANT, looks for what is there, syncs files\n", median(ours), median(ourMemory))
	fmt.Printf("pyarrow and deltalake:   %6.1f MB/s, %4.0f MB of memory; VARIANT columns as JSON texts\n", median(script), median(scriptMemory))
	fmt.Printf("their writing alone:     %6.1f MB/s\n", median(writing))
	fmt.Printf("tracemig is %.1f times as fast (%.1f to %.1f)\n", median(ratios), slices.Min(ratios), slices.Max(ratios))
	return nil
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
