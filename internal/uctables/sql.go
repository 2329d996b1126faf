package uctables

import (
	"fmt"
	"slices"
	"strings"
)

// The parameters of the statements.
const (
	ParamRows       = "rows"       // STRING: JSON lines, see AppendSpan and its siblings
	ParamLow        = "lo"         // BIGINT: the earliest time of the rows, in microseconds
	ParamHigh       = "hi"         // BIGINT: the latest
	ParamSource     = "source"     // STRING: Provenance.Source
	ParamTraces     = "traces"     // STRING: trace IDs of the target, one a line
	ParamExperiment = "experiment" // STRING: the ID of an experiment
	ParamLocation   = "location"   // STRING: catalog.schema.prefix
	ParamAfter      = "after"      // STRING: the trace ID of the target with which the page before ended
)

// jsonOptions: a malformed row fails the statement (the default would make it NULL), and strings
// may be as long as a VARIANT takes. Numbers keep the parser's limit of 1,000 digits, beyond which
// an engine would silently store Infinity; a document may nest up to that parser's 1,000 levels
// although a row wraps it in three more.
const jsonOptions = `map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')`

// key is one of the columns by which a table is written idempotently, and the condition under which a
// row already there keeps an incoming one out.
type key struct{ column, keepsOut string }

var (
	spanKey       = []key{equal("trace_id"), equal("span_id")}
	annotationKey = []key{equal("annotation_id"), {"updated_at", "present.updated_at = timestamp_micros(incoming.r.updated_at)"}}
	newerKey      = []key{equal("annotation_id"), {"updated_at", "unix_micros(present.updated_at) > incoming.r.replaces"}}
)

func equal(column string) key { return key{column, "present." + column + " = incoming.r." + column} }

// replacesField is what a replacement's line has besides the columns.
const replacesField = "replaces: BIGINT"

// The statements are built for a table as it is (Table.Actual): a struct that they write needs all the
// fields that it has there, and columns and fields that tracemig does not know stay NULL.

// InsertSpans is the statement that adds the spans of ParamRows that the table lacks.
//
// It reads the keys of the rows already there within [ParamLow, ParamHigh] of time, so that Delta
// prunes files, and writes the others. Because it reads the table that it writes, Delta makes two
// such statements at once conflict instead of adding a row twice.
func (l Location) InsertSpans(spans Table) string { return l.insert(spans, "time", spanKey) }

// InsertAnnotations is the statement that adds the annotations of ParamRows that the table lacks,
// as InsertSpans does, within a range of created_at.
func (l Location) InsertAnnotations(annotations Table) string {
	return l.insert(annotations, "created_at", annotationKey)
}

// ReplaceAnnotations is the statement that adds the replacements of ParamRows (see AppendReplacement)
// whose replaced versions are the newest that the table has within a range of created_at. Of two such
// statements at once, the later finds the version of the other.
func (l Location) ReplaceAnnotations(annotations Table) string {
	return l.insert(annotations, "created_at", newerKey, replacesField)
}

// ReplaceSpans is the statement that puts the spans of ParamRows in the place of all rows that the table
// has under their keys within [ParamLow, ParamHigh] of time.
//
// Each span that the table has not, or has otherwise, or more than once, is there twice in what is merged:
// one takes the rows of its key out, the other, which matches none, adds it. An update would leave a key
// as often as it is there. The rows are compared as JSON, since VARIANT values can't be compared, and only
// where the keys are equal, since making the texts of all rows of the range would take long.
func (l Location) ReplaceSpans(spans Table) string {
	names := written(spans)
	into, values := columnValues(spans, names, "incoming.r", spanKey)
	there := fmt.Sprintf("%s AND present.time BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)", match(spanKey), ParamLow, ParamHigh)
	const ofKey = "OVER (PARTITION BY incoming.r.trace_id, incoming.r.span_id"
	return fmt.Sprintf(`MERGE INTO %[1]s AS present
USING (
  SELECT r, explode(array(false, true)) AS adds
  FROM (
    SELECT incoming.r,
      row_number() %[2]s ORDER BY present.time) AS nth,
      count(present.span_id) %[2]s) AS copies,
      to_json(incoming.r) = to_json(%[3]s) AS same
    FROM %[4]s AS incoming
    LEFT JOIN %[1]s AS present
    ON %[5]s
  )
  WHERE nth = 1 AND NOT (copies = 1 AND same)
) AS incoming
ON NOT incoming.adds AND %[5]s
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED AND incoming.adds THEN INSERT (
  %[6]s
)
VALUES (
  %[7]s
)`, l.quoted(spans.Suffix), ofKey, asParsed(spans, names, "present"), parsed(spans, names), there,
		strings.Join(into, ",\n  "), strings.Join(values, ",\n  "))
}

