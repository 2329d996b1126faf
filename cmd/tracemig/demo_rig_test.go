//go:build rig

package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/terminal"
)

// The queries that demo prints see the right rows, also after another program has compacted the tables and written a checkpoint:
// the files that it replaced are then still in the tables' folders.
func TestDemoQueries(t *testing.T) {
	t.Chdir(t.TempDir())
	var out bytes.Buffer
	getenv := func(string) string { return "" }
	a := &app{stdout: newResults(&out), terminal: terminal.New(nil, getenv), getenv: getenv, ctx: t.Context(), stop: t.Context()}
	const folder = "it's a lake"
	if err := a.demo(folder); err != nil {
		t.Fatal(err)
	}
	_, queries, _ := strings.Cut(out.String(), "in DuckDB 2:\n")
	queries, _, ok := strings.Cut(queries, "\nand in Spark")
	if !ok {
		t.Fatalf("demo prints no queries between in DuckDB 2 and in Spark, want some:\n%s", out.String())
	}
	const script = `
import sys, deltalake, duckdb
folder, text = sys.argv[1:]
def show():
    con = duckdb.connect()
    answers = [con.execute(query).fetchall() for query in text.split(";\n") if query.strip()]
    count = lambda name: con.execute(f"SELECT count(*) FROM read_parquet(getvariable('{name}'))").fetchall()[0][0]
    return count("spans"), count("annotations"), sum(row[2] for row in answers[-2]), len(answers[-1])
print(show())
for table in ("spans", "annotations"):
    path = f"{folder}/agent_otel_{table}"
    rows = deltalake.DeltaTable(path).to_pyarrow_table()
    deltalake.write_deltalake(path, rows.slice(0, 7), mode="append")
    deltalake.DeltaTable(path).optimize.compact()
    deltalake.DeltaTable(path).create_checkpoint()
print(show())
quoted = folder.replace(chr(39), chr(39) * 2)
print(duckdb.sql(f"SELECT count(*) FROM read_parquet('{quoted}/agent_otel_spans/*.parquet')").fetchall()[0][0])
`
	got, err := exec.Command(filepath.Join(rig.Dir(), "venv", "bin", "python"), "-c", script, folder, queries).CombinedOutput()
	if want := "(149, 250, 149, 10)\n(156, 257, 156, 10)\n312\n"; err != nil || string(got) != want {
		t.Errorf("%v: %s, want %s", err, got, want)
	}
}
