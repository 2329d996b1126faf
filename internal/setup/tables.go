package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// look looks for what would keep the service from binding a new experiment to the location: names that are no tables, tables of
// another form, tables without grants, views of tracemig's. Tables that conform are adopted by the service.
func (s *setup) look(ctx context.Context) error {
	if err := s.reachable(ctx); err != nil {
		return err
	}
	there := 0
	for _, t := range uctables.Tables {
		name := s.Location.Name(t)
		found, err := s.Service.Table(ctx, name)
		switch {
		case errors.Is(err, databricks.ErrNotThere):
			continue
		case err != nil:
			return fmt.Errorf("look for table %s: %w", name, err)
		}
		if err := s.adoptable(ctx, t, found); err != nil {
			return err
		}
		there++
	}
	if there > 0 {
		s.Log.Info("tables of the location are there already: the service adopts them", "tables", there)
	}
	return s.noViews(ctx)
}

// reachable says whether catalog and schema are there. What privileges the identity lacks on them it only warns of: they may come
// through groups of groups.
func (s *setup) reachable(ctx context.Context) error {
	for _, g := range grants.ToLog(s.Location) {
		if g.Securable == "TABLE" {
			continue
		}
		if g.Securable == "SCHEMA" {
			g.Privileges = append(g.Privileges, "CREATE TABLE")
		}
		f := preflight.Granted(ctx, s.Service, s.me, g)
		switch _, _, err := s.Service.Privileges(ctx, g.Securable, g.Name, s.me); {
		case errors.Is(err, databricks.ErrNotThere):
			return advice.With(fault.With(fmt.Errorf("%s %s: %w", strings.ToLower(g.Securable), g.Name, err), fault.NotFound),
				fmt.Sprintf("Make it first (CREATE %s), or ask for USE %s on it", g.Securable, g.Securable))
		case f.Result == preflight.Failed, f.Result == preflight.Warning:
			s.Log.Warn(f.Text, "next", f.Next, "grants", strings.Join(f.Grants, "; "))
		}
	}
	return nil
}

// adoptable says whether the service would adopt what has the name of one of its tables.
func (s *setup) adoptable(ctx context.Context, t uctables.Table, found databricks.Table) error {
	name := s.Location.Name(t)
	const next = "The service adopts tables of version " + uctables.SchemaVersion + " only: choose another prefix, or rename it"
	if found.Type != "MANAGED" && found.Type != "EXTERNAL" {
		return advice.With(fault.With(fmt.Errorf("%s is there, and is no table (%s)", name, found.Type), fault.TableDiffers), next)
	}
	if v := found.Properties[uctables.SchemaVersionProperty]; v != uctables.SchemaVersion {
		return advice.With(fault.With(fmt.Errorf("%s is there, and its table property %s is %q", name, uctables.SchemaVersionProperty, v),
			fault.TableDiffers), next)
	}
	if _, differs := t.Actual(found.Columns); len(differs) > 0 {
		return advice.With(fault.With(fmt.Errorf("%s is there, and %s", name, strings.Join(differs, "; ")), fault.TableDiffers), next)
	}
	for _, g := range grants.ToLog(s.Location) {
		if g.Name != name {
			continue
		}
		if f := preflight.Granted(ctx, s.Service, s.me, g); f.Result == preflight.Failed {
			return advice.With(fault.With(fmt.Errorf("%s: the service would create the experiment and not bind it", f.Text), fault.Permission),
				f.Next+": "+strings.Join(f.Grants, "; "))
		}
	}
	return nil
}

// views are the full names of the location's views.
func (s *setup) views() []string {
	base := s.Location.Catalog + "." + s.Location.Schema + "." + s.Location.Prefix
	return []string{base + tablesql.MetadataView, base + tablesql.UnifiedView}
}

// noViews refuses views that tracemig has made: while they stand, the service binds nothing. Other views may be the service's own.
func (s *setup) noViews(ctx context.Context) error {
	drops := map[string]string{}
	for _, v := range tablesql.Views(s.Location) {
		drops[v.Suffix] = v.Drop
	}
	var drop []string
	for _, name := range s.views() {
		v, err := s.Service.Table(ctx, name)
		switch {
		case errors.Is(err, databricks.ErrNotThere):
		case err != nil:
			return fmt.Errorf("look for view %s: %w", name, err)
		case v.Properties[tablesql.MadeProperty] != "":
			drop = append(drop, drops[strings.TrimPrefix(name, s.Location.Catalog+"."+s.Location.Schema+"."+s.Location.Prefix)])
		}
	}
	if len(drop) == 0 {
		return nil
	}
	return advice.With(fault.With(fmt.Errorf("tracemig has made views at %s, and while they stand the service binds no experiment to it",
		s.Location), fault.TableDiffers), "Run, since the service makes its own: "+strings.Join(drop, "; "))
}

// await waits until the service has made its tables and views.
func (s *setup) await(ctx context.Context) error {
	var tables []string
	for _, t := range uctables.Tables {
		tables = append(tables, s.Location.Name(t))
	}
	began := time.Now()
	for said := false; ; said = true {
		var missing, missingViews []string
		var err error
		if s.result.Tables, missing, err = s.present(ctx, tables); err != nil {
			return err
		}
		if s.result.Views, missingViews, err = s.present(ctx, s.views()); err != nil {
			return err
		}
		s.result.Missing = append(missing, missingViews...)
		if len(s.result.Missing) == 0 {
			return nil
		}
		if time.Since(began) >= s.Wait {
			return s.late(missing)
		}
		if !said {
			s.Log.Info("waiting for the service to make what is missing", "missing", strings.Join(s.result.Missing, ", "))
		}
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
}

// present parts names into those that are there and those that are not.
func (s *setup) present(ctx context.Context, names []string) (there, missing []string, err error) {
	for _, name := range names {
		switch _, err := s.Service.Table(ctx, name); {
		case err == nil:
			there = append(there, name)
		case errors.Is(err, databricks.ErrNotThere):
			missing = append(missing, name)
		default:
			return nil, nil, fmt.Errorf("look for %s: %w", name, err)
		}
	}
	return there, missing, nil
}

// late is the end of the wait. A migration needs the tables; the views are for readers.
func (s *setup) late(missingTables []string) error {
	if len(missingTables) > 0 {
		return advice.With(fault.With(fmt.Errorf("the experiment is bound, and after %s the service has not made %s", s.Wait,
			strings.Join(missingTables, ", ")), fault.TableMissing),
			"They may come, or this identity may not see them: run the same command again to go on waiting")
	}
	s.Log.Warn("the experiment is bound and its tables are there, but not the views "+strings.Join(s.result.Missing, ", "),
		"next", "They are for readers, and a migration goes without them: look again later")
	return nil
}
