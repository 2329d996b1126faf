//go:build rig

package main

import (
	"cmp"
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

// peer compares tracemig, with rows sent as parameters and through a volume, with the script that a user would write
// instead, with statements of 200 and of 1,000 rows. The script reports its own time, without the seconds that Python
// takes to import; tracemig's time is that of the whole process.
func peer(o options) error {
	traces := cmp.Or(o.Traces, 2000)
	return withEnvironment(traces, func(e *environment) error {
		sides := []*side{
			{name: "tracemig", run: func() (result, error) { return e.runTracemig() }},
			{name: "tracemig --stage auto", run: func() (result, error) { return e.runTracemig("--stage", "auto") }},
			{name: "script, 200 rows", run: func() (result, error) { return e.runScript(200) }},
			{name: "script, 1,000 rows", run: func() (result, error) { return e.runScript(1000) }},
		}
		if err := alternate(o.N, sides...); err != nil {
			return err
		}
		fmt.Printf("%d traces of 6 spans and 8 KB into the warehouse stand-in, medians of %d\n", traces, o.N)
		for _, s := range sides {
			fmt.Printf("%-22s %7.1f traces/s  %5.0f MB\n", s.name+":", float64(traces)/s.median(seconds), s.median(rss)/1e6)
		}
		for _, ours := range sides[:2] {
			for _, s := range sides[2:] {
				times, low, high := s.ratio(ours, seconds)
				memory, _, _ := s.ratio(ours, rss)
				fmt.Printf("%s is %.1f times as fast (%.1f to %.1f) as the %s, in 1/%.1f of the memory\n",
					ours.name, times, low, high, s.name, memory)
			}
		}
		return nil
	})
}

// runScript migrates the source into new tables with testdata/bench/peer.py.
func (e *environment) runScript(rows int) (r result, err error) {
	err = e.withTables(func(at uctables.Location) error {
		cmd := exec.Command(
			filepath.Join(rig.Dir(), "venv", "bin", "python"), filepath.Join(rig.Root(), "testdata", "bench", "peer.py"),
			"--tracking-uri", e.sourceURL, "--experiment", replay.SyntheticID, "--warehouse", e.host,
			"--http-path", e.warehouse.HTTPPath, "--target", at.String(), "--rows", strconv.Itoa(rows))
		cmd.Dir = e.dir
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + e.dir, "NO_PROXY=127.0.0.1", "MLFLOW_DISABLE_TELEMETRY=true",
			"DATABRICKS_TOKEN=" + e.warehouse.Token,
		}
		r, err = measure(cmd)
		if err != nil {
			return err
		}
		own, err := parseScriptOutput(r)
		r.seconds = own.Seconds
		return err
	})
	return r, err
}
