package beta

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/warehouse"
)

// pageRows is how many traces a slice of the listing has, about, and how many one statement lists at most.
const pageRows = 5000

const (
	hourNanos  = 3_600_000_000_000
	milliNanos = 1_000_000
)

// slice is a range of request times in nanoseconds: from low, and before high.
type slice struct{ low, high int64 }

// ListTraces calls yield with every trace whose request time is within w, in the order of request times and IDs, each once.
//
// A first statement counts the traces of each hour. The hours are put together to slices, and each slice is listed by statements
// that read the tables at its times alone. Traces whose spans lie further apart than a slice reads are named by the first
// statement, and are listed by their IDs at their place.
func (s *Source) ListTraces(ctx context.Context, _ string, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error {
	all := slice{math.MinInt64, math.MaxInt64}
	if w.StartMs != nil {
		all.low = nanos(*w.StartMs)
	}
	if w.EndMs != nil {
		all.high = nanos(*w.EndMs)
	}
	slices, odd, err := s.plan(ctx, all)
	if err != nil {
		return err
	}
	l := &lister{s: s, odd: odd, isOdd: map[string]bool{}, yield: yield}
	for _, t := range odd {
		l.isOdd[t.ID] = true
		s.setFar(t.ID)
	}
	for _, sl := range slices {
		if err := l.slice(ctx, sl); err != nil {
			return err
		}
	}
	return l.yieldOdd(ctx, oddTrace{math.MaxInt64, ""})
}

// lister is the state of one listing.
type lister struct {
	s     *Source
	odd   []oddTrace      // that are still to be yielded, in order
	isOdd map[string]bool // by ID
	yield func(*mlflow.TraceInfo) error
}

// nanos are milliseconds in nanoseconds, as far as there are such.
func nanos(ms int64) int64 {
	const most = math.MaxInt64 / milliNanos
	return min(max(ms, -most), most) * milliNanos
}

// oddTrace is a trace whose spans lie far apart.
type oddTrace struct {
	Millis int64  `json:"ms"` // request time
	ID     string `json:"id"`
}

// plan puts the hours of a range together to slices, and gives the traces that these don't list, in order.
func (s *Source) plan(ctx context.Context, all slice) (found []slice, odd []oddTrace, err error) {
	var traces int64
	type hour struct {
		hour, traces int64
		odd          string
	}
	s.requests.Add(1)
	err = warehouse.Collect(ctx, s.wh, uctables.BetaSpans, tablesql.BetaHours(s.location),
		[]any{sql.Named(tablesql.ParamLow, all.low), sql.Named(tablesql.ParamHigh, all.high)},
		func(rows *sql.Rows) (h hour, err error) {
			err = rows.Scan(&h.hour, &h.traces, &h.odd)
			return h, err
		}, func(h hour) error {
			var more []oddTrace
			if err := json.Unmarshal([]byte(h.odd), &more); err != nil {
				return fmt.Errorf("%s: list traces: %w", s.location.SchemaName(), err)
			}
			odd = append(odd, more...)
			// The rounding of DIV is towards zero: the hour 0 has times before the epoch too.
			low, high := h.hour*hourNanos-hourNanos, h.hour*hourNanos+hourNanos
			if h.hour > 0 {
				low = h.hour * hourNanos
			}
			if n := len(found); n > 0 {
				low = max(low, found[n-1].high)
			}
			if low, high = max(low, all.low), min(high, all.high); low >= high {
				return nil
			}
			if n := len(found); n > 0 && traces+h.traces <= pageRows {
				found[n-1].high, traces = high, traces+h.traces
				return nil
			}
			found, traces = append(found, slice{low, high}), h.traces
			return nil
		})
	slices.SortFunc(odd, oddTrace.compare)
	return found, odd, err
}

func (t oddTrace) compare(o oddTrace) int {
	return cmp.Or(cmp.Compare(t.Millis, o.Millis), strings.Compare(t.ID, o.ID))
}

// slice lists a slice, page by page, and puts odd traces where they belong.
func (l *lister) slice(ctx context.Context, sl slice) error {
	s := l.s
	afterMillis, after := int64(math.MinInt64), ""
	for {
		s.requests.Add(1)
		page, err := s.infos(ctx, tablesql.BetaTraces(s.location, pageRows), []any{
			sql.Named(tablesql.ParamLow, sl.low), sql.Named(tablesql.ParamHigh, sl.high),
			sql.Named(tablesql.ParamAfterMillis, afterMillis), sql.Named(tablesql.ParamAfter, after),
		})
		if err != nil {
			return err
		}
		for _, info := range page {
			id := s.rowID(info.TraceID)
			afterMillis, after = info.RequestTime.UnixMilli(), id
			if l.isOdd[id] {
				continue // its values here are of a part of its spans
			}
			if err := l.yieldOdd(ctx, oddTrace{afterMillis, id}); err != nil {
				return err
			}
			if err := l.yield(info); err != nil {
				return err
			}
		}
		if len(page) < pageRows {
			return nil
		}
	}
}

// oddAtOnce is how many odd traces a statement lists.
const oddAtOnce = 1000

// yieldOdd yields the odd traces that come before another one.
func (l *lister) yieldOdd(ctx context.Context, next oddTrace) error {
	for {
		var ids []string
		for len(l.odd) > 0 && l.odd[0].compare(next) < 0 && len(ids) < oddAtOnce {
			ids, l.odd = append(ids, l.odd[0].ID), l.odd[1:]
		}
		if len(ids) == 0 {
			return nil
		}
		infos, err := l.s.named(ctx, ids)
		if err != nil {
			return err
		}
		for _, info := range infos {
			if err := l.yield(info); err != nil {
				return err
			}
		}
	}
}

// TraceInfo asks for what the tables have of one trace.
func (s *Source) TraceInfo(ctx context.Context, traceID string) (*mlflow.TraceInfo, error) {
	infos, err := s.named(ctx, []string{s.rowID(traceID)})
	if err == nil && len(infos) == 0 {
		err = errGone
	}
	if err != nil {
		return nil, fmt.Errorf("asking for trace %s: %w", traceID, err)
	}
	return infos[0], nil
}

// named are the traces with some IDs of rows, in the order of the listing.
func (s *Source) named(ctx context.Context, ids []string) ([]*mlflow.TraceInfo, error) {
	s.requests.Add(1)
	return s.infos(ctx, tablesql.BetaTracesNamed(s.location), []any{sql.Named(tablesql.ParamTraces, strings.Join(ids, "\n"))})
}

// infos sends a query that answers with the columns of tablesql.BetaTracesNamed.
func (s *Source) infos(ctx context.Context, text string, params []any) (infos []*mlflow.TraceInfo, err error) {
	release, err := s.place(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	err = warehouse.Collect(ctx, s.wh, uctables.BetaSpans, text, params, func(rows *sql.Rows) (*mlflow.TraceInfo, error) {
		var t traceRow
		var logs, code sql.NullString
		if err := rows.Scan(&t.id, &t.requestMillis, &t.spans, &t.rooted, &t.nanos, &code, &logs); err != nil {
			return nil, fmt.Errorf("%s: list traces: %w", s.location.SchemaName(), err)
		}
		t.code, t.logs = code.String, logs.String
		return s.info(&t)
	}, func(info *mlflow.TraceInfo) error {
		infos = append(infos, info)
		return nil
	})
	return infos, err
}
