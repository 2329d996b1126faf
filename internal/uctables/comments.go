package uctables

// About says what a row of the table is. It becomes the comment of tables that tracemig makes.
func (t Table) About() string { return about[t.Suffix] }

// About says what stands in a column of a table. It becomes the column's comment in tables that tracemig makes. It is empty for
// columns of tables into which nothing is migrated.
func (c Column) About(of Table) string { return columns[of.Suffix][c.Name] }

// The comments hold no quotes and no backslashes, so that they are the same in SQL and JSON. docs/tables.md says more of each.
var (
	about = map[string]string{
		Spans.Suffix:       "Spans of traces in the form of OpenTelemetry: one row a span",
		Annotations.Suffix: "What is known of traces beside spans: per annotation_id the row with the latest updated_at, unless it is deleted",
		Logs.Suffix:        "Logs in the form of OpenTelemetry; tracemig writes none",
		Metrics.Suffix:     "Metrics in the form of OpenTelemetry; tracemig writes none",
	}
	columns = map[string]map[string]string{
		Spans.Suffix: {
			"record_id":                "Unique ID of the row, in the order of time",
			"time":                     "When the span began, in microseconds",
			"date":                     "UTC day on which the span began",
			"service_name":             "Service that wrote the span; empty where none is known",
			"trace_id":                 "32 hex digits, the same in all spans of a trace",
			"span_id":                  "16 hex digits; with trace_id the key of the table",
			"trace_state":              "W3C trace state",
			"parent_span_id":           "Span above this one; NULL for the root, whose row stands for the trace",
			"flags":                    "Flags of W3C trace context",
			"name":                     "Name of the operation",
			"kind":                     "SPAN_KIND_INTERNAL unless the source knows another kind; MLflow keeps the type of a span in its attributes",
			"start_time_unix_nano":     "Start in nanoseconds since 1970",
			"end_time_unix_nano":       "End in nanoseconds since 1970; NULL for a span that did not end",
			"attributes":               "Attributes by key, such as mlflow.spanInputs, mlflow.spanOutputs and mlflow.spanType",
			"dropped_attributes_count": "How many attributes the writer dropped",
			"events":                   "What happened during the span, such as exceptions",
			"dropped_events_count":     "How many events the writer dropped",
			"links":                    "Spans that this one refers to, of any trace",
			"dropped_links_count":      "How many links the writer dropped",
			"status":                   "code is STATUS_CODE_OK, STATUS_CODE_ERROR or NULL; message says more",
			"resource":                 "What wrote the span; its attribute service.name is service_name",
			"resource_schema_url":      "Schema of resource",
			"instrumentation_scope":    "Library that wrote the span",
			"span_schema_url":          "Schema of the span",
		},
		Annotations.Suffix: {
			"annotation_id":   "The same in all versions of an annotation",
			"target_type":     "What is annotated; TRACE, also for assessments of one span",
			"target_id":       "trace_id of what is annotated",
			"annotation_type": "METADATA, TAG, FEEDBACK, EXPECTATION or RUN_LINK",
			"name":            "Key of a tag, name of an assessment; else metadata or run_link",
			"value":           "Value of a tag or an assessment, ID of a linked run, or the metadata and previews of a trace",
			"comment":         "Rationale of an assessment",
			"metadata":        "Of an assessment who gave it, of which span, and its error; of METADATA where the trace came from",
			"created_at":      "When the assessment was made; else when the trace was requested",
			"created_by":      "Who made the assessment",
			"updated_at":      "When this version was made; the latest one counts",
			"updated_by":      "Who made this version",
			"deleted_at":      "Set in the last version of an annotation that was deleted",
			"deleted_by":      "Who deleted it",
			ChangeType:        "Always insert, also for new versions and deletions",
		},
	}
)
