package deltalake

import (
	"time"
	"unicode/utf8"

	"github.com/tracemig/tracemig/internal/uctables"
)

// stats are the statistics of one file (Delta protocol, "Per-file Statistics"). Readers, and tracemig itself, skip
// files by them. The columns of uctables.Table.ClusterBy must be among them.
type stats struct {
	rows  int
	texts map[string]*textRange
	times map[string]*timeStats
	dates timeStats // of column date, in days; n is 0 where no row has a date
}

type textRange struct {
	min, max string
	n        int
}

type timeStats struct {
	min, max int64 // microseconds, or days
	n        int
}

func newStats() *stats {
	return &stats{texts: make(map[string]*textRange), times: make(map[string]*timeStats)}
}

func (s *stats) text(column string, v *string) {
	r := s.texts[column]
	if r == nil {
		r = &textRange{}
		s.texts[column] = r
	}
	if v == nil {
		return
	}
	if r.n == 0 || *v < r.min {
		r.min = *v
	}
	if r.n == 0 || *v > r.max {
		r.max = *v
	}
	r.n++
}

func (s *stats) time(column string, micros int64) {
	r := s.times[column]
	if r == nil {
		r = &timeStats{}
		s.times[column] = r
	}
	r.add(micros)
}

func (r *timeStats) add(v int64) {
	if r.n == 0 {
		r.min, r.max = v, v
	}
	r.min, r.max = min(r.min, v), max(r.max, v)
	r.n++
}

// date adds the value of column date of a row of uctables.Spans.
func (s *stats) date(day int32) {
	if day != uctables.NoDate {
		s.dates.add(int64(day))
	}
}

// span adds a row of uctables.Spans. nil and uctables.NoDate stand for NULL.
func (s *stats) span(trace, span *string, micros *int64, day int32, service *string) {
	if micros != nil {
		s.time("time", *micros)
	}
	s.date(day)
	s.text("service_name", service)
	s.text("trace_id", trace)
	s.text("span_id", span)
}

func dayTime(day int64) time.Time { return time.Unix(day*24*60*60, 0).UTC() }

// maxStatRunes is the length to which Delta cuts texts in statistics.
const maxStatRunes = 32

func cutRunes(s string) (head string, cut bool) {
	n := 0
	for i := range s {
		if n == maxStatRunes {
			return s[:i], true
		}
		n++
	}
	return s, false
}

// json is the statistics in the form of an add action.
func (s *stats) json() string {
	low, high, nulls := map[string]any{}, map[string]any{}, map[string]int{}
	for name, r := range s.texts {
		nulls[name] = s.rows - r.n
		if r.n == 0 || !utf8.ValidString(r.min) || !utf8.ValidString(r.max) {
			continue
		}
		low[name], _ = cutRunes(r.min)
		head, cut := cutRunes(r.max)
		if cut {
			head += string(utf8.MaxRune) // no less than what was cut off
		}
		high[name] = head
	}
	for name, r := range s.times {
		nulls[name] = s.rows - r.n
		from, to := time.UnixMicro(r.min).UTC(), time.UnixMicro(r.max+999).UTC()
		if from.Year() < 1 || to.Year() > 9999 {
			continue // RFC 3339 has no form for it.
		}
		const form = "2006-01-02T15:04:05.000Z" // cuts to milliseconds
		low[name], high[name] = from.Format(form), to.Format(form)
	}
	if r := s.dates; r.n > 0 {
		from, to := dayTime(r.min), dayTime(r.max)
		if from.Year() >= 1 && to.Year() <= 9999 {
			low["date"], high["date"] = from.Format(time.DateOnly), to.Format(time.DateOnly)
			nulls["date"] = s.rows - r.n
		}
	}
	return string(mustJSON(map[string]any{"numRecords": s.rows, "minValues": low, "maxValues": high, "nullCount": nulls}))
}
