package main

import (
	"context"

	"github.com/tracemig/tracemig/internal/beta"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/uctables"
)

// betaTables are the tables of the beta form that ref, the value of --source, names; ok is false where it names an experiment. In
// a workspace the name of an experiment is a path, so catalog.schema is none. An MLflow server has no tables, and takes any name.
func (c *connector) betaTables(ref string) (l uctables.Location, ok bool, err error) {
	if !c.inDatabricks() || databricks.IsExperiment(ref) {
		return l, false, nil
	}
	if l, ok, err = uctables.ParseBeta(ref); err != nil {
		return l, ok, usageError("--%v", err)
	}
	if ok && !c.oneIdentity() {
		return l, ok, usageError("--source %s names tables, which the SQL warehouse of the target reads: --source-profile and --target-profile "+
			"must be the same; give --profile", ref)
	}
	if _, err := uctables.ParseLocation(ref); err == nil {
		return l, ok, usageError("--source %s names tables of version %s, which traces are moved into; name an experiment by its path or ID, or "+
			"the schema of tables of the beta form as catalog.schema", ref, uctables.SchemaVersion)
	}
	return l, ok, nil
}

// betaSource opens tables of the beta form.
func (c *connector) betaSource(ctx context.Context, l uctables.Location) (*beta.Source, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	host := client.Identity()
	client.Close()
	id, err := databricks.WarehouseID(c.warehouseID, c.getenv, "")
	if err != nil {
		return nil, err
	}
	if err := c.preflight(ctx, grants.ToReadBeta(l)); err != nil {
		return nil, err
	}
	wh, err := c.open(ctx, l, id, nil)
	if err != nil {
		return nil, err
	}
	return beta.New(wh, l, host), nil
}
