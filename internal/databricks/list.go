package databricks

import (
	"context"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/listing"
	"github.com/databricks/databricks-sdk-go/service/catalog"
	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/tracemig/tracemig/internal/uctables"
)

// listed bounds how many names a listing of this file gives: they are for people who choose one.
const listed = 1000

// Profile is a section of .databrickscfg.
type Profile struct{ Name, Host string }

// Profiles are those of the file that Load would read. There are none where it can't be read.
func Profiles(getenv func(string) string) []Profile {
	silenceSDK()
	file, err := config.LoadFile(getenv("DATABRICKS_CONFIG_FILE"))
	if err != nil {
		return nil
	}
	var all []Profile
	for _, s := range file.Sections() {
		// The file has a section DEFAULT by itself, and one with settings of the Databricks CLI.
		if len(s.Keys()) > 0 && !strings.HasPrefix(s.Name(), "__") {
			all = append(all, Profile{s.Name(), s.Key("host").String()})
		}
	}
	return all
}

// Catalogs are the names of the catalogs that the identity may see.
func (w *Workspace) Catalogs(ctx context.Context) ([]string, error) {
	return names(ctx, catalog.NewCatalogs(w.c).List(ctx, catalog.ListCatalogsRequest{}), func(c catalog.CatalogInfo) string { return c.Name })
}

// Schemas are the names of the schemas of a catalog that the identity may see.
func (w *Workspace) Schemas(ctx context.Context, in string) ([]string, error) {
	it := catalog.NewSchemas(w.c).List(ctx, catalog.ListSchemasRequest{CatalogName: in})
	return names(ctx, it, func(s catalog.SchemaInfo) string { return s.Name })
}

// Prefixes are those of the trace locations of a schema, as the tables of spans tell that the identity may see.
func (w *Workspace) Prefixes(ctx context.Context, in, schema string) ([]string, error) {
	it := catalog.NewTables(w.c).ListSummaries(ctx, catalog.ListSummariesRequest{
		CatalogName: in, SchemaNamePattern: schema, TableNamePattern: "%" + uctables.Spans.Suffix, // _ matches any character
	})
	return names(ctx, it, func(t catalog.TableSummary) string {
		table, here := strings.CutPrefix(t.FullName, in+"."+schema+".")
		prefix, spans := strings.CutSuffix(table, uctables.Spans.Suffix)
		if !here || !spans || table == uctables.BetaSpansTable {
			return ""
		}
		return prefix
	})
}

// ListedWarehouse is a SQL warehouse as a listing has it.
type ListedWarehouse struct{ ID, Name, State string }

// Warehouses are the SQL warehouses that the identity may use. None is started by asking.
func (w *Workspace) Warehouses(ctx context.Context) ([]ListedWarehouse, error) {
	found, err := listing.ToSliceN(ctx, sql.NewWarehouses(w.c).List(ctx, sql.ListWarehousesRequest{}), listed)
	var all []ListedWarehouse
	for _, h := range found {
		all = append(all, ListedWarehouse{h.Id, h.Name, string(h.State)})
	}
	return all, err
}

// names are the names of what is listed, in order, without those that name leaves empty.
func names[T any](ctx context.Context, it listing.Iterator[T], name func(T) string) ([]string, error) {
	found, err := listing.ToSliceN(ctx, it, listed)
	var all []string
	for _, f := range found {
		if n := name(f); n != "" {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), err
}