// CountSpans counts the keys of ParamRows (see AppendSpanKey) that the table holds.
func (l Location) CountSpans() string { return l.countKeys(Spans, "time", spanKey) }

// CountAnnotations counts the keys of ParamRows (see AppendAnnotationKey) that the table holds.
func (l Location) CountAnnotations() string {
	return l.countKeys(Annotations, "created_at", annotationKey)
}

// CountDoubles counts the keys of spans and those of annotations that the tables hold more than once within
// [ParamLow, ParamHigh] of time: columns spans and annotations (BIGINT).
func (l Location) CountDoubles() string {
	keys := func(t Table, kind, timeColumn, id, part string) string {
		return fmt.Sprintf(`SELECT '%s' AS kind, %s AS id, %s AS part FROM %s
    WHERE %s BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)`, kind, id, part, l.quoted(t.Suffix), timeColumn, ParamLow, ParamHigh)
	}
	return fmt.Sprintf(`SELECT count_if(kind = 'span') AS spans, count_if(kind = 'annotation') AS annotations
FROM (
  SELECT kind FROM (
    %s
    UNION ALL
    %s
  )
  GROUP BY kind, id, part HAVING count(*) > 1
)`, keys(Spans, "span", "time", "trace_id", "span_id"), keys(Annotations, "annotation", "created_at", "annotation_id", "CAST(updated_at AS STRING)"))
}

// ParseSpans reads the spans of ParamRows whole and writes nothing: where an insert fails without
// saying why, it says whether the rows are to blame. It answers how many rows it read.
func (l Location) ParseSpans(spans Table) string { return parse(spans) }

// ParseAnnotations reads the annotations of ParamRows as ParseSpans does spans.
func (l Location) ParseAnnotations(annotations Table) string { return parse(annotations) }

func parse(t Table) string {
	// to_json needs every field, so that no part of a row is left unparsed.
	return "SELECT count(to_json(r)) AS parsed\nFROM " + parsed(t, written(t))
}

// written are the columns that a row's line holds: MLflow keeps nothing that belongs in the others, and
// the change type is the same in all rows.
func written(t Table) []string {
	var names []string
	for _, c := range t.Columns {
		switch c.Name {
		case "resource_schema_url", "span_schema_url", ChangeType:
		default:
			names = append(names, c.Name)
		}
	}
	return names
}

func (l Location) insert(t Table, timeColumn string, keys []key, more ...string) string {
	names := written(t)
	into, values := columnValues(t, names, "r", keys)
	return fmt.Sprintf(`INSERT INTO %s (
  %s
)
SELECT
  %s
FROM %s AS incoming
LEFT ANTI JOIN (
  %s
) AS present
ON %s`,
		l.quoted(t.Suffix), strings.Join(into, ",\n  "), strings.Join(values, ",\n  "),
		parsed(t, names, more...), l.existing(t, timeColumn, keys), match(keys))
}

// columnValues are the columns that a statement writes of a row, the struct r, and their values from it.
func columnValues(t Table, names []string, r string, keys []key) (into, values []string) {
	for _, c := range t.Columns {
		if !slices.Contains(names, c.Name) {
			continue
		}
		v := r + "." + c.Name
		switch {
		case c.Type == "TIMESTAMP":
			v = "timestamp_micros(" + v + ")"
		case c.Type == "DATE":
			v = "date_from_unix_date(" + v + ")"
		case c.Name == keys[0].column:
			// from_json gives NULL for an empty line: nothing may be dropped silently.
			v = "coalesce(" + v + ", raise_error('a row has no " + c.Name + "'))"
		}
		into, values = append(into, c.Name), append(values, v)
	}
	if t.Has(ChangeType) {
		into, values = append(into, ChangeType), append(values, "'"+Insert+"'")
	}
	return into, values
}

// asParsed is a row of the table in the form that parsed gives the one that was written there: a struct
// whose to_json is the same text where the values are the same.
func asParsed(t Table, names []string, row string) string {
	var fields []string
	for _, c := range t.Columns {
		if !slices.Contains(names, c.Name) {
			continue
		}
		v := row + "." + c.Name
		if number := wireNumber(v, c.Type); number != v {
			v = number + " AS " + c.Name
		}
		fields = append(fields, v)
	}
	return "struct(" + strings.Join(fields, ", ") + ")"
}

