//go:build rig

package warehouse

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

const owner = "0123456789abcdef"

// staged is a writer to new tables and a new volume, and the folder in which the volume's files lie.
func staged(t *testing.T, before func(*http.Request) *http.Response) (*rig.Warehouse, *Warehouse, string) {
	t.Helper()
	s := rig.SharedWarehouse(t)
	prefix := rig.TablePrefix(t)
	v := uctables.Volume{Catalog: "spark_catalog", Schema: "default", Name: prefix}
	folder := filepath.Join(s.Dir, "volumes", v.Catalog, v.Schema, v.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	w := openWith(t, s, prefix, true, "", &v, before)
	if err := w.Stage(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	s.Reset(t)
	return s, w, folder
}

// large makes n spans of trace number i, of 8 KB each.
func large(i, n int) []uctables.Span {
	rows := spans(i, n)
	for j := range rows {
		rows[j].Attributes = append(rows[j].Attributes[:len(rows[j].Attributes)-1:len(rows[j].Attributes)-1], []byte(`,"long":"`+strings.Repeat("long ${x} ", 800)+`"}`)...)
	}
	return rows
}

// entries are the files and folders below the volume's folder.
func entries(t *testing.T, w *Warehouse, folder string) []string {
	t.Helper()
	w.staging.removals.Wait()
	var all []string
	if err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(folder, path); rel != "." && rel != "tracemig" {
			all = append(all, rel)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// inserts are the executed INSERTs, which all have to read files.
func inserts(t *testing.T, s *rig.Warehouse, w *Warehouse) (all []rig.WarehouseStatement) {
	t.Helper()
	for _, e := range s.Stats(t).Log {
		if e.Kind != "INSERT" || !strings.Contains(e.Statement, w.opts.Location.Prefix) {
			continue
		}
		if !strings.Contains(e.Statement, "FROM parquet.`"+w.opts.Volume.StagedFolder()+"/"+owner+"-") {
			t.Errorf("not by files: %s", e.Statement)
		}
		all = append(all, e)
	}
	return all
}

func TestStagedWrite(t *testing.T) {
	var puts atomic.Int64
	s, w, folder := staged(t, func(r *http.Request) *http.Response {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".parquet") {
			puts.Add(1)
		}
		return nil
	})
	rows := large(0, 1200)
	for _, want := range []target.Written{{Inserted: len(rows)}, {Present: len(rows)}} {
		got, err := w.WriteSpans(t.Context(), rows)
		if err != nil || got.Inserted != want.Inserted || got.Present != want.Present || got.Bytes < fileBytes {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
		if e := entries(t, w, folder); len(e) > 0 {
			t.Errorf("files are left: %v", e)
		}
	}
	if n := len(inserts(t, s, w)); n != 2 || puts.Load() != 6 {
		t.Errorf("%d inserts, %d files; want 2 of 3 files each", n, puts.Load())
	}

	// The parameter's way gives the same rows.
	other := openAt(t, s, w.opts.Location.Prefix+"p", true, "")
	if got, err := other.WriteSpans(t.Context(), rows); err != nil || got.Inserted != len(rows) {
		t.Errorf("%+v, %v", got, err)
	}
	const sum = "SELECT count(*), CAST(sum(CAST(xxhash64(to_json(struct(*))) AS DECIMAL(38))) AS STRING) FROM "
	a, b := s.SQL(t, sum+w.opts.Location.Name(uctables.Spans)), s.SQL(t, sum+other.opts.Location.Name(uctables.Spans))
	if diff := cmp.Diff(b, a); diff != "" || a[0][0] != int64(len(rows)) {
		t.Errorf("other rows than by parameter (-want +got):\n%s", diff)
	}

	// A lost answer is looked up, the rows are not written twice.
	s.Reset(t)
	s.Fault(t, rig.Fault{Match: "INSERT.*" + w.opts.Location.Prefix, Kind: rig.CutAfterEffect})
	if got, err := w.WriteSpans(t.Context(), large(1, 200)); err != nil || got.Inserted != 200 {
		t.Errorf("%+v, %v", got, err)
	}
	if n := len(inserts(t, s, w)); n != 1 {
		t.Errorf("%d inserts", n)
	}

	// A refused row is told as such, and leaves no files.
	bad := large(2, 200)
	bad[100].Attributes = uctables.JSON(`{"a":"secretword","a":1}`)
	var row *target.RowError
	if _, err := w.WriteSpans(t.Context(), bad); !errors.As(err, &row) || strings.Contains(err.Error(), "secretword") {
		t.Errorf("%v", err)
	}
	if err := w.ProbeSpans(t.Context(), bad); !errors.As(err, &row) {
		t.Errorf("a probe says %v", err)
	}
	if err := w.ProbeSpans(t.Context(), large(2, 200)); err != nil {
		t.Errorf("a probe of good rows says %v", err)
	}
	if e := entries(t, w, folder); len(e) > 0 {
		t.Errorf("files are left: %v", e)
	}
}

// What another process has removed is put there again.
func TestStagedFileGone(t *testing.T) {
	var folder string
	losses := 0
	var keep atomic.Bool
	s, w, folder := staged(t, func(r *http.Request) *http.Response {
		if keep.Load() && r.Method == http.MethodDelete {
			return answer(r, http.StatusBadRequest, `{"error_code":"BAD_REQUEST","message":"no"}`)
		}
		if losses == 0 || !strings.HasPrefix(r.URL.Path, "/sql/") || r.Body == nil {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !bytes.Contains(body, []byte("FROM parquet.")) {
			return nil
		}
		losses--
		batches, _ := filepath.Glob(filepath.Join(folder, "tracemig", "*"))
		for _, b := range batches {
			if losses == 0 {
				_ = os.RemoveAll(b)
			} else {
				_ = os.Remove(filepath.Join(b, "0.parquet")) // the folder is left, empty
			}
		}
		return nil
	})
	losses = 2
	got, err := w.WriteSpans(t.Context(), large(0, 200))
	if err != nil || got.Inserted != 200 {
		t.Errorf("%+v, %v", got, err)
	}
	if all := inserts(t, s, w); len(all) != 3 || all[0].Error == "" || all[1].Error == "" || all[2].Error != "" {
		t.Errorf("%+v", all)
	}
	if e := entries(t, w, folder); len(e) > 0 {
		t.Errorf("files are left: %v", e)
	}

	// Files that can't be removed do no harm, and are what the next run removes.
	keep.Store(true)
	var warnings []error
	w.opts.Warn = func(err error) { warnings = append(warnings, err) }
	if got, err := w.WriteSpans(t.Context(), large(1, 200)); err != nil || got.Inserted != 200 {
		t.Errorf("%+v, %v", got, err)
	}
	if e := entries(t, w, folder); len(e) != 2 || len(warnings) != 1 || !strings.Contains(warnings[0].Error(), "could not be removed") {
		t.Errorf("left: %v; warnings: %v", e, warnings)
	}
	if err := w.Stage(t.Context(), owner); err != nil || len(warnings) != 2 {
		t.Errorf("%v; warnings: %v", err, warnings)
	}
	keep.Store(false)
	if err := w.Stage(t.Context(), owner); err != nil {
		t.Error(err)
	}
	if e := entries(t, w, folder); len(e) > 0 {
		t.Errorf("files are left: %v", e)
	}
}

// Runs remove what they or nobody owns.
func TestSweep(t *testing.T) {
	_, w, folder := staged(t, nil)
	old := time.Now().Add(-25 * time.Hour)
	for name, at := range map[string]time.Time{
		owner + "-0000000000000001/0.parquet": time.Now(), owner + "-0000000000000001/1.parquet": time.Now(),
		"fedcba9876543210-0000000000000001/0.parquet": time.Now(),
		"fedcba9876543210-0000000000000002/0.parquet": old,
		"backup/0.parquet":                            old, // not made by tracemig
		"fedcba9876543210-0000000000000003/0.parquet": old, "fedcba9876543210-0000000000000003/1.parquet": time.Now(),
	} {
		path := filepath.Join(folder, "tracemig", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644), os.Chtimes(path, at, at), os.Chtimes(filepath.Dir(path), old, old)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "of-the-user"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := w.Stage(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"of-the-user",
		"tracemig/backup", "tracemig/backup/0.parquet",
		"tracemig/fedcba9876543210-0000000000000001", "tracemig/fedcba9876543210-0000000000000001/0.parquet",
		"tracemig/fedcba9876543210-0000000000000003", "tracemig/fedcba9876543210-0000000000000003/0.parquet", "tracemig/fedcba9876543210-0000000000000003/1.parquet",
	}
	if diff := cmp.Diff(want, entries(t, w, folder)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStageErrors(t *testing.T) {
	s := rig.SharedWarehouse(t)
	v := uctables.Volume{Catalog: "spark_catalog", Schema: "default", Name: rig.TablePrefix(t)}
	refuse := false
	w := openWith(t, s, "none", false, "", &v, func(r *http.Request) *http.Response {
		if refuse && strings.HasPrefix(r.URL.Path, "/api/2.0/fs/") {
			return answer(r, http.StatusForbidden, `{"error_code":"PERMISSION_DENIED","message":"no WRITE VOLUME"}`)
		}
		return nil
	})
	says := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %q", err, want)
		}
	}
	says(w.Stage(t.Context(), owner), "CREATE VOLUME `spark_catalog`.`default`.`"+v.Name+"`")
	w.opts.MakeVolume = true
	for range 2 {
		if err := w.Stage(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
	}
	refuse = true
	w.actual[uctables.Spans.Suffix] = uctables.Spans // there is no table to ask about
	const grant = "GRANT READ VOLUME, WRITE VOLUME ON VOLUME `spark_catalog`.`default`."
	says(w.Stage(t.Context(), owner), grant)
	_, err := w.WriteSpans(t.Context(), large(0, 200))
	says(err, grant)
	says(w.Stage(t.Context(), "../../x"), "can't be the owner")
}
