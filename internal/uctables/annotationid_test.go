package uctables

import "testing"

// The IDs were computed with coreutils, by printf %s "$trace:metadata" | sha256sum, and by md5sum, with the bits of version and
// variant set by hand.
func TestAnnotationIDs(t *testing.T) {
	const trace = "0123456789abcdef0123456789abcdef"
	for _, c := range []struct{ what, got, want string }{
		{"METADATA", MetadataID(trace), "17037a7b-0fff-bf5b-6ef8-982d2efa2a1f"},
		{"TAG env", TagID(trace, "env"), "c8171299-cfbf-3ef5-abc1-0c15a379dbd1"},
		{"TAG env of the official migration", OfficialTagID(trace, "env"), "600b5fca-cc60-0f09-4bb9-7e526e0f2a2e"},
		{"RUN_LINK run-1", RunLinkID(trace, "run-1"), "f614b858-0ab0-377e-bbe6-65bef17ea34e"},
	} {
		if c.got != c.want {
			t.Errorf("%s has ID %s, want %s", c.what, c.got, c.want)
		}
	}
}

func TestHexTraceID(t *testing.T) {
	for id, want := range map[string]bool{
		"0123456789abcdef0123456789abcdef":  true,
		"0123456789ABCDEF0123456789abcdef":  false,
		"0123456789abcdef0123456789abcde":   false,
		"0123456789abcdef0123456789abcdef0": false,
		"custom-1":                          false,
		"":                                  false,
	} {
		if got := HexTraceID(id); got != want {
			t.Errorf("HexTraceID(%q) = %t, want %t", id, got, want)
		}
	}
}
