package main

import (
	"sync"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/databricks"
)

// identities are the Databricks identities in use. The zero value is ready for use.
type identities struct{ known sync.Map } // *identity by databricks.Options

type identity struct {
	mu  sync.Mutex // the files of attachments are opened by the goroutine that needs them first
	cfg *config.Config
}

// of is the identity that the options name.
func (all *identities) of(o databricks.Options) (*config.Config, error) {
	found, _ := all.known.LoadOrStore(o, &identity{})
	i := found.(*identity)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cfg != nil {
		return i.cfg, nil
	}
	cfg, err := databricks.Load(o)
	if err == nil {
		i.cfg = cfg
	}
	return cfg, err
}
