package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/deltalake"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/warehouse"
)

// connector opens the source and the target of a migration. Each has its Databricks identity, which may be the same.
type connector struct {
	trackingURI     string // flag, else MLFLOW_TRACKING_URI; empty means a Databricks workspace
	beside          string // the MLflow server of a source that is a database; empty for none
	artifacts       string // where the files of such a source lie, flag, else MLFLOW_ARTIFACTS_DESTINATION
	serverWorkspace string // of an MLflow server, flag, else MLFLOW_WORKSPACE
	insecureHTTP    bool
	sourceProfile   string // of .databrickscfg; empty for that of the tracking URI, else the environment
	targetProfile   string
	host            string
	warehouseID     string
	clustering      bool
	volume          func(uctables.Location) (*uctables.Volume, error) // where files of large batches go; nil for none
	makeVolume      bool
	statementBytes  int64 // limit of one statement; 0 for the default of package warehouse
	limits          mlflowclient.Limits
	getenv          func(string) string
	log             *slog.Logger
	identities      *identities
	servers         *mlflowclient.Servers // shared with the clients of other pairs; nil for none
	waits           *retry.Waits
}

// ofSource is the identity at the workspace of the source.
func (c *connector) ofSource() (*config.Config, error) {
	return c.databricks(c.orOfURI(c.sourceProfile))
}

// ofTarget is the identity at the workspace of the target: of its tables, SQL warehouse and volumes.
func (c *connector) ofTarget() (*config.Config, error) {
	return c.databricks(c.orOfURI(c.targetProfile))
}

// orOfURI is profile, or that of the tracking URI where it is empty.
func (c *connector) orOfURI(profile string) string {
	if named, ok := mlflowclient.DatabricksURI(c.trackingURI); ok {
		profile = cmp.Or(profile, named)
	}
	return profile
}

// oneIdentity says whether source and target are reached with the same identity.
func (c *connector) oneIdentity() bool {
	return c.orOfURI(c.sourceProfile) == c.orOfURI(c.targetProfile)
}

func (c *connector) databricks(profile string) (*config.Config, error) {
	cfg, err := c.identities.of(databricks.Options{Host: c.host, Profile: profile})
	if errors.Is(err, databricks.ErrNoWorkspace) && c.trackingURI == "" {
		return nil, advice.With(databricks.ErrNoWorkspace, "Name a profile of .databrickscfg with --profile, or set DATABRICKS_HOST; "+
			"if the source is an MLflow server, name that with --tracking-uri")
	}
	return cfg, err
}

// inDatabricks says whether the source is in a workspace of Databricks.
func (c *connector) inDatabricks() bool {
	_, ok := mlflowclient.DatabricksURI(c.trackingURI)
	return ok || c.trackingURI == ""
}

// server is the MLflow server that is asked; empty for none.
func (c *connector) server() string {
	switch {
	case c.inDatabricks():
		return ""
	case c.inDatabase():
		return c.beside
	}
	return c.trackingURI
}

// environment reads the variables that say how to reach the source's server. It sends no request; its errors are wrong
// usage. The result is nil where no server is asked: for a Databricks workspace, and for a database alone.
func (c *connector) environment() (*mlflowclient.Environment, error) {
	if c.inDatabricks() {
		if w := cmp.Or(c.serverWorkspace, strings.TrimSpace(c.getenv("MLFLOW_WORKSPACE"))); w != "" {
			return nil, usageError("the workspace %q is one of an MLflow server, and the source is in Databricks, which has none of that kind; "+
				"unset MLFLOW_WORKSPACE and leave out --workspace, or name the server with --tracking-uri", w)
		}
		if c.insecureHTTP {
			return nil, usageError("--insecure-http is for MLflow servers; a Databricks workspace is always reached by https")
		}
		return nil, nil
	}
	server := c.server()
	if server == "" {
		return nil, nil
	}
	env, err := mlflowclient.ReadEnvironment(server, c.getenv)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	env.Workspace = cmp.Or(c.serverWorkspace, env.Workspace)
	return env, nil
}

// source opens what ref, the value of --source, is read from.
func (c *connector) source(ctx context.Context, ref string) (source.Opened, error) {
	if tables, ok, err := c.betaTables(ref); err != nil {
		return nil, err
	} else if ok {
		src, err := c.betaSource(ctx, tables)
		if err != nil {
			return nil, err // src would be a nil *Source in an interface that is not nil
		}
		return src, nil
	}
	return c.directory(ctx)
}

// client opens the client of the server or workspace that has the experiments, or of the server beside a database. For an
// open-source server it does not look up Databricks credentials.
func (c *connector) client() (*mlflowclient.Client, error) {
	opts := mlflowclient.Options{
		Servers: c.servers, Limits: c.limits, Logger: c.log, UserAgent: userAgent(), InsecureHTTP: c.insecureHTTP, Waits: c.waits,
	}
	env, err := c.environment()
	if err != nil {
		return nil, err
	}
	if env != nil {
		for _, w := range env.Warnings {
			c.log.Warn(w)
		}
		env.Apply(&opts)
		return mlflowclient.NewServer(c.server(), env.Credentials, opts)
	}
	cfg, err := c.ofSource()
	if err != nil {
		return nil, err
	}
	if c.oneIdentity() { // else the warehouse is one of another workspace
		// The long-running search is faster with a warehouse, but works without one.
		opts.WarehouseID, _ = databricks.WarehouseID(c.warehouseID, c.getenv, "")
	}
	return mlflowclient.NewDatabricks(cfg, opts)
}

