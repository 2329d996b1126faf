//go:build rig

package main

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	dbsql "github.com/databricks/databricks-sql-go"
	dbsqllog "github.com/databricks/databricks-sql-go/logger"
	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

func init() { comparisons["statements"] = statements }

// statements compares tracemig with its statements alone: the same bytes in the same batches, encoded beforehand.
// Nothing else is done, and each of the two tables gets one statement at a time.
func statements(o options) error {
	traces := cmp.Or(o.Traces, 3000)
	if err := dbsqllog.SetLogLevel("disabled"); err != nil { // The driver also returns the errors that it logs.
		return err
	}
	return withEnvironment(traces, func(e *environment) error {
		recorded, err := recordPayloads(e)
		if err != nil {
			return err
		}
		ours := &side{name: "tracemig", run: func() (result, error) { return e.runTracemig() }}
		bare := &side{name: "statements alone", run: func() (result, error) { return e.sendStatements(recorded) }}
		if err := alternate(o.N, ours, bare); err != nil {
			return err
		}
		mb := float64(recorded.bytes) / 1e6
		fmt.Printf("%d traces of 6 spans and 8 KB, %.1f MB in %d statements, medians of %d\n",
			traces, mb, len(recorded.spans)+len(recorded.annotations), o.N)
		for _, s := range []*side{ours, bare} {
			fmt.Printf("%-17s %6.1f s, %5.1f MB/s\n", s.name+":", s.median(seconds), mb/s.median(seconds))
		}
		times, low, high := ours.ratio(bare, seconds)
		fmt.Printf("tracemig takes %.2f times as long (%.2f to %.2f)\n", times, low, high)
		return nil
	})
}

// A recordingTarget is a target that keeps what would be sent to the warehouse.
type recordingTarget struct {
	discardTarget
	spans, annotations []payload
	bytes              int
}

// A payload holds the parameters of one statement.
type payload struct {
	lines string
	times target.Times
}

func (r *recordingTarget) WriteSpans(ctx context.Context, rows []uctables.Span) (target.Written, error) {
	r.spans = append(r.spans, encodePayload(rows, uctables.AppendSpan, func(s *uctables.Span) int64 { return s.TimeMicros }))
	return r.discardTarget.WriteSpans(ctx, rows)
}

func (r *recordingTarget) WriteAnnotations(ctx context.Context, rows []uctables.Annotation) (target.Written, error) {
	at := func(a *uctables.Annotation) int64 { return a.CreatedAtMicros }
	r.annotations = append(r.annotations, encodePayload(rows, uctables.AppendAnnotation, at))
	return r.discardTarget.WriteAnnotations(ctx, rows)
}

func encodePayload[R any](rows []R, line func([]byte, *R) []byte, at func(*R) int64) payload {
	times := target.NoTimes
	var b []byte
	for i := range rows {
		if i > 0 {
			b = append(b, '\n')
		}
		b = line(b, &rows[i])
		times.Include(at(&rows[i]))
	}
	return payload{string(b), times}
}

// recordPayloads runs the pipeline of tracemig and returns the payloads that it makes.
func recordPayloads(e *environment) (*recordingTarget, error) {
	r := &recordingTarget{}
	_, err := migrateInto(r, e.source, e.sourceURL, mlflowclient.Limits{})
	for _, p := range slices.Concat(r.spans, r.annotations) {
		r.bytes += len(p.lines)
	}
	return r, err
}

// sendStatements sends the payloads. The result's time begins with the first connection and ends with the last answer.
func (e *environment) sendStatements(recorded *recordingTarget) (r result, err error) {
	err = e.withTables(func(at uctables.Location) error {
		connector, err := dbsql.NewConnector(
			// It connects directly to the warehouse, so that it takes the least time.
			dbsql.WithServerHostname("http://"+e.warehouse.Host), dbsql.WithPort(e.warehouse.Port),
			dbsql.WithHTTPPath(e.warehouse.HTTPPath), dbsql.WithAccessToken(e.warehouse.Token),
		)
		if err != nil {
			return err
		}
		start := time.Now()
		db := sql.OpenDB(connector)
		defer db.Close()
		g, ctx := errgroup.WithContext(context.Background())
		sendAll := func(statement string, payloads []payload) {
			g.Go(func() error {
				for _, p := range payloads {
					rows, err := db.QueryContext(ctx, statement, sql.Named(tablesql.ParamRows, p.lines),
						sql.Named(tablesql.ParamLow, p.times.Low), sql.Named(tablesql.ParamHigh, p.times.High))
					if err != nil {
						return err
					}
					if err := rows.Close(); err != nil {
						return err
					}
				}
				return nil
			})
		}
		sendAll(tablesql.InsertAnnotations(at, uctables.Annotations), recorded.annotations)
		sendAll(tablesql.InsertSpans(at, uctables.Spans), recorded.spans)
		err = g.Wait()
		r.seconds = time.Since(start).Seconds()
		return err
	})
	return r, err
}
