package metrics

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the file that TestFile compares with")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 2, 3, 4, 5, 6, 700e6, time.UTC)

// full is a pair of which all is known.
func full(name, shard string) Pair {
	return Pair{
		Name: name, Shard: shard,
		Info: &Info{Source: "https://example.com#1", SourceName: "/Shared/agent", Target: "main.agents.support", Version: "1.2.3"},
		Known: &Known{
			LastSuccess: at, Newest: at.Add(-90 * time.Second), At: at,
			Traces: map[string]int64{"migrated": 38, "skipped": 1, "deferred": 1, "failed": 0},
		},
		Run: &Run{
			Started: at.Add(-time.Minute), Duration: time.Minute, Listed: 40, Traces: map[string]int64{"migrated": 38, "failed": 0},
			Spans: 149, Annotations: 70, Bytes: 12345, Requests: 50, Retries: 3, Throttled: 1500 * time.Millisecond,
		},
		Verify: &Verification{
			Started: at, Duration: 2 * time.Second, Compared: 38, Traces: map[string]int64{"match": 38, "missing": 0}, Passed: true,
		},
		Command: &Command{Name: "run", ExitCode: 0, Ended: at},
	}
}

func setOf(pairs ...Pair) *Set {
	s := NewSet()
	for _, p := range pairs {
		s.Put(p)
	}
	return s
}

// write writes pairs into the file at path.
func write(t *testing.T, path string, kept func(string) bool, pairs ...Pair) {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(setOf(pairs...), kept); err != nil {
		t.Fatal(err)
	}
}

// lines are the metrics in the file at path, by name and labels.
func lines(t *testing.T, path string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "#") {
			i := strings.LastIndex(line, " ")
			all[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return all
}

// TestFile holds the form of the file, against Prometheus' own parser and rules too.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.prom")
	odd := Pair{Name: "odd \"name\"\\\n\xff →", Command: &Command{Name: "check", ExitCode: 4, Ended: at}}
	write(t, path, nil, full("support", ""), full("big", "1/4"), odd)
	got, _ := os.ReadFile(path)
	golden := filepath.Join("testdata", "full.prom")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the file is another one (-want +got):\n%s", diff)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(got)))
	if err != nil {
		t.Fatal(err)
	}
	for name := range Help {
		if families[name] == nil {
			t.Errorf("%s is not in the file: this test would not see it change", name)
		}
	}
	if len(families) != len(Help) {
		t.Errorf("%d metrics, of which %d have a help text", len(families), len(Help))
	}
	problems, err := promlint.New(strings.NewReader(string(got))).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("Prometheus' rules: %v, %v; want none broken", problems, err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v; want a file that node_exporter can read", fi.Mode(), err)
	}
}

func TestWhatIsNotKnownStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.prom")
	write(t, path, nil, full("a", ""), full("a", "0/2"), full("b", ""))
	before := lines(t, path)

	// A run of a that failed before anything was known of it.
	write(t, path, nil, Pair{Name: "a", Command: &Command{Name: "run", ExitCode: 13, Ended: at}})
	want := changed(before, map[string]string{`tracemig_exit_code{command="run",pair="a"}`: "13"})
	if diff := cmp.Diff(want, lines(t, path)); diff != "" {
		t.Errorf("after a run that failed: -want +got\n%s", diff)
	}

	// A verification, a known state less, and no time of a success: what else is known of a stays.
	write(t, path, nil, Pair{
		Name: "a", Known: &Known{Traces: map[string]int64{"migrated": 40}},
		Verify:  &Verification{Started: at, Compared: 39, Traces: map[string]int64{"match": 39}},
		Command: &Command{Name: "verify", ExitCode: 4, Ended: at},
	})
	want = changed(want, map[string]string{
		`tracemig_traces{pair="a",state="migrated"}`:                 "40",
		`tracemig_verify_duration_seconds{pair="a"}`:                 "0",
		`tracemig_verify_compared_traces{pair="a"}`:                  "39",
		`tracemig_verify_traces{pair="a",verdict="match"}`:           "39",
		`tracemig_exit_code{command="verify",pair="a"}`:              "4",
		`tracemig_exit_timestamp_seconds{command="verify",pair="a"}`: want[`tracemig_exit_timestamp_seconds{command="run",pair="a"}`],
	})
	for _, gone := range []string{"skipped", "deferred", "failed"} {
		delete(want, fmt.Sprintf(`tracemig_traces{pair="a",state="%s"}`, gone))
	}
	delete(want, `tracemig_verify_traces{pair="a",verdict="missing"}`)
	if diff := cmp.Diff(want, lines(t, path)); diff != "" {
		t.Errorf("after a verification: -want +got\n%s", diff)
	}

	// b is no pair any more.
	write(t, path, func(pair string) bool { return pair == "a" }, Pair{Name: "a"})
	for line := range want {
		if strings.Contains(line, `pair="b"`) {
			delete(want, line)
		}
	}
	if diff := cmp.Diff(want, lines(t, path)); diff != "" {
		t.Errorf("after b was taken out: -want +got\n%s", diff)
	}
}

