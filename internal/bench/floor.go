//go:build rig

package main

import (
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

func init() { comparisons["floor"] = floor }

// floor compares tracemig with its statements alone: the same bytes in the same batches, encoded
// beforehand and sent with nothing else done, one statement at a time to each of the two tables.
func floor(o options) error {
	traces := o.Traces
	if traces == 0 {
		traces = 3000
	}
	if err := dbsqllog.SetLogLevel("disabled"); err != nil { // Its errors are returned as well.
		return err
	}
	return inLab(traces, func(l *lab) error {
		rec, err := record(l)
		if err != nil {
			return err
		}
		whole := &side{name: "tracemig", run: func() (result, error) { return l.tracemig() }}
		alone := &side{name: "statements alone", run: func() (result, error) { return l.send(rec) }}
		if err := alternate(o.N, whole, alone); err != nil {
			return err
		}
		mb := float64(rec.bytes) / 1e6
		fmt.Printf("%d traces of 6 spans and 8 KB, %.1f MB in %d statements, medians of %d\n", traces, mb, len(rec.spans)+len(rec.annotations), o.N)
		for _, s := range []*side{whole, alone} {
			fmt.Printf("%-17s %6.1f s, %5.1f MB/s\n", s.name+":", s.of(seconds), mb/s.of(seconds))
		}
		times, low, high := whole.over(alone, seconds)
		fmt.Printf("tracemig takes %.2f times as long (%.2f to %.2f)\n", times, low, high)
		return nil
	})
}

// A recorder is a target that keeps what the warehouse would be sent.
type recorder struct {
	null
	spans, annotations []payload
	bytes              int
}

type payload struct {
	lines string
	times target.Times
}

func (r *recorder) WriteSpans(ctx context.Context, rows []uctables.Span) (target.Written, error) {
	r.spans = append(r.spans, encode(rows, uctables.AppendSpan, func(s *uctables.Span) int64 { return s.TimeMicros }))
	return r.null.WriteSpans(ctx, rows)
}

func (r *recorder) WriteAnnotations(ctx context.Context, rows []uctables.Annotation) (target.Written, error) {
	r.annotations = append(r.annotations, encode(rows, uctables.AppendAnnotation, func(a *uctables.Annotation) int64 { return a.CreatedAtMicros }))
	return r.null.WriteAnnotations(ctx, rows)
}

func encode[R any](rows []R, line func([]byte, *R) []byte, at func(*R) int64) payload {
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

// record has the pipeline make the payloads.
func record(l *lab) (*recorder, error) {
	r := &recorder{}
	_, err := into(r, l.source, l.sourceURL, mlflowclient.Limits{SearchPerSecond: 1e6, DownloadPerSecond: 1e6})
	for _, p := range slices.Concat(r.spans, r.annotations) {
		r.bytes += len(p.lines)
	}
	return r, err
}

// send sends the payloads; its time is that from the first connection to the last answer.
func (l *lab) send(rec *recorder) (r result, err error) {
	err = l.inTables(func(at uctables.Location) error {
		connector, err := dbsql.NewConnector(
			// Straight to the warehouse: nothing is left out that would cost it time.
			dbsql.WithServerHostname("http://"+l.warehouse.Host), dbsql.WithPort(l.warehouse.Port),
			dbsql.WithHTTPPath(l.warehouse.HTTPPath), dbsql.WithAccessToken(l.warehouse.Token),
		)
		if err != nil {
			return err
		}
		start := time.Now()
		db := sql.OpenDB(connector)
		defer db.Close()
		g, ctx := errgroup.WithContext(context.Background())
		lane := func(statement string, payloads []payload) {
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
		lane(tablesql.InsertAnnotations(at, uctables.Annotations), rec.annotations)
		lane(tablesql.InsertSpans(at, uctables.Spans), rec.spans)
		err = g.Wait()
		r.seconds = time.Since(start).Seconds()
		return err
	})
	return r, err
}
