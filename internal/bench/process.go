package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// result holds what a process took and what it printed.
type result struct {
	seconds float64
	rss     float64 // peak of its resident memory in bytes
	stdout  []byte
}

// measure runs a command to its end and measures it.
func measure(cmd *exec.Cmd) (r result, err error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return r, err
	}
	ended, sampled := make(chan struct{}), make(chan struct{})
	// VmHWM is sampled, since the kernel's figure for an ended child (ru_maxrss) includes the memory that this
	// process had when it started the child. VmHWM is the child's own, and only grows.
	go func() {
		defer close(sampled)
		for {
			r.rss = max(r.rss, peakRSS(cmd.Process.Pid))
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	err = cmd.Wait()
	r.seconds = time.Since(start).Seconds()
	close(ended)
	<-sampled
	if err != nil {
		return r, fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, stderr.Bytes()[max(0, stderr.Len()-4000):])
	}
	r.stdout = stdout.Bytes()
	return r, nil
}

// peakRSS returns VmHWM of a process in bytes, or 0 when the process has ended.
func peakRSS(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, ok := strings.Cut(string(status), "VmHWM:")
	if !ok {
		return 0
	}
	kb, _ := strconv.ParseFloat(strings.Fields(after)[0], 64)
	return kb * 1024
}
