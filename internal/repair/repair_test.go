package repair

import (
	"slices"
	"testing"

	"github.com/tracemig/tracemig/internal/verify"
)

func TestNeeds(t *testing.T) {
	var got []verify.Kind
	for _, k := range verify.Kinds {
		if Needs(k) {
			got = append(got, k)
		}
	}
	slices.Sort(got)
	want := []verify.Kind{verify.Changed, verify.Differ, verify.Duplicate, verify.Incomplete, verify.Missing, verify.Pending}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("repair looks again at %q, want %q", got, want)
	}
}
