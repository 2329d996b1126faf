package digest

import (
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/runlinks"
)

func TestDigests(t *testing.T) {
	info := &mlflow.TraceInfo{TraceID: "tr-1"}
	links := checkpoint.Links{Source: []string{"a"}, Others: []string{"b"}}
	listed := info.Digest()
	all, source, none := Of(info, links, runlinks.OfAll, ""), Of(info, links, runlinks.OfSource, ""), Of(info, links, runlinks.None, "")
	if none != listed || source == none || !strings.HasPrefix(all, source+"+") {
		t.Errorf("none %q, source %q, all %q", none, source, all)
	}
	only := Of(info, checkpoint.Links{Others: []string{"b"}}, runlinks.OfAll, "")
	for _, d := range []string{all, source, none, only} {
		for _, asked := range []runlinks.Scope{runlinks.None, runlinks.OfSource, runlinks.OfAll} {
			now := Of(info, links, asked, d)
			if same := Same(d, now, asked); same != (now == d) {
				t.Errorf("%q is %q now, asked %s: same is %t", d, now, asked, same)
			}
			if again := Of(info, links, asked, now); again != now {
				t.Errorf("%q and %q", now, again)
			}
		}
	}
	if d := Of(info, checkpoint.Links{}, runlinks.OfSource, all); d != only {
		t.Errorf("%q, want %q: the other links stay", d, only)
	}
	if d := Of(info, checkpoint.Links{}, runlinks.OfAll, all); d != listed {
		t.Errorf("%q, want %q", d, listed)
	}
}
