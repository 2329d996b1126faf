//go:build rig

package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// A lab is what a comparison end to end runs on: a synthetic source, and Spark as the warehouse behind
// a host that says the warehouse runs. Both sides of a comparison go through that host.
type lab struct {
	dir       string
	source    *replay.Synthetic
	sourceURL string
	warehouse *rig.Warehouse
	host      string // URL
	binary    string // tracemig
}

// inLab sets a lab up for f, with a source of traces of six spans and 8 KB.
func inLab(traces int, f func(*lab) error) (err error) {
	t := &lifetime{}
	defer t.end(&err)
	l := &lab{dir: t.TempDir(), source: &replay.Synthetic{Traces: traces, Spans: 6, SpanBytes: 1360, Large: -1}}
	if l.binary, err = binary(); err != nil {
		return err
	}
	l.warehouse = rig.StartWarehouse(t, rig.WarehouseOptions{})
	behind, err := url.Parse(l.warehouse.URL())
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/2.0/sql/warehouses/rig", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id":"rig","name":"rig","state":"RUNNING"}`)
	})
	for _, path := range []string{"/sql/", "/api/2.0/fs/", "/api/2.1/unity-catalog/volumes", "/api/2.1/unity-catalog/volumes/"} {
		mux.Handle(path, httputil.NewSingleHostReverseProxy(behind))
	}
	host := httptest.NewServer(mux)
	defer host.Close()
	source := httptest.NewServer(l.source.Handler())
	defer source.Close()
	l.host, l.sourceURL = host.URL, source.URL
	return f(l)
}

// inTables has f write new, empty tables. The error is also that they do not hold the source
// afterwards: each span and annotation once, of each trace a METADATA row among them.
func (l *lab) inTables(f func(uctables.Location) error) error {
	var random [4]byte
	_, _ = rand.Read(random[:])
	at := uctables.Location{Catalog: "spark_catalog", Schema: "default", Prefix: "bench_" + hex.EncodeToString(random[:])}
	tables := []uctables.Table{uctables.Spans, uctables.Annotations}
	for _, t := range tables {
		if _, err := l.warehouse.TrySQL(tablesql.CreateTable(at, t)); err != nil {
			return err
		}
	}
	if err := f(at); err != nil {
		return err
	}
	n := l.source.Traces
	for query, want := range map[string][]any{
		"SELECT count(*), count(DISTINCT trace_id, span_id) FROM " + at.Name(uctables.Spans): {6 * n, 6 * n},
		"SELECT count(*), count(DISTINCT annotation_id), count(DISTINCT CASE annotation_type WHEN 'METADATA' THEN target_id END) FROM " +
			at.Name(uctables.Annotations): {5 * n, 5 * n, n},
	} {
		rows, err := l.warehouse.TrySQL(query)
		if err != nil {
			return err
		}
		if got, want := fmt.Sprint(rows[0]), fmt.Sprint(want); got != want {
			return fmt.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for _, t := range tables {
		if _, err := l.warehouse.TrySQL("DROP TABLE " + at.Name(t)); err != nil {
			return err
		}
	}
	return nil
}

// tracemig migrates the source into tables.
func (l *lab) tracemig(flags ...string) (r result, err error) {
	err = l.inTables(func(at uctables.Location) error {
		home, err := os.MkdirTemp(l.dir, "home-")
		if err != nil {
			return err
		}
		cmd := exec.Command(l.binary, append([]string{
			"run", "-o", "json", "--search-rate", "100000", "--download-rate", "100000",
			"--tracking-uri", l.sourceURL, "--source", replay.SyntheticID, "--target", at.String(),
		}, flags...)...)
		cmd.Dir = home
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_STATE_HOME=" + home, "NO_PROXY=127.0.0.1",
			"DATABRICKS_HOST=" + l.host, "DATABRICKS_TOKEN=" + l.warehouse.Token, "DATABRICKS_WAREHOUSE_ID=rig",
		}
		r, err = measure(cmd)
		return err
	})
	return r, err
}

// lifetime stands for a test where package rig wants one.
type lifetime struct {
	testing.TB // nil: for its unexported method
	cleanups   []func()
	failed     bool
}

type fatal struct{ error }

func (t *lifetime) Helper()                 {}
func (t *lifetime) Failed() bool            { return t.failed }
func (t *lifetime) Logf(f string, a ...any) { fmt.Fprintf(os.Stderr, f+"\n", a...) }
func (t *lifetime) Cleanup(f func())        { t.cleanups = append(t.cleanups, f) }
func (t *lifetime) Fatal(a ...any)          { panic(fatal{errors.New(fmt.Sprint(a...))}) }

func (t *lifetime) TempDir() string {
	dir, err := os.MkdirTemp("", "tracemig-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// end cleans up, and takes what Fatal said for the error.
func (t *lifetime) end(err *error) {
	p := recover()
	f, ok := p.(fatal)
	if ok {
		*err = f.error
	}
	t.failed = *err != nil
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
	if p != nil && !ok {
		panic(p)
	}
}
