package warehouse

import "testing"

// The size that statements may have does not bound rows in files.
func TestLimitStatements(t *testing.T) {
	for _, staged := range []bool{false, true} {
		w, want := &Warehouse{}, int64(1<<20)
		if staged {
			w.staging, want = &staging{}, fileLimits.Bytes
		}
		w.LimitStatements(1 << 20)
		if got := w.Limits().Bytes; got != want {
			t.Errorf("staged %t: %d bytes, want %d", staged, got, want)
		}
	}
}