// wireNumber is the number by which rows are sent for a time or a date; expr itself for other types.
func wireNumber(expr, sqlType string) string {
	switch sqlType {
	case "TIMESTAMP":
		return "unix_micros(" + expr + ")"
	case "DATE":
		return "unix_date(" + expr + ")"
	}
	return expr
}

func (l Location) countKeys(t Table, timeColumn string, keys []key) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.column)
	}
	return fmt.Sprintf(`SELECT count(*) AS found
FROM %s AS incoming
LEFT SEMI JOIN (
  %s
) AS present
ON %s`, parsed(t, names), l.existing(t, timeColumn, keys), match(keys))
}

// parsed is a relation with one column r, the struct of the named columns and more fields, from
// ParamRows. A literal '\n' in SQL is a newline; JSON lines hold no other.
func parsed(t Table, names []string, more ...string) string {
	var fields []string
	for _, name := range names {
		for _, c := range t.Columns {
			if c.Name == name {
				fields = append(fields, c.Name+": "+wireType(c.Type))
			}
		}
	}
	return fmt.Sprintf(`(
  SELECT from_json(line,
    'STRUCT<%s>',
    %s) AS r
  FROM (%s)
)`, inLiteral.Replace(strings.Join(append(fields, more...), ", ")), jsonOptions, paramLines)
}

// inLiteral writes a text inside of an SQL string: names of fields may hold anything. Spark would
// substitute ${…}.
var inLiteral = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `$`, `\u0024`)

// paramLines reads the lines of ParamRows. Volume.Staged has them come from elsewhere.
const paramLines = `SELECT explode(split(:` + ParamRows + `, '\n')) AS line`

// wireType is the type in which a column stands in a JSON line.
func wireType(sqlType string) string {
	switch sqlType {
	case "TIMESTAMP":
		return "BIGINT"
	case "DATE":
		return "INT"
	}
	return sqlType
}

func (l Location) existing(t Table, timeColumn string, keys []key) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.column)
	}
	return fmt.Sprintf(`SELECT %s FROM %s
  WHERE %s BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)`,
		strings.Join(names, ", "), l.quoted(t.Suffix), timeColumn, ParamLow, ParamHigh)
}

func match(keys []key) string {
	var conds []string
	for _, k := range keys {
		conds = append(conds, k.keepsOut)
	}
	return strings.Join(conds, " AND ")
}

// SelectMigrated is the query for the next rows, at most so many, of the traces of ParamSource that are complete, in the order of their
// times and IDs after ParamLow and ParamAfter: columns source_trace_id, trace_id, digest, spans (BIGINT),
// spans_missing, request_micros (BIGINT) and attachments (JSON).
func (l Location) SelectMigrated(rows int) string {
	return fmt.Sprintf(`SELECT m.source_trace_id, m.trace_id, m.digest, m.spans, m.spans_missing, m.request_micros, m.attachments
FROM (
  SELECT target_id AS trace_id,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS source,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS source_trace_id,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS digest,
    try_variant_get(metadata, '$["%s"]', 'BIGINT') AS spans,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS spans_missing,
    to_json(try_variant_get(metadata, '$["%s"]', 'VARIANT')) AS attachments,
    deleted_at,
    unix_micros(created_at) AS request_micros,
    row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
  FROM %s
  WHERE annotation_type = 'METADATA'
) AS m
LEFT JOIN (
  SELECT trace_id, count(DISTINCT span_id) AS spans FROM %s GROUP BY trace_id
) AS s ON s.trace_id = m.trace_id
WHERE m.age = 1 AND m.deleted_at IS NULL AND m.source = :%s AND coalesce(s.spans, 0) >= m.spans
  AND (m.request_micros > :%[10]s OR (m.request_micros = :%[10]s AND m.trace_id > :%[11]s))
ORDER BY m.request_micros, m.trace_id
LIMIT %[12]d`,
		KeySource, KeySourceTraceID, KeyDigest, KeySpans, KeySpansMissing, KeyAttachments,
		l.quoted(Annotations.Suffix), l.quoted(Spans.Suffix), ParamSource, ParamLow, ParamAfter, rows)
}

// SelectOfficial is the query for the next rows, at most so many, of the traces that Official yields of ParamExperiment, in the order of
// their IDs after ParamAfter: column target_id.
func (l Location) SelectOfficial(rows int) string {
	return fmt.Sprintf(`SELECT target_id
FROM (
  SELECT target_id,
    try_variant_get(value, '$.trace_metadata["%s"]', 'STRING') AS experiment,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS source,
    deleted_at,
    row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
  FROM %s
  WHERE annotation_type = 'METADATA'
)
WHERE age = 1 AND deleted_at IS NULL AND source IS NULL AND experiment = :%s AND target_id > :%s
ORDER BY target_id
LIMIT %d`,
		SourceExperimentID, KeySource, l.quoted(Annotations.Suffix), ParamExperiment, ParamAfter, rows)
}

