package main

import (
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/testdata/sample"
)

var update = flag.Bool("update", false, "write the outputs that the scripts compare with")

// leakChecked runs the tests and then fails if goroutines are left.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintf(os.Stderr, "goroutines are left after the tests: %v\n", err)
		return 1
	}
	return code
}

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"tracemig": func() { os.Exit(realMain()) }})
}

// The scripts run the program against servers of the sample experiment. $URI serves it as recorded, $BROKEN with the spans of
// one trace garbled. $SLOW serves it slowly: it makes the file $WORK/reading at a download, and lets none end while there is
// $WORK/held. $LISTED lists traces, and redirects requests for spans to a login page.
func TestScripts(t *testing.T) {
	experiment, err := replay.Load(sample.Files)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update,
		Condition: func(cond string) (bool, error) {
			if cond != "smalldisk" {
				return false, fmt.Errorf("unknown condition %s", cond)
			}
			return exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", t.TempDir()).Run() == nil, nil
		},
		Setup: func(env *testscript.Env) error {
			serve := func(name string, h http.Handler) {
				s := httptest.NewServer(h)
				env.Defer(s.Close)
				env.Setenv(name, s.URL)
			}
			serve("URI", experiment)
			// $TLS serves it by https with a certificate of its own, which is in ca.pem.
			secure := httptest.NewUnstartedServer(experiment)
			secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that don't trust it
			secure.StartTLS()
			env.Defer(secure.Close)
			env.Setenv("TLS", secure.URL)
			ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
			if err := os.WriteFile(filepath.Join(env.WorkDir, "ca.pem"), ca, 0o600); err != nil {
				return err
			}
			var garbled atomic.Value // the ID of the first trace that was asked for
			serve("BROKEN", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if id := r.URL.Query().Get("request_id"); id != "" && (garbled.CompareAndSwap(nil, id) || garbled.Load() == id) {
					fmt.Fprint(w, `{"spans":[{"name":`)
					return
				}
				experiment.ServeHTTP(w, r)
			}))
			serve("LISTED", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				folder, name := path.Split(r.URL.Path)
				if strings.HasPrefix(folder, "/ajax-api/") || name == "batchGet" || name == "get" && strings.HasSuffix(folder, "traces/") {
					w.Header().Set("Location", "https://login.example/?state=secret-word")
					w.WriteHeader(http.StatusFound)
					return
				}
				experiment.ServeHTTP(w, r)
			}))
			serve("SLOW", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "get-trace-artifact") {
					os.WriteFile(filepath.Join(env.WorkDir, "reading"), nil, 0o600)
					time.Sleep(200 * time.Millisecond) // a slow server, not a wait for something
					for r.Context().Err() == nil {
						if _, err := os.Stat(filepath.Join(env.WorkDir, "held")); err != nil {
							break
						}
						time.Sleep(10 * time.Millisecond)
					}
				}
				experiment.ServeHTTP(w, r)
			}))
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // With -race, each run of the program would end with a second of sleep.
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// await FILE [TEXT] waits until the file is there, and holds the text.
			"await": func(ts *testscript.TestScript, neg bool, args []string) {
				for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
					b, err := os.ReadFile(ts.MkAbs(args[0]))
					if err == nil && (len(args) == 1 || strings.Contains(string(b), args[1])) {
						return
					}
				}
				ts.Fatalf("%s did not appear", args)
			},
			// full N ARGS... runs tracemig with a full disk for its results. It wants exit code N and, unless that is the code
			// of wrong usage, one message about the disk.
			"full": func(ts *testscript.TestScript, neg bool, args []string) {
				err := ts.Exec("sh", append([]string{"-c", `exec tracemig "$@" >/dev/full`, "sh"}, args[1:]...)...)
				const sentence = "Error: the results could not be written to standard output: write /dev/stdout: no space left on device. Make room"
				if err == nil || err.Error() != "exit status "+args[0] {
					ts.Fatalf("%v, want %s", err, args[0])
				}
				if said := strings.Count(ts.ReadFile("stderr"), sentence); said != 1 && args[0] != "2" {
					ts.Fatalf("it is not said once that the disk is full")
				}
			},
			// closedpipe ARGS... runs tracemig with a pipe for its results that nobody reads, and wants it to fail without
			// a stack trace. The shell says 141 of what SIGPIPE ends.
			"closedpipe": func(ts *testscript.TestScript, neg bool, args []string) {
				const script = `(until [ -e gone ]; do sleep 0.01; done; tracemig "$@" 2>pipe.err; echo $? >pipe.code) | (exec <&-; : >gone); rm gone`
				if err := ts.Exec("sh", append([]string{"-c", script, "sh"}, args...)...); err != nil {
					ts.Fatalf("%v", err)
				}
				if code := strings.TrimSpace(ts.ReadFile("pipe.code")); code != "141" && code != "1" {
					ts.Fatalf("exit code %s, want 141 or 1", code)
				}
				if said := ts.ReadFile("pipe.err"); strings.Contains(said, "goroutine") {
					ts.Fatalf("it prints a stack trace:\n%s", said)
				}
			},
			// small N SIZE DIR ARGS... runs tracemig where DIR is a disk of SIZE, or a read-only one for ro, and
			// wants exit code N.
			"small": func(ts *testscript.TestScript, neg bool, args []string) {
				options := "size=" + args[1]
				if args[1] == "ro" {
					options = "ro"
				}
				script := "mount -t tmpfs -o " + options + " tmpfs " + args[2] + ` && exec tracemig "$@"`
				err := ts.Exec("unshare", append([]string{"-rm", "sh", "-c", script, "sh"}, args[3:]...)...)
				if err == nil || err.Error() != "exit status "+args[0] {
					ts.Fatalf("%v, want %s", err, args[0])
				}
			},
			// code N ARGS... runs tracemig and wants exit code N.
			"code": func(ts *testscript.TestScript, neg bool, args []string) {
				err := ts.Exec("tracemig", args[1:]...)
				got := "0"
				if err != nil {
					got = strings.TrimPrefix(err.Error(), "exit status ")
				}
				if got != args[0] {
					ts.Fatalf("exit code %s, want %s", got, args[0])
				}
				for line := range strings.Lines(ts.ReadFile("stdout")) {
					var v map[string]any
					if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &v) == nil && len(wrongKeys(v)) > 0 {
						ts.Fatalf("the keys %q are not in snake_case: %s", wrongKeys(v), line)
					}
				}
			},
		},
	})
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]string{
		"2026-01-31T12:00:00Z":          "2026-01-31T12:00:00Z",
		"2026-01-31T12:00:00.123+02:00": "2026-01-31T10:00:00.123Z",
		"2026-01-31":                    "2026-01-31T00:00:00Z",
		"36h":                           "2026-03-30T00:00:00Z",
		"7d":                            "2026-03-24T12:00:00Z",
		"2w":                            "2026-03-17T12:00:00Z",
		"0d":                            "2026-03-31T12:00:00Z",
	} {
		got, err := parseTime("start-time", s, now)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v; want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "yesterday", "-7d", "7", "d", "1.5d", "2026-02-30", "-3h"} {
		if got, err := parseTime("start-time", s, now); err == nil {
			t.Errorf("%q is taken as %v, want an error", s, got)
		}
	}
}

