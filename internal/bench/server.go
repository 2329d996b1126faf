//go:build rig

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/rig"
)

func init() { comparisons["server"] = server }

// server compares how fast traces of different sizes are read from a real MLflow server, with one worker and with four: by
// tracemig, which also writes them into local tables, and by MLflow's SDK, which writes nothing, alone and as part of the
// script that a user would write. The time of tracemig is that of the whole process. Beside them stand the requests that
// the two ways of tracemig make of the server, one after the other.
func server(o options) error {
	traces := cmp.Or(o.Traces, 500)
	for _, workers := range []int{1, 4} {
		if err := serverOf(o, workers, traces); err != nil {
			return err
		}
	}
	return nil
}

// serverOf is server for a server with so many workers.
func serverOf(o options, workers, traces int) (err error) {
	t := &fakeTB{}
	defer t.finish(&err)
	m := rig.StartMLflow(t, "--workers", strconv.Itoa(workers))
	fmt.Printf("MLflow with workers: %d; %d traces, medians of %d, in traces/s\n", workers, traces, o.N)
	fmt.Printf("%8s %9s %9s %9s %9s %9s %9s\n", "spans", "exact", "fast", "SDK", "script", "artifact", "batchGet")
	for _, spans := range []int{2, 5, 10, 30} {
		c := m.AddBulk(t, fmt.Sprintf("spans%d", spans), traces, spans)
		sides := []*side{
			{name: "exact", run: func() (result, error) { return readServer(m, c, "exact") }},
			{name: "fast", run: func() (result, error) { return readServer(m, c, "fast") }},
			{name: "SDK", run: func() (result, error) { return readBySDK(m, c, spans) }},
			{name: "script", run: func() (result, error) { return readBySDK(m, c, spans, "--rows") }},
			{name: "artifact", run: func() (result, error) {
				return askServer(m, c, "/ajax-api/2.0/mlflow/get-trace-artifact", "request_id", 1)
			}},
			{name: "batchGet", run: func() (result, error) { return askServer(m, c, "/api/3.0/mlflow/traces/batchGet", "trace_ids", 50) }},
		}
		if err := alternate(o.N, sides...); err != nil {
			return err
		}
		fmt.Printf("%8d", spans)
		for _, s := range sides {
			fmt.Printf(" %9.0f", float64(traces)/s.median(seconds))
		}
		exact, _, _ := sides[2].ratio(sides[0], seconds)
		fast, _, _ := sides[2].ratio(sides[1], seconds)
		fmt.Printf("   against the SDK: exact %.1f, fast %.1f times\n", exact, fast)
	}
	return nil
}

// askServer asks for the spans of all traces, so many a request, one request after the other.
func askServer(m *rig.MLflow, c rig.Corpus, path, parameter string, size int) (r result, err error) {
	var ids []string
	source, err := mlflowclient.NewServer(m.URI, mlflowclient.ServerCredentials{}, mlflowclient.Options{})
	if err != nil {
		return r, err
	}
	defer source.Close()
	err = source.ListTraces(context.Background(), c.ExperimentID, mlflowclient.Window{}, func(t *mlflow.TraceInfo) error {
		ids = append(ids, t.TraceID)
		return nil
	})
	if err != nil {
		return r, err
	}
	start := time.Now()
	for group := range slices.Chunk(ids, size) {
		answer, err := http.Get(m.URI + path + "?" + url.Values{parameter: group}.Encode())
		if err != nil {
			return r, err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", path, answer.Status)
		}
		if err != nil {
			return r, err
		}
	}
	r.seconds = time.Since(start).Seconds()
	return r, nil
}

// readServer migrates an experiment into new local tables with the real program.
func readServer(m *rig.MLflow, c rig.Corpus, read string) (r result, err error) {
	dir, err := os.MkdirTemp("", "tracemig-bench-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	s, r, err := runInto(dir, m.URI, c.Experiment, "--read", read)
	if err == nil && s.Migrated != int64(c.Listed) {
		err = fmt.Errorf("migrated %d traces, want %d", s.Migrated, c.Listed)
	}
	return r, err
}

// readBySDK reads an experiment with testdata/bench/read.py.
func readBySDK(m *rig.MLflow, c rig.Corpus, spans int, flags ...string) (r result, err error) {
	cmd := exec.Command(filepath.Join(rig.Dir(), "venv", "bin", "python"), append([]string{
		filepath.Join(rig.Root(), "testdata", "bench", "read.py"), "--tracking-uri", m.URI, "--experiment", c.ExperimentID,
	}, flags...)...)
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true")
	if r, err = measure(cmd); err != nil {
		return r, err
	}
	own, err := parseScriptOutput(r)
	if err == nil && own.Spans != spans*c.Listed {
		err = fmt.Errorf("read.py read %d spans, want %d", own.Spans, spans*c.Listed)
	}
	r.seconds = own.Seconds
	return r, err
}
