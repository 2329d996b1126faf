package report

import (
	"cmp"
	"slices"
	"time"
)

// Seen is which traces a run or a verification has looked at: how many of each day, and some of them by their IDs. Its size is
// bounded, whatever the number of traces. The zero value is ready for use, by one goroutine at a time.
type Seen struct {
	days  map[time.Time]*Day
	other Day
	ids   []IDs
}

// The bounds of Seen.
const (
	mostDays = 4000
	mostIDs  = 100
)

// Day is how many traces that were requested on a day, in UTC, the source and the target have.
type Day struct {
	Date           time.Time
	Source, Target int64
}

// IDs are the IDs of a trace that the target has.
type IDs struct {
	TraceID       string // at the source
	TargetTraceID string
	Requested     time.Time
}

// AtSource counts a trace that the source has.
func (s *Seen) AtSource(requested time.Time) { s.day(requested).Source++ }

// AtTarget counts a trace that the target has.
func (s *Seen) AtTarget(t IDs) {
	s.day(t.Requested).Target++
	if len(s.ids) < mostIDs {
		s.ids = append(s.ids, t)
	}
}

func (s *Seen) day(t time.Time) *Day {
	date := t.UTC().Truncate(24 * time.Hour)
	if d := s.days[date]; d != nil {
		return d
	}
	if len(s.days) == mostDays || t.Unix() == 0 {
		return &s.other
	}
	if s.days == nil {
		s.days = map[time.Time]*Day{}
	}
	d := &Day{Date: date}
	s.days[date] = d
	return d
}

// Days are the days that traces were seen of, in their order.
func (s *Seen) Days() []Day {
	days := make([]Day, 0, len(s.days))
	for _, d := range s.days {
		days = append(days, *d)
	}
	slices.SortFunc(days, func(a, b Day) int { return a.Date.Compare(b.Date) })
	return days
}

// Other counts the traces that Days leaves out: those of too many days, and those whose request time is not known, which is 0 then.
func (s *Seen) Other() Day { return s.other }

// IDs are the first traces that the target was seen to have, in the order of their request times.
func (s *Seen) IDs() []IDs {
	return slices.SortedStableFunc(slices.Values(s.ids), func(a, b IDs) int {
		return cmp.Or(a.Requested.Compare(b.Requested), cmp.Compare(a.TraceID, b.TraceID))
	})
}
