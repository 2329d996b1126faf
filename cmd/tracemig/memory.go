package main

import (
	"os"
	"runtime/debug"
)

// boundMemory has the garbage collector keep the heap near what is in flight: by itself it lets the heap
// grow to twice of what is used before it looks. What is used beyond that is still given. GOMEMLIMIT in
// the environment decides, where it is set.
func boundMemory(bytesInFlight int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytesInFlight + max(16<<20, bytesInFlight/4))
	}
}
