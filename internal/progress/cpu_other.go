//go:build !unix

package progress

import "time"

func processorTime() (t time.Duration, ok bool) { return 0, false }
