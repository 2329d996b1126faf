// Package cookbook holds queries for the tables of a trace location, ready to run: for Databricks, for Spark, and for DuckDB over
// local tables. Each is a template in recipes, which says what the query is for; dialect.go is all in which the engines differ, and
// dashboard.go makes a dashboard of the same queries.
package cookbook

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Engine is what runs a query.
type Engine string

// The engines. Databricks and Spark run the same texts.
const (
	Databricks Engine = "databricks"
	Spark      Engine = "spark"
	DuckDB     Engine = "duckdb"
)

// Names are the recipes, in the order in which they are listed.
var Names = []string{"traces", "tokens", "latency", "feedback", "sessions", "annotations", "ids", "storage"}

//go:embed recipes/*.sql
var recipes embed.FS

// About says in a sentence what a recipe answers.
func About(name string) string {
	first, _, _ := strings.Cut(text(name), "\n")
	return strings.TrimPrefix(first, "-- ")
}

// text is the template of a recipe.
func text(name string) string {
	b, err := recipes.ReadFile("recipes/" + name + ".sql")
	if err != nil {
		panic(err) // Names has a recipe without a file.
	}
	return string(b)
}

// Tables are those of one location, as an engine names them.
type Tables struct {
	dialect
	names    map[string]string // of spans and annotations, in FROM
	idPrefix string            // what stands before a trace ID where MLflow names the trace
	views    map[string]string // for DuckDB the statements that make spans and annotations; nil elsewhere
	when     string            // of what time the files in views are
}

// InCatalog are the tables of a location of Unity Catalog, for Databricks and Spark.
func InCatalog(l uctables.Location) Tables {
	return Tables{
		dialect:  sparkDialect,
		names:    namesBy(func(t uctables.Table) string { return l.Quoted(t.Suffix) }),
		idPrefix: fmt.Sprintf("trace:/%s.%s.%s/", l.Catalog, l.Schema, l.Prefix),
	}
}

// InFolder are local tables for Spark, which follows their Delta log itself. path is what stands before the tables' suffixes; it
// must be absolute.
func InFolder(path string) Tables {
	return Tables{
		dialect: sparkDialect,
		names:   namesBy(func(t uctables.Table) string { return "delta." + uctables.QuoteName(path+t.Suffix) }),
	}
}

func namesBy(name func(uctables.Table) string) map[string]string {
	return map[string]string{"spans": name(uctables.Spans), "annotations": name(uctables.Annotations)}
}

// InFiles are local tables for DuckDB, given the files that their Delta logs name. when says of what time these are.
func InFiles(spans, annotations []string, when string) Tables {
	return Tables{
		dialect: duckDialect,
		names:   map[string]string{"spans": "spans", "annotations": "annotations"},
		when:    when,
		views: map[string]string{
			"spans":       duckView("spans", spans, "attributes"),
			"annotations": duckView("annotations", annotations, "value", "metadata"),
		},
	}
}

// SQL is the query of a recipe over the last days, without a semicolon. For DuckDB, statements stand before it that make views of the
// files.
func (t Tables) SQL(name string, days int) string {
	var used []string
	table := func(of string) string {
		if !slices.Contains(used, of) {
			used = append(used, of)
		}
		return t.names[of]
	}
	var query strings.Builder
	functions := t.functions(fmt.Sprintf("INTERVAL '%d' DAY", days), table)
	if err := template.Must(template.New(name).Funcs(functions).Parse(text(name))).Execute(&query, nil); err != nil {
		panic(err) // A recipe gives a function what it does not take.
	}
	before := ""
	if t.views != nil {
		before = "-- For DuckDB 2. The files are those that the Delta logs named at " + t.when + ": print this anew after the next run.\n"
		for _, of := range used {
			before += t.views[of]
		}
	}
	return before + strings.TrimSuffix(query.String(), "\n")
}

// functions are what recipes call. since is how far back from now they look, and table has the name of one.
func (t Tables) functions(since string, table func(of string) string) template.FuncMap {
	get := func(typ string) func(string, ...string) string {
		return func(column string, keys ...string) string { return t.get(typ, column, keys) }
	}
	return template.FuncMap{
		"spans":    func() string { return table("spans") },
		"files":    func(of string) string { return t.files(table(of)) },
		"root":     func() string { return "(parent_span_id IS NULL OR parent_span_id = '')" },
		"since":    func(column string) string { return column + " >= current_timestamp - " + since },
		"sinceDay": func(column string) string { return column + " >= current_date - " + since },
		// newest has of each annotation the newest version, unless that is a deletion.
		"newest": func(conditions ...string) string {
			conditions = append([]string{"created_at >= current_timestamp - " + since}, conditions...)
			return fmt.Sprintf(`(
    SELECT *, %s
    FROM %s
    WHERE %s
  )
  WHERE age = 1 AND deleted_at IS NULL`, tablesql.NewestFirst, table("annotations"), strings.Join(conditions, " AND "))
		},
		"text":      get("STRING"),
		"integer":   get("BIGINT"),
		"number":    get("DOUBLE"),
		"json":      t.json,
		"integerIn": t.integerIn,
		"fromNanos": t.fromNanos,
		"day":       t.day,
		"recursive": func() string { return t.recursive },
		"above":     func() string { return t.above },
		"newID": func(traceID string) string {
			if t.idPrefix == "" {
				return traceID
			}
			return "concat('" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(t.idPrefix) + "', " + traceID + ")"
		},
	}
}
