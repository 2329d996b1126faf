package cookbook

import (
	"fmt"
	"strings"
)

// dialect is all in which the engines' texts differ.
type dialect struct {
	// get reads a value inside a VARIANT column as a type; NULL where there is none of that type.
	get       func(typ, column string, keys []string) string
	json      func(column string) string    // a VARIANT as its JSON text
	integerIn func(expr, key string) string // a member of an object in a JSON text; NULL where the text is none
	fromNanos func(expr string) string      // a time from nanoseconds since 1970
	day       func(column string) string    // the UTC day of a time
	files     func(table string) string     // a table with the columns file and bytes: in which file each row is, and its size
	recursive string                        // what follows WITH where a part of the query reads itself
	above     string                        // the spans above those of used; both tables have trace_id, span_id, parent_span_id
}

// sparkDialect is that of Databricks and of open-source Spark 4. It goes without col:path, QUALIFY and WITH RECURSIVE, which only
// some versions have.
var sparkDialect = dialect{
	get: func(typ, column string, keys []string) string {
		path := ""
		if len(keys) > 0 {
			path = `["` + strings.Join(keys, `"]["`) + `"]`
		}
		return fmt.Sprintf("try_variant_get(%s, '$%s', '%s')", column, path, typ)
	},
	json: func(column string) string { return "to_json(" + column + ")" },
	integerIn: func(expr, key string) string {
		return fmt.Sprintf("try_cast(get_json_object(%s, '$.%s') AS BIGINT)", expr, key)
	},
	fromNanos: func(expr string) string { return "timestamp_micros(" + expr + " DIV 1000)" },
	day:       func(column string) string { return "to_date(to_utc_timestamp(" + column + ", current_timezone()))" },
	files: func(table string) string {
		return "(SELECT *, _metadata.file_path AS file, _metadata.file_size AS bytes FROM " + table + ")"
	},
	// For each span of used the nearest one above it that is in used, up to a hundred levels above.
	above: `traces AS (
  SELECT c.trace_id, map_from_entries(collect_set(struct(c.span_id, c.parent_span_id))) AS parents,
    collect_set(u.span_id) AS counted
  FROM calls AS c
  LEFT JOIN used AS u ON u.trace_id = c.trace_id AND u.span_id = c.span_id
  GROUP BY c.trace_id HAVING count(u.span_id) > 1
),
above AS (
  SELECT DISTINCT trace_id, explode(transform(counted, span -> aggregate(sequence(1, 100), try_element_at(parents, span),
    (up, level) -> CASE WHEN up IS NULL OR array_contains(counted, up) THEN up ELSE try_element_at(parents, up) END))) AS span_id
  FROM traces
)`,
}

var duckDialect = dialect{
	get: func(typ, column string, keys []string) string {
		if len(keys) > 0 {
			column += "['" + strings.Join(keys, "']['") + "']"
		}
		return fmt.Sprintf("TRY_CAST(%s AS %s)", column, strings.ReplaceAll(typ, "STRING", "VARCHAR"))
	},
	json: func(column string) string { return column + "::JSON::VARCHAR" },
	integerIn: func(expr, key string) string {
		return fmt.Sprintf("TRY_CAST(TRY(json_extract_string(%s, '$.%s')) AS BIGINT)", expr, key)
	},
	fromNanos: func(expr string) string { return "make_timestamptz(" + expr + " // 1000)" },
	day:       func(column string) string { return "(" + column + " AT TIME ZONE 'UTC')::DATE" },
	files: func(table string) string {
		return fmt.Sprintf(`(
    SELECT t.*, t.filename AS file, f.size AS bytes
    FROM %s AS t JOIN read_blob(getvariable('%s')) AS f ON f.filename = t.filename
  )`, table, table)
	},
	recursive: "RECURSIVE ",
	above: `above AS (
  SELECT trace_id, parent_span_id AS span_id FROM used
  UNION
  SELECT c.trace_id, c.parent_span_id FROM above AS a JOIN calls AS c ON c.trace_id = a.trace_id AND c.span_id = a.span_id
)`,
}

// duckView makes a view of the files of a table, in which VARIANT columns are decoded: DuckDB sees the plain group of two blobs that
// Spark 4 and polars can open too.
func duckView(name string, files []string, variants ...string) string {
	var list, decoded []string
	for _, f := range files {
		list = append(list, "  '"+strings.ReplaceAll(f, "'", "''")+"'")
	}
	for _, c := range variants {
		decoded = append(decoded, fmt.Sprintf("variant_bytes_to_variant(%s.metadata || %s.value) AS %s", c, c, c))
	}
	return fmt.Sprintf(`SET VARIABLE %s = [
%s
];
CREATE OR REPLACE TEMP VIEW %s AS
SELECT * REPLACE (
  %s
)
FROM read_parquet(getvariable('%s'), union_by_name = true, filename = true);
`, name, strings.Join(list, ",\n"), name, strings.Join(decoded, ",\n  "), name)
}
