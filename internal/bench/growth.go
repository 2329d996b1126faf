package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/deltalake"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

func init() { comparisons["growth"] = growth }

// existingSpans are the numbers of spans that the tables have before the measured batches, spread over growthDays.
var existingSpans = []int{0, 100_000, 1_000_000}

const (
	growthStart  = 1_760_000_000_000_000 // microseconds
	growthDays   = 100
	microsPerDay = 24 * 60 * 60 * 1_000_000
	batchSpans   = 5000
)

// A growingTable is a table with the times that its batches took.
type growingTable struct {
	target.Writer
	seconds []float64
}

// growthInWarehouse is set by builds with the tag rig, which have the warehouse stand-in.
var growthInWarehouse func(options) error

// growth measures whether a batch takes longer in a larger table, since each batch first looks for its keys there.
// The batches are of one day in the middle of the days that the table has.
func growth(o options) error {
	dir, err := os.MkdirTemp("", "tracemig-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	var tables []*growingTable
	for _, n := range existingSpans {
		l, err := deltalake.Open(fmt.Sprintf("%s/t%d", dir, n), deltalake.Options{})
		if err != nil {
			return err
		}
		if err := l.Create(ctx); err != nil {
			return err
		}
		for from := 0; from < n; from += 10_000 {
			rows := make([]uctables.Span, 10_000)
			for i := range rows {
				rows[i] = span(0, from+i, "{}")
				rows[i].TimeMicros = growthStart + int64(from+i)*(growthDays*microsPerDay/int64(n))
				rows[i].Date = uctables.Day(rows[i].TimeMicros)
			}
			if _, err := l.WriteSpans(ctx, rows); err != nil {
				return err
			}
		}
		tables = append(tables, &growingTable{Writer: l})
	}
	if err := timeBatches(o, "local tables", tables); err != nil {
		return err
	}
	if growthInWarehouse == nil {
		return nil
	}
	return growthInWarehouse(o)
}

// timeBatches writes batches to all tables in turn and prints how long they took. The first batch of each is not counted.
func timeBatches(o options, name string, tables []*growingTable) error {
	text := `{"text":"` + strings.Repeat("0123456789abcdef", 64) + `"}`
	for round := range o.N + 1 {
		rows := make([]uctables.Span, batchSpans)
		for i := range rows {
			rows[i] = span(round+1, i, text)
			rows[i].TimeMicros = growthStart + growthDays/2*microsPerDay + int64(i)*(microsPerDay/batchSpans)
			rows[i].Date = uctables.Day(rows[i].TimeMicros)
		}
		for _, t := range tables {
			start := time.Now()
			w, err := t.WriteSpans(context.Background(), rows)
			if err == nil && w.Inserted != batchSpans {
				err = fmt.Errorf("%d spans written, want %d", w.Inserted, batchSpans)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", t, err)
			}
			if round > 0 {
				t.seconds = append(t.seconds, time.Since(start).Seconds())
			}
		}
	}
	fmt.Printf("%s: a batch of %d spans of 1 KB beside so many over %d days, medians of %d\n", name, batchSpans, growthDays, o.N)
	for i, t := range tables {
		fmt.Printf("%9d: %7.1f ms (%.1f to %.1f)\n",
			existingSpans[i], 1e3*median(t.seconds), 1e3*slices.Min(t.seconds), 1e3*slices.Max(t.seconds))
	}
	return nil
}

// span returns the i-th span of a set, which has ten spans a trace. The caller sets its time.
func span(set, i int, attributes string) uctables.Span {
	trace := fmt.Sprintf("%08x%024x", set, i/10)
	return uctables.Span{
		RecordID: fmt.Sprintf("%s-%d", trace, i), TraceID: trace, SpanID: fmt.Sprintf("%016x", i+1), Name: "step",
		Attributes: uctables.JSON(attributes),
	}
}
