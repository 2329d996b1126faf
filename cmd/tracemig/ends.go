package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/deltalake"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/warehouse"
)

// ends opens the two ends of a migration. A Databricks identity, once it is needed, is the same for
// both.
type ends struct {
	trackingURI     string // flag, else MLFLOW_TRACKING_URI; empty means a Databricks workspace
	serverWorkspace string // of an MLflow server, flag, else MLFLOW_WORKSPACE
	insecureHTTP    bool
	profile         string
	host            string
	warehouseID     string
	clustering      bool
	volume          func(uctables.Location) (*uctables.Volume, error) // to put files into; nil for none
	makeVolume      bool
	statementBytes  int64 // of one statement, at most; 0 for what the warehouse package thinks
	limits          mlflowclient.Limits
	getenv          func(string) string
	log             *slog.Logger
	databricksID    *config.Config
}

func (e *ends) databricks() (*config.Config, error) {
	if e.databricksID != nil {
		return e.databricksID, nil
	}
	profile := e.profile
	if p, ok := mlflowclient.DatabricksURI(e.trackingURI); ok && profile == "" {
		profile = p
	}
	cfg, err := databricks.Load(databricks.Options{Host: e.host, Profile: profile})
	if err != nil {
		return nil, err
	}
	e.databricksID = cfg
	return cfg, nil
}

// inDatabricks says whether the source is in a workspace of Databricks.
func (e *ends) inDatabricks() bool {
	_, ok := mlflowclient.DatabricksURI(e.trackingURI)
	return ok || e.trackingURI == ""
}

// surroundings reads what the environment says of the source's server. It asks nobody; its errors are
// wrong usage. It is nil for a Databricks workspace.
func (e *ends) surroundings() (*mlflowclient.Environment, error) {
	if e.inDatabricks() {
		if w := cmp.Or(e.serverWorkspace, strings.TrimSpace(e.getenv("MLFLOW_WORKSPACE"))); w != "" {
			return nil, usageError("the workspace %q is one of an MLflow server, and the source is in Databricks, which has none of that kind; unset MLFLOW_WORKSPACE and leave out --workspace, or name the server with --tracking-uri", w)
		}
		if e.insecureHTTP {
			return nil, usageError("--insecure-http is for MLflow servers; a Databricks workspace is always reached by https")
		}
		return nil, nil
	}
	env, err := mlflowclient.ReadEnvironment(e.trackingURI, e.getenv)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	env.Workspace = cmp.Or(e.serverWorkspace, env.Workspace)
	return env, nil
}

// source opens the client that reads. Databricks credentials are not even looked up for an
// open-source server.
func (e *ends) source() (*mlflowclient.Client, error) {
	opts := mlflowclient.Options{Limits: e.limits, Logger: e.log, UserAgent: userAgent(), InsecureHTTP: e.insecureHTTP}
	env, err := e.surroundings()
	if err != nil {
		return nil, err
	}
	if env != nil {
		for _, w := range env.Warnings {
			e.log.Warn(w)
		}
		env.Apply(&opts)
		return mlflowclient.NewServer(e.trackingURI, env.Credentials, opts)
	}
	cfg, err := e.databricks()
	if err != nil {
		return nil, err
	}
	// The long-running search may use a warehouse; it works without.
	opts.WarehouseID, _ = databricks.WarehouseID(e.warehouseID, e.getenv, "")
	return mlflowclient.NewDatabricks(cfg, opts)
}

// locate finds what ref names: file:<folder>/<prefix>, catalog.schema.prefix, or an experiment, without
// reaching for the tables. name is what the target, once open, calls itself.
func (e *ends) locate(ctx context.Context, ref string) (name string, t databricks.Target, err error) {
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		// The checkpoint goes by the target's name, which must be the same from every working directory.
		if path != "" && !strings.HasSuffix(path, "/") {
			if path, err = filepath.Abs(path); err != nil {
				return "", t, fmt.Errorf("target %s: %w", ref, err)
			}
		}
		return "file:" + path, t, nil
	}
	cfg, err := e.databricks()
	if err != nil {
		return "", t, err
	}
	t, err = databricks.ResolveTarget(ctx, cfg, ref)
	return t.Location.String(), t, err
}

// target opens the writer for ref, see locate.
func (e *ends) target(ctx context.Context, ref string) (target.Writer, error) {
	name, t, err := e.locate(ctx, ref)
	if err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		lake, err := deltalake.Open(path, deltalake.Options{Clustering: e.clustering})
		if err != nil {
			return nil, err // not lake, which as a target.Writer would not be nil
		}
		return lake, nil
	}
	id, err := databricks.WarehouseID(e.warehouseID, e.getenv, t.WarehouseTag)
	if err != nil {
		return nil, err
	}
	volume, needs := (*uctables.Volume)(nil), grants.ToWrite(t.Location)
	if e.volume != nil {
		if volume, err = e.volume(t.Location); err != nil {
			return nil, err
		}
		if volume != nil && !e.makeVolume {
			needs = append(needs, grants.ToStage(*volume))
		}
	}
	if err := e.preflight(ctx, needs); err != nil {
		return nil, err
	}
	wh, err := e.open(ctx, t.Location, id, volume)
	if err != nil {
		return nil, err // nor wh
	}
	return wh, nil
}

// preflight makes those probes of check that cost little. Missing grants are only warned of: the tables
// themselves know better what groups of groups may do.
func (e *ends) preflight(ctx context.Context, needs []grants.Grant) error {
	ws, err := e.workspace()
	if err != nil {
		return err
	}
	missing, err := preflight.Quick(ctx, ws, needs)
	for _, f := range missing {
		e.log.Warn(f.Text, "next", f.Next, "grants", strings.Join(f.Grants, "; "))
	}
	return err
}

func (e *ends) workspace() (*databricks.Workspace, error) {
	cfg, err := e.databricks()
	if err != nil {
		return nil, err
	}
	return databricks.NewWorkspace(cfg)
}

// open starts the warehouse, if need be, and returns the writer to the location's tables. volume, which
// may be nil, is for the files of large batches.
func (e *ends) open(ctx context.Context, l uctables.Location, id string, volume *uctables.Volume) (*warehouse.Warehouse, error) {
	opts, err := e.warehouseOptions(l, id, volume)
	if err != nil {
		return nil, err
	}
	return warehouse.Open(ctx, opts)
}

func (e *ends) warehouseOptions(l uctables.Location, id string, volume *uctables.Volume) (warehouse.Options, error) {
	cfg, err := e.databricks()
	return warehouse.Options{
		Config: cfg, WarehouseID: id, Location: l, UserAgent: userAgent(), Volume: volume, MakeVolume: e.makeVolume, StatementBytes: e.statementBytes,
		Warn:     func(err error) { e.log.Warn(err.Error()) },
		Progress: func(state string) { e.log.Info("waiting for the SQL warehouse", "warehouse", id, "state", state) },
		Waiting: func(err error, wait time.Duration) {
			e.log.Warn("the SQL warehouse asks for another try", "in", wait.Round(time.Millisecond).String(), "error", err)
		},
	}, err
}

// tableMissing says whether err tells of a table that --create would make.
func tableMissing(err error) bool {
	var te *target.TableError
	return errors.As(err, &te) && te.Missing
}

func userAgent() string { return "tracemig/" + version }
