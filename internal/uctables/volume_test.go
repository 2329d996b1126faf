package uctables

import (
	"strings"
	"testing"
)

func TestParseVolume(t *testing.T) {
	for text, want := range map[string]Volume{
		"/Volumes/main/agents/staging":       {"main", "agents", "staging"},
		"/Volumes/main/my-agents/staging_1/": {"main", "my-agents", "staging_1"},
		"/Volumes/main/größe/staging":        {"main", "größe", "staging"},
	} {
		if got, err := ParseVolume(text); err != nil || got != want {
			t.Errorf("%s: %+v, error %v; want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                                 "write /Volumes/",
		"main.agents.staging":                              "write /Volumes/",
		"/Volumes/main/agents":                             "write /Volumes/",
		"/Volumes/main/agents/a/b":                         "write /Volumes/",
		"/Volumes/main//staging":                           "the schema is empty",
		"/Volumes/main/agents/..":                          "other characters",
		"/Volumes/main/agents/a`b":                         "other characters",
		"/Volumes/main/agents/a*":                          "other characters",
		"/Volumes/main/agents/${a}":                        "other characters",
		"/Volumes/main/agents/a b":                         "other characters",
		"/Volumes/main/agents/a'":                          "other characters",
		"/Volumes/ma.in/agents/a":                          "other characters",
		"/Volumes/main/agents/a\xff":                       "other characters",
		"/Volumes/main/agents/" + strings.Repeat("a", 256): "255 characters",
	} {
		if got, err := ParseVolume(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, error %v; want one with %q", text, got, err, want)
		}
	}
}
