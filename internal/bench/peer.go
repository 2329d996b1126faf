//go:build rig

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/uctables"
)

func init() { comparisons["peer"] = peer }

// peer compares tracemig with the script that a user would write instead, with statements of 200 and of
// 1,000 rows. The script's time is its own, without the seconds that Python takes to import; tracemig's
// is the whole process's.
func peer(o options) error {
	traces := o.Traces
	if traces == 0 {
		traces = 2000
	}
	return inLab(traces, func(l *lab) error {
		n := float64(traces)
		sides := []struct {
			name string
			run  func() (result, error)
			rate []float64 // traces/s, one a round
			rss  []float64
		}{
			{name: "tracemig", run: l.tracemig},
			{name: "script, 200 rows", run: func() (result, error) { return l.script(200) }},
			{name: "script, 1,000 rows", run: func() (result, error) { return l.script(1000) }},
		}
		order := []int{0, 1, 2}
		for round := -1; round < o.N; round++ {
			for _, i := range order {
				s := &sides[i]
				r, err := s.run()
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				fmt.Fprintf(os.Stderr, "round %d: %s: %.1f s\n", round+1, s.name, r.seconds)
				if round < 0 {
					continue // Spark is cold.
				}
				s.rate, s.rss = append(s.rate, n/r.seconds), append(s.rss, r.rss)
			}
			slices.Reverse(order)
		}
		fmt.Printf("%d traces of 6 spans and 8 KB into the warehouse stand-in, medians of %d\n", traces, o.N)
		for _, s := range sides {
			fmt.Printf("%-20s %7.1f traces/s  %5.0f MB", s.name+":", median(s.rate), median(s.rss)/1e6)
			if &s.rate[0] != &sides[0].rate[0] {
				times, memory := make([]float64, o.N), make([]float64, o.N)
				for i := range o.N {
					times[i], memory[i] = sides[0].rate[i]/s.rate[i], s.rss[i]/sides[0].rss[i]
				}
				fmt.Printf("  tracemig is %.1f times as fast (%.1f to %.1f), in 1/%.1f of the memory",
					median(times), slices.Min(times), slices.Max(times), median(memory))
			}
			fmt.Println()
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
		var own struct{ Seconds float64 }
		if err := json.Unmarshal(r.stdout, &own); err != nil {
			return fmt.Errorf("peer.py printed %q: %w", r.stdout, err)
		}
		r.seconds = own.Seconds
		return nil
	})
	return r, err
}
