package checkpoint

import (
	"errors"
	"maps"
	"testing"
)

// What was recorded of some traces is returned for those that are asked for, and forgotten with the target.
func TestUnsettledAndOfficial(t *testing.T) {
	s, err := Open(t.Context(), "", Pair{Source: "s", Target: "t"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	due := func(want map[string]int64) {
		t.Helper()
		got, err := s.Unsettled(t.Context(), []string{"a", "b", "c"})
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	official := func(want map[string]bool) {
		t.Helper()
		got, err := s.Official(t.Context(), []string{"x", "z"})
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	put := func(m map[string]int64) {
		t.Helper()
		if err := s.SetUnsettled(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	put(nil)
	put(map[string]int64{"a": 1, "b": 2, "elsewhere": 3})
	due(map[string]int64{"a": 1, "b": 2})
	put(map[string]int64{"a": 0, "b": 5, "c": 0})
	due(map[string]int64{"b": 5})

	broken := errors.New("broken")
	reads := 0
	read := func(err error) error {
		return s.ReadOfficial(t.Context(), func(yield func(string) error) error {
			reads++
			for _, id := range []string{"x", "y", "x"} {
				if err := yield(id); err != nil {
					return err
				}
			}
			return err
		})
	}
	if err := read(broken); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	for range 2 { // once read to its end, it is not read again
		if err := read(nil); err != nil || reads != 2 {
			t.Errorf("%d reads, error %v, want 2 reads", reads, err)
		}
	}
	official(map[string]bool{"x": true})

	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	due(map[string]int64{})
	official(map[string]bool{})
}

func TestStatementBytes(t *testing.T) {
	s := open(t, "")
	for _, want := range []int64{0, 4 << 20, 1 << 20} {
		if want > 0 {
			if err := s.SetStatementBytes(t.Context(), want); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.StatementBytes(t.Context()); got != want || err != nil {
			t.Errorf("%d, %v; want %d", got, err, want)
		}
	}
	// Forget does not touch it: it belongs to the warehouse, not to what the tables hold.
	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.StatementBytes(t.Context()); got != 1<<20 || err != nil {
		t.Errorf("after Forget: %d, error %v, want %d", got, err, 1<<20)
	}
}
