package main

import (
	"os"
	"runtime/debug"
)

// boundMemory has the garbage collector keep the heap near the bytes in flight. By default it lets the heap grow to twice
// the memory in use before it runs. The limit is soft: a program that needs more still gets it. Where GOMEMLIMIT is set in
// the environment, that counts.
func boundMemory(bytesInFlight int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytesInFlight + max(16<<20, bytesInFlight/4))
	}
}
