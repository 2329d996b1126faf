//go:build !race

// Package race tells tests whether the race detector is compiled in: under it, megabytes take minutes. Tests
// of such sizes are named TestHuge…, skip themselves then, and make test runs them once more without it.
package race

// Enabled says that the race detector is compiled in.
const Enabled = false
