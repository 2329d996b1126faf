package main

import (
	"testing"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/shard"
)

// However many shards there are, together they ask the source no more than one run would.
func TestShardsShareTheQuota(t *testing.T) {
	o := defaultRunOptions()
	if got, want := o.limits(), (mlflowclient.Limits{SearchPerSecond: 25, DownloadPerSecond: 200}); got != want {
		t.Errorf("the whole asks %+v, want %+v", got, want)
	}
	o.shard = shard.Shard{Index: 3, Count: 4}
	if got, want := o.limits(), (mlflowclient.Limits{SearchPerSecond: 6.25, DownloadPerSecond: 50}); got != want {
		t.Errorf("one of four asks %+v, want %+v", got, want)
	}
}