// changed is a with the values of b in place of its own.
func changed(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// A file of another version of tracemig may have other texts of help, and metrics that are no more.
func TestOtherVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.prom")
	old := "# HELP tracemig_exit_code Another text.\n# TYPE tracemig_exit_code gauge\ntracemig_exit_code{pair=\"a\",command=\"run\"} 1\n" +
		"tracemig_gone{pair=\"a\"} 1\n"
	os.WriteFile(path, []byte(old), 0o600)
	write(t, path, nil, Pair{Name: "b", Command: &Command{Name: "run", Ended: time.UnixMilli(1500)}})
	want := map[string]string{
		`tracemig_exit_code{command="run",pair="a"}`:              "1",
		`tracemig_exit_code{command="run",pair="b"}`:              "0",
		`tracemig_exit_timestamp_seconds{command="run",pair="b"}`: "1.5",
	}
	if diff := cmp.Diff(want, lines(t, path)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestOpenFileRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		os.WriteFile(path, []byte(text), 0o600)
		return path
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "nowhere", "x.prom"):   "no such file or directory",
		filepath.Join(file("file", ""), "x.prom"): "not a directory",
		dir:                                 "is a directory",
		file("notes.txt", "Dear diary,\n"):  "notes.txt has other lines than those of a file of metrics. Name another file",
		file("node.prom", "node_load1 3\n"): "metrics of another program, such as node_load1. Name a file of its own",
		file("cut.prom", "tracemig_exit_code{pair=\"a\n"): "cut.prom has other lines",
	} {
		_, err := OpenFile(path)
		if err == nil || !matches(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "notes.txt")); string(b) != "Dear diary,\n" {
		t.Errorf("the file is now %q", b)
	}
	if f, err := OpenFile(file("empty.prom", "")); err != nil {
		t.Errorf("an empty file: %v, %v", f, err)
	}
}

func matches(text, want string) bool {
	for part := range strings.SplitSeq(want, ".*") {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// TestReadersAndWriters holds that a reader never sees a part of a file, and that no writer loses what another wrote.
func TestReadersAndWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.prom")
	write(t, path, nil, full("first", ""))
	const writers, times = 3, 4
	done := make(chan struct{})
	var writing, reading sync.WaitGroup
	reading.Go(func() {
		for {
			b, err := os.ReadFile(path)
			parser := expfmt.NewTextParser(model.LegacyValidation)
			families, perr := parser.TextToMetricFamilies(strings.NewReader(string(b)))
			if err != nil || perr != nil || len(families) != len(Help) {
				t.Errorf("a reader sees %d metrics of %d: %v, %v", len(families), len(Help), err, perr)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := range writers {
		writing.Go(func() {
			for n := range times {
				f, err := OpenFile(path)
				if err == nil {
					err = f.Write(setOf(full(fmt.Sprintf("pair-%d-%d", i, n), "")), nil)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	n := 0
	for line := range lines(t, path) {
		if strings.HasPrefix(line, exitCode+"{") {
			n++
		}
	}
	if n != 1+writers*times {
		t.Errorf("%d pairs are in the file, want %d", n, 1+writers*times)
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 2 { // the file and its lock
		t.Errorf("%v is left, want the file and its lock", left)
	}
}

func TestListen(t *testing.T) {
	s := NewSet()
	srv, err := Listen(t.Context(), "0", s)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(srv.URL(), "http://127.0.0.1:") {
		t.Errorf("it listens at %s, want this machine alone", srv.URL())
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(method, url string) (int, string) {
		req, _ := http.NewRequestWithContext(t.Context(), method, url, nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	written := int64(5)
	s.Watch("a", "", func() Pair { return Pair{Name: "a", Run: &Run{Spans: written}} })
	for _, want := range []string{"5", "6"} {
		if code, body := get("GET", srv.URL()); code != 200 || !strings.Contains(body, `tracemig_run_written_spans{pair="a"} `+want+"\n") {
			t.Errorf("%d %s, want %s spans", code, body, want)
		}
		written++
	}
	root := strings.TrimSuffix(srv.URL(), "/metrics")
	for path, want := range map[string]int{"/": 404, "/debug/pprof/": 404, "/debug/vars": 404} {
		if code, _ := get("GET", root+path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
	if code, _ := get("POST", srv.URL()); code != 405 {
		t.Errorf("POST: %d, want 405", code)
	}
	_, err = Listen(t.Context(), strings.TrimSuffix(strings.TrimPrefix(srv.URL(), "http://"), "/metrics"), s)
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a port that is in use: %v", err)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
}

func TestListenAddress(t *testing.T) {
	for address, want := range map[string]string{
		"9187": "127.0.0.1:9187", ":9187": "127.0.0.1:9187", "0": "127.0.0.1:0", "0.0.0.0:9187": "0.0.0.0:9187",
		"[::1]:9187": "[::1]:9187", "localhost:1": "localhost:1",
	} {
		if got, err := listenAddress(address); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", address, got, err, want)
		}
	}
	bad := []string{"", "x", "70000", "-1", "host:", "host:x", "a:b:c", "http://localhost:1"}
	for _, address := range bad {
		if got, err := listenAddress(address); err == nil {
			t.Errorf("%q: %q, want an error", address, got)
		}
	}
}
