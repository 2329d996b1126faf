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

// result is what a process took.
type result struct {
	seconds float64
	rss     float64 // most memory it had resident, in bytes
	stdout  []byte
}

// measure runs a command to its end.
func measure(cmd *exec.Cmd) (r result, err error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return r, err
	}
	ended, sampled := make(chan struct{}), make(chan struct{})
	// The kernel's figure for an ended child (ru_maxrss) begins with this process's own memory, as it was
	// when the child was started. VmHWM is the child's own, and only grows.
	go func() {
		defer close(sampled)
		for {
			r.rss = max(r.rss, highWater(cmd.Process.Pid))
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

// highWater is VmHWM of a process in bytes, 0 when it has ended.
func highWater(pid int) float64 {
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
