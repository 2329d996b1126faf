//go:build rig

package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/rig"
)

func init() {
	comparisons["database"] = database
	comparisons["staged"] = staged
}

// database compares how fast the same traces go into local tables through a real MLflow server of one worker and from the database
// behind it, in each engine. The times are those of the whole process. Beside them stands how fast the database alone is read,
// with nothing converted or written, and how fast the same traces go into local tables from a source that costs nothing.
func database(o options) error {
	traces := cmp.Or(o.Traces, 10_000)
	fmt.Printf("%d traces, medians of %d, in traces/s; the database in MB/s of span documents, too\n", traces, o.N)
	fmt.Printf("%-12s %6s %9s %9s %9s %9s %9s\n", "engine", "spans", "exact", "fast", "database", "read only", "MB/s")
	for _, engine := range append([]string{"sqlite"}, rig.Engines...) {
		if err := databaseOf(o, engine, traces); err != nil {
			return err
		}
	}
	return nil
}

// databaseOf is database for one engine.
func databaseOf(o options, engine string, traces int) (err error) {
	t := &fakeTB{}
	defer t.finish(&err)
	m := rig.StartMLflowOn(t, engine)
	behind := *m
	behind.URI = m.StoreURI
	for _, spans := range []int{2, 10} {
		c := m.AddBulk(t, fmt.Sprintf("spans%d", spans), traces, spans)
		few := m.AddBulk(t, fmt.Sprintf("few%d", spans), min(traces, 500), spans) // the server is slow, and no slower with more
		if engine == "postgresql" {
			m.Execute(t, "ANALYZE") // as autovacuum does within a minute
		}
		var bytes int64
		sides := []*side{
			{name: "exact", run: func() (result, error) { return readServer(m, few, "exact") }},
			{name: "fast", run: func() (result, error) { return readServer(m, few, "fast") }},
			{name: "database", run: func() (result, error) { return readServer(&behind, c, "exact") }},
			{name: "read", run: func() (r result, err error) {
				r.seconds, bytes, err = readDatabase(behind.URI, c.ExperimentID)
				return r, err
			}},
		}
		if err := alternate(o.N, sides...); err != nil {
			return err
		}
		read := sides[3].median(seconds)
		fmt.Printf("%-12s %6d %9.0f %9.0f %9.0f %9.0f %9.0f\n", engine, spans, float64(few.Listed)/sides[0].median(seconds),
			float64(few.Listed)/sides[1].median(seconds), float64(traces)/sides[2].median(seconds), float64(traces)/read, float64(bytes)/1e6/read)
	}
	return nil
}

// readDatabase lists the traces of an experiment and reads the spans of all, one group after the other.
func readDatabase(uri, experimentID string) (took float64, bytes int64, err error) {
	a, err := mlflowdb.ParseAddress(uri)
	if err != nil {
		return 0, 0, err
	}
	begin, ctx := time.Now(), context.Background()
	s, err := mlflowdb.Open(ctx, a, mlflowdb.Options{})
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	var group []*mlflow.TraceInfo
	fetch := func() error {
		for i, spans := range s.FetchSpans(ctx, mlflowclient.Exact, group) {
			if spans.Err != nil || spans.Missing != "" {
				return fmt.Errorf("trace %s: %s %w", group[i].TraceID, spans.Missing, spans.Err)
			}
			bytes += int64(len(spans.JSON))
		}
		group = group[:0]
		return nil
	}
	err = s.ListTraces(ctx, experimentID, mlflowclient.Window{}, func(t *mlflow.TraceInfo) error {
		if group = append(group, t); len(group) < s.FetchGroup(mlflowclient.Exact) {
			return nil
		}
		return fetch()
	})
	if err == nil {
		err = fetch()
	}
	return time.Since(begin).Seconds(), bytes, err
}

// staged compares how fast traces go into the warehouse stand-in through a volume from the database behind a real MLflow server,
// and from a synthetic source, which costs nothing and shows what the target takes.
func staged(o options) error {
	traces := cmp.Or(o.Traces, 10_000)
	return withEnvironment(traces, func(e *environment) (err error) {
		t := &fakeTB{}
		defer t.finish(&err)
		m := rig.StartMLflow(t)
		c := m.AddBulk(t, "staged", traces, 6)
		behind := *e
		behind.sourceURL, behind.experiment, behind.annotations = m.StoreURI, c.ExperimentID, 3
		sides := []*side{
			{name: "SQLite behind MLflow", run: func() (result, error) { return behind.runTracemig("--stage", "auto") }},
			{name: "synthetic source", run: func() (result, error) { return e.runTracemig("--stage", "auto") }},
		}
		if err := alternate(o.N, sides...); err != nil {
			return err
		}
		fmt.Printf("%d traces of 6 spans into the warehouse stand-in through a volume, medians of %d\n", traces, o.N)
		for _, s := range sides {
			fmt.Printf("%-22s %7.1f traces/s  %5.0f MB\n", s.name+":", float64(traces)/s.median(seconds), s.median(rss)/1e6)
		}
		return nil
	})
}
