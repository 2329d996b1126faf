package mlflowdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/advice"
)

// schema is what the reader must know of the form of a store's tables. The revision decides, not the columns that are there:
// MLflow has a command that adds the columns of a coming revision and begins to fill them before the server is upgraded.
type schema struct {
	version  string // of MLflow, and the revision, for people
	warnings []string
	// spans: there is a table of spans.
	spans bool
	// associations: there is a table of links between traces and runs.
	associations bool
	// workspaces: experiments belong to workspaces.
	workspaces bool
	// promoted: the name, the session, the token usage and the cost of a trace are columns of trace_info, and what its tags and
	// metadata say of them does not count.
	promoted bool
}

// revision is one step of MLflow's migrations of its tables (mlflow/store/db_migrations/versions).
type revision struct {
	id       string
	versions string // the releases whose newest revision it is; empty for one in the midst of a release's
}

// revisions are those that the tests have read stores of, in their order, which has no branches. The first is the oldest that is read:
// those before have no table of assessments. testdata/stores/README.md says how to add a release.
var revisions = []revision{
	{"770bee3ae1dd", "3.2.0"},
	{revisionSpans, ""},
	{revisionAssociations, ""},
	{"1a0cddfcaa16", "3.3.0 to 3.3.2"},
	{"534353b11cbc", ""},
	{"71994744cf8e", "3.4.0"},
	{"3da73c924c2f", ""},
	{"bf29a5ff90ea", "3.5.0 to 3.7.0"},
	{"1bd49d398cd23", "3.8.0 to 3.8.1"},
	{"b7c8d9e0f1a2", ""},
	{"5d2d30f0abce", ""},
	{"c9d4e5f6a7b8", ""},
	{"2c33131f4dae", ""},
	{"d3e4f5a6b7c8", "3.9.0"},
	{"d0e1f2a3b4c5", ""},
	{"c8d9e0f1a2b3", ""},
	{revisionWorkspaces, "3.10.0 to 3.10.1"},
	{"e1f2a3b4c5d6", ""},
	{"76601a5f987d", ""},
	{"c3d6457b6d8a", "3.11.1"},
	{"a5b4c3d2e1f0", ""},
	{"ae8bbe7743c9", ""},
	{"7d34483879f0", "3.12.0"},
	{"da6fb0208061", "3.13.0"},
	{"89d3d66ed43f", ""},
	{"b7e4c1a90f23", "3.14.0"},
	{"a8b9c0d1e2f3", ""},
	{"c1d2e3f4a5b6", ""},
	{"c3d9e7f1a2b4", ""},
	{"6f8d9c3b2a1e", "3.15.0 to 3.15.2"},
	{"1971f2d9a75b", ""},
	{"17e22815139b", ""},
	{"b7e2c1a4d9f3", "3.16.0 to 3.16.1"},
	{revisionPromoted, ""},
	{"dc11669786a5", "3.17.0 to 3.17.2"},
	{"e7d1f4b2a9c6", ""},
	{"8b6ad64cb8f5", ""},
	{"f4a9b2c7d1e6", "3.18.0"},
}

// Revisions that changed what the reader reads.
const (
	revisionSpans        = "a1b2c3d4e5f6" // made the table of spans
	revisionAssociations = "de4033877273" // made the table of links
	revisionWorkspaces   = "1b5f0d9ad7c1" // gave experiments a workspace
	revisionPromoted     = "75868b020152" // made columns of a trace's name, session, token usage and cost
)

// older are the revisions before the first that is read, by the releases of MLflow that wrote them.
var older = []struct{ versions, ids string }{
	{"2.22 or an older one", "451aebb31d03 90e64c465722 181f10493468 df50e92ffc5e 7ac759974ad8 89d4b8295536 2b4d017a5e9b cfd24bdc0731 " +
		"0a8213491aaa 728d730b5ebd 27a6a02d2cf1 84291f40a231 a8c4a736bde6 39d1c3be5f05 c48cb773bb87 bd07f7e963c5 0c779009ac13 cc1f77228345 " +
		"97727af70f4d 3500859a5d39 7f2a7d5fae7d 2d6e25af4d3e acf3f17fdcc7 867495a8f9d4 5b0e9adcef9c 4465047574b1 f5a4f2784254 0584bdc529eb"},
	{"3.0.0 or 3.1.0", "400f98739977 6953534de441"},
	{"3.0.1 or 3.1", "bda7b8c39065"},
	{"between 3.1 and 3.2", "cbc13b556ace"},
}

// class is a class of types of columns, such as every engine has it. Its text is for people.
type class string

