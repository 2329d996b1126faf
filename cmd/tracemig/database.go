package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/tracemig/tracemig/internal/artifacts"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/source"
)

// inDatabase says whether the source is the database behind an MLflow server.
func (c *connector) inDatabase() bool { return mlflowdb.Names(c.trackingURI) }

// database is a database that was opened, with the server beside it.
type database struct {
	*mlflowdb.Source
	server *mlflowclient.Client // nil for none
}

// Close closes both.
func (d *database) Close() {
	d.Source.Close()
	if d.server != nil {
		d.server.Close()
	}
}

// database opens the database that the tracking URI names.
func (c *connector) database(ctx context.Context) (*database, error) {
	address, err := mlflowdb.ParseAddress(c.trackingURI)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	if _, err := c.environment(); err != nil {
		return nil, err
	}
	files, err := artifacts.New(artifacts.Options{Destination: c.artifacts, Getenv: c.getenv, Logger: c.log, Waits: c.waits})
	if err != nil {
		return nil, err
	}
	d := &database{}
	opts := mlflowdb.Options{
		Workspace: cmp.Or(c.serverWorkspace, strings.TrimSpace(c.getenv("MLFLOW_WORKSPACE"))), Files: files, Getenv: c.getenv,
		Logger: c.log, Waits: c.waits,
	}
	if c.beside != "" {
		if d.server, err = c.client(); err != nil {
			return nil, err
		}
		opts.Server = d.server
	}
	if d.Source, err = mlflowdb.Open(ctx, address, opts); err != nil {
		if d.server != nil {
			d.server.Close()
		}
		return nil, err
	}
	c.log.Debug("the database is open", "database", d.Version())
	for _, w := range d.Warnings() {
		c.log.Warn(w)
	}
	return d, nil
}

// directory is a source whose experiments can be found by the beginning of their names.
type directory interface {
	source.Opened
	ListExperimentsNamed(ctx context.Context, prefix string, yield func(mlflowclient.Experiment) error) error
}

// directory opens the server, workspace or database that has the experiments.
func (c *connector) directory(ctx context.Context) (directory, error) {
	if c.inDatabase() {
		db, err := c.database(ctx)
		if err != nil {
			return nil, err // db would be a nil *database in an interface that is not nil
		}
		return db, nil
	}
	client, err := c.client()
	if err != nil {
		return nil, err // client would be a nil *Client in an interface that is not nil
	}
	return client, nil
}

// otherWay has s read the experiment by the way of --verify-from, if that is given. Checkpoint and provenance stay those of the
// tracking URI.
func (s *session) otherWay(conn *connector, experiment mlflowclient.Experiment) error {
	if s.opts.verifyFrom == "" {
		return nil
	}
	way := *conn
	way.trackingURI, way.limits = s.opts.verifyFrom, s.opts.limits(false)
	other, err := way.source(s.stop, s.opts.source)
	if err != nil {
		return err
	}
	first := s.source
	s.source = other
	first.Close()
	found, err := other.Experiment(s.stop, s.opts.source)
	if err != nil {
		return err
	}
	if found.ID != experiment.ID || found.Name != experiment.Name {
		return usageError("--verify-from leads to experiment %q with ID %s, and --tracking-uri to %q with ID %s: "+
			"they are not two ways to one source", found.Name, found.ID, experiment.Name, experiment.ID)
	}
	s.readFrom = other.Identity()
	s.log.Info("the source is read by another way", "from", s.readFrom)
	return nil
}
