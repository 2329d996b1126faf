package uctables

import "strings"

// Column is one column of a table: its name and its Spark SQL type, with struct fields written
// "name: TYPE" and one space after commas. TypeText gives the form in which Spark describes it.
type Column struct {
	Name string
	Type string
}

// TypeText is the column's type as DESCRIBE and a Delta log name it: lower case, no spaces.
func (c Column) TypeText() string {
	return strings.ToLower(strings.ReplaceAll(c.Type, " ", ""))
}

// Table is one of the four tables of a trace location.
type Table struct {
	Suffix    string   // what MLflow appends to the location's prefix
	Columns   []Column // in the order of the table
	ClusterBy []string // clustering columns
}

// Differences says in clauses how a table with the given columns, types by name as in TypeText, cannot
// be the table: columns missing and of another type.
func (t Table) Differences(have map[string]string) []string {
	var clauses []string
	for _, c := range t.Columns {
		got, ok := have[c.Name]
		switch {
		case !ok:
			clauses = append(clauses, "has no column "+c.Name)
		case !strings.EqualFold(got, c.TypeText()):
			clauses = append(clauses, "has column "+c.Name+" of type "+got+", not "+c.TypeText())
		}
	}
	return clauses
}

// SchemaVersion is the value of table property otel.schemaVersion that tracemig writes to, and
// BetaSchemaVersion the one of the earlier form, whose tables have fixed names and MAP attributes.
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

// Types that several columns share. The forms are those of the OpenTelemetry table reference of
// Databricks (schema version v2).
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
		{"links", "ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: VARIANT, dropped_attributes_count: INT, flags: INT>>"},
		{"dropped_links_count", "INT"},
		{"status", "STRUCT<message: STRING, code: STRING>"},
		{"resource", resourceType},
		{"resource_schema_url", "STRING"},
		{"instrumentation_scope", scopeType},
		{"span_schema_url", "STRING"},
	},
	ClusterBy: []string{"time", "service_name", "trace_id"},
}

// Annotations is <prefix>_otel_annotations. Writes prune by created_at and readers look rows up by
// target, so these cluster it.
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
	},
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
		{"sum", "STRUCT<value: DOUBLE, exemplars: " + exemplarType + ", attributes: VARIANT, flags: INT, aggregation_temporality: STRING, is_monotonic: BOOLEAN>"},
		{"histogram", "STRUCT<count: BIGINT, sum: DOUBLE, bucket_counts: ARRAY<BIGINT>, explicit_bounds: ARRAY<DOUBLE>, exemplars: " + exemplarType +
			", attributes: VARIANT, flags: INT, min: DOUBLE, max: DOUBLE, aggregation_temporality: STRING>"},
		{"exponential_histogram", "STRUCT<attributes: VARIANT, count: BIGINT, sum: DOUBLE, scale: INT, zero_count: BIGINT, positive_bucket: " + bucketType +
			", negative_bucket: " + bucketType + ", flags: INT, exemplars: " + exemplarType +
			", min: DOUBLE, max: DOUBLE, zero_threshold: DOUBLE, aggregation_temporality: STRING>"},
		{"summary", "STRUCT<count: BIGINT, sum: DOUBLE, quantile_values: ARRAY<STRUCT<quantile: DOUBLE, value: DOUBLE>>, attributes: VARIANT, flags: INT>"},
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
