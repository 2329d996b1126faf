package uctables

import "slices"

// Column is one column of a table: its name and its Spark SQL type, either with struct fields written "name: TYPE" and one space
// after commas, or as DESCRIBE prints it.
type Column struct {
	Name string
	Type string
}

// ChangeType is a column of annotations. The service's tables have it; tables that were made before it was known do not. Every row
// is an insert, since newer versions and deletions are rows of their own.
const (
	ChangeType = "_change_type"
	Insert     = "insert"
)

// Table is one of the four tables of a trace location.
type Table struct {
	Suffix    string   // what MLflow appends to the location's prefix
	Columns   []Column // in the order of the table
	Optional  []string // columns that it may lack
	ClusterBy []string // clustering columns
}

// Actual is the table as it really is, given all the columns that it has: it has those of the columns of t that it really has, each
// with its real type, so that statements name only these. The differences say in clauses which columns, or fields of structs, it
// lacks or has with another type. Further columns and fields, and another order, are no differences.
func (t Table) Actual(have []Column) (actual Table, differences []string) {
	actual = t
	actual.Columns = nil
	for _, c := range t.Columns {
		at := slices.IndexFunc(have, func(h Column) bool { return h.Name == c.Name })
		if at < 0 {
			if !slices.Contains(t.Optional, c.Name) {
				differences = append(differences, "has no column "+c.Name)
			}
			continue
		}
		typ, err := ParseType(have[at].Type)
		if err != nil {
			differences = append(differences, "has column "+c.Name+" of which nothing is known: "+err.Error())
			continue
		}
		differences = append(differences, MustType(c.Type).differences(c.Name, typ)...)
		actual.Columns = append(actual.Columns, Column{c.Name, typ.SQL()})
	}
	return actual, differences
}

// Struct is the table's columns as fields of one struct.
func (t Table) Struct() Type {
	s := Type{Name: "struct"}
	for _, c := range t.Columns {
		s.Fields = append(s.Fields, Field{c.Name, MustType(c.Type)})
	}
	return s
}

// Has says whether the table has the column.
func (t Table) Has(column string) bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Name == column })
}

// SchemaVersion is the value of table property otel.schemaVersion of tables that tracemig writes, and BetaSchemaVersion the one of
// the earlier form, whose tables have fixed names and attributes of type MAP.
const (
	SchemaVersionProperty = "otel.schemaVersion"
	SchemaVersion         = "v2"
	BetaSchemaVersion     = "v1"
	BetaSpansTable        = "mlflow_experiment_trace_otel_spans"
)

// Properties are the table properties that every table of a location has, in the order of the DDL.
var Properties = [][2]string{
	{SchemaVersionProperty, SchemaVersion},
	{"delta.checkpointPolicy", "classic"},
}

// Types that several columns share, in the form of Databricks' OpenTelemetry table reference (schema version v2).
const (
	resourceType = "STRUCT<attributes: VARIANT, dropped_attributes_count: INT>"
	scopeType    = "STRUCT<name: STRING, version: STRING, attributes: VARIANT, dropped_attributes_count: INT>"
	exemplarType = "ARRAY<STRUCT<time_unix_nano: BIGINT, value: DOUBLE, span_id: STRING, trace_id: STRING, filtered_attributes: VARIANT>>"
	bucketType   = "STRUCT<offset: INT, bucket_counts: ARRAY<BIGINT>>"
)

// Spans is <prefix>_otel_spans.
var Spans = Table{
	Suffix: "_otel_spans",
	Columns: []Column{
		{"record_id", "STRING"},
		{"time", "TIMESTAMP"},
		{"date", "DATE"},
		{"service_name", "STRING"},
		{"trace_id", "STRING"},
		{"span_id", "STRING"},
		{"trace_state", "STRING"},
		{"parent_span_id", "STRING"},
		{"flags", "INT"},
		{"name", "STRING"},
		{"kind", "STRING"},
		{"start_time_unix_nano", "BIGINT"},
		{"end_time_unix_nano", "BIGINT"},
		{"attributes", "VARIANT"},
		{"dropped_attributes_count", "INT"},
		{"events", "ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT, dropped_attributes_count: INT>>"},
		{"dropped_events_count", "INT"},
		{"links", "ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: VARIANT, " +
			"dropped_attributes_count: INT, flags: INT>>"},
		{"dropped_links_count", "INT"},
		{"status", "STRUCT<message: STRING, code: STRING>"},
		{"resource", resourceType},
		{"resource_schema_url", "STRING"},
		{"instrumentation_scope", scopeType},
		{"span_schema_url", "STRING"},
	},
	ClusterBy: []string{"time", "service_name", "trace_id"},
}

