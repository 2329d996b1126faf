// Package setup makes the target of a migration in a workspace: an experiment that is bound to a trace location, its SQL
// warehouse, and grants on its tables. Everything that is there already is left as it is, so that it may be run again.
package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Service is the workspace that the target is made in; *databricks.Workspace is one.
type Service interface {
	preflight.Workspace
	// Experiment returns an error that wraps databricks.ErrNoExperiment where there is none of that name.
	Experiment(ctx context.Context, name string) (databricks.Experiment, error)
	// CreateExperiment returns errors that wrap databricks.ErrExists, ErrIncompatible, ErrNoPreview or ErrNoFolder, and others.
	CreateExperiment(ctx context.Context, name string, l uctables.Location) (id string, err error)
	SetMonitoringWarehouse(ctx context.Context, experimentID, warehouseID string) error
	// Table returns databricks.ErrNotThere where there is no such table or view.
	Table(ctx context.Context, name string) (databricks.Table, error)
	Grant(ctx context.Context, privileges []string, securable, name, principal string) error
}

// Job says what to make.
type Job struct {
	Service    Service
	Experiment string // its name, a path in the workspace
	Location   uctables.Location
	Warehouse  string   // ID of the SQL warehouse with which the service reads the traces
	GrantTo    []string // who may log traces there afterwards

	Wait  time.Duration // how long the service's tables and views are waited for
	Pause time.Duration // between two looks at them
	Log   *slog.Logger
}

// Result is what there is after Run.
type Result struct {
	ExperimentID string   `json:"experiment_id,omitempty"` // absent where there is none
	Created      bool     `json:"created"`                 // by this call
	Tables       []string `json:"tables,omitempty"`        // full names of those that are there
	Views        []string `json:"views,omitempty"`         // full names of those that are there
	WarehouseID  string   `json:"warehouse_id"`            // with which the service reads the traces
	Missing      []string `json:"missing,omitempty"`       // full names of tables and views that are not there yet
	Grants       []Grant  `json:"grants,omitempty"`        // for whoever logs traces there
}

// Grant is a statement that gives a principal privileges.
type Grant struct {
	Statement string `json:"statement"` // SQL, without a semicolon
	Granted   bool   `json:"granted"`   // by this call
	Error     string `json:"error,omitempty"`
}

// Run makes what is missing. The result holds what was done also where an error ended it.
func Run(ctx context.Context, job Job) (Result, error) {
	s := &setup{Job: job}
	err := s.run(ctx)
	return s.result, err
}

type setup struct {
	Job
	result Result
	me     databricks.Identity
}

func (s *setup) run(ctx context.Context) (err error) {
	if s.me, err = s.Service.Me(ctx); err != nil {
		return err
	}
	if _, err := s.Service.Warehouse(ctx, s.Job.Warehouse); err != nil {
		return advice.With(fmt.Errorf("SQL warehouse %s: %w", s.Job.Warehouse, err), "Check its ID, and ask for CAN USE on it")
	}
	found, err := s.Service.Experiment(ctx, s.Experiment)
	switch {
	case errors.Is(err, databricks.ErrNoExperiment):
		if found, err = s.create(ctx); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	if err := s.bound(found); err != nil {
		return err
	}
	s.result.ExperimentID = found.ID
	if err := s.await(ctx); err != nil {
		return err
	}
	if err := s.setWarehouse(ctx, found); err != nil {
		return err
	}
	return s.grant(ctx)
}

// create makes the experiment, once nothing is known to keep the service from binding it.
func (s *setup) create(ctx context.Context) (databricks.Experiment, error) {
	if err := s.look(ctx); err != nil {
		return databricks.Experiment{}, err
	}
	s.Log.Info("creating the experiment", "experiment", s.Experiment, "location", s.Location.String())
	id, err := s.Service.CreateExperiment(ctx, s.Experiment, s.Location)
	switch {
	case err == nil:
		s.result.ExperimentID, s.result.Created = id, true
	case errors.Is(err, databricks.ErrExists), fault.Of(err) == fault.Unreachable:
		// Another call has made it meanwhile, or this one has and its answer got lost: it is looked up.
		found, lookErr := s.Service.Experiment(ctx, s.Experiment)
		if lookErr != nil {
			return found, s.refused(err)
		}
		return found, nil
	default:
		return databricks.Experiment{}, s.refused(err)
	}
	return s.bind(ctx, id)
}

// bindingLooks is how often the service is asked whether it has bound an experiment that it has just created.
const bindingLooks = 10

// bind waits until the service has bound the experiment that it has created.
func (s *setup) bind(ctx context.Context, id string) (databricks.Experiment, error) {
	for range bindingLooks {
		found, err := s.Service.Experiment(ctx, s.Experiment)
		if err != nil {
			return found, fmt.Errorf("experiment %s (%s) was created, and can't be read: %w", s.Experiment, id, err)
		}
		if found.Location != nil {
			return found, nil
		}
		if err := s.pause(ctx); err != nil {
			return found, err
		}
	}
	return databricks.Experiment{}, advice.With(
		fmt.Errorf("experiment %s (%s) was created, and the service has not bound it to %s", s.Experiment, id, s.Location),
		"It binds nothing, and says nothing, where SELECT or MODIFY on one of the four tables is missing, the table of metrics among them. "+
			"Grant them ("+strings.Join(s.statements(s.me.Name), "; ")+"), delete the experiment and choose another name: "+
			"an experiment can be bound at its creation only")
}

func (s *setup) pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(s.Pause):
		return nil
	}
}

