// Package rig starts what the tests with the build tag rig run against: MLflow servers, a stand-in
// for a Databricks SQL warehouse, and fronts, which are proxies before them that answer like a Databricks workspace. The
// programs are in testdata/rig. `make rig` installs what they need.
package rig

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// readyTimeout is how long a program may take until it says that it serves. Spark needs most of a minute on a busy
// machine.
const readyTimeout = 3 * time.Minute

// Root is the root directory of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Dir is where install.sh puts what the programs need: $TRACEMIG_RIG_DIR, or .rig in the repository.
func Dir() string {
	if dir := os.Getenv("TRACEMIG_RIG_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(Root(), ".rig")
}

// Script is the path of a file in testdata/rig.
func Script(name string) string { return filepath.Join(Root(), "testdata", "rig", name) }

// Command is a command that runs a Python script of testdata/rig in the virtual environment venv of
// Dir ("venv" is the one with Spark and the current MLflow). It fails the test when the environment
// is not installed.
func Command(t testing.TB, venv, script string, args ...string) *exec.Cmd {
	t.Helper()
	cmd, err := command(venv, script, args...)
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

func command(venv, script string, args ...string) (*exec.Cmd, error) {
	python := filepath.Join(Dir(), venv, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return nil, fmt.Errorf("the test rig is not installed (%w). Run `make rig`", err)
	}
	cmd := exec.Command(python, append([]string{Script(script)}, args...)...)
	cmd.Env = environ()
	return cmd, nil
}

// environ is the environment of this process without the variables that change what Python, Spark and MLflow load or talk to.
func environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case strings.HasPrefix(name, "PYTHON"), strings.HasPrefix(name, "PYSPARK"), strings.HasPrefix(name, "SPARK"),
			strings.HasPrefix(name, "MLFLOW"), strings.HasPrefix(name, "DATABRICKS"), strings.EqualFold(name, "no_proxy"):
		default:
			env = append(env, kv)
		}
	}
	env = append(env, "PYTHONUNBUFFERED=1", "NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost")
	if os.Getenv("JAVA_HOME") == "" {
		if java, err := exec.LookPath("java"); err == nil {
			if java, err = filepath.EvalSymlinks(java); err == nil {
				env = append(env, "JAVA_HOME="+filepath.Dir(filepath.Dir(java)))
			}
		}
	}
	return env
}

// Process is a running program of the rig.
type Process struct {
	URL     string // what it printed after READY
	LogFile string // its standard output and error

	cmd    *exec.Cmd
	stdin  io.Closer
	waited chan struct{} // closed when the process has ended
	once   sync.Once
}

// Start starts the command and waits for its line "READY <url>" on standard output. Its output goes
// to a log file, whose end is shown when the test fails. It is stopped when the test ends.
func Start(t testing.TB, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	p, err := start(name, t.TempDir(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("end of the log of %s:\n%s", name, tail(p.LogFile))
		}
	})
	return p
}

func start(name, logDir string, cmd *exec.Cmd) (*Process, error) {
	logFile, err := os.Create(filepath.Join(logDir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer logFile.Close()

	// The process has a group of its own, so that Stop ends its children, too. Its standard input is a pipe that closes when this
	// process ends, however it ends: programs that watch it don't outlive a killed test.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// StdoutPipe would not do: Wait closes it while watch may still read from it.
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = in, logFile
	err = cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}

	p := &Process{LogFile: logFile.Name(), cmd: cmd, stdin: stdin, waited: make(chan struct{})}
	ready := make(chan string, 1)
	output, err := os.OpenFile(logFile.Name(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		out.Close()
		p.kill()
		return nil, err
	}
	go p.watch(out, output, ready)

	select {
	case p.URL = <-ready:
		return p, nil
	case <-p.waited:
		err = fmt.Errorf("%s ended before it was ready (%v)", name, cmd.ProcessState)
	case <-time.After(readyTimeout):
		err = fmt.Errorf("%s was not ready in %v", name, readyTimeout)
	}
	p.Stop()
	return nil, fmt.Errorf("%w; end of its log:\n%s", err, tail(p.LogFile))
}

// watch copies the process' standard output to its log until it ends, and sends the address that it prints to ready.
func (p *Process) watch(out, output *os.File, ready chan<- string) {
	defer close(p.waited)
	defer output.Close()
	defer out.Close()
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		_, _ = output.WriteString(line)
		if url, ok := strings.CutPrefix(line, "READY "); ok {
			select {
			case ready <- strings.TrimSpace(url):
			default:
			}
		}
		if err != nil {
			break
		}
	}
	_ = p.cmd.Wait() // Its log says how it ended.
}

// Stop kills the process and its children and waits for its end. A second call does nothing.
func (p *Process) Stop() {
	p.once.Do(func() {
		p.kill()
		<-p.waited
	})
}

// end has the process clean up after itself, as it does when its standard input closes, and then is Stop.
func (p *Process) end() {
	p.stdin.Close()
	select {
	case <-p.waited:
	case <-time.After(10 * time.Second):
	}
	p.Stop()
}

func (p *Process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.stdin.Close()
}

// tail is the end of a file, for messages.
func tail(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	const most = 8 << 10
	if len(data) > most {
		data = data[len(data)-most:]
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	return data
}

var notName = regexp.MustCompile(`\W+`)

// TablePrefix is a table prefix that only this test has, so that tests can share a warehouse. It is the test's name
// and a random end.
func TablePrefix(t testing.TB) string {
	t.Helper()
	var random [4]byte
	_, _ = rand.Read(random[:])
	name := strings.ToLower(strings.Trim(notName.ReplaceAllString(t.Name(), "_"), "_"))
	return name + "_" + hex.EncodeToString(random[:])
}

var shared struct {
	sync.Mutex
	stop []func(failed bool)
}

// AtEnd has Main call f after the tests, with whether one of them failed.
func AtEnd(f func(failed bool)) {
	shared.Lock()
	defer shared.Unlock()
	shared.stop = append(shared.stop, f)
}

// stopAtEnd has Main stop the process after the tests and remove dir, which has its log. It shows the end of the log
// when any test failed, since the process that all tests share may be the reason.
func (p *Process) stopAtEnd(name, dir string) {
	AtEnd(func(failed bool) {
		p.end()
		if failed {
			fmt.Fprintf(os.Stderr, "end of the log of %s, which the tests share:\n%s\n", name, tail(p.LogFile))
		}
		_ = os.RemoveAll(dir)
	})
}

// Main runs the tests of a package, stops the processes that they shared, and fails on leaked goroutines. A package that
// uses SharedWarehouse or SharedServer calls it from its TestMain.
func Main(m *testing.M, opts ...goleak.Option) {
	code := m.Run()
	shared.Lock()
	for _, stop := range shared.stop {
		stop(code != 0)
	}
	shared.Unlock()
	if code == 0 {
		// databricks-sql-go does not read answers to their end. The timer of a request that was a session's last, or that was not
		// answered with 200, therefore runs on for its 15 minutes.
		opts = append(opts, goleak.IgnoreTopFunction("net/http.setRequestCancel.func4"))
		if err := goleak.Find(opts...); err != nil {
			fmt.Fprintln(os.Stderr, errors.Join(errors.New("goroutines leaked"), err))
			code = 1
		}
	}
	os.Exit(code)
}
