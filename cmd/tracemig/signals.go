package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// notified are the signals that end the program. nohup has SIGHUP ignored, and so it stays.
func notified() <-chan os.Signal {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(c, syscall.SIGHUP)
	}
	return c
}

// sameInterrupt is how long after a signal an interrupt is taken for the same one: a terminal sends it to
// the whole process group, and wrappers such as timeout pass it on once more.
const sameInterrupt = time.Second

// interrupts calls stop at the first signal, and cancel and then exit at the interrupts from the keyboard
// after it. Whatever else sends signals has no way to say that it can't wait, and sends SIGTERM or SIGHUP to
// a process and to its group, so that they arrive twice: these only ever stop.
func interrupts(signals <-chan os.Signal, stop, cancel, exit func()) {
	<-signals
	last := time.Now()
	stop()
	// What does not listen to its context by the last one must not hold the user up.
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
