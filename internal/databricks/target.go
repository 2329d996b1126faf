package databricks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/ml"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// The tags of an experiment that is bound to a trace location. MLflow's client reads the same ones.
const (
	tagDestination = mlflow.TagTraceDestination // catalog.schema.prefix; catalog.schema in the beta form
	tagSpansTable  = "mlflow.experiment.databricksTraceSpanStorageTable"
	tagWarehouse   = "mlflow.monitoring.sqlWarehouseId"
)

// The reasons why a target can't be used. Errors of ResolveTarget wrap one of them.
var (
	ErrNoExperiment = errors.New("there is no such experiment")
	ErrNotBound     = errors.New("the experiment is not bound to a Unity Catalog trace location")
	ErrBeta         = errors.New("the experiment is bound to tables of the beta form (" +
		uctables.SchemaVersionProperty + " " + uctables.BetaSchemaVersion + ")")
)

// Target is the place that traces are migrated to.
type Target struct {
	Location     uctables.Location
	ExperimentID string // empty when the location itself was named
	WarehouseTag string // the experiment's monitoring warehouse, or empty
}

// ResolveTarget finds the trace location that ref names: as catalog.schema.prefix, or by the ID or the name of an experiment
// that is bound to one.
func ResolveTarget(ctx context.Context, cfg *config.Config, ref string) (Target, error) {
	if !IsExperiment(ref) {
		l, err := uctables.ParseLocation(ref)
		return Target{Location: l}, err
	}
	// The SDK's workspace client would bring the code of every service of the platform into the binary.
	c, err := client.New(cfg)
	if err != nil {
		return Target{}, fmt.Errorf("target %q: %w", ref, err)
	}
	e, err := experiment(ctx, ml.NewExperiments(c), ref)
	switch {
	case errors.Is(err, apierr.ErrNotFound):
		return Target{}, advice.With(fault.With(fmt.Errorf("target %q: %w in %s", ref, ErrNoExperiment, cfg.Host), fault.NotFound),
			"Check the name, or name the tables as catalog.schema.prefix")
	case errors.Is(err, apierr.ErrPermissionDenied):
		return Target{}, advice.With(fmt.Errorf("target %q: the workspace refuses to show the experiment: %w", ref, faulty(cfg, err)),
			"Ask its owner for CAN READ, or name the tables as catalog.schema.prefix")
	case err != nil:
		return Target{}, fmt.Errorf("target %q: read the experiment: %w", ref, faulty(cfg, err))
	}
	tags := map[string]string{}
	for _, t := range e.Tags {
		tags[t.Key] = t.Value
	}
	t := Target{ExperimentID: e.ExperimentId, WarehouseTag: tags[tagWarehouse]}
	t.Location, err = location(e, tags)
	if err != nil {
		return Target{}, fmt.Errorf("target %q: %w", ref, err)
	}
	return t, nil
}

// IsExperiment says whether ref is the ID or the name of an experiment (mostly a path in the workspace), and not
// catalog.schema.prefix.
func IsExperiment(ref string) bool {
	return strings.HasPrefix(ref, "/") || (ref != "" && !strings.Contains(ref, "."))
}

// experiment asks for an experiment by its ID or its name.
func experiment(ctx context.Context, experiments *ml.ExperimentsAPI, ref string) (*ml.Experiment, error) {
	if strings.Trim(ref, "0123456789") == "" {
		r, err := experiments.GetExperiment(ctx, ml.GetExperimentRequest{ExperimentId: ref})
		if err != nil || r.Experiment == nil {
			return nil, orNotFound(err)
		}
		return r.Experiment, nil
	}
	r, err := experiments.GetByName(ctx, ml.GetByNameRequest{ExperimentName: ref})
	if err != nil || r.Experiment == nil {
		return nil, orNotFound(err)
	}
	return r.Experiment, nil
}

// orNotFound is the error of an answer without an experiment.
func orNotFound(err error) error {
	if err == nil {
		return apierr.ErrNotFound
	}
	return err
}

// location is the experiment's typed location, or that of its tags.
func location(e *ml.Experiment, tags map[string]string) (uctables.Location, error) {
	if e.TraceLocation != nil && e.TraceLocation.UcTraceLocation != nil {
		u := e.TraceLocation.UcTraceLocation
		prefix := u.EffectiveTablePrefix
		if prefix == "" {
			prefix = u.TablePrefix
		}
		l := uctables.Location{Catalog: u.Catalog, Schema: u.Schema, Prefix: prefix}
		return l, l.Validate()
	}
	path := tags[tagDestination]
	if strings.HasSuffix(tags[tagSpansTable], "."+uctables.BetaSpansTable) || strings.Count(path, ".") == 1 {
		return uctables.Location{}, advice.With(fmt.Errorf("%w in %s, and tracemig writes version %s", ErrBeta, path, uctables.SchemaVersion),
			"Create a new experiment with a table prefix and migrate into that one")
	}
	if path == "" {
		return uctables.Location{}, advice.With(fmt.Errorf("%w, which only its creation can do", ErrNotBound),
			"Create a new experiment with a location (tracemig target create), or name the tables as catalog.schema.prefix")
	}
	return uctables.ParseLocation(path)
}
