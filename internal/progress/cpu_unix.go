//go:build unix

package progress

import (
	"syscall"
	"time"
)

// processorTime is how long processors have worked for this process; ok says whether the system tells.
func processorTime() (t time.Duration, ok bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
