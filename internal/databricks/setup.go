package databricks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/ml"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Experiment is an experiment of a workspace, and where its traces are kept.
type Experiment struct {
	ID        string
	Deleted   bool
	Location  *uctables.Location // nil where the experiment keeps its traces itself
	Warehouse string             // ID of its monitoring warehouse, or empty
}

// Experiment asks for an experiment by its name or ID. The error wraps ErrNoExperiment where there is none, and ErrBeta where it
// is bound to tables of the beta form.
func (w *Workspace) Experiment(ctx context.Context, ref string) (Experiment, error) {
	e, err := experiment(ctx, ml.NewExperiments(w.c), ref)
	switch {
	case errors.Is(err, apierr.ErrNotFound):
		return Experiment{}, fault.With(fmt.Errorf("%w named %s in %s", ErrNoExperiment, ref, w.Host()), fault.NotFound)
	case err != nil:
		return Experiment{}, fmt.Errorf("read experiment %s: %w", ref, faulty(w.c.Config, err))
	}
	tags := map[string]string{}
	for _, t := range e.Tags {
		tags[t.Key] = t.Value
	}
	found := Experiment{ID: e.ExperimentId, Deleted: e.LifecycleStage == "deleted", Warehouse: tags[tagWarehouse]}
	l, err := location(e, tags)
	switch {
	case err == nil:
		found.Location = &l
	case !errors.Is(err, ErrNotBound):
		return found, fmt.Errorf("experiment %s: %w", ref, err)
	}
	return found, nil
}

// The reasons why the service makes no experiment that is bound to a location. Errors of CreateExperiment wrap one of them, or
// are of another kind.
var (
	ErrExists       = errors.New("there is an experiment of that name")
	ErrIncompatible = errors.New("tables or views of the location are in the way")
	ErrNoPreview    = errors.New("the workspace does not keep traces in Unity Catalog")
	ErrNoFolder     = errors.New("the experiment's folder, the catalog or the schema does not exist")
)

// CreateExperiment makes an experiment whose traces are kept at l. The service then makes the tables and views of l.
func (w *Workspace) CreateExperiment(ctx context.Context, name string, l uctables.Location) (id string, err error) {
	r, err := ml.NewExperiments(w.c).CreateExperiment(ctx, ml.CreateExperiment{
		Name: name,
		TraceLocation: &ml.ExperimentTraceLocation{
			UcTraceLocation: &ml.UcTraceLocation{Catalog: l.Catalog, Schema: l.Schema, TablePrefix: l.Prefix},
		},
	})
	if err != nil {
		return "", refusedCreation(faulty(w.c.Config, err))
	}
	return r.ExperimentId, nil
}

// refusedCreation says why an experiment was not made, where the answer tells. The code of the answer for a workspace without the
// preview, or in a region without it, is not documented, so its words decide.
func refusedCreation(err error) error {
	words := strings.ToLower(err.Error())
	says := func(any ...string) bool {
		for _, w := range any {
			if strings.Contains(words, w) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, apierr.ErrResourceAlreadyExists), errors.Is(err, apierr.ErrAlreadyExists):
		return fmt.Errorf("%w: %w", ErrExists, err)
	case says("table compatibility"):
		return fmt.Errorf("%w: %w", ErrIncompatible, err)
	case says("preview", "not enabled", "feature_disabled", "region", "not available in this workspace"):
		return fmt.Errorf("%w: %w", ErrNoPreview, err)
	case errors.Is(err, apierr.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrNoFolder, err)
	case errors.Is(err, apierr.ErrPermissionDenied):
		return advice.With(err, "It takes CAN MANAGE on the experiment's folder, and USE CATALOG, USE SCHEMA and CREATE TABLE for the tables")
	}
	return err
}

// SetMonitoringWarehouse names the SQL warehouse with which the service reads the experiment's traces.
func (w *Workspace) SetMonitoringWarehouse(ctx context.Context, experimentID, warehouseID string) error {
	return faulty(w.c.Config, ml.NewExperiments(w.c).SetExperimentTag(ctx, ml.SetExperimentTag{
		ExperimentId: experimentID, Key: tagWarehouse, Value: warehouseID,
	}))
}

// Table is a table or view of Unity Catalog.
type Table struct {
	Type       string // MANAGED, EXTERNAL, VIEW, MATERIALIZED_VIEW, STREAMING_TABLE
	Columns    []uctables.Column
	Properties map[string]string
}

// Table asks for a table or view by its full name. The error is ErrNotThere where it does not exist, or may not be seen.
func (w *Workspace) Table(ctx context.Context, name string) (Table, error) {
	var a struct {
		Type    string `json:"table_type"`
		Columns []struct {
			Name string `json:"name"`
			Type string `json:"type_text"`
		} `json:"columns"`
		Properties map[string]string `json:"properties"`
	}
	err := w.get(ctx, "/api/2.1/unity-catalog/tables/"+url.PathEscape(name), &a)
	t := Table{Type: a.Type, Properties: a.Properties}
	for _, c := range a.Columns {
		t.Columns = append(t.Columns, uctables.Column{Name: c.Name, Type: c.Type})
	}
	return t, err
}

// Grant gives a principal privileges, named as in SQL, on a securable (CATALOG, SCHEMA or TABLE, full name).
func (w *Workspace) Grant(ctx context.Context, privileges []string, securable, name, principal string) error {
	type change struct {
		Principal string   `json:"principal"`
		Add       []string `json:"add"`
	}
	c := change{Principal: principal}
	for _, p := range privileges {
		c.Add = append(c.Add, strings.ReplaceAll(p, " ", "_"))
	}
	path := "/api/2.1/unity-catalog/permissions/" + strings.ToLower(securable) + "/" + url.PathEscape(name)
	var a struct{}
	return send(ctx, w.c, http.MethodPatch, path, map[string]string{"Content-Type": "application/json"}, nil,
		struct {
			Changes []change `json:"changes"`
		}{[]change{c}}, &a)
}
