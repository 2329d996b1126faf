package deltalake

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/uctables"
)

func TestStats(t *testing.T) {
	s := newStats()
	s.rows = 3
	for _, v := range []*string{new("b"), nil, new(strings.Repeat("é", 40))} {
		s.text("service_name", v)
	}
	s.text("none", nil)
	for _, v := range []int64{sampleTime, sampleTime - 1, -1} {
		s.time("time", v)
		s.date(uctables.Day(v))
	}
	s.date(uctables.NoDate)
	want := `{"maxValues":{"date":"2026-01-02",` +
		`"service_name":"` + strings.Repeat("é", 32) + "\U0010ffff" + `","time":"2026-01-02T03:04:05.679Z"},` +
		`"minValues":{"date":"1969-12-31","service_name":"b","time":"1969-12-31T23:59:59.999Z"},` +
		`"nullCount":{"date":0,"none":3,"service_name":1,"time":0},"numRecords":3}`
	if d := cmp.Diff(want, s.json()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	from, to, ok := timeRange(s.json(), "time")
	if !ok || from > -1 || to < sampleTime {
		t.Errorf("range %d to %d, %t; want one that includes -1 and %d", from, to, ok, sampleTime)
	}
	for _, text := range []string{"", "{}", `{"minValues":{"time":"x"},"maxValues":{"time":"x"}}`} {
		if _, _, ok := timeRange(text, "time"); ok {
			t.Errorf("%q has a range, want none", text)
		}
	}
}
