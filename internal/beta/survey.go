package beta

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/warehouse"
)

// Tables are the tables that spans can be copied from.
func (s *Source) Tables() uctables.Location { return s.location }

// Survey implements source.Copyable, by one statement.
func (s *Source) Survey(ctx context.Context, infos []*mlflow.TraceInfo) ([]*uctables.SpanCopy, error) {
	release, err := s.place(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	found := map[string]*uctables.SpanCopy{}
	s.requests.Add(1)
	text, params := tablesql.SurveyBeta(s.location), append(s.of(infos), sql.Named(tablesql.ParamEnd, warehouse.EndMark()))
	err = warehouse.Collect(ctx, s.wh, uctables.BetaSpans, text, params, func(rows *sql.Rows) (*uctables.SpanCopy, error) {
		c := &uctables.SpanCopy{}
		var low, high int64
		var hard bool
		if err := rows.Scan(&c.TraceID, &c.Spans, &c.Sum, &low, &high, &c.Bytes, &hard); err != nil {
			return nil, fmt.Errorf("%s: survey spans: %w", s.location.SchemaName(), err)
		}
		if c.LowMicros, c.HighMicros = uctables.Micros(low), uctables.Micros(high); hard {
			return nil, nil
		}
		return c, nil
	}, func(c *uctables.SpanCopy) error {
		if c != nil {
			found[c.TraceID] = c
		}
		return nil
	})
	copies := make([]*uctables.SpanCopy, len(infos))
	for i, info := range infos {
		c := found[s.rowID(info.TraceID)]
		// Of a trace with other spans now than listed, the statement may not have seen all.
		if c != nil && c.Spans == info.Spans && mlflow.TargetTraceID(info.TraceID) == c.TraceID {
			c.UserID, c.SessionID = info.Metadata[mlflow.MetadataUser], info.Metadata[mlflow.MetadataSession]
			c.Service = info.Tags[mlflow.TagServiceName]
			copies[i] = c
		}
	}
	return copies, err
}
