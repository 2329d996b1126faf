package runlinks

import "testing"

func TestScopeText(t *testing.T) {
	var l Scope
	for _, text := range []string{"source", "all", "none"} {
		if err := l.UnmarshalText([]byte(text)); err != nil || string(l) != text {
			t.Errorf("%q: %q, %v", text, l, err)
		}
	}
	if err := l.UnmarshalText([]byte("ALL")); err == nil || l != None {
		t.Errorf("%q, %v", l, err)
	}
}
