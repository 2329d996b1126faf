package beta

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/warehouse"
)

// FetchSpans reads the spans of traces, by one statement. Of several rows of one span, the one that ends last is taken.
func (s *Source) FetchSpans(ctx context.Context, _ mlflowclient.Read, infos []*mlflow.TraceInfo) []mlflowclient.Spans {
	out := make([]mlflowclient.Spans, len(infos))
	documents, err := s.documents(ctx, infos)
	var again []*mlflow.TraceInfo // with fewer spans than listed: some may lie further apart than any did at the listing
	for _, info := range infos {
		if doc := documents[s.rowID(info.TraceID)]; err == nil && (doc == nil || doc.rows < info.Spans) && s.setFar(s.rowID(info.TraceID)) {
			again = append(again, info)
		}
	}
	if len(again) > 0 {
		var more map[string]*document
		more, err = s.documents(ctx, again)
		maps.Copy(documents, more)
	}
	for i, info := range infos {
		switch doc := documents[s.rowID(info.TraceID)]; {
		case err != nil:
			out[i].Err = err
		case doc == nil:
			out[i].Missing = mlflowclient.MissingDeleted
		default:
			out[i].JSON = append(doc.text, "]}"...)
			s.bytes.Add(int64(len(out[i].JSON)))
		}
	}
	return out
}

// document is a document of spans.
type document struct {
	text []byte // without its end
	rows int    // that were read for it, also those that it has not
	last string // ID of the span that was read last
}

// add adds a row, unless it is of the span that was read last.
func (d *document) add(spanID, span string) {
	if d.rows++; d.rows > 1 && spanID != "" && spanID == d.last {
		return
	}
	if d.text == nil {
		d.text = append([]byte(convert.BetaDocument), `"spans":[`...)
	} else {
		d.text = append(d.text, ',')
	}
	d.text, d.last = append(d.text, span...), spanID
}

// documents are the documents of traces.
func (s *Source) documents(ctx context.Context, infos []*mlflow.TraceInfo) (map[string]*document, error) {
	release, err := s.place(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	type row struct{ traceID, spanID, span string }
	found := map[string]*document{}
	s.requests.Add(1)
	text, params := tablesql.BetaSpans(s.location), s.of(infos)
	err = warehouse.Collect(ctx, s.wh, uctables.BetaSpans, text, params, func(rows *sql.Rows) (r row, err error) {
		if err = rows.Scan(&r.traceID, &r.spanID, &r.span); err != nil {
			err = fmt.Errorf("%s: read spans: %w", s.location.SchemaName(), err)
		}
		return r, err
	}, func(r row) error {
		if found[r.traceID] == nil {
			found[r.traceID] = &document{}
		}
		found[r.traceID].add(r.spanID, r.span)
		return nil
	})
	return found, err
}

// of are the parameters of a statement about the spans of some traces: their IDs, and the times at which the spans are.
func (s *Source) of(infos []*mlflow.TraceInfo) []any {
	ids := make([]string, len(infos))
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for i, info := range infos {
		ids[i] = s.rowID(info.TraceID)
		at := nanos(info.RequestTime.UnixMilli())
		low, high = min(low, at-tablesql.BetaSpread), max(high, at+milliNanos+tablesql.BetaSpread)
		if s.isFar(ids[i]) {
			low, high = math.MinInt64, math.MaxInt64
		}
	}
	return []any{
		sql.Named(tablesql.ParamTraces, strings.Join(ids, "\n")),
		sql.Named(tablesql.ParamLow, low), sql.Named(tablesql.ParamHigh, high),
	}
}

// setFar notes that the spans of a trace may lie far apart, and says whether that was not known before.
func (s *Source) setFar(rowID string) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = !s.far[rowID]
	s.far[rowID] = true
	return first
}

// isFar says whether the spans of a trace may lie far apart.
func (s *Source) isFar(rowID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.far[rowID]
}