// locate finds what ref names: file:<folder>/<prefix>, catalog.schema.prefix, or an experiment. It does not open the
// tables. name is what the target calls itself once it is open.
func (c *connector) locate(ctx context.Context, ref string) (name string, t databricks.Target, err error) {
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		// The checkpoint goes by the target's name, which must be the same from every working directory.
		if path != "" && !strings.HasSuffix(path, "/") {
			if path, err = filepath.Abs(path); err != nil {
				return "", t, fmt.Errorf("target %s: %w", ref, err)
			}
		}
		return "file:" + path, t, nil
	}
	cfg, err := c.ofTarget()
	if err != nil {
		return "", t, err
	}
	t, err = databricks.ResolveTarget(ctx, cfg, ref)
	return t.Location.String(), t, err
}

// location is the trace location that ref names. Where ref spells it out, no workspace is asked.
func (c *connector) location(ctx context.Context, ref string) (uctables.Location, error) {
	if l, err := uctables.ParseLocation(ref); err == nil {
		return l, nil
	}
	_, found, err := c.locate(ctx, ref)
	return found.Location, err
}

// target opens the writer for ref, see locate.
func (c *connector) target(ctx context.Context, ref string) (target.Writer, error) {
	name, t, err := c.locate(ctx, ref)
	if err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		lake, err := deltalake.Open(path, deltalake.Options{Clustering: c.clustering})
		if err != nil {
			return nil, err // lake would be a nil *Lake in an interface that is not nil
		}
		return lake, nil
	}
	id, err := databricks.WarehouseID(c.warehouseID, c.getenv, t.WarehouseTag)
	if err != nil {
		return nil, err
	}
	volume, needs := (*uctables.Volume)(nil), grants.ToWrite(t.Location)
	if c.volume != nil {
		if volume, err = c.volume(t.Location); err != nil {
			return nil, err
		}
		if volume != nil && !c.makeVolume {
			needs = append(needs, grants.ToStage(*volume))
		}
	}
	if err := c.preflight(ctx, needs); err != nil {
		return nil, err
	}
	wh, err := c.open(ctx, t.Location, id, volume)
	if err != nil {
		return nil, err // wh would be a nil *Warehouse in an interface that is not nil
	}
	return wh, nil
}

// preflight makes those probes of check that cost little. It only warns of missing grants: they may come through groups
// of groups, which the probes don't see and the tables do.
func (c *connector) preflight(ctx context.Context, needs []grants.Grant) error {
	ws, err := c.workspace()
	if err != nil {
		return err
	}
	missing, err := preflight.Quick(ctx, ws, needs)
	for _, f := range missing {
		c.log.Warn(f.Text, "next", f.Next, "grants", strings.Join(f.Grants, "; "))
	}
	return err
}

// workspace is that of the target.
func (c *connector) workspace() (*databricks.Workspace, error) { return workspaceOf(c.ofTarget()) }

func (c *connector) sourceWorkspace() (*databricks.Workspace, error) {
	return workspaceOf(c.ofSource())
}

func workspaceOf(cfg *config.Config, err error) (*databricks.Workspace, error) {
	if err != nil {
		return nil, err
	}
	return databricks.NewWorkspace(cfg)
}

// open starts the warehouse, if need be, and returns the writer to the location's tables. volume, which
// may be nil, is for the files of large batches.
func (c *connector) open(ctx context.Context, l uctables.Location, id string, volume *uctables.Volume) (*warehouse.Warehouse, error) {
	opts, err := c.warehouseOptions(l, id, volume)
	if err != nil {
		return nil, err
	}
	return warehouse.Open(ctx, opts)
}

func (c *connector) warehouseOptions(l uctables.Location, id string, volume *uctables.Volume) (warehouse.Options, error) {
	cfg, err := c.ofTarget()
	return warehouse.Options{
		Config: cfg, WarehouseID: id, Location: l, UserAgent: userAgent(),
		Volume: volume, MakeVolume: c.makeVolume, StatementBytes: c.statementBytes,
		Warn:     func(err error) { c.log.Warn(err.Error()) },
		Progress: func(state string) { c.log.Info("waiting for the SQL warehouse", "warehouse", id, "state", state) },
		Waits:    c.waits,
		Waiting:  c.warnOfWait("the SQL warehouse asks for another try"),
	}, err
}

// warnEvery is the least time between two warnings of waits: many operations may wait for one service.
const warnEvery = 5 * time.Second

// warnOfWait makes a function that warns of a wait, now and then, unless who watches is shown it anyway.
func (c *connector) warnOfWait(message string) func(err error, wait time.Duration) {
	var last atomic.Int64 // in nanoseconds since the Unix epoch
	return func(err error, wait time.Duration) {
		level, before, now := slog.LevelWarn, last.Load(), time.Now().UnixNano()
		if c.waits.Watched() || now-before < int64(warnEvery) || !last.CompareAndSwap(before, now) {
			level = slog.LevelDebug
		}
		c.log.Log(context.Background(), level, message, "in", wait.Round(time.Millisecond).String(), "error", err)
	}
}

// tableMissing says whether err tells of a table that --create would make.
func tableMissing(err error) bool {
	te, ok := errors.AsType[*target.TableError](err)
	return ok && te.Missing
}

func userAgent() string { return "tracemig/" + version }

// files opens the files of volumes, which are in the workspace of the target.
func (c *connector) files() (*databricks.Files, error) {
	cfg, err := c.ofTarget()
	if err != nil {
		return nil, err
	}
	files, err := databricks.NewFiles(cfg, retry.Default, c.warnOfWait("the workspace asks for another try at a file"))
	if err == nil {
		files.Waits = c.waits
	}
	return files, err
}