const (
	integerClass class = "an integer"
	floatClass   class = "a floating-point number"
	textClass    class = "text"
	booleanClass class = "a boolean"
)

// classes says which names of types belong to a class. SQLite and MySQL keep a boolean as a small integer.
var classes = map[class]*regexp.Regexp{
	integerClass: regexp.MustCompile(`(?i)^(tiny|small|medium|big)?int(eger|[248])?\b`),
	floatClass:   regexp.MustCompile(`(?i)^(float|double|real|numeric|decimal)`),
	textClass:    regexp.MustCompile(`(?i)(char|text)`),
	booleanClass: regexp.MustCompile(`(?i)^(bool|tinyint|bit)`),
}

// needed are the columns that the reader reads, by the tables of a store of the newest revision.
var needed = []struct {
	table   string
	columns map[class]string
}{
	{"experiments", map[class]string{integerClass: "experiment_id", textClass: "name artifact_location lifecycle_stage workspace"}},
	{"experiment_tags", map[class]string{integerClass: "experiment_id", textClass: "key value"}},
	{"runs", map[class]string{integerClass: "experiment_id", textClass: "run_uuid"}},
	{"trace_info", map[class]string{
		integerClass: "experiment_id timestamp_ms execution_time_ms input_tokens output_tokens total_tokens cache_read_input_tokens " +
			"cache_creation_input_tokens cache_creation_input_tokens_above_1hr",
		textClass:  "request_id status client_request_id request_preview response_preview trace_name session_id",
		floatClass: "input_cost output_cost total_cost",
	}},
	{"trace_tags", map[class]string{textClass: "request_id key value"}},
	{"trace_request_metadata", map[class]string{textClass: "request_id key value"}},
	{"assessments", map[class]string{
		integerClass: "created_timestamp last_updated_timestamp",
		textClass: "assessment_id trace_id name assessment_type value error source_type source_id span_id rationale overrides " +
			"assessment_metadata",
		booleanClass: "valid",
	}},
	{"spans", map[class]string{integerClass: "start_time_unix_nano", textClass: "trace_id parent_span_id content"}},
	{"entity_associations", map[class]string{textClass: "source_type source_id destination_type destination_id"}},
}

// columnsOf is the query for the names and types of a table's columns, which has no rows where there is no such table.
// In PostgreSQL it finds the table that an unqualified name means, as MLflow does.
var columnsOf = map[*engine]string{
	&sqlite: "SELECT name, type FROM pragma_table_info(?)",
	&postgres: "SELECT a.attname, t.typname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid " +
		"WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped",
	&mysql: "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = database() AND table_name = ?",
}

// errNotMLflow is wrapped by the error for a database that is another's.
var errNotMLflow = errors.New("the database is not a store of MLflow")

const nameTheStore = "Name the database that mlflow server --backend-store-uri (MLFLOW_BACKEND_STORE_URI) names"

// readSchema says which form a store's tables have, by the revision that MLflow's migrations have left in it. Its error says
// that the form can't be read, and what to do about it.
func readSchema(ctx context.Context, tx *sql.Tx, a *Address) (schema, error) {
	id, err := readRevision(ctx, tx, a.engine)
	if err != nil {
		return schema{}, err
	}
	if i := slices.IndexFunc(revisions, func(r revision) bool { return r.id == id }); i >= 0 {
		return knownSchema(i), nil
	}
	for _, o := range older {
		if slices.Contains(strings.Fields(o.ids), id) {
			return schema{}, advice.With(
				fmt.Errorf("the tables of the database are those of MLflow %s (revision %s), and the oldest that tracemig reads are those of MLflow %s",
					o.versions, id, revisions[0].versions),
				"Upgrade MLflow and then the database (mlflow db upgrade): through its server it can't be read before that either")
		}
	}
	return unknownSchema(ctx, tx, a.engine, id)
}

// knownSchema is the form that the i-th of the revisions has made.
func knownSchema(i int) schema {
	since := func(id string) bool {
		return slices.IndexFunc(revisions, func(r revision) bool { return r.id == id }) <= i
	}
	return schema{
		version: versionsOf(i) + ", revision " + revisions[i].id, spans: since(revisionSpans), associations: since(revisionAssociations),
		workspaces: since(revisionWorkspaces), promoted: since(revisionPromoted),
	}
}

// versionsOf names the releases of the i-th of the revisions.
func versionsOf(i int) string {
	if v := revisions[i].versions; v != "" {
		return "MLflow " + v
	}
	before, after := i, i
	for revisions[before].versions == "" {
		before--
	}
	for revisions[after].versions == "" {
		after++
	}
	last := strings.Fields(revisions[before].versions)
	first, _, _ := strings.Cut(revisions[after].versions, " ")
	return "MLflow between " + last[len(last)-1] + " and " + first
}