func TestWindowRoundsUpToItsMeaning(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	w, err := window(nil, "2026-01-01T00:00:00.0001Z", "2026-01-01T00:00:00.0021Z", now)
	if err != nil {
		t.Fatal(err)
	}
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	if *w.StartMs != base+1 || *w.EndMs != base+3 {
		t.Errorf("from %d to %d ms after the start of the year, want from 1 to 3", *w.StartMs-base, *w.EndMs-base)
	}
	if _, err := window(nil, "1d", "2d", now); err == nil {
		t.Error("a window that ends before it starts is taken, want an error")
	}
}

func TestSizesAndDurations(t *testing.T) {
	for text, want := range map[string]int64{
		"1048576": 1 << 20, "64MiB": 64 << 20, "64m": 64 << 20, "64M": 64 << 20, "64MB": 64e6, "64 mib": 64 << 20,
		"1.5GiB": 3 << 29, "2g": 2 << 30, "512k": 512 << 10, "7B": 7,
	} {
		var s byteSize
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("size %q: %d, %v; want %d", text, int64(s), err, want)
		}
		var again byteSize
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("size %q is shown as %s, which is %d; want %d", text, s.String(), again, s)
		}
	}
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, "0.5": time.Second / 2, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "0": 0, "-1": -time.Second,
	} {
		var d duration
		if err := d.Set(text); err != nil || time.Duration(d) != want {
			t.Errorf("duration %q: %v, %v; want %v", text, time.Duration(d), err, want)
		}
	}
	for _, text := range []string{"", "m", "64x", "-1", "1e9", "1.2.3m", "99999999999g", "64MiBs", "NaN"} {
		if err := new(byteSize).Set(text); err == nil {
			t.Errorf("size %q is taken, want an error", text)
		}
	}
	for _, text := range []string{"", "s", "soon", "NaN", "Inf", "1e300"} {
		if err := new(duration).Set(text); err == nil {
			t.Errorf("duration %q is taken, want an error", text)
		}
	}
}

func TestGroupAndSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := group(n); got != want {
			t.Errorf("group(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1500: "1.5 kB", 2_500_000: "2.5 MB", 3_000_000_000: "3.0 GB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}
