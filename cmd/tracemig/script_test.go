package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/internal/schemas"
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

// The scripts run the program against servers of the sample experiment, see serve, with the commands below.
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
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // With -race, each run of the program would end with a second of sleep.
			return serve(env, experiment)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await": await, "full": full, "closedpipe": closedPipe, "small": small, "code": code,
			"scrape": scrape, "complete": completeWord, "cfg": writeConfig, "store": makeStore,
		},
	})
}

// serve starts the servers of a script, and sets variables to their addresses. $URI serves the experiment as recorded, $TLS by
// https with a certificate of its own, which is in ca.pem. $BROKEN garbles the spans of one trace, until there is $WORK/healed.
// $LISTED lists traces, and redirects requests for spans to a login page. $MANY has several experiments with the same traces, see
// many. $SLOW serves slowly: it makes the file $WORK/reading at a download, and lets none end while there is $WORK/held.
// $WORKSPACE is a Databricks workspace that lists names. $SILENT never answers. $POSTGRES is host and port of a PostgreSQL server.
func serve(env *testscript.Env, experiment http.Handler) error {
	for name, h := range map[string]http.Handler{
		"URI": experiment, "BROKEN": broken(experiment, env.WorkDir), "LISTED": listed(experiment), "MANY": many(experiment, env.WorkDir),
		"SLOW": slow(experiment, env.WorkDir), "WORKSPACE": workspace(env.WorkDir), "SILENT": http.HandlerFunc(silent),
	} {
		s := httptest.NewServer(h)
		env.Defer(s.Close)
		env.Setenv(name, s.URL)
	}
	postgres, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go servePostgres(postgres)
	env.Defer(func() { postgres.Close() })
	env.Setenv("POSTGRES", postgres.Addr().String())
	secure := httptest.NewUnstartedServer(experiment)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it would log clients that don't trust it
	secure.StartTLS()
	env.Defer(secure.Close)
	env.Setenv("TLS", secure.URL)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	return os.WriteFile(filepath.Join(env.WorkDir, "ca.pem"), ca, 0o600)
}

func broken(experiment http.Handler, folder string) http.Handler {
	var garbled atomic.Value // the ID of the first trace that was asked for
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.URL.Query().Get("request_id"); id != "" && (garbled.CompareAndSwap(nil, id) || garbled.Load() == id) {
			if _, err := os.Stat(filepath.Join(folder, "healed")); err == nil {
				experiment.ServeHTTP(w, r)
				return
			}
			fmt.Fprint(w, `{"spans":[{"name":`)
			return
		}
		experiment.ServeHTTP(w, r)
	})
}

func listed(experiment http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		folder, name := path.Split(r.URL.Path)
		if strings.HasPrefix(folder, "/ajax-api/") || name == "batchGet" || name == "get" && strings.HasSuffix(folder, "traces/") {
			w.Header().Set("Location", "https://login.example/?state=secret-word")
			w.WriteHeader(http.StatusFound)
			return
		}
		experiment.ServeHTTP(w, r)
	})
}

