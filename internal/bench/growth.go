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

// known is how many spans a table has before the batches of growth, spread over growthDays.
var known = []int{0, 100_000, 1_000_000}

const (
	growthStart  = 1_760_000_000_000_000 // microseconds
	growthDays   = 100
	microsPerDay = 24 * 60 * 60 * 1_000_000
	batchSpans   = 5000
)

// A grown table takes batches.
type grown struct {
	target.Writer
	seconds []float64
}

// growWarehouse is set where the warehouse stand-in is there.
var growWarehouse func(options) error

// growth times batches of spans of one day, between days that the table has, by how much it has: each
// batch looks for its keys there first.
func growth(o options) error {
	dir, err := os.MkdirTemp("", "tracemig-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	var tables []*grown
	for _, n := range known {
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
		tables = append(tables, &grown{Writer: l})
	}
	if err := grow(o, "local tables", tables); err != nil {
		return err
	}
	if growWarehouse == nil {
		return nil
	}
	return growWarehouse(o)
}

// grow writes batches to all tables in turn and prints how long they took; the first one is not counted.
func grow(o options, name string, tables []*grown) error {
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
				err = fmt.Errorf("%d of %d spans written", w.Inserted, batchSpans)
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
		fmt.Printf("%9d: %7.1f ms (%.1f to %.1f)\n", known[i], 1e3*median(t.seconds), 1e3*slices.Min(t.seconds), 1e3*slices.Max(t.seconds))
	}
	return nil
}

// span is the i-th of a set of spans of ten to a trace; its time is to be set.
func span(set, i int, attributes string) uctables.Span {
	trace := fmt.Sprintf("%08x%024x", set, i/10)
	return uctables.Span{
		RecordID: fmt.Sprintf("%s-%d", trace, i), TraceID: trace, SpanID: fmt.Sprintf("%016x", i+1), Name: "step",
		Attributes: uctables.JSON(attributes),
	}
}
