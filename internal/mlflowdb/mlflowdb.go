// Package mlflowdb reads traces from the database behind an MLflow server: SQLite, PostgreSQL, MySQL or MariaDB. It reads what
// the server would list, and as the server lists it, so that a trace that was migrated by one way is the same by the other.
// It never writes, and takes no lock that a writer would wait for, but in SQLite for as long as a page takes: each page is read in a
// short transaction of its own, which the engine is told is read-only.
//
// The tables are those of mlflow.store.tracking.dbmodels.models in MLflow's source. Their form changes from version to version;
// schema.go says which ones are known.
package mlflowdb

import (
	"context"
	"errors"
	"log/slog"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/retry"
)

// Files reads files of traces that lie outside of the database.
type Files interface {
	// Read reads the file at a path below a location: what a trace's tag mlflow.artifactLocation or
	// mlflow.trace.archiveLocation says. The error is fs.ErrNotExist where the location can be read and has no such file, and
	// ErrElsewhere where nothing here can read such a location.
	Read(ctx context.Context, location, path string) ([]byte, error)
}

// ErrElsewhere says that what a trace refers to lies where this machine can't read it.
var ErrElsewhere = errors.New("it lies outside of the database, where this machine does not reach it")

// Server is the MLflow server before the database, which is asked for what lies elsewhere. *mlflowclient.Client is one.
type Server interface {
	FetchSpans(ctx context.Context, read mlflowclient.Read, infos []*mlflow.TraceInfo) []mlflowclient.Spans
	Attachment(ctx context.Context, t *mlflow.TraceInfo, a mlflow.Attachment) ([]byte, error)
}

// Options say how to read a database.
type Options struct {
	Workspace     string              // of the server: only its experiments are found by name; empty for those of every workspace
	Files         Files               // nil where nothing outside of the database can be read
	Server        Server              // nil for none
	Getenv        func(string) string // may be nil
	MaxTraceBytes int64               // of the spans of one trace; 0 for mlflowclient.DefaultMaxTraceBytes
	Logger        *slog.Logger
	Retry         retry.Policy // zero for retry.Default
	Waits         *retry.Waits // may be nil
}
