package main

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/testdata/sample"
)

func newDemoCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "demo [FOLDER]",
		Short: "Migrate a sample experiment into local Delta tables",
		Long: `Migrate a sample experiment, recorded from a real MLflow server and served again inside this
process, into local Delta tables in FOLDER (default lake). It takes the way of every run: the same
client, converter and writer. Nothing leaves this machine.

` + exitStatus,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			folder := "lake"
			if len(args) == 1 {
				folder = args[0]
			}
			return a.demo(folder)
		},
	}
}

func (a *app) demo(folder string) error {
	experiment, err := replay.Load(sample.Files)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve the sample on this machine: %w", err)
	}
	server := &http.Server{Handler: experiment, ReadHeaderTimeout: time.Minute}
	go server.Serve(l)
	defer server.Close()

	prefix := filepath.Join(folder, "agent")
	o := defaultRunOptions()
	o.source, o.target, o.trackingURI = experiment.Name, "file:"+prefix, "http://"+l.Addr().String()
	o.checkpoint = filepath.Join(folder, "checkpoint.db")
	// The server's port differs each time; the experiment does not.
	o.sourceName = "tracemig demo"
	fmt.Fprintf(a.terminal, "tracemig run --tracking-uri %s --source %s --target %s\n\n", o.trackingURI, o.source, o.target)
	if err := a.run(o); err != nil {
		return err
	}
	spans, annotations := prefix+"_otel_spans", prefix+"_otel_annotations"
	_, err = fmt.Fprintf(a.stdout, demoQueries, spans, annotations, spans, annotations, spans, spans)
	return err
}

// demoQueries decodes VARIANT as DuckDB 2 needs it for files that other readers can open too.
const demoQueries = `
The tables are Delta tables:
  %s
  %s

Queries to try, in DuckDB 2:
  SELECT name, variant_bytes_to_variant(attributes.metadata || attributes.value)['mlflow.spanType']::VARCHAR AS type, count(*)
  FROM read_parquet('%s/*.parquet') GROUP BY ALL ORDER BY 3 DESC;

  SELECT name, variant_bytes_to_variant("value".metadata || "value".value) AS value, comment
  FROM read_parquet('%s/*.parquet') WHERE annotation_type = 'FEEDBACK' LIMIT 10;

and in Spark 4 with Delta:
  SELECT trace_id, variant_get(attributes, '$["mlflow.spanInputs"]') AS request, status.code
  FROM delta.` + "`%s`" + ` WHERE parent_span_id IS NULL;

  SELECT date, count(DISTINCT trace_id) AS traces, avg(end_time_unix_nano - start_time_unix_nano) / 1e6 AS ms
  FROM delta.` + "`%s`" + ` WHERE parent_span_id IS NULL GROUP BY date;

Run the demo again: nothing is new, so nothing is written.
`

var _ migrate.Source = (*mlflowclient.Client)(nil)