// refused adds to the service's refusal to create the experiment what to do about it.
func (s *setup) refused(err error) error {
	l := s.Location
	err = fmt.Errorf("experiment %s can't be created with the location %s: %w", s.Experiment, l, err)
	switch {
	case errors.Is(err, databricks.ErrExists):
		return advice.With(err, "It may be in the trash, where it keeps its name: restore or purge it, or choose another name")
	case errors.Is(err, databricks.ErrIncompatible):
		return advice.With(err, fmt.Sprintf("Views, or materialized views in the place of tables, keep the service from making its own: "+
			"look at what %s.%s has under names that begin with %s_, drop or rename that, or choose another prefix",
			l.Catalog, l.Schema, l.Prefix))
	case errors.Is(err, databricks.ErrNoPreview):
		return advice.With(err, `Have a workspace admin turn on "OpenTelemetry on Databricks" and "Variant Shredding for Optimized Read `+
			`Performance on Semi-Structured Data" on the page Previews; they exist in some regions only, which Databricks' pages list under `+
			`features with limited regional availability`)
	case errors.Is(err, databricks.ErrNoFolder):
		return advice.With(err, fmt.Sprintf("Make the folder of the experiment in the workspace, or write another one; and "+
			"CREATE SCHEMA IF NOT EXISTS %s.%s", uctables.QuoteName(l.Catalog), uctables.QuoteName(l.Schema)))
	}
	return err
}

// bound says whether the experiment is bound to the location.
func (s *setup) bound(e databricks.Experiment) error {
	const other = "An experiment is bound at its creation and never afterwards: write another name with --experiment"
	switch {
	case e.Deleted:
		return advice.With(fmt.Errorf("experiment %s (%s) is in the trash", s.Experiment, e.ID),
			"Restore it, or write another name with --experiment")
	case e.Location == nil:
		return advice.With(fmt.Errorf("experiment %s (%s) is there, and bound to no location", s.Experiment, e.ID), other)
	case !strings.EqualFold(e.Location.String(), s.Location.String()):
		return advice.With(fmt.Errorf("experiment %s (%s) is bound to %s", s.Experiment, e.ID, e.Location),
			other+", or that location with --location")
	}
	return nil
}

// setWarehouse names the warehouse where none is named.
func (s *setup) setWarehouse(ctx context.Context, e databricks.Experiment) error {
	s.result.WarehouseID = e.Warehouse
	switch e.Warehouse {
	case s.Job.Warehouse:
		return nil
	case "":
		if err := s.Service.SetMonitoringWarehouse(ctx, e.ID, s.Job.Warehouse); err != nil {
			return advice.With(fmt.Errorf("experiment %s (%s) is bound, and its monitoring warehouse can't be set: %w", s.Experiment, e.ID, err),
				"It takes CAN EDIT on the experiment. Run the same command again to go on")
		}
		s.result.WarehouseID = s.Job.Warehouse
		return nil
	}
	s.Log.Warn("the experiment has another monitoring warehouse, which stays", "warehouse", e.Warehouse,
		"next", "To change it, set the experiment's tag mlflow.monitoring.sqlWarehouseId")
	return nil
}

// grant gives whom the job names what it takes to log traces. Where it names nobody, the statements are made for a principal to
// be filled in.
func (s *setup) grant(ctx context.Context) error {
	if len(s.GrantTo) == 0 {
		for _, text := range s.statements("PRINCIPAL") {
			s.result.Grants = append(s.result.Grants, Grant{Statement: text})
		}
		return nil
	}
	var refused []string
	var problem error // with the first one
	for _, principal := range s.GrantTo {
		for _, g := range grants.ToLog(s.Location) {
			made := Grant{Statement: g.Statement(principal)}
			if err := s.Service.Grant(ctx, g.Privileges, g.Securable, g.Name, principal); err != nil {
				made.Error = err.Error()
				refused = append(refused, made.Statement)
				problem = cmp.Or(problem, err)
			}
			made.Granted = made.Error == ""
			s.result.Grants = append(s.result.Grants, made)
		}
	}
	if problem == nil {
		return nil
	}
	return advice.With(fmt.Errorf("the target is there, and %d of %d grants were refused: %w", len(refused), len(s.result.Grants), problem),
		"Have the owner run: "+strings.Join(refused, "; "))
}

func (s *setup) statements(principal string) (all []string) {
	for _, g := range grants.ToLog(s.Location) {
		all = append(all, g.Statement(principal))
	}
	return all
}