// OfficialSkippedTable is the table of a schema in which Databricks' own migration notes what it skips.
const OfficialSkippedTable = "_migration_skipped"

// CountOfficialSkips is the query for how many traces of ParamExperiment Databricks' own migration has
// skipped on their way to the location ParamLocation, its name without quotes: columns reason and traces.
func (l Location) CountOfficialSkips() string {
	return fmt.Sprintf(`SELECT coalesce(skip_reason, 'unknown') AS reason, count(DISTINCT trace_id) AS traces
FROM %s.%s.%s
WHERE source_experiment_id = :%s AND lower(target_uc_location) = lower(:%s)
GROUP BY 1`, QuoteName(l.Catalog), QuoteName(l.Schema), QuoteName(OfficialSkippedTable), ParamExperiment, ParamLocation)
}

// lineText is a row as AppendSpan or AppendAnnotation writes it, with some columns replaced.
func lineText(t Table, replaced map[string]string) string {
	var fields []string
	names := written(t)
	for _, known := range t.known().Columns {
		at := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == known.Name })
		if at < 0 || !slices.Contains(names, known.Name) {
			continue
		}
		v, other := replaced[known.Name]
		if !other {
			if v = wireNumber(known.Name, known.Type); v == known.Name {
				v = knownFields(v, mustType(known.Type), mustType(t.Columns[at].Type), 0)
			}
		}
		if v != known.Name {
			v += " AS " + known.Name
		}
		fields = append(fields, v)
	}
	return "to_json(struct(" + strings.Join(fields, ", ") + "))"
}

// known is the table with the columns that tracemig knows, as schema version v2 has them.
func (t Table) known() Table {
	return Tables[slices.IndexFunc(Tables, func(k Table) bool { return k.Suffix == t.Suffix })]
}

// knownFields is an expression of type have without the fields that want has not, and in want's order.
func knownFields(expr string, want, have Type, depth int) string {
	switch {
	case want.equal(have):
		return expr
	case want.Name == "array":
		e := fmt.Sprintf("e%d", depth)
		return fmt.Sprintf("transform(%s, %s -> %s)", expr, e, knownFields(e, want.Elems[0], have.Elems[0], depth+1))
	}
	var fields []string
	for _, f := range want.Fields {
		typ, _ := have.field(f.Name)
		fields = append(fields, knownFields(expr+"."+f.Name, f.Type, typ, depth)+" AS "+f.Name)
	}
	return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN struct(%s) END", expr, strings.Join(fields, ", "))
}

// ofTraces restricts a query to the traces of ParamTraces and to [ParamLow, ParamHigh].
func ofTraces(traceID, timeColumn string) string {
	return fmt.Sprintf(`%s IN (SELECT explode(split(:%s, '\n')))
  AND %s BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)`, traceID, ParamTraces, timeColumn, ParamLow, ParamHigh)
}

// annotatedTrace is the trace ID of an annotation's target.
const annotatedTrace = "substring_index(target_id, ':', 1)"

// SumSpans is the query for SpanSum: trace_id, rows, spans, record_ids (BIGINT) and digest.
func (l Location) SumSpans(spans Table, deep bool) string {
	text := "span_id"
	if deep {
		text = lineText(spans, map[string]string{"record_id": "''"})
	}
	return fmt.Sprintf(`SELECT trace_id, count(*) AS rows, count(DISTINCT span_id) AS spans, count(DISTINCT record_id) AS record_ids,
  sha2(array_join(array_sort(collect_list(sha2(%s, 256))), ''), 256) AS digest
FROM %s
WHERE %s
GROUP BY trace_id`, text, l.quoted(Spans.Suffix), ofTraces("trace_id", "time"))
}

// SumAnnotations is the query for AnnotationSum: trace_id, annotation_id, annotation_type, name,
// updated_at (BIGINT, microseconds), deleted (BOOLEAN), copies (BIGINT) and digest.
func (l Location) SumAnnotations(annotations Table, deep bool) string {
	digest := "''"
	if deep {
		digest = "sha2(" + lineText(annotations, map[string]string{
			"metadata":   "CASE WHEN annotation_type <> '" + string(Metadata) + "' THEN metadata END",
			"updated_at": "0", "updated_by": "NULL", "deleted_at": "NULL", "deleted_by": "NULL",
		}) + ", 256)"
	}
	return fmt.Sprintf(`SELECT %s AS trace_id, annotation_id, annotation_type, name, unix_micros(updated_at) AS updated_at,
  deleted_at IS NOT NULL AS deleted, copies,
  %s AS digest
FROM %s`, annotatedTrace, digest, l.newest())
}

