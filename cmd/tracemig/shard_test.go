package main

import (
	"testing"

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
