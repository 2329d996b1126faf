package mlflowdb

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source"
)

// pageTraces is how many traces are read in one transaction.
const pageTraces = 500

// listed is a trace that was read, or why it could not be.
type listed struct {
	*mlflow.TraceInfo
	err error
}

// place is a place in the order of a listing: a request time in milliseconds, and the ID of a trace.
type place struct {
	ms int64
	id string
}

// ListTraces calls yield with every trace of the experiment within w, in the order of request times and IDs, each once, and stops
// at yield's first error, which it returns.
//
// Each page is what comes next after the last trace of the one before. So a trace that is there during the whole listing is
// yielded once, whatever is added or deleted meanwhile. Nothing is held in the database while yield runs. Memory is
// bounded by a page.
func (s *Source) ListTraces(ctx context.Context, experimentID string, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error {
	id, err := strconv.ParseInt(experimentID, 10, 64)
	if err != nil {
		return fmt.Errorf("listing the traces of experiment %q: not an experiment's ID", experimentID)
	}
	for at := start(w); ; {
		var page []listed
		err := s.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
			page, err = s.page(ctx, tx, id, at, end(w))
			return err
		})
		if err != nil {
			return fmt.Errorf("listing the traces of experiment %s: %w", experimentID, err)
		}
		for _, t := range page {
			at = place{t.RequestTime.UnixMilli(), t.TraceID}
			if err := t.give(ctx, w, yield); err != nil {
				return err
			}
		}
		if len(page) < pageTraces {
			return nil
		}
	}
}

// give yields a trace, or reports what can't be read.
func (t *listed) give(ctx context.Context, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if t.err == nil {
		return yield(t.TraceInfo)
	}
	u := t.unlistable()
	if w.Unlistable == nil {
		return u
	}
	return w.Unlistable(u)
}

func (t *listed) unlistable() *mlflowclient.UnlistableError {
	ms := t.RequestTime.UnixMilli()
	return &mlflowclient.UnlistableError{TraceID: t.TraceID, FromMs: ms, ToMs: ms, Err: t.err}
}

// page reads the traces of an experiment that come after a place and were requested before end.
func (s *Source) page(ctx context.Context, tx *sql.Tx, experiment int64, after place, end int64) ([]listed, error) {
	rows, err := tx.QueryContext(ctx, s.query(s.pageText()), experiment, after.ms, end, after.ms, after.id)
	if err != nil {
		return nil, err
	}
	return s.infos(ctx, tx, rows)
}

// pageFrom is what follows the columns in the query of a page. Its parameters are the experiment, the time of the place after which
// the page begins, the time before which it ends, and that place. The first condition on the time bounds the part of the index
// pageIndex that is read, so that no engine sorts more than the traces of one millisecond, or reads what earlier pages have read.
func (s *Source) pageFrom() string {
	return " FROM trace_info t" + s.hint + " WHERE t.experiment_id = ? AND t.timestamp_ms >= ? AND t.timestamp_ms < ?" +
		" AND (t.timestamp_ms > ? OR t.request_id > ?) ORDER BY t.timestamp_ms, t.request_id LIMIT "
}

// pageIndex is MLflow's index of trace_info by experiment and request time.
const pageIndex = "index_trace_info_experiment_id_timestamp_ms"

// pageText is the query of a page.
func (s *Source) pageText() string {
	return "SELECT " + s.infoColumns() + s.pageFrom() + strconv.Itoa(pageTraces)
}

func (s *Source) infoColumns() string {
	if s.schema.promoted {
		return infoColumns + promotedColumns
	}
	return infoColumns
}

func (s *Source) query(text string) string { return s.address.engine.query(text) }

// named reads the traces with some IDs, in no order.
func (s *Source) named(ctx context.Context, tx *sql.Tx, ids []string) ([]listed, error) {
	text := "SELECT " + s.infoColumns() + " FROM trace_info t WHERE t.request_id IN (" + s.parameters(ids) + ")"
	rows, err := tx.QueryContext(ctx, text, values(ids)...)
	if err != nil {
		return nil, err
	}
	return s.infos(ctx, tx, rows)
}

func (s *Source) parameters(ids []string) string { return s.address.engine.parameters(1, len(ids)) }

