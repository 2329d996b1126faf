package main

import (
	"runtime/debug"
)

// heapRoom is the part of the heap's limit that does not hold bytes in flight. With the default of 64 MiB in flight the
// program then stays below 200 MB of resident memory, measured for 1,000 to 100,000 traces of 12 KB into local tables (113
// to 190 MB). With 16 MiB of room it needs 139 MB, and two thirds more processor time, for garbage collections. With a
// staging volume, and so 128 MiB in flight, 296 MB were measured for 10,000 traces of 8 KB.
const heapRoom = 80 << 20

// boundMemory limits the heap by the bytes in flight, so that its size does not depend on the number of traces. By default
// the garbage collector lets the heap grow to twice the memory in use. The limit is soft: a program that needs more still
// gets it. Where GOMEMLIMIT is set in the environment, that counts.
func boundMemory(getenv func(string) string, bytesInFlight int64) {
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit(bytesInFlight))
	}
}

// heapLimit is the limit for so many bytes in flight. Few bytes in flight ask for little memory, and get little room.
func heapLimit(bytesInFlight int64) int64 {
	room := min(heapRoom, bytesInFlight*5/4)
	return bytesInFlight + max(16<<20, room, bytesInFlight/4)
}
