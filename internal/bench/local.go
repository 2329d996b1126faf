package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/tracemig/tracemig/internal/replay"
)

func init() { comparisons["local"] = localTables }

// localTables compares tracemig with a script that writes local tables with pyarrow and deltalake. The time of
// tracemig is that of the whole process. The script reports its own time, without the seconds that Python takes to
// import, and how much of it is writing.
func localTables(o options) error {
	python, err := filepath.Abs(".rig/venv/bin/python")
	if err == nil {
		_, err = os.Stat(python)
	}
	if err != nil {
		return fmt.Errorf("%w: make rig installs what this comparison needs", err)
	}
	traces := cmp.Or(o.Traces, 4000)
	source := &replay.Synthetic{Traces: traces, Spans: 6, SpanBytes: 2000, Large: -1}
	_, doc, err := readLastTrace(source)
	if err != nil {
		return err
	}
	mb := float64(traces*len(doc)) / 1e6
	ours := &side{name: "tracemig", run: func() (r result, err error) {
		err = withLocalRun(source, func(l *localRun) error { _, r, err = l.run(); return err })
		return r, err
	}}
	script := &side{name: "script", run: func() (r result, err error) {
		err = withLocalRun(source, func(l *localRun) error {
			r, err = measure(exec.Command(python, "testdata/bench/local_peer.py",
				"--tracking-uri", l.source.URL, "--experiment", replay.SyntheticID, "--target", l.dir+"/t"))
			if err != nil {
				return err
			}
			own, err := parseScriptOutput(r)
			if err == nil && own.Spans != 6*traces {
				err = fmt.Errorf("local_peer.py wrote %d spans, want %d", own.Spans, 6*traces)
			}
			r.seconds = own.Seconds
			return err
		})
		return r, err
	}}
	if err := alternate(o.N, ours, script); err != nil {
		return err
	}
	writing := func(r result) float64 { own, _ := parseScriptOutput(r); return own.WriteSeconds }
	fmt.Printf("%d traces of 6 spans and 12 KB, %.0f MB of JSON, into committed Parquet, medians of %d\n", traces, mb, o.N)
	fmt.Printf("tracemig:                %6.1f MB/s, %4.0f MB of memory; VARIANT, looks for what is there, syncs files\n",
		mb/ours.median(seconds), ours.median(rss)/1e6)
	fmt.Printf("pyarrow and deltalake:   %6.1f MB/s, %4.0f MB of memory; VARIANT columns as JSON texts\n",
		mb/script.median(seconds), script.median(rss)/1e6)
	fmt.Printf("their writing alone:     %6.1f MB/s\n", mb/script.median(writing))
	times, low, high := script.ratio(ours, seconds)
	fmt.Printf("tracemig is %.1f times as fast (%.1f to %.1f)\n", times, low, high)
	return nil
}
