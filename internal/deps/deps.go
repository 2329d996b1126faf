// Package deps holds the module graph steady while the packages are being written.
package deps

import (
	_ "github.com/apache/arrow-go/v18/parquet/file"
	_ "github.com/databricks/databricks-sdk-go"
	_ "github.com/databricks/databricks-sql-go"
	_ "github.com/go-json-experiment/json"
	_ "github.com/gofrs/flock"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/google/uuid"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/spf13/cobra"
	_ "go.opentelemetry.io/proto/otlp/trace/v1"
	_ "go.uber.org/goleak"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/term"
	_ "golang.org/x/time/rate"
	_ "modernc.org/sqlite"
	_ "pgregory.net/rapid"
)
