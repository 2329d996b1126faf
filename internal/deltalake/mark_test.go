package deltalake

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/target"
)

// markedCommits makes the three kinds of commits under a mark, and returns what each version of the spans' table should have for
// its userMetadata. The first span of the sample is replaced.
func markedCommits(t *testing.T, l *Lake) (want []string) {
	t.Helper()
	spans := sampleSpans()
	changed := spans[:1:1]
	changed[0].Name += " changed"
	times := target.NoTimes
	times.Include(changed[0].TimeMicros)
	for i, commit := range []func() error{
		func() error { return l.Create(t.Context()) },
		func() error { _, err := l.WriteSpans(t.Context(), sampleSpans()); return err },
		func() error { _, err := l.ReplaceSpans(t.Context(), changed, times); return err },
	} {
		m := target.Mark{Version: `v1 "dev"`, RunID: "run-" + string(rune('0'+i))}
		l.SetMark(m)
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		want = append(want, m.JSON())
	}
	return want
}

// TestMarks looks at the marks of each kind of commit in the log. A commit that no run makes has none.
func TestMarks(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "agent"))
	want := append(markedCommits(t, l), "")
	if _, err := open(t, l.path).WriteSpans(t.Context(), randomSpans(1, 0, 1)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for version := range int64(len(want)) {
		text, err := os.ReadFile(l.spans().log.file(version, ".json"))
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		var a struct {
			CommitInfo struct{ UserMetadata string }
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		got = append(got, a.CommitInfo.UserMetadata)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var mark struct{ Tool, Version, RunID string }
	if err := json.Unmarshal([]byte(strings.Replace(got[1], "run_id", "RunID", 1)), &mark); err != nil ||
		mark != struct{ Tool, Version, RunID string }{"tracemig", `v1 "dev"`, "run-1"} {
		t.Errorf("%s is read as %+v, error %v", got[1], mark, err)
	}
}
