//go:build rig

package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"

	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// An environment is what an end-to-end comparison runs on: a synthetic source, and the warehouse stand-in behind a
// host that reports the warehouse as running. The compared programs go through that host.
type environment struct {
	dir         string
	source      *replay.Synthetic
	sourceURL   string
	experiment  string
	annotations int // that each trace gets
	warehouse   *rig.Warehouse
	host        string // its URL
	binary      string // path of tracemig
}

// withEnvironment calls f with a new environment, whose source has traces of six spans and 8 KB.
func withEnvironment(traces int, f func(*environment) error) (err error) {
	t := &fakeTB{}
	defer t.finish(&err)
	e := &environment{
		dir: t.TempDir(), source: &replay.Synthetic{Traces: traces, Spans: 6, SpanBytes: 1360, Large: -1}, experiment: replay.SyntheticID,
		annotations: 4, // METADATA, two tags and one assessment; the third tag says where the source keeps the trace, and gets no row
	}
	if e.binary, err = binary(); err != nil {
		return err
	}
	e.warehouse = rig.StartWarehouse(t, rig.WarehouseOptions{})
	warehouseURL, err := url.Parse(e.warehouse.URL())
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/2.0/sql/warehouses/rig", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id":"rig","name":"rig","state":"RUNNING"}`)
	})
	for _, path := range []string{"/sql/", "/api/2.0/fs/", "/api/2.1/unity-catalog/volumes", "/api/2.1/unity-catalog/volumes/"} {
		mux.Handle(path, httputil.NewSingleHostReverseProxy(warehouseURL))
	}
	host := httptest.NewServer(mux)
	defer host.Close()
	source := httptest.NewServer(e.source.Handler())
	defer source.Close()
	e.host, e.sourceURL = host.URL, source.URL
	return f(e)
}

// withTables calls f with the location of new, empty tables. It fails unless the tables then hold the source:
// each span and each annotation once, and a METADATA row of each trace.
func (e *environment) withTables(f func(uctables.Location) error) error {
	var random [4]byte
	_, _ = rand.Read(random[:])
	at := uctables.Location{Catalog: "spark_catalog", Schema: "default", Prefix: "bench_" + hex.EncodeToString(random[:])}
	tables := []uctables.Table{uctables.Spans, uctables.Annotations}
	for _, t := range tables {
		if _, err := e.warehouse.TrySQL(tablesql.CreateTable(at, t)); err != nil {
			return err
		}
	}
	if err := f(at); err != nil {
		return err
	}
	n := e.source.Traces
	for query, want := range map[string][]any{
		"SELECT count(*), count(DISTINCT trace_id, span_id) FROM " + at.Name(uctables.Spans): {6 * n, 6 * n},
		"SELECT count(*), count(DISTINCT annotation_id), count(DISTINCT CASE annotation_type WHEN 'METADATA' THEN target_id END)" +
			" FROM " + at.Name(uctables.Annotations): {e.annotations * n, e.annotations * n, n},
	} {
		rows, err := e.warehouse.TrySQL(query)
		if err != nil {
			return err
		}
		if got, want := fmt.Sprint(rows[0]), fmt.Sprint(want); got != want {
			return fmt.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for _, t := range tables {
		if _, err := e.warehouse.TrySQL("DROP TABLE " + at.Name(t)); err != nil {
			return err
		}
	}
	return nil
}

// runTracemig migrates the source into new tables with the real program.
func (e *environment) runTracemig(flags ...string) (r result, err error) {
	err = e.withTables(func(at uctables.Location) error {
		home, err := os.MkdirTemp(e.dir, "home-")
		if err != nil {
			return err
		}
		cmd := exec.Command(e.binary, append([]string{
			"run", "-o", "json", "--tracking-uri", e.sourceURL, "--source", e.experiment, "--target", at.String(),
		}, flags...)...)
		cmd.Dir = home
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_STATE_HOME=" + home, "NO_PROXY=127.0.0.1",
			"DATABRICKS_HOST=" + e.host, "DATABRICKS_TOKEN=" + e.warehouse.Token, "DATABRICKS_WAREHOUSE_ID=rig",
		}
		r, err = measure(cmd)
		return err
	})
	return r, err
}
