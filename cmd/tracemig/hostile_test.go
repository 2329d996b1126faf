package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/race"
	"github.com/tracemig/tracemig/internal/terminal"
)

const hugeTrace = "2dc9e3041b13a2e92f2482702ff5885d"

// oneTrace starts an MLflow server with one trace, and returns its address. info is added to the trace's listing; document
// writes its spans.
func oneTrace(t *testing.T, info string, document func(io.Writer)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/experiments/"):
			io.WriteString(w, `{"experiment":{"experiment_id":"1","name":"hostile"}}`)
		case strings.HasSuffix(r.URL.Path, "/traces/search"):
			io.WriteString(w, `{"traces":[{"trace_id":"tr-`+hugeTrace+`","request_time":"2026-01-01T00:00:00Z","state":"OK"`+info+`}]}`)
		case strings.HasSuffix(r.URL.Path, "get-trace-artifact"):
			b := bufio.NewWriterSize(w, 1<<16)
			document(b)
			b.Flush()
		default:
			io.WriteString(w, "{}")
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// runInProcess runs tracemig with args and returns its last line, its exit code, and the largest heap in use in bytes.
func runInProcess(t *testing.T, args ...string) (migrate.Summary, int, uint64) {
	t.Helper()
	var out bytes.Buffer
	errOut, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer errOut.Close()
	getenv := func(string) string { return "" }
	a := &app{
		stdout: newResults(&out), terminal: terminal.New(errOut, getenv), getenv: getenv, args: args, ctx: t.Context(), stop: t.Context(),
	}
	root := newRootCommand(a)

	ctx, stop := context.WithCancel(t.Context())
	most := make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		var peak uint64
		for tick := time.NewTicker(5 * time.Millisecond); ctx.Err() == nil; {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		most <- peak
	}()
	code := a.execute(root, func() bool { return false })
	stop()
	peak := <-most
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var s migrate.Summary
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
		t.Fatalf("the last line is no summary: %v in %q", err, out.String())
	}
	return s, code, peak
}

// The tests that docs/hostile-input.md names exist.
func TestHostileInputDoc(t *testing.T) {
	root := filepath.Join("..", "..")
	doc, err := os.ReadFile(filepath.Join(root, "docs", "hostile-input.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for line := range strings.SplitSeq(string(doc), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 3 || cells[2] == "test" {
			continue
		}
		for tests := range strings.SplitSeq(cells[2], "; ") {
			packages, names, _ := strings.Cut(tests, ": ")
			for pkg := range strings.SplitSeq(packages, ", ") {
				dir := filepath.Join(root, "internal", pkg)
				if pkg == "cmd/tracemig" {
					dir = filepath.Join(root, pkg)
				}
				files, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
				var code strings.Builder
				for _, file := range files {
					b, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					code.Write(b)
				}
				for _, name := range regexp.MustCompile(`\bTest\w+`).FindAllString(names, -1) {
					named++
					if !strings.Contains(code.String(), "func "+name+"(") {
						t.Errorf("%s has no %s, which this line names: %s", pkg, name, line)
					}
				}
			}
		}
	}
	if named < 40 {
		t.Errorf("%d tests are named, want at least 40", named)
	}
}

// A trace of 100,000 spans and traces of 100 MB are migrated in bounded memory: at most about 25 times the size of the trace,
// half of which is garbage that Go has not collected yet.
func TestHugeTraces(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("megabytes")
	}
	span := func(w io.Writer, i int, payload string) {
		parent := `"0000000000000001"`
		if i == 1 {
			parent = "null"
		}
		start := 1767225600000000000 + int64(i)*1000
		fmt.Fprintf(w, `{"trace_id":"tr-%s","span_id":"%016x","parent_span_id":%s,"name":"span %d",`+
			`"start_time_unix_nano":%d,"end_time_unix_nano":%d,"status":{"code":"OK","message":""},`+
			`"attributes":{"mlflow.traceRequestId":"\"tr-%s\"","mlflow.spanInputs":"{\"n\":%d,\"text\":\"`,
			hugeTrace, i, parent, i, start, start+1e9, hugeTrace, i)
		io.WriteString(w, payload)
		io.WriteString(w, `\"}"}}`)
	}
	many := func(n int, payload string) func(io.Writer) {
		return func(w io.Writer) {
			io.WriteString(w, `{"spans":[`)
			for i := 1; i <= n; i++ {
				if i > 1 {
					io.WriteString(w, ",")
				}
				span(w, i, payload)
			}
			io.WriteString(w, `]}`)
		}
	}
	for _, tt := range []struct {
		name     string
		document func(io.Writer)
		spans    int64
		heap     uint64 // bytes
	}{
		{"100,000 spans", many(100_000, ""), 100_000, 1 << 30},
		{"100 MB in 100 spans", many(100, strings.Repeat("x", 1<<20)), 100, 1536 << 20},
		{"100 MB in one value", many(1, strings.Repeat("x", 100<<20)), 1, 2560 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{
				"run", "-o", "json", "--tracking-uri", oneTrace(t, "", tt.document), "--source", "hostile",
				"--target", "file:" + filepath.Join(dir, "lake", "agent"), "--checkpoint", filepath.Join(dir, "checkpoint.db"),
			}
			began := time.Now()
			s, code, heap := runInProcess(t, args...)
			t.Logf("%v, %d MiB of heap, %d MB written", time.Since(began).Round(time.Millisecond), heap>>20, s.Bytes/1e6)
			if code != 0 || s.Migrated != 1 || s.SpansWritten != tt.spans {
				t.Errorf("exit code %d, %+v, want code 0, 1 trace and %d spans", code, s, tt.spans)
			}
			if heap > tt.heap {
				t.Errorf("%d MiB of heap, want at most %d", heap>>20, tt.heap>>20)
			}
		})
	}
}
