// Command record serves the synthetic experiment that the recorded session in README.md reads: record.sh runs it.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/tracemig/tracemig/internal/replay"
)

func main() {
	s := &replay.Synthetic{Traces: 2000, Spans: 6, SpanBytes: 1000, Large: -1, Latency: 10 * time.Millisecond}
	server := &http.Server{Addr: os.Args[1], Handler: s.Handler(), ReadHeaderTimeout: time.Minute}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}
