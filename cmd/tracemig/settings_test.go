package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/config"
	"github.com/tracemig/tracemig/internal/terminal"
)

// configApp is an app with an environment, and a file of pairs with a text.
func configApp(t *testing.T, text string, environment map[string]string) (a *app, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tracemig.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string { return environment[name] }
	return &app{terminal: terminal.New(nil, getenv), getenv: getenv, ctx: t.Context(), stop: t.Context()}, path
}

const threePairs = `
defaults:
  tracking_uri: http://127.0.0.1:5000
  start_time: 7d
  concurrency: 8
  target: main.agents.{name}
  output: json
pairs:
  - name: support
    source: /Shared/agents/Support Bot
    search_rate: 5
  - name: sales
    source: "123456789012345678"
    target: file:./lake/sales
    concurrency: 4
    start_time_ms: 1760000000000
  - name: all
    source: /Shared/teams/*
`

func TestReadPairs(t *testing.T) {
	a, path := configApp(t, threePairs, map[string]string{"TRACEMIG_SEARCH_RATE": "7", "TRACEMIG_CONCURRENCY": "16", "TRACEMIG_SAMPLE": "3"})
	c := &cobra.Command{}
	o := newVerifyOptions(c)
	if err := c.ParseFlags([]string{"--concurrency", "2", "--deep"}); err != nil {
		t.Fatal(err)
	}
	pairs, err := readPairs(a, c, path, newVerifyOptions)
	if err != nil {
		t.Fatal(err)
	}
	if o.output != "json" || o.concurrency != 2 {
		t.Errorf("the command's own output is %q and concurrency %d, want json of the defaults, and 2", o.output, o.concurrency)
	}
	got := map[string]map[string]string{}
	for _, p := range pairs {
		got[p.Name] = map[string]string{}
		for _, name := range []string{"source", "target", "search-rate", "concurrency", "deep", "sample", "start-time", "start-time-ms"} {
			f := p.Flags.Lookup(name)
			origin := strings.Replace(config.Origin(f), filepath.Dir(path)+string(filepath.Separator), "", 1)
			got[p.Name][name] = f.Value.String() + " by " + origin
		}
	}
	all := map[string]string{
		"search-rate": "7 by TRACEMIG_SEARCH_RATE", "concurrency": "2 by --concurrency", "deep": "true by --deep",
		"sample": "3 by TRACEMIG_SAMPLE", "start-time": "7d by tracemig.yaml:4", "start-time-ms": "0 by default",
	}
	with := func(own map[string]string) map[string]string {
		m := maps.Clone(all)
		maps.Copy(m, own)
		return m
	}
	want := map[string]map[string]string{
		"support": with(map[string]string{
			"source": "/Shared/agents/Support Bot by tracemig.yaml:10", "target": "main.agents.support_bot by tracemig.yaml:6",
		}),
		"sales": with(map[string]string{
			"source": "123456789012345678 by tracemig.yaml:13", "target": "file:./lake/sales by tracemig.yaml:14",
			"start-time": " by default", "start-time-ms": "1760000000000 by tracemig.yaml:16",
		}),
		"all": with(map[string]string{"source": "/Shared/teams/* by tracemig.yaml:18", "target": "main.agents.{name} by tracemig.yaml:6"}),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what holds for the pairs: -want +got\n%s", diff)
	}
	if sales := pairs[1].Options; !sales.hasStartMs || sales.startMs != 1760000000000 || sales.concurrency != 2 {
		t.Errorf("the options of sales are %+v, want the file's start, and the concurrency that was given", sales)
	}
}

func TestReadPairsRefuses(t *testing.T) {
	const pair = "pairs:\n- {name: a, source: x, target: file:lake/a}\n"
	for name, c := range map[string]struct {
		text        string
		environment map[string]string
		args        []string
		want        string
	}{
		"a source beside the file":      {pair, nil, []string{"--source", "y"}, "--source is for one pair"},
		"a checkpoint of a variable":    {pair, map[string]string{"TRACEMIG_CHECKPOINT": "c.db"}, nil, "TRACEMIG_CHECKPOINT is for one pair"},
		"a bad variable":                {pair, map[string]string{"TRACEMIG_SEARCH_RATE": "0"}, nil, `SEARCH_RATE "0" is no number above 0`},
		"a variable that breaks a rule": {pair, map[string]string{"TRACEMIG_STAGE": "auto"}, nil, "a: TRACEMIG_STAGE and staging_volume are"},
		"all that is wrong": {
			"pairs:\n- name: a\n  source: x\n  target: main.agents\n  concurrency: 0\n  create: yes\n  warehouse: 5\n  stage: now\n", nil, nil,
			`FILE:4: pair a: target "main.agents" has 2 parts; name a trace location as catalog.schema.prefix, such as main.agents.prod
FILE:5: pair a: concurrency must be 1 or more
FILE:6: pair a: create "yes" is neither true nor false
FILE:7: pair a: unknown key warehouse; did you mean warehouse_id?
FILE:8: pair a: stage "now": the one value is auto`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, path := configApp(t, c.text, c.environment)
			command := &cobra.Command{}
			newRunOptions(command)
			if err := command.ParseFlags(c.args); err != nil {
				t.Fatal(err)
			}
			if err := a.setFromEnvironment(command.Flags()); err != nil {
				checkRefusal(t, err, path, c.want)
				return
			}
			_, err := readPairs(a, command, path, newRunOptions)
			checkRefusal(t, err, path, c.want)
		})
	}
}

func checkRefusal(t *testing.T, err error, path, want string) {
	t.Helper()
	if !endsWith(err, exitUsage) {
		t.Fatalf("error %v, want one of wrong usage", err)
	}
	if got := strings.ReplaceAll(err.Error(), path, "FILE"); !strings.Contains(got, want) {
		t.Errorf("error:\n%s\nwant:\n%s", got, want)
	}
}
