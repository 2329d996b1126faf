package main

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Each case sends signals and compares how many steps they led to: 1 to finish what is in flight, 2 to stop at once, 3 to exit
// whatever happens.
func TestInterrupts(t *testing.T) {
	type sent struct {
		after time.Duration // in milliseconds after the one before
		what  os.Signal
	}
	const in, term, hup = syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP
	for name, try := range map[string]struct {
		sent []sent
		want int
	}{
		"one":                         {[]sent{{0, in}}, 1},
		"timeout, to child and group": {[]sent{{0, term}, {0, term}}, 1},
		"an impatient supervisor":     {[]sent{{0, term}, {5000, term}, {5000, term}, {5000, term}}, 1},
		"a terminal that closes":      {[]sent{{0, hup}, {0, hup}, {3000, term}}, 1},
		"one key press, sent twice":   {[]sent{{0, in}, {1, in}, {998, in}}, 1},
		"two key presses":             {[]sent{{0, in}, {1, in}, {1500, in}, {1, in}}, 2},
		"three key presses":           {[]sent{{0, in}, {1500, in}, {1, in}, {1500, in}}, 3},
		"a key press after SIGTERM":   {[]sent{{0, term}, {1500, in}}, 2},
		"SIGTERM after key presses":   {[]sent{{0, in}, {1500, in}, {1500, term}, {1500, hup}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal)
				got := 0
				step := func(n int) func() {
					return func() {
						if got++; got != n {
							t.Errorf("step %d came as number %d, want them in order", n, got)
						}
					}
				}
				over := false
				go func() {
					interrupts(signals, step(1), step(2), func() { step(3)(); over = true })
				}()
				for _, s := range try.sent {
					time.Sleep(s.after * time.Millisecond)
					signals <- s.what
					synctest.Wait()
				}
				if got != try.want {
					t.Errorf("%d steps, want %d", got, try.want)
				}
				for !over { // The goroutine has to end with the test.
					time.Sleep(2 * time.Second)
					signals <- in
					synctest.Wait()
				}
			})
		})
	}
}
