package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
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
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError("tracemig demo takes one folder at most, and got %s", quotedList(args))
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
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
	go func() { _ = server.Serve(l) }() // until Close; its requests fail if it ends before
	defer server.Close()

	prefix := filepath.Join(folder, "agent")
	o := defaultRunOptions()
	o.source, o.target, o.trackingURI = experiment.Name, "file:"+prefix, "http://"+l.Addr().String()
	o.checkpoint = filepath.Join(folder, "checkpoint.db")
	// The checkpoint goes by the source's name, and the server's port differs each time.
	o.sourceName, o.demo = "tracemig demo", true
	fmt.Fprintf(a.terminal, "tracemig run --tracking-uri %s --source %s --target %s\n\n", o.trackingURI, o.source, o.target)
	if err := a.run(&o); err != nil {
		return inDemo(err)
	}
	spans, annotations := prefix+"_otel_spans", prefix+"_otel_annotations"
	absolute, err := filepath.Abs(spans) // Spark refuses a relative path after delta.
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout,
		"\nThe tables are Delta tables:\n  %s\n  %s\n\nQueries to try, in DuckDB 2:\n%s\nand in Spark 4 with Delta:\n%s\n"+
			"tracemig sql lists more queries, and prints them for these tables, as in tracemig sql --target %s tokens | duckdb\n\n"+
			"Run the demo again: nothing is new, so nothing is written.\n",
		spans, annotations, fmt.Sprintf(duckQueries, quoted(spans), quoted(annotations)), fmt.Sprintf(sparkQueries, absolute, absolute),
		shellWord("file:"+prefix))
	return err
}

// demoError is an error of a run with a next step that the demo has too: it has none of the flags of run.
type demoError struct {
	error
	text string
}

func (e *demoError) Error() string { return e.text }
func (e *demoError) Unwrap() error { return e.error }

// inDemo is the error of a run as the demo tells it.
func inDemo(err error) error {
	if ee, coded := errors.AsType[*exitError](err); coded && ee.err == nil {
		return err
	}
	problem, next := advice.Split(err)
	if !strings.Contains(next, "--") {
		return err
	}
	return &demoError{err, advice.Join(problem, "Name another folder, as in tracemig demo FOLDER")}
}

// quoted is s as it is written between the quotes of an SQL string.
func quoted(s string) string { return strings.ReplaceAll(s, "'", "''") }

// duckQueries read the tables with DuckDB without its extension for Delta, which it would download at the first use. The
// files of a table are those that its log has added and not removed since: other files in its folder may have been replaced
// by another program's OPTIMIZE. VARIANT is decoded in the one way in which DuckDB 2 reads files that other readers can open
// too.
const duckQueries = `  -- A table's files, by its log; once another program has cleaned that up, use delta_scan in place of it.
  CREATE MACRO live_files(folder) AS (
    WITH log AS (
      SELECT coalesce("add", remove).path AS path, "add" IS NOT NULL AS live, filename
      FROM read_json(folder || '/_delta_log/*.json', filename = true,
        columns = {'add': 'STRUCT(path VARCHAR)', 'remove': 'STRUCT(path VARCHAR)'})),
    files AS (SELECT path FROM log WHERE path IS NOT NULL GROUP BY path HAVING arg_max(live, filename))
    SELECT list(folder || '/' || url_decode(path)) FROM files);
  SET VARIABLE spans = live_files('%s');
  SET VARIABLE annotations = live_files('%s');

  SELECT name, variant_bytes_to_variant(attributes.metadata || attributes.value)['mlflow.spanType']::VARCHAR AS type, count(*)
  FROM read_parquet(getvariable('spans')) GROUP BY ALL ORDER BY 3 DESC;

  SELECT name, variant_bytes_to_variant("value".metadata || "value".value) AS value, comment
  FROM read_parquet(getvariable('annotations')) WHERE annotation_type = 'FEEDBACK' LIMIT 10;
`

const sparkQueries = `  SELECT trace_id, variant_get(attributes, '$["mlflow.spanInputs"]') AS request, status.code
  FROM delta.` + "`%s`" + ` WHERE parent_span_id IS NULL;

  SELECT date, count(DISTINCT trace_id) AS traces, avg(end_time_unix_nano - start_time_unix_nano) / 1e6 AS ms
  FROM delta.` + "`%s`" + ` WHERE parent_span_id IS NULL GROUP BY date;
`
