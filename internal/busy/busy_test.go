package busy

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClockRunsWhileAnyoneIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		check := func(want time.Duration) {
			t.Helper()
			if got := c.Total(); got != want {
				t.Errorf("the clock ran for %v, want %v", got, want)
			}
		}
		time.Sleep(time.Second)
		check(0)
		c.Begin()
		time.Sleep(time.Second)
		check(time.Second) // while it goes on
		c.Begin()
		time.Sleep(time.Second)
		c.End()
		time.Sleep(time.Second)
		c.End()
		check(3 * time.Second)
		time.Sleep(time.Hour)
		check(3 * time.Second)
		c.Begin()
		time.Sleep(time.Second)
		c.End()
		check(4 * time.Second)
	})
}
