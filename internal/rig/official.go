package rig

import (
	"encoding/json"
	"errors"
	"os/exec"
	"testing"
)

// OfficialOptions say what the official migration leaves out. The zero value has it take all traces.
type OfficialOptions struct {
	Skip    map[string]string `json:"skip,omitempty"`     // trace ID to why it skips that one for good
	UntilMS int64             `json:"until_ms,omitempty"` // it leaves out traces requested later; 0 for none
}

// OfficialRun is what a run of the official migration did. Trace IDs are MLflow's.
type OfficialRun struct {
	ExperimentID        string            `json:"experiment_id"`
	Migrated            []string          `json:"migrated"`
	Skipped             map[string]string `json:"skipped"` // those of the options and those that the SDK can't read, with the reason
	Left                []string          `json:"left"`    // requested after UntilMS
	Spans               int               `json:"spans"`   // rows written
	Annotations         int               `json:"annotations"`
	LatestRequestTimeMS int64             `json:"latest_request_time_ms"` // as its two tags of the experiment tell
	LatestTraceID       string            `json:"latest_trace_id"`
}

// Official does what the official migration does (testdata/rig/official.py). It writes the rows of an experiment into the
// tables of a location (catalog.schema.prefix), which it makes where they don't exist, and notes its progress in tags
// of the experiment.
func Official(t testing.TB, m *MLflow, w *Warehouse, experiment, location string, opts OfficialOptions) OfficialRun {
	t.Helper()
	options, err := json.Marshal(opts)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Command(t, "venv", "official.py", "--uri", m.URI, "--experiment", experiment,
		"--warehouse", w.URL(), "--location", location, "--options", string(options)).Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("official.py: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var run OfficialRun
	if err := json.Unmarshal(out, &run); err != nil {
		t.Fatalf("official.py printed no summary: %v", err)
	}
	return run
}