// Annotations is <prefix>_otel_annotations. It is clustered by created_at, by which writes prune it, and by target_id, by which
// readers look rows up.
var Annotations = Table{
	Suffix: "_otel_annotations",
	Columns: []Column{
		{"annotation_id", "STRING"},
		{"target_type", "STRING"},
		{"target_id", "STRING"},
		{"annotation_type", "STRING"},
		{"name", "STRING"},
		{"value", "VARIANT"},
		{"comment", "STRING"},
		{"metadata", "VARIANT"},
		{"created_at", "TIMESTAMP"},
		{"created_by", "STRING"},
		{"updated_at", "TIMESTAMP"},
		{"updated_by", "STRING"},
		{"deleted_at", "TIMESTAMP"},
		{"deleted_by", "STRING"},
		{ChangeType, "STRING"},
	},
	Optional:  []string{ChangeType},
	ClusterBy: []string{"created_at", "target_id"},
}

// Logs is <prefix>_otel_logs. It belongs to a location; nothing is migrated into it.
var Logs = Table{
	Suffix: "_otel_logs",
	Columns: []Column{
		{"record_id", "STRING"},
		{"time", "TIMESTAMP"},
		{"date", "DATE"},
		{"service_name", "STRING"},
		{"event_name", "STRING"},
		{"trace_id", "STRING"},
		{"span_id", "STRING"},
		{"time_unix_nano", "BIGINT"},
		{"observed_time_unix_nano", "BIGINT"},
		{"severity_number", "STRING"},
		{"severity_text", "STRING"},
		{"body", "VARIANT"},
		{"attributes", "VARIANT"},
		{"dropped_attributes_count", "INT"},
		{"flags", "INT"},
		{"resource", resourceType},
		{"resource_schema_url", "STRING"},
		{"instrumentation_scope", scopeType},
		{"log_schema_url", "STRING"},
	},
	ClusterBy: []string{"time", "service_name"},
}

// Metrics is <prefix>_otel_metrics. It belongs to a location; nothing is migrated into it.
var Metrics = Table{
	Suffix: "_otel_metrics",
	Columns: []Column{
		{"record_id", "STRING"},
		{"time", "TIMESTAMP"},
		{"date", "DATE"},
		{"service_name", "STRING"},
		{"start_time_unix_nano", "BIGINT"},
		{"time_unix_nano", "BIGINT"},
		{"name", "STRING"},
		{"description", "STRING"},
		{"unit", "STRING"},
		{"metric_type", "STRING"},
		{"gauge", "STRUCT<value: DOUBLE, exemplars: " + exemplarType + ", attributes: VARIANT, flags: INT>"},
		{"sum", "STRUCT<value: DOUBLE, exemplars: " + exemplarType +
			", attributes: VARIANT, flags: INT, aggregation_temporality: STRING, is_monotonic: BOOLEAN>"},
		{"histogram", "STRUCT<count: BIGINT, sum: DOUBLE, bucket_counts: ARRAY<BIGINT>, explicit_bounds: ARRAY<DOUBLE>, " +
			"exemplars: " + exemplarType + ", attributes: VARIANT, flags: INT, min: DOUBLE, max: DOUBLE, aggregation_temporality: STRING>"},
		{"exponential_histogram", "STRUCT<attributes: VARIANT, count: BIGINT, sum: DOUBLE, scale: INT, zero_count: BIGINT, " +
			"positive_bucket: " + bucketType +
			", negative_bucket: " + bucketType + ", flags: INT, exemplars: " + exemplarType +
			", min: DOUBLE, max: DOUBLE, zero_threshold: DOUBLE, aggregation_temporality: STRING>"},
		{"summary", "STRUCT<count: BIGINT, sum: DOUBLE, quantile_values: ARRAY<STRUCT<quantile: DOUBLE, value: DOUBLE>>, " +
			"attributes: VARIANT, flags: INT>"},
		{"metadata", "VARIANT"},
		{"resource", resourceType},
		{"resource_schema_url", "STRING"},
		{"instrumentation_scope", scopeType},
		{"metric_schema_url", "STRING"},
	},
	ClusterBy: []string{"time", "service_name"},
}

// Tables are the four tables of a location in the order in which they are made.
var Tables = []Table{Spans, Annotations, Logs, Metrics}
