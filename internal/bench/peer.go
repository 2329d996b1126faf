//go:build rig

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/uctables"
)

func init() { comparisons["peer"] = peer }

// peer compares tracemig, by parameters and by way of a volume, with the script that a user would write
// instead, with statements of 200 and of 1,000 rows. The script's time is its own, without the seconds
// that Python takes to import; tracemig's is the whole process's.
func peer(o options) error {
	traces := o.Traces
	if traces == 0 {
		traces = 2000
	}
	return inLab(traces, func(l *lab) error {
		sides := []*side{
			{name: "tracemig", run: func() (result, error) { return l.tracemig() }},
			{name: "tracemig --stage auto", run: func() (result, error) { return l.tracemig("--stage", "auto") }},
			{name: "script, 200 rows", run: func() (result, error) { return l.script(200) }},
			{name: "script, 1,000 rows", run: func() (result, error) { return l.script(1000) }},
		}
		if err := alternate(o.N, sides...); err != nil {
			return err
		}
		fmt.Printf("%d traces of 6 spans and 8 KB into the warehouse stand-in, medians of %d\n", traces, o.N)
		for _, s := range sides {
			fmt.Printf("%-22s %7.1f traces/s  %5.0f MB\n", s.name+":", float64(traces)/s.of(seconds), s.of(rss)/1e6)
		}
		for _, ours := range sides[:2] {
			for _, s := range sides[2:] {
				times, low, high := s.over(ours, seconds)
				memory, _, _ := s.over(ours, rss)
				fmt.Printf("%s is %.1f times as fast (%.1f to %.1f) as the %s, in 1/%.1f of the memory\n", ours.name, times, low, high, s.name, memory)
			}
		}
		return nil
	})
}

// script runs testdata/bench/peer.py.
func (l *lab) script(rows int) (r result, err error) {
	err = l.inTables(func(at uctables.Location) error {
		cmd := exec.Command(filepath.Join(rig.Dir(), "venv", "bin", "python"), filepath.Join(rig.Root(), "testdata", "bench", "peer.py"),
			"--tracking-uri", l.sourceURL, "--experiment", replay.SyntheticID, "--warehouse", l.host, "--http-path", l.warehouse.HTTPPath,
			"--target", at.String(), "--rows", strconv.Itoa(rows))
		cmd.Dir = l.dir
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir, "NO_PROXY=127.0.0.1", "MLFLOW_DISABLE_TELEMETRY=true", "DATABRICKS_TOKEN=" + l.warehouse.Token,
		}
		r, err = measure(cmd)
		if err != nil {
			return err
		}
		own, err := scriptSays(r)
		r.seconds = own.Seconds
		return err
	})
	return r, err
}
