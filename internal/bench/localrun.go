package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/replay"
)

// binary builds tracemig with make build and returns its path.
var binary = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("make", "build").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("make build: %w\n%s", err, out)
	}
	return filepath.Abs("bin/tracemig")
})

// localRun is a folder for local tables, and a synthetic source to migrate into them with the real program.
type localRun struct {
	source *httptest.Server
	dir    string
}

func newLocalRun(s *replay.Synthetic) (*localRun, error) {
	dir, err := os.MkdirTemp("", "tracemig-bench-")
	if err != nil {
		return nil, err
	}
	return &localRun{httptest.NewServer(s.Handler()), dir}, nil
}

func (l *localRun) close() {
	l.source.Close()
	os.RemoveAll(l.dir)
}

// run runs tracemig once, and returns its summary and what the process took.
func (l *localRun) run() (s migrate.Summary, r result, err error) {
	return runInto(l.dir, l.source.URL, replay.SyntheticID)
}

// runInto runs tracemig once, with local tables in dir as the target, and returns its summary and what the process took.
func runInto(dir, uri, experiment string, flags ...string) (s migrate.Summary, r result, err error) {
	path, err := binary()
	if err != nil {
		return s, r, err
	}
	if r, err = measure(exec.Command(path, append([]string{"run", "--tracking-uri", uri, "--source", experiment,
		"--target", "file:" + dir + "/t", "--checkpoint", dir + "/c.db", "-o", "json"}, flags...)...)); err != nil {
		return s, r, err
	}
	lines := bytes.Split(bytes.TrimSpace(r.stdout), []byte("\n"))
	err = json.Unmarshal(lines[len(lines)-1], &s)
	return s, r, err
}

// withLocalRun calls f with a new localRun, whose folder is empty.
func withLocalRun(s *replay.Synthetic, f func(*localRun) error) error {
	l, err := newLocalRun(s)
	if err != nil {
		return err
	}
	defer l.close()
	return f(l)
}