// annotationColumns are named one by one: a column that tracemig does not know may have a name that a
// query gives to something of its own.
var annotationColumns = strings.Join(written(Annotations), ", ")

// newest is the relation of the newest versions of the annotations of some traces.
func (l Location) newest() string {
	return fmt.Sprintf(`(
  SELECT %s,
    row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age,
    count(*) OVER (PARTITION BY annotation_id, updated_at) AS copies
  FROM %s
  WHERE %s
)
WHERE age = 1`, annotationColumns, l.quoted(Annotations.Suffix), ofTraces(annotatedTrace, "created_at"))
}

// ReadSpans is the query for the spans of some traces, each as the line that AppendSpan writes.
func (l Location) ReadSpans(spans Table) string {
	return fmt.Sprintf("SELECT %s AS line\nFROM %s\nWHERE %s", lineText(spans, nil), l.quoted(Spans.Suffix), ofTraces("trace_id", "time"))
}

// ReadAnnotations is the query for the newest versions of the annotations of some traces, each as the
// line that AppendAnnotation writes.
func (l Location) ReadAnnotations(annotations Table) string {
	return fmt.Sprintf("SELECT %s AS line\nFROM %s", lineText(annotations, nil), l.newest())
}

// DescribeTable lists the columns of a table and, after an empty name or a headline, what else there is to it.
func (l Location) DescribeTable(t Table) string {
	return "DESCRIBE TABLE EXTENDED " + l.quoted(t.Suffix)
}

// DescribeDetail tells of a Delta table as a whole; its column id is the table's identity.
func (l Location) DescribeDetail(t Table) string { return "DESCRIBE DETAIL " + l.quoted(t.Suffix) }

// ShowProperties lists the table properties of a table.
func (l Location) ShowProperties(t Table) string { return "SHOW TBLPROPERTIES " + l.quoted(t.Suffix) }

// ShowBetaProperties lists the table properties of the beta form's spans table in the same schema.
func (l Location) ShowBetaProperties() string {
	return "SHOW TBLPROPERTIES " + QuoteName(l.Catalog) + "." + QuoteName(l.Schema) + "." + QuoteName(BetaSpansTable)
}

// CreateTable makes a table where it is missing.
func (l Location) CreateTable(t Table) string {
	var columns, properties []string
	for _, c := range t.Columns {
		columns = append(columns, c.Name+" "+c.Type)
	}
	for _, p := range Properties {
		properties = append(properties, fmt.Sprintf("'%s' = '%s'", p[0], p[1]))
	}
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
  %s
)
USING DELTA
CLUSTER BY (%s)
TBLPROPERTIES (%s)`, l.quoted(t.Suffix), strings.Join(columns, ",\n  "),
		strings.Join(t.ClusterBy, ", "), strings.Join(properties, ", "))
}

// DropTable drops a table if it is there.
func (l Location) DropTable(t Table) string { return "DROP TABLE IF EXISTS " + l.quoted(t.Suffix) }

// Grant is privileges on one securable of Unity Catalog.
type Grant struct {
	Privileges []string // as SQL names them: USE CATALOG, SELECT
	Securable  string   // CATALOG, SCHEMA, TABLE or VOLUME
	Name       string   // full name, as the REST API takes it
	quoted     string
}

// Statement grants the privileges to a principal: a user name, the application ID of a service
// principal, or a group.
func (g Grant) Statement(principal string) string {
	return fmt.Sprintf("GRANT %s ON %s %s TO %s", strings.Join(g.Privileges, ", "), g.Securable, g.quoted, QuoteName(principal))
}

// Needs are the privileges with which one can write to the location.
func (l Location) Needs() []Grant {
	catalog, schema := QuoteName(l.Catalog), QuoteName(l.Schema)
	g := []Grant{
		{[]string{"USE CATALOG"}, "CATALOG", l.Catalog, catalog},
		{[]string{"USE SCHEMA"}, "SCHEMA", l.Catalog + "." + l.Schema, catalog + "." + schema},
	}
	for _, t := range []Table{Spans, Annotations} {
		g = append(g, Grant{[]string{"SELECT", "MODIFY"}, "TABLE", l.Name(t), l.quoted(t.Suffix)})
	}
	return g
}

// Grants are the statements that let a principal write to the location.
func (l Location) Grants(principal string) []string {
	var g []string
	for _, n := range l.Needs() {
		g = append(g, n.Statement(principal))
	}
	return g
}
