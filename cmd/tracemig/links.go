package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/uilinks"
)

// links are what status --map --links tells of each trace besides its IDs.
type links struct {
	experimentID string // of the source
	experiment   string // its name; empty where no run has noted it
	server       string // of the source
	databricks   bool   // which is a workspace of Databricks

	host               string // workspace of the target; empty where new addresses are not known
	targetExperimentID string
}

// linked is what is told of one trace.
type linked struct {
	RequestTime  *time.Time `json:"request_time,omitempty"`  // with --links
	ExperimentID string     `json:"experiment_id,omitempty"` // of the source, with --links
	Experiment   string     `json:"experiment,omitempty"`    // its name, with --links
	OldURL       string     `json:"old_url,omitempty"`       // in MLflow's UI at the source, with --links
	NewURL       string     `json:"new_url,omitempty"`       // in the UI of the target's workspace, with --links; absent where it is not known
}

var linkColumns = []string{"request_time", "experiment", "old_url", "new_url"}

// links finds out what the addresses of a checkpoint's traces are made of.
func (a *app) links(o *statusOptions, conn *connector, s *checkpoint.Store) (*links, error) {
	l := &links{}
	source := s.Pair().Source
	at := strings.LastIndex(source, "#")
	l.server, l.experimentID = source[:max(at, 0)], source[at+1:]
	var err error
	if l.experiment, err = s.SourceName(a.stop); err != nil {
		return nil, err
	}
	if l.databricks = databricks.IsWorkspace(l.server); o.source != "" {
		l.databricks = conn.inDatabricks()
		if l.server, err = conn.ui(l.server, o.sourceName != ""); err != nil {
			return nil, err
		}
	}
	unknown := func(why, next string) {
		conn.log.Warn("the new addresses are not known: "+why, "next", next)
	}
	switch {
	case strings.HasPrefix(s.Pair().Target, "file:"):
		conn.log.Info("local tables have no new addresses: no UI shows them")
		return l, nil
	case o.target == "":
		unknown("with --checkpoint alone no workspace is asked", "Name --source and --target too")
		return l, nil
	}
	host, id, err := conn.boundTo(a.stop, o.target)
	if err != nil {
		problem, next := advice.Split(err)
		unknown(problem, cmp.Or(next, "Name the experiment with --target"))
		return l, a.stop.Err()
	}
	l.host, l.targetExperimentID = host, id
	return l, nil
}

// ui is the address of the source's UI; empty for a database without a server. identity is what checkpoints call the source, by the
// name that the user gave it if named is set.
func (c *connector) ui(identity string, named bool) (string, error) {
	if c.inDatabase() && c.beside == "" {
		c.log.Warn("the old addresses are not known: the source is a database", "next", "Name its server with --server")
		return "", nil
	}
	if !c.inDatabase() && !named {
		return identity, nil
	}
	client, err := c.client()
	if err != nil {
		return "", err
	}
	defer client.Close()
	return client.Identity(), nil
}

// boundTo is the workspace of a target, and the experiment that shows its traces: the one that ref names, else the one that is bound to
// the location that it names.
func (c *connector) boundTo(ctx context.Context, ref string) (host, experimentID string, err error) {
	cfg, err := c.ofTarget()
	if err != nil {
		return "", "", err
	}
	client, err := mlflowclient.NewDatabricks(cfg, mlflowclient.Options{Logger: c.log, UserAgent: userAgent(), Waits: c.waits})
	if err != nil {
		return "", "", err
	}
	defer client.Close()
	location, t, err := c.locate(ctx, ref)
	if err != nil || t.ExperimentID != "" {
		return client.Identity(), t.ExperimentID, err
	}
	bound := map[string]bool{}
	err = client.ListExperimentsNamed(ctx, "", func(e mlflowclient.Experiment) error {
		if strings.EqualFold(e.TraceLocation, location) {
			experimentID = e.ID
			bound[e.ID] = true
		}
		return nil
	})
	switch {
	case err != nil:
		return "", "", fmt.Errorf("find the experiment that is bound to %s: %w", location, err)
	case len(bound) == 0:
		return "", "", fmt.Errorf("no experiment that this identity may see is bound to %s", location)
	case len(bound) > 1:
		return "", "", fmt.Errorf("%d experiments are bound to %s", len(bound), location)
	}
	return client.Identity(), experimentID, nil
}

// of is what is told of a trace, and its cells in linkColumns.
func (l *links) of(r *checkpoint.Record, newID string) (t linked, cells []string) {
	t = linked{ExperimentID: l.experimentID, Experiment: l.experiment}
	if r.RequestTimeMs != 0 { // earlier versions of tracemig did not write it into the target
		t.RequestTime = timeOf(&r.RequestTimeMs)
	}
	if t.OldURL = uilinks.AtServer(l.server, l.experimentID, r.TraceID); l.databricks {
		t.OldURL = uilinks.AtWorkspace(l.server, l.experimentID, r.TraceID)
	}
	if l.host != "" {
		t.NewURL = uilinks.AtWorkspace(l.host, l.targetExperimentID, newID)
	}
	return t, []string{stamp(t.RequestTime), cmp.Or(l.experiment, l.experimentID), t.OldURL, t.NewURL}
}
