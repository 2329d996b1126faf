package deltalake

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/target"
)

// TestLogGaps removes commits. The table must not be read as if its log began or ended there.
func TestLogGaps(t *testing.T) {
	for lost := range 3 {
		l := newLake(t)
		for i := range 3 {
			if _, err := l.WriteSpans(t.Context(), randomSpans(1, i*10, 10)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(l.spans().log.file(int64(lost), ".json")); err != nil {
			t.Fatal(err)
		}
		err := open(t, l.path).Check(t.Context())
		want := fmt.Sprintf("without commit %d", lost)
		if _, ok := errors.AsType[*target.TableError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("commit %d lost: error %v, want a TableError with %q", lost, err, want)
		}
	}
}

// TestCommitIsPutIfAbsent checks the operation that all atomicity depends on.
func TestCommitIsPutIfAbsent(t *testing.T) {
	l := newLake(t)
	before, err := os.ReadFile(l.spans().log.file(0, ".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.spans().log.commit(0, []action{{Protocol: &protocol{}}}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want %v", err, fs.ErrExist)
	}
	after, err := os.ReadFile(l.spans().log.file(0, ".json"))
	if err != nil || string(before) != string(after) {
		t.Errorf("the commit is now\n%s\n(error %v), want\n%s", after, err, before)
	}
}
