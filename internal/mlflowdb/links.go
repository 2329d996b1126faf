package mlflowdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source"
)

// errLinked is the answer to who asks run by run, as sources are asked that are no source.Linked.
var errLinked = errors.New("the runs of a database are listed with their traces, see ListLinks")

// ListRuns is not for this source, see ListLinks.
func (s *Source) ListRuns(context.Context, string, func(string) error) error { return errLinked }

// ListRunTraces is not for this source, see ListLinks.
func (s *Source) ListRunTraces(context.Context, string, string, mlflowclient.Window, func(string) error) error {
	return errLinked
}

// linksPage is how many traces, and how many runs, are looked at in one transaction.
const linksPage = 1000

// ListLinks implements source.Linked: it walks over the traces, and then over the runs.
func (s *Source) ListLinks(
	ctx context.Context, experimentID string, all bool, w mlflowclient.Window, yield func(source.RunLink) error,
) error {
	experiment, err := strconv.ParseInt(experimentID, 10, 64)
	if err != nil {
		return fmt.Errorf("listing the runs of experiment %q: not an experiment's ID", experimentID)
	}
	l := &linker{s: s, experiment: experiment, all: all, at: start(w), end: end(w)}
	for _, next := range []func(context.Context, *sql.Tx) (int, error){l.traces, l.runs} {
		for n := linksPage; n == linksPage; {
			at, after := l.at, l.after
			err := s.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
				l.at, l.after, l.page = at, after, nil
				n, err = next(ctx, tx)
				return err
			})
			if err != nil {
				return fmt.Errorf("listing the MLflow runs of the traces of experiment %s: %w", experimentID, err)
			}
			for _, link := range l.page {
				if err := yield(link); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// linker is the state of a listing of links.
type linker struct {
	s          *Source
	experiment int64
	all        bool
	at         place  // of the last trace
	end        int64  // of the window
	after      string // the ID of the last run
	page       []source.RunLink
}

// traces reads the links of the next traces, and says how many traces these are.
func (l *linker) traces(ctx context.Context, tx *sql.Tx) (int, error) {
	rows, err := tx.QueryContext(ctx, l.s.query("SELECT t.request_id, t.timestamp_ms"+l.s.pageFrom()+strconv.Itoa(linksPage)),
		l.experiment, l.at.ms, l.end, l.at.ms, l.at.id)
	if err != nil {
		return 0, err
	}
	var ids []string
	err = each(rows, func() error {
		err := rows.Scan(&l.at.id, &l.at.ms)
		ids = append(ids, l.at.id)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if l.s.schema.associations {
		err = l.links(ctx, tx, ids, "SELECT a.source_id, r.run_uuid, r.experiment_id FROM entity_associations a JOIN runs r"+
			" ON r.run_uuid = a.destination_id WHERE a.destination_type = 'run' AND a.source_type = 'trace' AND a.source_id IN (")
	}
	if err == nil {
		err = l.links(ctx, tx, ids, "SELECT m.request_id, r.run_uuid, r.experiment_id FROM trace_request_metadata m JOIN runs r"+
			" ON r.run_uuid = m.value WHERE m."+l.s.address.engine.quote("key")+" = '"+mlflow.MetadataSourceRun+"' AND m.request_id IN (")
	}
	return len(ids), err
}

// links adds the links that a query finds of some traces. The query ends where their IDs are to stand.
func (l *linker) links(ctx context.Context, tx *sql.Tx, ids []string, text string) error {
	rows, err := tx.QueryContext(ctx, text+l.s.parameters(ids)+")", values(ids)...)
	if err != nil {
		return err
	}
	return each(rows, func() error {
		var link source.RunLink
		var experiment int64
		if err := rows.Scan(&link.TraceID, &link.RunID, &experiment); err != nil {
			return fmt.Errorf("a link of a trace to a run: %w", err)
		}
		if link.Other = experiment != l.experiment; !link.Other || l.all {
			l.page = append(l.page, link)
		}
		return nil
	})
}

// runs reads the next runs, and says how many.
func (l *linker) runs(ctx context.Context, tx *sql.Tx) (n int, err error) {
	text, params := "SELECT run_uuid, experiment_id FROM runs WHERE run_uuid > ?", []any{l.after}
	if !l.all {
		text, params = text+" AND experiment_id = ?", append(params, l.experiment)
	}
	rows, err := tx.QueryContext(ctx, l.s.query(text+" ORDER BY run_uuid LIMIT "+strconv.Itoa(linksPage)), params...)
	if err != nil {
		return 0, err
	}
	err = each(rows, func() error {
		var link source.RunLink
		var experiment int64
		if err := rows.Scan(&link.RunID, &experiment); err != nil {
			return fmt.Errorf("a row of runs: %w", err)
		}
		link.Other = experiment != l.experiment
		n, l.after, l.page = n+1, link.RunID, append(l.page, link)
		return nil
	})
	return n, err
}

// start is the place before the first trace of a window, and end the first time behind it.
func start(w mlflowclient.Window) place {
	if w.StartMs == nil {
		return place{math.MinInt64, ""}
	}
	return place{*w.StartMs, ""}
}

func end(w mlflowclient.Window) int64 {
	if w.EndMs == nil {
		return math.MaxInt64
	}
	return *w.EndMs
}