// unknownSchema is the form of a revision that is taken for a newer one, if the store has all columns that are needed.
func unknownSchema(ctx context.Context, tx *sql.Tx, e *engine, id string) (schema, error) {
	newest := revisions[len(revisions)-1]
	var faults []string
	there := 0
	for _, t := range needed {
		have, err := readColumns(ctx, tx, e, t.table)
		if err != nil {
			return schema{}, err
		}
		if len(have) > 0 {
			there++
		}
		faults = append(faults, compareColumns(t.table, have, t.columns)...)
	}
	if there == 0 {
		return schema{}, advice.With(fmt.Errorf("%w: it has none of its tables (its revision is %s)", errNotMLflow, id), nameTheStore)
	}
	if len(faults) > 0 {
		return schema{}, advice.With(
			fmt.Errorf("the tables of the database are of an MLflow that this tracemig does not know (revision %s; the newest known is %s, "+
				"of MLflow %s), and can't be read as they are: %s", id, newest.id, newest.versions, strings.Join(faults, "; ")),
			"Use a newer tracemig, or read through the MLflow server (--tracking-uri http://…)")
	}
	s := knownSchema(len(revisions) - 1)
	s.version = "MLflow newer than " + newest.versions + ", revision " + id
	s.warnings = append(s.warnings, fmt.Sprintf("the database has revision %s, which this tracemig does not know (the newest known is %s, "+
		"of MLflow %s). Every column that is needed is there and has the type it had, so it is read; tracemig verify --verify-from with the "+
		"MLflow server's address shows whether it is read as the server reads it", id, newest.id, newest.versions))
	return s, nil
}

// readRevision reads the one row of the table alembic_version.
func readRevision(ctx context.Context, tx *sql.Tx, e *engine) (string, error) {
	const table = "alembic_version"
	columns, err := readColumns(ctx, tx, e, table)
	if err != nil {
		return "", err
	}
	if columns["version_num"] == "" {
		return "", advice.With(fmt.Errorf("%w: it has no table %s", errNotMLflow, table), nameTheStore)
	}
	pairs, err := readPairs(ctx, tx, "SELECT version_num, '' FROM "+table+" ORDER BY version_num")
	if err != nil {
		return "", fmt.Errorf("read which revision the database's tables have: %w", err)
	}
	ids := make([]string, 0, len(pairs))
	for _, p := range pairs {
		ids = append(ids, p[0])
	}
	switch len(ids) {
	case 0:
		return "", advice.With(fmt.Errorf("the table %s of the database is empty, so that the form of its tables can't be told", table),
			"Finish the migration of the database (mlflow db upgrade), or restore it")
	case 1:
		return ids[0], nil
	}
	return "", advice.With(fmt.Errorf("the table %s of the database names several revisions (%s), so that the form of its tables "+
		"can't be told", table, strings.Join(ids, ", ")),
		"Leave the one of MLflow there: other programs with migrations of their own need another database or schema")
}

// readColumns reads the types of a table's columns by their names; none where there is no such table.
func readColumns(ctx context.Context, tx *sql.Tx, e *engine, table string) (map[string]string, error) {
	pairs, err := readPairs(ctx, tx, columnsOf[e], table)
	if err != nil {
		return nil, fmt.Errorf("read the columns of the database's table %s: %w", table, err)
	}
	columns := make(map[string]string, len(pairs))
	for _, p := range pairs {
		columns[p[0]] = p[1]
	}
	return columns, nil
}

// readPairs reads the rows of a query that has two columns of text.
func readPairs(ctx context.Context, tx *sql.Tx, query string, args ...any) (pairs [][2]string, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var p [2]string
		err := rows.Scan(&p[0], &p[1])
		pairs = append(pairs, p)
		return err
	})
	return pairs, err
}

// compareColumns names what a table lacks, and what in it has another type.
func compareColumns(table string, have map[string]string, want map[class]string) []string {
	if len(have) == 0 {
		return []string{"there is no table " + table}
	}
	var faults []string
	for c, names := range want {
		for name := range strings.FieldsSeq(names) {
			switch is, ok := have[name]; {
			case !ok:
				faults = append(faults, "there is no column "+table+"."+name)
			case !classes[c].MatchString(is):
				faults = append(faults, fmt.Sprintf("the column %s.%s is %s, no longer %s", table, name, strings.ToLower(is), c))
			}
		}
	}
	slices.Sort(faults)
	return faults
}
