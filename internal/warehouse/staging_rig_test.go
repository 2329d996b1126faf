//go:build rig

package warehouse

import (
	"bytes"
	"errors"
	"fmt"
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

// largeSpans makes n spans of trace number i, of 8 KB each.
func largeSpans(i, n int) []uctables.Span {
	rows := spans(i, n)
	for j := range rows {
		object := bytes.TrimSuffix(rows[j].Attributes, []byte("}"))
		rows[j].Attributes = fmt.Appendf(nil, `%s,"long":"%s"}`, object, strings.Repeat("long ${x} ", 800))
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
	rows := largeSpans(0, 1200)
	for _, want := range []target.Written{{Inserted: len(rows)}, {Present: len(rows)}} {
		got, err := w.WriteSpans(t.Context(), rows)
		if err != nil || got.Inserted != want.Inserted || got.Present != want.Present || got.Bytes < fileBytes {
			t.Errorf("%+v, error %v; want %+v", got, err, want)
		}
		if e := entries(t, w, folder); len(e) > 0 {
			t.Errorf("files are left: %v, want none", e)
		}
	}
	if n := len(inserts(t, s, w)); n != 2 || puts.Load() != 6 {
		t.Errorf("%d inserts of %d files; want 2 of 3 files each", n, puts.Load())
	}

	// Rows in a parameter become the same rows of the table.
	other := openAt(t, s, w.opts.Location.Prefix+"p", true, "")
	if got, err := other.WriteSpans(t.Context(), rows); err != nil || got.Inserted != len(rows) {
		t.Errorf("%+v, error %v; want %d inserted", got, err, len(rows))
	}
	const sum = "SELECT count(*), CAST(sum(CAST(xxhash64(to_json(struct(*))) AS DECIMAL(38))) AS STRING) FROM "
	a, b := s.SQL(t, sum+w.opts.Location.Name(uctables.Spans)), s.SQL(t, sum+other.opts.Location.Name(uctables.Spans))
	if diff := cmp.Diff(b, a); diff != "" || a[0][0] != int64(len(rows)) {
		t.Errorf("other rows than by parameter (-want +got):\n%s", diff)
	}

	// A lost answer is looked up, the rows are not written twice.
	s.Reset(t)
	s.Fault(t, rig.Fault{Match: "INSERT.*" + w.opts.Location.Prefix, Kind: rig.CutAfterEffect})
	if got, err := w.WriteSpans(t.Context(), largeSpans(1, 200)); err != nil || got.Inserted != 200 {
		t.Errorf("%+v, error %v; want 200 inserted", got, err)
	}
	if n := len(inserts(t, s, w)); n != 1 {
		t.Errorf("%d inserts, want 1", n)
	}

	// A refused row is an error of its own, and leaves no files.
	bad := largeSpans(2, 200)
	bad[100].Attributes = uctables.JSON(`{"a":"secretword","a":1}`)
	if _, err := w.WriteSpans(t.Context(), bad); !isRowError(err) || strings.Contains(err.Error(), "secretword") {
		t.Errorf("error %v, want a RowError without the value", err)
	}
	if err := w.ProbeSpans(t.Context(), bad); !isRowError(err) {
		t.Errorf("a probe: error %v, want a RowError", err)
	}
	if err := w.ProbeSpans(t.Context(), largeSpans(2, 200)); err != nil {
		t.Errorf("a probe of good rows: error %v, want none", err)
	}
	if e := entries(t, w, folder); len(e) > 0 {
		t.Errorf("files are left: %v, want none", e)
	}
}

// Files that another process has removed are put there again.
func TestStagedFileMissing(t *testing.T) {
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
	got, err := w.WriteSpans(t.Context(), largeSpans(0, 200))
	if err != nil || got.Inserted != 200 {
		t.Errorf("%+v, error %v; want 200 inserted", got, err)
	}
	if all := inserts(t, s, w); len(all) != 3 || all[0].Error == "" || all[1].Error == "" || all[2].Error != "" {
		t.Errorf("the inserts are %+v, want two that fail and one that does not", all)
	}
	if e := entries(t, w, folder); len(e) > 0 {
		t.Errorf("files are left: %v, want none", e)
	}

	// Files that can't be removed do no harm, and the next run removes them.
	keep.Store(true)
	var warnings []error
	w.opts.Warn = func(err error) { warnings = append(warnings, err) }
	if got, err := w.WriteSpans(t.Context(), largeSpans(1, 200)); err != nil || got.Inserted != 200 {
		t.Errorf("%+v, error %v; want 200 inserted", got, err)
	}
	if e := entries(t, w, folder); len(e) != 2 || len(warnings) != 1 || !strings.Contains(warnings[0].Error(), "could not be removed") {
		t.Errorf("left: %v, warnings: %v; want a folder with a file, and one warning", e, warnings)
	}
	if err := w.Stage(t.Context(), owner); err != nil || len(warnings) != 2 {
		t.Errorf("error %v, warnings: %v; want no error and two warnings", err, warnings)
	}
	keep.Store(false)
	if err := w.Stage(t.Context(), owner); err != nil {
		t.Error(err)
	}
	if e := entries(t, w, folder); len(e) > 0 {
		t.Errorf("files are left: %v, want none", e)
	}
}

// Stage removes the files of its owner, and those that nobody has written to for a day.
func TestRemoveLeftovers(t *testing.T) {
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
		folder := filepath.Dir(path)
		if err := errors.Join(
			os.MkdirAll(folder, 0o755), os.WriteFile(path, nil, 0o644), os.Chtimes(path, at, at), os.Chtimes(folder, old, old),
		); err != nil {
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
		"tracemig/fedcba9876543210-0000000000000003",
		"tracemig/fedcba9876543210-0000000000000003/0.parquet", "tracemig/fedcba9876543210-0000000000000003/1.parquet",
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
			t.Errorf("error %v, want one with %q", err, want)
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
	_, err := w.WriteSpans(t.Context(), largeSpans(0, 200))
	says(err, grant)
	says(w.Stage(t.Context(), "../../x"), "can't be the owner")
}
