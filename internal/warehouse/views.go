package warehouse

import (
	"context"
	"errors"

	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// CreateViews makes the two views where they are missing, and returns the names of those that it made. They are for where
// there is no service: the service makes its own views, and refuses to bind an experiment to a location where others stand
// in their place.
func (w *Warehouse) CreateViews(ctx context.Context) (made []string, err error) {
	// The views read the tables, so an error about a wrong table comes before the one of a view.
	if err := w.Check(ctx); err != nil {
		return nil, err
	}
	for _, v := range tablesql.Views(w.opts.Location) {
		view := uctables.Table{Suffix: v.Suffix}
		missing, err := w.createMissing(ctx, view, v.Create)
		if err != nil {
			return made, err
		}
		if missing {
			made = append(made, w.opts.Location.Name(view))
		}
	}
	return made, nil
}

// OwnViews are those of the location's views that CreateViews has made.
func (w *Warehouse) OwnViews(ctx context.Context) (own []tablesql.View, err error) {
	for _, v := range tablesql.Views(w.opts.Location) {
		view := uctables.Table{Suffix: v.Suffix}
		properties, err := w.nameValues(ctx, view, tablesql.ShowViewProperties(w.opts.Location, v), nil)
		switch {
		case errors.Is(err, errNoTable):
		case err != nil:
			return nil, err
		case properties[tablesql.MadeProperty] == "true":
			own = append(own, v)
		}
	}
	return own, nil
}
