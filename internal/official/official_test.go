package official

import (
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/uctables"
)

func TestReadProgress(t *testing.T) {
	l := uctables.Location{Catalog: "main", Schema: "agents", Prefix: "support"}
	tags := map[string]string{
		tagTime + "main.agents.support":  "1760000000123",
		tagTrace + "main.agents.support": "tr-1",
		tagTime + "main.agents.other":    "1770000000000",
		tagTrace + "main.agents.other":   "tr-2",
	}
	p, ok := ReadProgress(tags, l)
	if want := (Progress{time.UnixMilli(1760000000123).UTC(), "tr-1"}); !ok || p != want {
		t.Errorf("%+v, %t, want %+v", p, ok, want)
	}
	if got, want := p.String(), "up to the request time 2025-10-09T08:53:20.123Z (trace tr-1)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for name, tags := range map[string]map[string]string{
		"none": nil, "another location": {tagTime + "main.agents.other": "1"}, "no number": {tagTime + "main.agents.support": "soon"},
	} {
		if p, ok := ReadProgress(tags, l); ok {
			t.Errorf("%s: got %+v, want no progress", name, p)
		}
	}
}
