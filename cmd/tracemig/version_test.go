package main

import (
	"runtime/debug"
	"testing"
)

func TestVersionWithoutStamp(t *testing.T) {
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	for name, try := range map[string]struct {
		info                  *debug.BuildInfo
		version, commit, date string
	}{
		"no build information": {nil, "dev", "", ""},
		"go install of a version": {
			&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3", "", "",
		},
		"go build without version control": {
			&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "dev", "", "",
		},
		"go build in a clone": {
			&debug.BuildInfo{
				Main: debug.Module{Version: "v0.0.0-20261126184000-7b67d89aaaaa"},
				Settings: []debug.BuildSetting{
					setting("vcs.revision", "7b67d89aaaaabbbb"), setting("vcs.time", "2026-11-26T18:40:00Z"), setting("vcs.modified", "false"),
				},
			}, "v0.0.0-20261126184000-7b67d89aaaaa", "7b67d89aaaaabbbb", "2026-11-26T18:40:00Z",
		},
		"go build in a clone with changes": {
			&debug.BuildInfo{Settings: []debug.BuildSetting{setting("vcs.modified", "true"), setting("vcs.revision", "7b67d89aaaaabbbb")}},
			"dev", "7b67d89aaaaabbbb-dirty", "",
		},
	} {
		if got := moduleVersion(try.info); got != try.version {
			t.Errorf("%s: version %q, want %q", name, got, try.version)
		}
		if got := vcsCommit(try.info); got != try.commit {
			t.Errorf("%s: commit %q, want %q", name, got, try.commit)
		}
		if got := vcsTime(try.info); got != try.date {
			t.Errorf("%s: date %q, want %q", name, got, try.date)
		}
	}
}

func TestVersionText(t *testing.T) {
	for _, try := range []struct{ commit, date, want string }{
		{"", "", "v1.2.3 (unknown commit) go1.26.8 linux/arm64"},
		{"7b67d89aaaaabbbb", "", "v1.2.3 (7b67d89aaaaa) go1.26.8 linux/arm64"},
		{"7b67d89aaaaabbbb-dirty", "", "v1.2.3 (7b67d89aaaaa-dirty) go1.26.8 linux/arm64"},
		{"7b67d89aaaaabbbb", "2026-11-26T18:40:00Z", "v1.2.3 (7b67d89aaaaa, 2026-11-26) go1.26.8 linux/arm64"},
		{"7b67d89-dirty", "", "v1.2.3 (7b67d89-dirty) go1.26.8 linux/arm64"},
	} {
		if got := (build{"version", "v1.2.3", try.commit, try.date, "go1.26.8", "linux/arm64"}).String(); got != try.want {
			t.Errorf("commit %q: %q, want %q", try.commit, got, try.want)
		}
	}
}