func values(ids []string) []any {
	all := make([]any, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	return all
}

// infos makes traces of the rows of trace_info, and reads what other tables have of them.
func (s *Source) infos(ctx context.Context, tx *sql.Tx, rows *sql.Rows) ([]listed, error) {
	var all []listed
	at := map[string]int{}
	var ids []string
	err := each(rows, func() error {
		var r infoRow
		bad := rows.Scan(r.into(s.schema.promoted)...)
		if bad != nil { // A value is not of its column's type, as SQLite allows. Without the key the error is the listing's.
			columns := r.into(s.schema.promoted)
			r = infoRow{}
			for i := 3; i < len(columns); i++ {
				columns[i] = new(any)
			}
			if err := rows.Scan(columns...); err != nil {
				return fmt.Errorf("a row of trace_info: %w", err)
			}
			bad = fmt.Errorf("its row of trace_info: %w", bad)
		}
		at[r.id] = len(all)
		all, ids = append(all, listed{TraceInfo: r.info(), err: bad}), append(ids, r.id)
		return nil
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	of := func(id string) *listed {
		if i, ok := at[id]; ok {
			return &all[i]
		}
		return &listed{TraceInfo: &mlflow.TraceInfo{}} // of an ID that the engine takes for equal and that is not
	}
	if err := s.tags(ctx, tx, ids, of); err != nil {
		return nil, err
	}
	if err := s.metadata(ctx, tx, ids, of); err != nil {
		return nil, err
	}
	return all, s.assessments(ctx, tx, ids, of)
}

// each calls f for each row, and closes rows.
func each(rows *sql.Rows, f func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *Source) tags(ctx context.Context, tx *sql.Tx, ids []string, of func(string) *listed) error {
	return s.pairs(ctx, tx, "trace_tags", ids, func(id, key, value string) {
		if t := of(id); !s.schema.promoted || key != keyTraceName {
			setTag(t.TraceInfo, key, value)
		}
	})
}

func (s *Source) metadata(ctx context.Context, tx *sql.Tx, ids []string, of func(string) *listed) error {
	return s.pairs(ctx, tx, "trace_request_metadata", ids, func(id, key, value string) {
		if t := of(id); !s.schema.promoted || !promoted(key) {
			setMetadata(t.TraceInfo, key, value)
		}
	})
}

// pairs reads the keys and values that a table has of some traces.
func (s *Source) pairs(ctx context.Context, tx *sql.Tx, table string, ids []string, f func(id, key, value string)) error {
	column := s.address.engine.quote("key")
	rows, err := tx.QueryContext(ctx, "SELECT request_id, "+column+", value FROM "+table+" WHERE request_id IN ("+s.parameters(ids)+")",
		values(ids)...)
	if err != nil {
		return err
	}
	return each(rows, func() error {
		var id, key string
		var value sql.NullString
		if err := rows.Scan(&id, &key, &value); err != nil {
			return fmt.Errorf("a row of %s: %w", table, err)
		}
		f(id, key, text(value))
		return nil
	})
}

func (s *Source) assessments(ctx context.Context, tx *sql.Tx, ids []string, of func(string) *listed) error {
	rows, err := tx.QueryContext(ctx, "SELECT "+assessmentColumns+" FROM assessments a WHERE a.trace_id IN ("+s.parameters(ids)+
		") ORDER BY a.created_timestamp, a.assessment_id", values(ids)...)
	if err != nil {
		return err
	}
	return each(rows, func() error {
		var r assessmentRow
		err := rows.Scan(r.into()...)
		if err != nil { // as above
			columns := r.into()
			for i := 2; i < len(columns); i++ {
				columns[i] = new(any)
			}
			if again := rows.Scan(columns...); again != nil {
				return fmt.Errorf("a row of assessments: %w", again)
			}
			err = fmt.Errorf("assessment %s: %w", r.id, err)
		}
		t := of(r.trace)
		var a mlflow.Assessment
		if err == nil {
			a, err = r.assessment()
		}
		if err != nil && t.err == nil {
			t.err = err
		}
		t.Assessments = append(t.Assessments, a)
		return nil
	})
}

// TraceInfo reads what is listed of one trace. The error is source.ErrGone where there is none with this ID, and an
// *UnlistableError where a value of it can't be read.
func (s *Source) TraceInfo(ctx context.Context, traceID string) (*mlflow.TraceInfo, error) {
	var found []listed
	err := s.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		found, err = s.named(ctx, tx, []string{traceID})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("asking for trace %s: %w", traceID, err)
	}
	for _, t := range found {
		switch {
		case t.TraceID != traceID: // MySQL does not tell capitals from small letters
		case t.err != nil:
			return nil, t.unlistable()
		default:
			return t.TraceInfo, nil
		}
	}
	return nil, fmt.Errorf("asking for trace %s: the database has no such trace: %w", traceID, source.ErrGone)
}

// ListExperiments calls yield with the ID of every experiment of the workspace, deleted ones included.
func (s *Source) ListExperiments(ctx context.Context, yield func(string) error) error {
	return s.experiments(ctx, "", nil, func(e mlflowclient.Experiment) error { return yield(e.ID) })
}

// ListExperimentsNamed calls yield with every experiment of the workspace that is not deleted and whose name begins with prefix,
// in the order of their names, and stops at yield's first error.
func (s *Source) ListExperimentsNamed(ctx context.Context, prefix string, yield func(mlflowclient.Experiment) error) error {
	return s.experiments(ctx, " AND e.lifecycle_stage = ?", []any{"active"}, func(e mlflowclient.Experiment) error {
		if !strings.HasPrefix(e.Name, prefix) {
			return nil
		}
		return yield(e)
	})
}
