package rig

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strconv"
	"testing"
)

// BetaTables is what was put into tables of the beta form.
type BetaTables struct {
	Traces map[string]string   `json:"traces"` // those of the experiment: trace_id by MLflow ID
	Left   map[string]string   `json:"left"`   // those of the experiment that are not in the tables, and why
	Others map[string][]string `json:"others"` // trace_id of those of other writers, by kind: easy and hard for SQL, and bulk
	Spans  int                 `json:"spans"`  // rows
	Logs   int                 `json:"logs"`   // rows
}

// BetaOptions say what is put into tables of the beta form.
type BetaOptions struct {
	MLflow     *MLflow // nil for no traces of an experiment
	Experiment string
	Bulk       int    // plain traces of other writers
	Only       string // of the other writers' traces only those of this kind; empty for all
}

// FillBeta makes the tables of the beta form in a schema (catalog.schema) and puts traces into them (testdata/rig/beta.py). The schema
// is dropped when the test ends.
func (w *Warehouse) FillBeta(t testing.TB, schema string, opts BetaOptions) BetaTables {
	t.Helper()
	args := []string{"--warehouse", w.URL(), "--schema", schema, "--bulk", strconv.Itoa(opts.Bulk), "--only", opts.Only}
	if opts.MLflow != nil {
		args = append(args, "--uri", opts.MLflow.URI, "--experiment", opts.Experiment)
	}
	t.Cleanup(func() { w.SQL(t, "DROP SCHEMA IF EXISTS "+schema+" CASCADE") })
	out, err := Command(t, "venv", "beta.py", args...).Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("beta.py: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var tables BetaTables
	if err := json.Unmarshal(out, &tables); err != nil {
		t.Fatalf("beta.py printed no summary: %v", err)
	}
	return tables
}