// many serves the experiments of the file experiments, each with the traces of the recorded one: an ID and a name a line.
func many(experiment http.Handler, folder string) http.Handler {
	type one struct {
		ID    string `json:"experiment_id"`
		Name  string `json:"name"`
		Stage string `json:"lifecycle_stage"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := []one{}
		b, _ := os.ReadFile(filepath.Join(folder, "experiments"))
		for line := range strings.Lines(string(b)) {
			id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			all = append(all, one{id, name, "active"})
		}
		q := r.URL.Query()
		switch path.Base(r.URL.Path) {
		case "get", "get-by-name":
			for _, e := range all {
				if e.ID == q.Get("experiment_id") || e.Name == q.Get("experiment_name") {
					json.NewEncoder(w).Encode(map[string]one{"experiment": e})
					return
				}
			}
			experiment.ServeHTTP(w, r)
			return
		case "search":
			if strings.HasSuffix(r.URL.Path, "experiments/search") {
				json.NewEncoder(w).Encode(map[string][]one{"experiments": all})
				return
			}
			body, _ := io.ReadAll(r.Body)
			for _, e := range all {
				body = bytes.ReplaceAll(body, []byte(strconv.Quote(e.ID)), []byte(`"1"`))
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		experiment.ServeHTTP(w, r)
	})
}

func slow(experiment http.Handler, folder string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "get-trace-artifact") {
			os.WriteFile(filepath.Join(folder, "reading"), nil, 0o600)
			time.Sleep(200 * time.Millisecond) // a slow server, not a wait for something
			for r.Context().Err() == nil {
				if _, err := os.Stat(filepath.Join(folder, "held")); err != nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		experiment.ServeHTTP(w, r)
	})
}

// silent answers nothing, until who has asked is gone.
func silent(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) // while there is a body to read, net/http does not see that the connection ends
	<-r.Context().Done()
}

// complete ARGS... completes the last word of a command line, and wants nothing but words.
func completeWord(ts *testscript.TestScript, _ bool, args []string) {
	if err := ts.Exec("tracemig", append([]string{"__complete"}, args...)...); err != nil || ts.ReadFile("stderr") != "" {
		ts.Fatalf("%v, with %q on standard error; want nothing there", err, ts.ReadFile("stderr"))
	}
}

// cfg writes profiles of the servers into .databrickscfg.
func writeConfig(ts *testscript.TestScript, _ bool, _ []string) {
	const text = "[here]\nhost = %[1]s\ntoken = good\n[refused]\nhost = %[1]s\ntoken = bad\n" +
		"[silent]\nhost = %[2]s\ntoken = good\n[nobody]\nhost = http://127.0.0.1:1\ntoken = good\n"
	cfg := fmt.Sprintf(text, ts.Getenv("WORKSPACE"), ts.Getenv("SILENT"))
	ts.Check(os.WriteFile(ts.MkAbs(".databrickscfg"), []byte(cfg), 0o600))
}

// workspace lists names as a Databricks workspace does. It adds every request that may change something to the file $WORK/changes.
func workspace(folder string) http.Handler {
	const bound = `{"experiment_id":"8","name":"/Shared/agent-uc","tags":[
		{"key":"mlflow.experiment.databricksTraceDestinationPath","value":"main.agents.support"}]}`
	answers := map[string]string{
		"/api/2.1/unity-catalog/catalogs": `{"catalogs":[{"name":"samples"},{"name":"main"},{"name":"evil\u001b[2J"}]}`,
		"/api/2.1/unity-catalog/schemas":  `{"schemas":[{"name":"agents"},{"name":"tools"}]}`,
		"/api/2.1/unity-catalog/table-summaries": `{"tables":[{"full_name":"main.agents.support_otel_spans"},
			{"full_name":"main.agents.billing_otel_spans"}]}`,
		"/api/2.0/sql/warehouses": `{"warehouses":[{"id":"12ab","name":"Evil \u001b[2J one","state":"STOPPED"},{"id":"34cd","state":"RUNNING"}]}`,
		"/api/2.0/mlflow/experiments/search": `{"experiments":[
			{"experiment_id":"7","name":"/Shared/agent"},` + bound + `]}`,
	}
	// By whatever name it is asked for.
	answers["/api/2.0/mlflow/experiments/get-by-name"] = `{"experiment":` + bound + `}`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		switch {
		case r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/search"):
			os.WriteFile(filepath.Join(folder, "changes"), []byte(r.Method+" "+r.URL.Path), 0o600)
			http.Error(w, "this workspace only lists", http.StatusForbidden)
		case !ok || r.Header.Get("Authorization") != "Bearer good":
			http.Error(w, "{}", http.StatusNotFound)
		default:
			io.WriteString(w, answer)
		}
	})
}

// await FILE [TEXT] waits until the file is there, and holds the text.
func await(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && (len(args) == 1 || strings.Contains(string(b), args[1])) {
			return
		}
	}
	ts.Fatalf("%s did not appear", args)
}

// full N ARGS... runs tracemig with a full disk for its results. It wants exit code N and, unless that is the code
// of wrong usage, one message about the disk.
func full(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("sh", append([]string{"-c", `exec tracemig "$@" >/dev/full`, "sh"}, args[1:]...)...)
	const sentence = "Error: the results could not be written to standard output: write /dev/stdout: no space left on device. Make room"
	if err == nil || err.Error() != "exit status "+args[0] {
		ts.Fatalf("%v, want %s", err, args[0])
	}
	if said := strings.Count(ts.ReadFile("stderr"), sentence); said != 1 && args[0] != "2" {
		ts.Fatalf("it is not said once that the disk is full")
	}
}

// closedpipe ARGS... runs tracemig with a pipe for its results that nobody reads, and wants it to fail without
// a stack trace. The shell says 141 of what SIGPIPE ends.
func closedPipe(ts *testscript.TestScript, _ bool, args []string) {
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
}

// small N SIZE DIR ARGS... runs tracemig where DIR is a disk of SIZE, or a read-only one for ro, and
// wants exit code N.
func small(ts *testscript.TestScript, _ bool, args []string) {
	options := "size=" + args[1]
	if args[1] == "ro" {
		options = "ro"
	}
	script := "mount -t tmpfs -o " + options + " tmpfs " + args[2] + ` && exec tracemig "$@"`
	err := ts.Exec("unshare", append([]string{"-rm", "sh", "-c", script, "sh"}, args[3:]...)...)
	if err == nil || err.Error() != "exit status "+args[0] {
		ts.Fatalf("%v, want %s", err, args[0])
	}
}

// code N ARGS... runs tracemig and wants exit code N.
func code(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("tracemig", args[1:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
	if err := schemas.Lines(ts.ReadFile("stdout")); err != nil {
		ts.Fatalf("%v", err)
	}
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		if err := schemas.Unique(line); strings.HasPrefix(line, `{"`) && err != nil {
			ts.Fatalf("a line of the log: %v", err)
		}
	}
}

// scrape LOG asks for the metrics whose address is in the file LOG, and writes them into the file scraped. With ! it wants no answer.
func scrape(ts *testscript.TestScript, neg bool, args []string) {
	await(ts, false, []string{args[0], "/metrics"})
	resp, err := http.Get(regexp.MustCompile(`http://\S+/metrics`).FindString(ts.ReadFile(args[0])))
	if neg {
		if err == nil {
			ts.Fatalf("it still answers: %s", resp.Status)
		}
		return
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		ts.Fatalf("%v, %v", resp, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil {
		err = os.WriteFile(ts.MkAbs("scraped"), b, 0o600)
	}
	ts.Check(err)
}
