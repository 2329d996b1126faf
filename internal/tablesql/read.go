package tablesql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// SumSpans is the query for target.SpanSum: columns trace_id, rows, spans, record_ids (BIGINT) and digest.
func SumSpans(l uctables.Location, spans uctables.Table, deep bool) string {
	text := "span_id"
	if deep {
		text = lineText(spans, map[string]string{"record_id": "''"})
	}
	return fmt.Sprintf(`SELECT trace_id, count(*) AS rows, count(DISTINCT span_id) AS spans, count(DISTINCT record_id) AS record_ids,
  sha2(array_join(array_sort(collect_list(sha2(%s, 256))), ''), 256) AS digest
FROM %s
WHERE %s
GROUP BY trace_id`, text, l.Quoted(uctables.Spans.Suffix), ofTraces("trace_id", "time"))
}

// SumAnnotations is the query for target.AnnotationSum: columns trace_id, annotation_id, annotation_type, name, updated_at (BIGINT,
// microseconds), deleted (BOOLEAN), copies (BIGINT) and digest.
func SumAnnotations(l uctables.Location, annotations uctables.Table, deep bool) string {
	digest := "''"
	if deep {
		digest = "sha2(" + lineText(annotations, map[string]string{
			"metadata":   "CASE WHEN annotation_type <> '" + string(uctables.Metadata) + "' THEN metadata END",
			"updated_at": "0", "updated_by": "NULL", "deleted_at": "NULL", "deleted_by": "NULL",
		}) + ", 256)"
	}
	return fmt.Sprintf(`SELECT %s AS trace_id, annotation_id, annotation_type, name, unix_micros(updated_at) AS updated_at,
  deleted_at IS NOT NULL AS deleted, copies,
  %s AS digest
FROM %s`, annotatedTrace, digest, newest(l))
}

// ReadSpans is the query for the spans of some traces, each as the line that AppendSpan writes: column line.
func ReadSpans(l uctables.Location, spans uctables.Table) string {
	return fmt.Sprintf("SELECT %s AS line\nFROM %s\nWHERE %s",
		lineText(spans, nil), l.Quoted(uctables.Spans.Suffix), ofTraces("trace_id", "time"))
}

// ReadAnnotations is the query for the newest versions of the annotations of some traces, each as the line that AppendAnnotation
// writes: column line.
func ReadAnnotations(l uctables.Location, annotations uctables.Table) string {
	return fmt.Sprintf("SELECT %s AS line\nFROM %s", lineText(annotations, nil), newest(l))
}

// newest is the relation of the newest versions of the annotations of some traces.
func newest(l uctables.Location) string {
	return fmt.Sprintf(`(
  SELECT %s,
    `+NewestFirst+`,
    count(*) OVER (PARTITION BY annotation_id, updated_at) AS copies
  FROM %s
  WHERE %s
)
WHERE age = 1`, annotationColumns, l.Quoted(uctables.Annotations.Suffix), ofTraces(annotatedTrace, "created_at"))
}

// NewestFirst numbers the versions of each annotation in column age, from the newest on. Of two with the same updated_at the
// deleted one is the newer.
const NewestFirst = "row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age"

// annotationColumns are named one by one: a column that tracemig does not know may have a name that a query gives to a column of
// its own.
var annotationColumns = strings.Join(written(uctables.Annotations), ", ")

// ofTraces is the condition for rows of the traces of ParamTraces, within [ParamLow, ParamHigh].
func ofTraces(traceID, timeColumn string) string {
	return fmt.Sprintf(`%s IN (SELECT explode(split(:%s, '\n')))
  AND %s BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)`, traceID, ParamTraces, timeColumn, ParamLow, ParamHigh)
}

// annotatedTrace is the expression for the trace ID of an annotation's target.
const annotatedTrace = "substring_index(target_id, ':', 1)"

// lineText is the expression for a row as AppendSpan or AppendAnnotation writes it, with some columns replaced.
func lineText(t uctables.Table, replaced map[string]string) string {
	var fields []string
	names := written(t)
	for _, known := range known(t).Columns {
		at := slices.IndexFunc(t.Columns, func(c uctables.Column) bool { return c.Name == known.Name })
		if at < 0 || !slices.Contains(names, known.Name) {
			continue
		}
		v, other := replaced[known.Name]
		if !other {
			if v = wireNumber(known.Name, known.Type); v == known.Name {
				v = knownFields(v, uctables.MustType(known.Type), uctables.MustType(t.Columns[at].Type), 0)
			}
		}
		if v != known.Name {
			v += " AS " + known.Name
		}
		fields = append(fields, v)
	}
	return "to_json(struct(" + strings.Join(fields, ", ") + "))"
}

// known is the table of schema version v2 with the columns that tracemig knows.
func known(t uctables.Table) uctables.Table {
	return uctables.Tables[slices.IndexFunc(uctables.Tables, func(k uctables.Table) bool { return k.Suffix == t.Suffix })]
}

// knownFields is an expression, of type have, without the fields that want does not have, and in the order of want.
func knownFields(expr string, want, have uctables.Type, depth int) string {
	switch {
	case want.Equal(have):
		return expr
	case want.Name == "array":
		e := fmt.Sprintf("e%d", depth)
		return fmt.Sprintf("transform(%s, %s -> %s)", expr, e, knownFields(e, want.Elems[0], have.Elems[0], depth+1))
	}
	var fields []string
	for _, f := range want.Fields {
		typ, _ := have.Field(f.Name)
		fields = append(fields, knownFields(expr+"."+f.Name, f.Type, typ, depth)+" AS "+f.Name)
	}
	return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN struct(%s) END", expr, strings.Join(fields, ", "))
}
