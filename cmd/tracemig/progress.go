package main

import (
	"github.com/dustin/go-humanize"

	"github.com/tracemig/tracemig/internal/progress"
	"github.com/tracemig/tracemig/internal/report"
)

// startProgress shows how far the session's run or verification is, until it is closed.
func (s *session) startProgress(counts func() report.Counts) interface{ Close() } {
	if s.together != nil {
		return s.together.shown.show(counts, s.source.Stats)
	}
	target := "the SQL warehouse"
	if s.opts.local() {
		target = "writing the tables' files"
	}
	return progress.Start(s.terminal, s.log, progress.Watched{Counts: counts, Source: s.source.Stats, Target: target, Waits: s.waits})
}

// group writes n with a comma between thousands.
func group(n int64) string { return humanize.Comma(n) }

// size writes bytes with a decimal unit.
func size(n int64) string { return humanize.Bytes(uint64(n)) }
