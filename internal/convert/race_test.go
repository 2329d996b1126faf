//go:build race

package convert

// The race detector has pools drop things.
func init() { underRace = true }
