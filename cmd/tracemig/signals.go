package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// notified receives the signals that end the program. Under nohup SIGHUP is ignored, and stays so.
func notified() <-chan os.Signal {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(c, syscall.SIGHUP)
	}
	return c
}

// sameInterrupt is how long after a signal an interrupt is taken for the same one. A terminal sends an interrupt to the whole
// process group, and wrappers such as timeout pass it on, so that it arrives twice.
const sameInterrupt = time.Second

// interrupts calls stop at the first signal, cancel at the next interrupt from the keyboard, and exit at the one after. SIGTERM
// and SIGHUP only ever call stop: those who send them send them to a process and to its group, so that they arrive twice, and
// a second one does not say that the sender can't wait.
func interrupts(signals <-chan os.Signal, stop, cancel, exit func()) {
	<-signals
	last := time.Now()
	stop()
	// Code that does not heed its context must not keep the user waiting, so the last interrupt exits.
	for _, harder := range []func(){cancel, exit} {
		for s := range signals {
			if s == os.Interrupt && time.Since(last) > sameInterrupt {
				break
			}
		}
		last = time.Now()
		harder()
	}
}
