package mlflowdb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
)

// Experiment finds an experiment by its ID or its name. It returns a *mlflowclient.NotFoundError when there is none. IDs are the
// same in all workspaces of a database; names are not.
func (s *Source) Experiment(ctx context.Context, ref string) (mlflowclient.Experiment, error) {
	var found []mlflowclient.Experiment
	keep := func(e mlflowclient.Experiment) error { found = append(found, e); return nil }
	if n, err := strconv.ParseInt(ref, 10, 32); err == nil && strings.Trim(ref, "0123456789") == "" {
		if err := s.experiments(ctx, " AND e.experiment_id = ?", []any{n}, keep); err != nil {
			return mlflowclient.Experiment{}, fmt.Errorf("looking up experiment %q: %w", ref, err)
		}
	}
	if len(found) == 0 {
		if err := s.experiments(ctx, " AND e.name = ?", []any{ref}, keep); err != nil {
			return mlflowclient.Experiment{}, fmt.Errorf("looking up experiment %q: %w", ref, err)
		}
		found = slices.DeleteFunc(found, func(e mlflowclient.Experiment) bool { return e.Name != ref })
	}
	switch len(found) {
	case 0:
		return mlflowclient.Experiment{}, &mlflowclient.NotFoundError{Ref: ref, Source: s.Identity()}
	case 1:
		return found[0], nil
	}
	err := fmt.Errorf("%d workspaces of %s have an experiment %q", len(found), s.Identity(), ref)
	err = advice.With(fault.With(err, fault.Usage), "Name the workspace with --workspace, or the experiment by its ID")
	return mlflowclient.Experiment{}, err
}

// experiments yields the experiments of the workspace for which a further condition holds, in the order of their names.
func (s *Source) experiments(ctx context.Context, where string, params []any, yield func(mlflowclient.Experiment) error) error {
	var all []mlflowclient.Experiment
	if s.opts.Workspace != "" {
		where, params = where+" AND e.workspace = ?", append(slices.Clone(params), s.opts.Workspace)
	}
	err := s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		all = nil
		rows, err := tx.QueryContext(ctx, s.query("SELECT e.experiment_id, e.name, e.artifact_location, e.lifecycle_stage FROM experiments e"+
			" WHERE 1 = 1"+where+" ORDER BY e.name, e.experiment_id"), params...)
		if err != nil {
			return err
		}
		err = each(rows, func() error {
			var id int64
			var name, location, stage sql.NullString
			if err := rows.Scan(&id, &name, &location, &stage); err != nil {
				return fmt.Errorf("a row of experiments: %w", err)
			}
			all = append(all, mlflowclient.Experiment{
				ID: strconv.FormatInt(id, 10), Name: name.String, ArtifactLocation: location.String, LifecycleStage: stage.String,
				Tags: map[string]string{},
			})
			return nil
		})
		if err == nil && len(all) == 1 {
			err = s.experimentTags(ctx, tx, &all[0])
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

// experimentTags reads the tags of an experiment.
func (s *Source) experimentTags(ctx context.Context, tx *sql.Tx, e *mlflowclient.Experiment) error {
	key := s.address.engine.quote("key")
	rows, err := tx.QueryContext(ctx, s.query("SELECT "+key+", value FROM experiment_tags WHERE experiment_id = ?"), e.ID)
	if err != nil {
		return err
	}
	err = each(rows, func() error {
		var key string
		var value sql.NullString
		if err := rows.Scan(&key, &value); err != nil {
			return fmt.Errorf("a row of experiment_tags: %w", err)
		}
		e.Tags[key] = value.String
		return nil
	})
	e.TraceLocation = e.Tags[mlflow.TagTraceDestination]
	return err
}
