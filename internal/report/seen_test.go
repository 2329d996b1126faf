package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSeen(t *testing.T) {
	var s Seen
	at := time.Date(2026, 3, 2, 23, 30, 0, 0, time.FixedZone("", -3600)) // the next day in UTC
	s.AtSource(at)
	s.AtSource(at.Add(-2 * time.Hour))
	s.AtTarget(IDs{"tr-2", "2", at})
	s.AtTarget(IDs{"tr-1", "1", at.Add(-2 * time.Hour)})
	s.AtTarget(IDs{"tr-0", "0", at.Add(-24 * time.Hour)})
	date := func(day int) time.Time { return time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC) }
	if d := cmp.Diff([]Day{{date(2), 1, 2}, {date(3), 1, 1}}, s.Days()); d != "" {
		t.Error(d)
	}
	var ids []string
	for _, i := range s.IDs() {
		ids = append(ids, i.TraceID)
	}
	if d := cmp.Diff([]string{"tr-0", "tr-1", "tr-2"}, ids); d != "" {
		t.Error(d)
	}
}

// TestSeenIsBounded has traces whose request times a source has made up.
func TestSeenIsBounded(t *testing.T) {
	var s Seen
	for n := range mostDays + 10 {
		at := time.Unix(int64(n)*86400*365, 0)
		s.AtSource(at)
		s.AtTarget(IDs{TraceID: fmt.Sprint(n), Requested: at})
	}
	if n := len(s.Days()); n != mostDays {
		t.Errorf("%d days, want %d", n, mostDays)
	}
	if d := cmp.Diff(Day{Source: 10, Target: 10}, s.Other()); d != "" {
		t.Error(d)
	}
	if n := len(s.IDs()); n != mostIDs {
		t.Errorf("%d IDs, want %d", n, mostIDs)
	}
}
