package config

import "testing"

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"/Shared/agents/*", "/Shared/agents/support", true},
		{"/Shared/agents/*", "/Shared/agents/support bot (v2)", true},
		{"/Shared/agents/*", "/Shared/agents/a/b", false},
		{"/Shared/agents/*", "/Shared/agentsX", false},
		{"/Shared/*/agent", "/Shared/team/agent", true},
		{"agent-*-v[1]", "agent-x-v[1]", true},
		{"agent-*-v[1]", "agent-x-v1", false},
		{"*", "two\nlines", true},
		{"a.c*", "abc", false},
	} {
		if got := Matches(c.pattern, c.name); got != c.want {
			t.Errorf("Matches(%q, %q) = %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
}

func TestTargetFor(t *testing.T) {
	for _, c := range []struct{ source, name, want string }{
		{"/Shared/agents/*", "/Shared/agents/Support Bot", "m.a.support_bot"},
		{"/Shared/*/agent", "/Shared/Team 1/agent", "m.a.team_1_agent"},
		{"/Shared/agents/v*", "/Shared/agents/v2", "m.a.v2"},
		{"*", "__größe--2__", "m.a.gr_e_2"},
		{"/Shared/agents/support", "/Shared/agents/support", "m.a.support"},
		{"/Shared/agents/support/", "/Shared/agents/support/", "m.a.support"},
		{"*", "日本", ""},
		{"*", "---", ""},
	} {
		got, err := TargetFor("m.a.{name}", c.source, c.name)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("TargetFor(%q, %q) = %q, error %v, want %q", c.source, c.name, got, err, c.want)
		}
	}
	if got, err := TargetOf("m.a.{name}", "123"); err == nil {
		t.Errorf("the target of an ID is %q, want an error", got)
	}
}

func TestShown(t *testing.T) {
	for value, want := range map[string]string{
		"http://ann:pa55w0rd@host:5000/flow?key=pa55w0rd#pa55w0rd": "http://host:5000/flow",
		"http://ann:pa55w0rd/more@host/x?pa55w0rd":                 "http://host/x",
		"https://pa55w0rd@host":                                    "https://host",
		"databricks://prod":                                        "databricks://prod",
		"/Shared/a@b?c":                                            "/Shared/a@b?c",
		"":                                                         "",
	} {
		if got := Shown(value); got != want {
			t.Errorf("Shown(%q) = %q, want %q", value, got, want)
		}
	}
}
