package main

import (
	"cmp"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/shard"
)

// pairOptions are the flags that name a source and a target, and say how to reach them.
type pairOptions struct {
	source, target string
	trackingURI    string
	sourceName     string // in place of the source's address
	server         string // beside a database
	artifacts      string // of a database
	verifyFrom     string // a tracking URI by which verify reads the source; empty for the one above
	workspace      string
	insecureHTTP   bool
	profile, host  string
	sourceProfile  string // in place of profile, for the source
	targetProfile  string // in place of profile, for the target
	warehouseID    string
	checkpoint     string
	shard          shard.Shard
}

func (o *pairOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.source, "source", "",
		"experiment to read: ID, name or workspace path; or the schema of tables of the beta form: catalog.schema")
	f.StringVar(&o.target, "target", "", "catalog.schema.prefix, an experiment bound to such a location, or file:FOLDER/PREFIX")
	f.StringVar(&o.trackingURI, "tracking-uri", "",
		"MLflow server of the source, or the database behind it: postgresql://…, mysql://…, sqlite:///FILE; databricks or databricks://PROFILE "+
			"for a workspace (default $MLFLOW_TRACKING_URI, else databricks)")
	f.StringVar(&o.sourceName, "source-name", "",
		"name of the source in checkpoints and tables in place of its address, so that two ways to it, or an address that changes, are one")
	f.StringVar(&o.server, "server", "", "with a database: the MLflow server before it, asked for spans and attachments that lie elsewhere")
	f.StringVar(&o.artifacts, "artifacts-destination", "",
		"with a database: the `folder` or object store that the server has for artifacts (default $MLFLOW_ARTIFACTS_DESTINATION)")
	f.StringVar(&o.workspace, "workspace", "", "workspace of the MLflow server, where it has several (default $MLFLOW_WORKSPACE)")
	f.BoolVar(&o.insecureHTTP, "insecure-http", false,
		"send credentials to the MLflow server in plain http, where anyone on the way can read them: for servers inside a network that you trust")
	f.StringVarP(&o.profile, "profile", "p", "", "profile of .databrickscfg; beats credentials in the environment")
	f.StringVar(&o.sourceProfile, "source-profile", "", "the profile for the source alone, where it is in another workspace than the target")
	f.StringVar(&o.targetProfile, "target-profile", "", "the profile for the target alone: its tables, SQL warehouse and volumes")
	f.StringVar(&o.host, "host", "", "Databricks workspace, such as https://adb-123.azuredatabricks.net")
	f.StringVar(&o.warehouseID, "warehouse-id", "",
		"SQL warehouse to reach the tables through (default $MLFLOW_TRACING_SQL_WAREHOUSE_ID, $DATABRICKS_WAREHOUSE_ID, else the target "+
			"experiment's)")
	f.StringVar(&o.checkpoint, "checkpoint", "",
		"file that remembers what was migrated (default in $XDG_STATE_HOME/tracemig, one a source and target, and shard)")
	f.TextVar(&o.shard, "shard", shard.Shard{},
		"only part `index/count` of the source's traces, such as 0/4, 1/4, 2/4 and 3/4 for four jobs side by side")
}

// problems are all that is wrong with the flags, before any server is asked.
func (o *pairOptions) problems() []error {
	var all []error
	if o.source == "" {
		all = append(all, usageError("--source is missing; name an experiment by its ID, name or workspace path"))
	}
	if mlflowdb.Names(o.source) {
		all = append(all, usageError("--source is the address of a database; give that with --tracking-uri, and name an experiment in it here"))
	}
	if o.target == "" {
		all = append(all, usageError("--target is missing; write catalog.schema.prefix, an experiment, or file:FOLDER/PREFIX"))
	} else if err := checkTarget(o.target); err != nil {
		all = append(all, err)
	}
	if err := checkSourceName(o.sourceName); err != nil {
		all = append(all, err)
	}
	if err := checkCheckpoint(o.checkpoint); err != nil {
		all = append(all, err)
	}
	if err := checkHost(o.host); err != nil {
		all = append(all, err)
	}
	if o.host != "" && (o.sourceProfile != "" || o.targetProfile != "") {
		all = append(all, usageError("--host names the workspace of source and target, and --source-profile and --target-profile name one each; "+
			"leave --host out, or give --profile"))
	}
	return all
}

// firstOf is the first of all that is wrong; nil for nothing.
func firstOf(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	return problems[0]
}

func (o *pairOptions) ends() *pairOptions { return o }

func (o *pairOptions) within() time.Duration { return 0 }

func (o *pairOptions) outside() outletOptions { return outletOptions{} }

func (o *pairOptions) inMemory() (bytesInFlight int64, attachments bool) { return 0, false }

// local says whether the target is tables on this machine.
func (o *pairOptions) local() bool { return strings.HasPrefix(o.target, "file:") }

func (o *pairOptions) connector(a *app, log *slog.Logger) *connector {
	uri := o.trackingURI
	if uri == "" {
		uri = a.getenv("MLFLOW_TRACKING_URI")
	}
	c := &connector{
		trackingURI: uri, beside: o.server, artifacts: cmp.Or(o.artifacts, a.getenv("MLFLOW_ARTIFACTS_DESTINATION")),
		serverWorkspace: o.workspace, insecureHTTP: o.insecureHTTP,
		sourceProfile: cmp.Or(o.sourceProfile, o.profile), targetProfile: cmp.Or(o.targetProfile, o.profile), host: o.host,
		warehouseID: o.warehouseID, getenv: a.getenv, log: log, waits: a.waits, identities: &identities{},
	}
	if a.together != nil {
		c.servers, c.identities = &a.together.servers, &a.together.identities
	}
	return c
}

// pair finds the source and target that the flags name, as checkpoints name them, and the path of their checkpoint. Where the
// flags name only a checkpoint, its pair is read from it.
func (a *app) pair(o pairOptions, conn *connector) (path string, p checkpoint.Pair, err error) {
	if err := checkCheckpoint(o.checkpoint); err != nil {
		return "", p, err
	}
	if o.checkpoint != "" && o.source == "" && o.target == "" {
		s, err := checkpoint.OpenReadOnly(a.stop, o.checkpoint)
		if err != nil {
			return "", p, err
		}
		defer s.Close()
		if p = s.Pair(); o.shard != (shard.Shard{}) {
			p.Shard = o.shard
		}
		return o.checkpoint, p, s.BelongsTo(p)
	}
	if err := firstOf(o.problems()); err != nil {
		return "", p, err
	}
	if err := o.checkURI(a); err != nil {
		return "", p, err
	}
	src, err := conn.source(a.stop, o.source)
	if err != nil {
		return "", p, err
	}
	defer src.Close()
	experiment, err := src.Experiment(a.stop, o.source)
	if err != nil {
		return "", p, err
	}
	p.Source, p.Shard = o.identity(src.Identity(), experiment.ID), o.shard
	if p.Target, _, err = conn.locate(a.stop, o.target); err != nil {
		return "", p, err
	}
	path, err = o.checkpointPath(a, p)
	return path, p, err
}

// checkpointPath is the path of the checkpoint of p.
func (o *pairOptions) checkpointPath(a *app, p checkpoint.Pair) (string, error) {
	if o.checkpoint != "" {
		return o.checkpoint, nil
	}
	return checkpoint.DefaultPath(a.getenv, p)
}

// identity is that of an experiment in checkpoints and in the target's provenance. address is that of its server.
func (o *pairOptions) identity(address, experimentID string) string {
	return cmp.Or(o.sourceName, address) + "#" + experimentID
}
