// Package deltalake writes the OTEL tables as local Delta tables: directories with Parquet files
// and a Delta log, which Spark with Delta reads as they are, VARIANT columns included.
//
// A commit first writes Parquet files and syncs them to the disk. Then a file of the log appears under its name,
// whole or not at all (link(2)). So writers of this program may run at the same time, in one process or in
// several. Spark's own writer does not promise the same on a local file system: let Spark write (INSERT, OPTIMIZE,
// VACUUM) only while no tracemig runs. A crash leaves at most files that no commit names.
//
// The format is that of the Delta protocol (PROTOCOL.md of delta-io/delta): reader version 3 and
// writer version 7 with the feature variantType.
package deltalake

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Options are choices about tables that Create makes.
type Options struct {
	// Clustering declares the clustering columns of the tables (Delta features clustering and
	// domainMetadata), by which Spark's OPTIMIZE sorts. delta-rs cannot append to such a table.
	Clustering bool
}

// Lake is the tables <path>_otel_spans and <path>_otel_annotations, and beside them the tables for logs and
// metrics, which are made but not written. It implements target.Writer.
type Lake struct {
	path    string
	options Options
	tables  [4]*table // as uctables.Tables
}

var _ interface {
	target.Writer
	target.Marker
	target.Remover
} = (*Lake)(nil)

// ErrNoPrefix says that a path is a folder, and no prefix of tables in one.
var ErrNoPrefix = errors.New("names no table prefix")

// Open names the tables and does not look for them; Check does. The path is what follows "file:" in a target, such
// as ./lake/agent for the directories ./lake/agent_otel_spans, ./lake/agent_otel_annotations and so on.
//
// The error is ErrNoPrefix where path is only a folder.
func Open(path string, options Options) (*Lake, error) {
	base := filepath.Base(path)
	if path == "" || path[len(path)-1] == filepath.Separator || base == "." || base == ".." || strings.HasSuffix(path, "/.") {
		return nil, fmt.Errorf("%q %w: write file:FOLDER/PREFIX, such as file:./lake/agent", path, ErrNoPrefix)
	}
	if !utf8.ValidString(path) || strings.ContainsRune(path, 0) {
		return nil, fmt.Errorf("%q is no path", path)
	}
	l := &Lake{path: path, options: options}
	for i, spec := range uctables.Tables {
		timeColumn := "time"
		if spec.Suffix == uctables.Annotations.Suffix {
			timeColumn = "created_at"
		}
		l.tables[i] = &table{spec: spec, log: log{dir: path + spec.Suffix, timeColumn: timeColumn}}
	}
	return l, nil
}

func (l *Lake) spans() *table       { return l.tables[0] }
func (l *Lake) annotations() *table { return l.tables[1] }

// String is the target in the form of the command line.
func (l *Lake) String() string { return "file:" + l.path }

// SetMark has further commits carry the mark in their userMetadata, which DESCRIBE HISTORY shows.
func (l *Lake) SetMark(m target.Mark) {
	text := m.JSON()
	for _, t := range l.tables {
		t.log.mark.Store(&text)
	}
}

// Close does nothing: a Lake holds no file open.
func (l *Lake) Close() error { return nil }

// Limits asks for large commits: each file costs the readers of a Delta table, and each commit costs the writer
// some fsyncs and the reading of the keys in files that overlap in time. 32 MiB of rows become a file of some
// 4 MiB. Two commits at once, each with the row group (16 MiB) that it collects, stay within about 100 MiB.
func (l *Lake) Limits() target.Limits { return target.Limits{Rows: 50_000, Bytes: 32 << 20} }

// Check says whether the tables of spans and annotations are there in schema version v2, and whether tracemig
// knows everything that their Delta protocol requires of a writer.
func (l *Lake) Check(ctx context.Context) error {
	for _, t := range []uctables.Table{uctables.Spans, uctables.Annotations} {
		if err := l.CheckTable(ctx, t); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// CheckTable is Check for one table.
func (l *Lake) CheckTable(ctx context.Context, spec uctables.Table) error {
	for _, t := range l.tables {
		if t.spec.Suffix == spec.Suffix {
			_, err := t.id()
			return t.wrap(err)
		}
	}
	return ctx.Err()
}

// Identity is the Delta IDs of the tables of spans and annotations.
func (l *Lake) Identity(ctx context.Context) (string, error) {
	spans, err := l.spans().id()
	if err != nil {
		return "", l.spans().wrap(err)
	}
	annotations, err := l.annotations().id()
	if err != nil {
		return "", l.annotations().wrap(err)
	}
	return spans + " " + annotations, ctx.Err()
}

// Files are the paths of the files that hold the rows of a table's newest version. Other files in its folder were replaced, or belong
// to no commit.
func (l *Lake) Files(ctx context.Context, spec uctables.Table) (paths []string, err error) {
	for _, t := range l.tables {
		if t.spec.Suffix != spec.Suffix {
			continue
		}
		_, files, err := t.files(-1, within(target.AllTimes))
		if err != nil {
			return nil, t.wrap(err)
		}
		for _, f := range files {
			paths = append(paths, f.path)
		}
	}
	return paths, ctx.Err()
}

// Create makes the tables that are missing. It may run at the same time elsewhere.
func (l *Lake) Create(ctx context.Context) error {
	for _, t := range l.tables {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.create(l.options.Clustering); err != nil {
			return t.wrap(err)
		}
	}
	return nil
}
