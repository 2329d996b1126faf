package mlflowdb

import (
	"context"
	"database/sql"
)

// schema is what is known of the form of a store's tables.
type schema struct {
	version      string // of MLflow, and the revision, for people
	spans        bool   // the table spans is there
	associations bool   // the table entity_associations is there
	workspaces   bool   // experiments has the column workspace
	promoted     bool   // trace_info has what were tags and metadata, see promotedColumns
	warnings     []string
}

// readSchema reads the form of the tables.
func readSchema(ctx context.Context, tx *sql.Tx, _ *Address) (schema, error) {
	var revision string
	if err := tx.QueryRowContext(ctx, "SELECT version_num FROM alembic_version").Scan(&revision); err != nil {
		return schema{}, err
	}
	return schema{version: "revision " + revision, spans: true, associations: true, workspaces: true, promoted: true}, nil
}
