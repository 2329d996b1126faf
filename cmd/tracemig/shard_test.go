package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/shard"
)

// All shards together ask the source no more than one run over all traces would.
func TestShardsShareTheQuota(t *testing.T) {
	o := defaultRunOptions()
	if got, want := o.limits(true), (mlflowclient.Limits{SearchPerSecond: 25, RunsPerSecond: 7, DownloadPerSecond: 200}); got != want {
		t.Errorf("the whole asks %+v, want %+v", got, want)
	}
	o.shard = shard.Shard{Index: 3, Count: 4}
	if got, want := o.limits(true), (mlflowclient.Limits{SearchPerSecond: 6.25, RunsPerSecond: 1.75, DownloadPerSecond: 50}); got != want {
		t.Errorf("one of four asks %+v, want %+v", got, want)
	}
	if got := o.limits(false); got != (mlflowclient.Limits{}) {
		t.Errorf("one of four asks an MLflow server %+v, want no limits", got)
	}
	o.downloadRate = 100
	if got, want := o.limits(false), (mlflowclient.Limits{DownloadPerSecond: 25}); got != want {
		t.Errorf("one of four asks an MLflow server %+v with --download-rate 100, want %+v", got, want)
	}
}

// No test runs the examples, but this one checks that the commands and flags in them exist.
func TestExamplesUseWhatThereIs(t *testing.T) {
	for file, commands := range map[string][]string{
		"databricks/databricks.yml": {"check", "run", "verify"},
		"kubernetes/job.yaml":       {"run"},
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", file))
		if err != nil {
			t.Fatal(err)
		}
		root := newRootCommand(&app{})
		var now *cobra.Command
		seen := 0
		for _, m := range regexp.MustCompile(`(?m)^ *- "?(--)?([a-z][a-z-]*)(=\S+)?"?( #.*)?$`).FindAllStringSubmatch(string(text), -1) {
			if m[1] == "" {
				if now, _, err = root.Find([]string{m[2]}); err != nil || now.Name() != commands[seen] {
					t.Fatalf("%s: %q is no command, or not the next of %v: %v", file, m[2], commands, err)
				}
				seen++
			} else if now == nil || now.Flags().Lookup(m[2]) == nil {
				t.Errorf("%s: %v has no flag --%s, which the example gives", file, now, m[2])
			}
		}
		if seen != len(commands) {
			t.Errorf("%s: %d commands, want %v", file, seen, commands)
		}
	}
}
