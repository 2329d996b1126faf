//go:build !race

// Package race tells tests whether the race detector is compiled in. With it, tests of megabytes take minutes. Such tests are
// named TestHuge…: with the race detector they skip themselves, and make test runs them once more without it.
package race

// Enabled says that the race detector is compiled in.
const Enabled = false
