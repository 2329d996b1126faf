package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/terminal"
)

// statusOf runs status over the checkpoint at path and returns what it prints.
func statusOf(t *testing.T, o statusOptions) string {
	t.Helper()
	var stdout bytes.Buffer
	getenv := func(string) string { return "" }
	a := &app{stdout: newResults(&stdout), terminal: terminal.New(nil, getenv), getenv: getenv, ctx: t.Context(), stop: t.Context()}
	if err := a.status(&o); err != nil {
		t.Fatal(err)
	}
	return stdout.String()
}

func TestStatusLists(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := checkpoint.Open(t.Context(), path, checkpoint.Pair{Source: "https://host#1", Target: "main.`my-agents`.prod"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	hostile := "a \"quoted\", one;\nanother line \x1b[31m=cmd()\u202e\xff"
	if err := s.Put(t.Context(),
		checkpoint.Record{TraceID: "tr-1", TargetTraceID: "0a", State: checkpoint.Migrated, RequestTimeMs: 1},
		checkpoint.Record{TraceID: "tr,\"2\"", TargetTraceID: "0b", State: checkpoint.Migrated},
		checkpoint.Record{TraceID: "tr-3", TargetTraceID: "0c", State: checkpoint.Skipped, Reason: "never_had_spans"},
		checkpoint.Record{
			TraceID: "tr-4", State: checkpoint.Failed, Reason: "row_refused", Detail: hostile, RequestTimeMs: 1767323045678, RunID: "r",
		},
	); err != nil {
		t.Fatal(err)
	}
	of := func(list string, idMap bool, output string) string {
		return statusOf(t, statusOptions{pairOptions: pairOptions{checkpoint: path}, list: list, idMap: idMap, output: output})
	}
	rows := func(text string) [][]string {
		rs, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rs
	}
	if d := cmp.Diff([][]string{
		{"trace_id", "new_id", "target"},
		{"tr,\"2\"", "trace:/main.my-agents.prod/0b", "main.`my-agents`.prod"},
		{"tr-1", "trace:/main.my-agents.prod/0a", "main.`my-agents`.prod"},
	}, rows(of("", true, "csv"))); d != "" {
		t.Errorf("map (-want +got):\n%s", d)
	}
	if d := cmp.Diff([][]string{
		{"trace_id", "target_trace_id", "request_time", "state", "reason", "detail", "run_id"},
		{"tr-4", "", "2026-01-02T03:04:05.678Z", "failed", "row_refused", hostile, "r"},
	}, rows(of("failed", false, "csv"))); d != "" {
		t.Errorf("failed (-want +got):\n%s", d)
	}
	var line struct{ Type, Detail string }
	if err := json.Unmarshal([]byte(of("failed", false, "json")), &line); err != nil {
		t.Fatal(err)
	}
	if want := strings.ToValidUTF8(hostile, "�"); line.Type != "trace" || line.Detail != want {
		t.Errorf("type %q and detail %q, want trace and %q", line.Type, line.Detail, want)
	}
	const want = "tr,\"2\"  0b  -  migrated  -  -  -\ntr-1  0a  1970-01-01T00:00:00.001Z  migrated  -  -  -\n"
	if got := of("migrated", false, "text"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// Text from the source can't move the cursor.
	for _, text := range []string{of("failed", false, "text"), of("", false, "text")} {
		if !strings.Contains(text, `a "quoted", one;�another line �[31m=cmd()`) || strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("%q, want the detail in one line without control characters", text)
		}
	}
}

// The window that reaches furthest is shown, not that of the last run. A run that did not end well covers nothing, and one with a
// window that ends in the future covers the time up to its start.
func TestStatusCoverage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := checkpoint.Open(t.Context(), path, checkpoint.Pair{Source: "s", Target: "file:/t"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, r := range []struct {
		outcome    report.Outcome
		start      int64 // seconds
		from, till int64 // seconds; 0 for none
		until      int64 // covered after it
	}{
		{"failed", 100, 0, 0, 0},
		{"done", 200, 50, 150, 150},
		{"done", 300, 0, 0, 300},
		{"done", 400, 0, 250, 300},
		{"partial", 500, 0, 0, 300},
		{"done", 600, 300, 900, 600},
		{checkpoint.Rebuilt, 700, 0, 0, 600},
	} {
		ms := func(s int64) *int64 {
			if s *= 1000; s == 0 {
				return nil
			}
			return &s
		}
		run := checkpoint.Run{ID: string(rune('a' + i)), Start: time.Unix(r.start, 0), WindowStartMs: ms(r.from), WindowEndMs: ms(r.till)}
		if err := s.StartRun(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		run.End, run.Outcome = run.Start.Add(time.Second), r.outcome
		if err := s.FinishRun(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(statusOf(t, statusOptions{pairOptions: pairOptions{checkpoint: path}, output: "json"})), "\n")
		var st pairStatus
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &st); err != nil {
			t.Fatal(err)
		}
		if st.Type != "status" || st.Runs != int64(i+1) || len(lines) != i+2 {
			t.Errorf("run %d: %d lines, %+v, want %d lines with a status of %d runs", i, len(lines), st, i+2, i+1)
		}
		if got := st.Covered; (got == nil) != (r.until == 0) || got != nil && got.Until.Unix() != r.until {
			t.Errorf("after run %d: covered %+v, want until %d", i, got, r.until)
		}
	}
}
