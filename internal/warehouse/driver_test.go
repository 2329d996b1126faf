package warehouse

import (
	"sync"
	"testing"
)

// TestPrepareDriver checks that connections of a prepared driver can read their first answers at the same time. It fails
// with the race detector only.
func TestPrepareDriver(t *testing.T) {
	if err := prepareDriver(); err != nil {
		t.Fatal(err)
	}
	var answers sync.WaitGroup
	for range 2 {
		answers.Go(func() {
			if _, err := driverTimestamp.GetToTimeFunc(); err != nil {
				t.Error(err)
			}
		})
	}
	answers.Wait()
}
