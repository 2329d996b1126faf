// Package seed gives tests random numbers that a later run can have again, by the test flag -seed.
package seed

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var flagged = flag.Uint64("seed", 0, "seed of the random numbers, to repeat what a failed test did; 0 takes another one each time")

// Rand is a source of random numbers of its own for a test. A test that fails shows its seed.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *flagged
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("the random numbers have the seed %d; -seed %d repeats them", seed, seed)
	return rand.New(rand.NewPCG(seed, 0))
}
