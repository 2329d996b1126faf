//go:build rig

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

// tables are the two tables of a target as Spark names them.
type tables struct{ spans, annotations string }

func warehouseTables(prefix string) tables {
	return tables{"default." + prefix + "_otel_spans", "default." + prefix + "_otel_annotations"}
}

func localTables(path string) tables {
	return tables{"delta.`" + path + "_otel_spans`", "delta.`" + path + "_otel_annotations`"}
}

// The rows of the tables as JSON texts that tell all values apart, whichever way they are stored:
// VARIANT decoded, times in microseconds. A VARIANT null and NULL differ in a column of their own.
const (
	spanText = `to_json(struct(record_id, unix_micros(time) AS time, unix_date(date) AS date, service_name, trace_id, span_id, trace_state, parent_span_id,
  flags, name, kind, start_time_unix_nano, end_time_unix_nano, attributes, attributes IS NULL AS no_attributes, dropped_attributes_count, events, dropped_events_count,
  links, dropped_links_count, status, resource, resource_schema_url, instrumentation_scope, span_schema_url), map('ignoreNullFields', 'false'))`
	annotationText = `to_json(struct(annotation_id, target_type, target_id, annotation_type, name, value, value IS NULL AS no_value, comment, metadata, metadata IS NULL AS no_metadata,
  unix_micros(created_at) AS created_at, created_by, unix_micros(updated_at) AS updated_at, updated_by, unix_micros(deleted_at) AS deleted_at, deleted_by), map('ignoreNullFields', 'false'))`
	// anySource is annotationText without what tells where a row comes from.
	anySource = `regexp_replace(` + annotationText + `, '"tracemig.source":"[^"]*"', '')`
)

// spanRow is a row of the spans table. Numbers inside any are json.Number.
type spanRow struct {
	RecordID     string  `json:"record_id"`
	Time         int64   `json:"time"`
	Date         int64   `json:"date"`
	ServiceName  *string `json:"service_name"`
	TraceID      string  `json:"trace_id"`
	SpanID       string  `json:"span_id"`
	TraceState   *string `json:"trace_state"`
	ParentSpanID *string `json:"parent_span_id"`
	Name         string  `json:"name"`
	Kind         string  `json:"kind"`
	Start        int64   `json:"start_time_unix_nano"`
	End          *int64  `json:"end_time_unix_nano"`
	Attributes   object  `json:"attributes"`
	Events       []struct {
		Name       string `json:"name"`
		Time       int64  `json:"time_unix_nano"`
		Attributes object `json:"attributes"`
	} `json:"events"`
	Links []struct {
		TraceID    string `json:"trace_id"`
		SpanID     string `json:"span_id"`
		Attributes object `json:"attributes"`
	} `json:"links"`
	Status struct {
		Message *string `json:"message"`
		Code    *string `json:"code"`
	} `json:"status"`
}

// annotationRow is a row of the annotations table.
type annotationRow struct {
	ID         string  `json:"annotation_id"`
	TargetType string  `json:"target_type"`
	TargetID   string  `json:"target_id"`
	Type       string  `json:"annotation_type"`
	Name       string  `json:"name"`
	Value      any     `json:"value"`
	NoValue    bool    `json:"no_value"`
	Comment    *string `json:"comment"`
	Metadata   object  `json:"metadata"`
	CreatedAt  int64   `json:"created_at"`
	CreatedBy  *string `json:"created_by"`
	UpdatedAt  int64   `json:"updated_at"`
	UpdatedBy  *string `json:"updated_by"`
	DeletedAt  *int64  `json:"deleted_at"`
}

type object = map[string]any

var theWarehouse struct {
	sync.Mutex
	*rig.Warehouse
}

// spark is the shared warehouse. Only the first test that asks for it shows its log when it fails.
func spark(t *testing.T) *rig.Warehouse {
	t.Helper()
	theWarehouse.Lock()
	defer theWarehouse.Unlock()
	if theWarehouse.Warehouse == nil {
		theWarehouse.Warehouse = rig.SharedWarehouse(t)
	}
	return theWarehouse.Warehouse
}

// readRows reads a table by SQL.
func readRows[T any](t *testing.T, text, table string) []T {
	t.Helper()
	var out []T
	for _, row := range spark(t).SQL(t, "SELECT "+text+" FROM "+table) {
		d := json.NewDecoder(strings.NewReader(row[0].(string)))
		d.UseNumber()
		var r T
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%v in %s", err, tail(row[0].(string)))
		}
		out = append(out, r)
	}
	return out
}

// sameRows fails unless both targets hold the same rows, each as often.
func sameRows(t *testing.T, want, got tables) {
	t.Helper()
	differ(t, spanText, want.spans, got.spans)
	differ(t, anySource, want.annotations, got.annotations)
}

// sameRowsButForStorage is sameRows between a plain server and a workspace, which keep spans in
// different places and say so in tags, and so have different digests of the listing.
func sameRowsButForStorage(t *testing.T, want, got tables) {
	t.Helper()
	differ(t, spanText, want.spans, got.spans)
	text := `regexp_replace(` + annotationText + `, '"tracemig.(source|digest)":"[^"]*",?|"mlflow.trace.infoFinalized":"[^"]*",?', '')`
	where := " WHERE annotation_type <> 'TAG' OR name NOT IN ('mlflow.trace.spansLocation', 'mlflow.artifactLocation')"
	differ(t, text, want.annotations+where, got.annotations+where)
}

func differ(t *testing.T, text, want, got string) {
	t.Helper()
	w := spark(t)
	for _, c := range []struct{ what, a, b string }{{"lacks", want, got}, {"has besides", got, want}} {
		for _, row := range w.SQL(t, fmt.Sprintf("SELECT left(j, 2000) FROM (SELECT %s AS j FROM %s EXCEPT ALL SELECT %s FROM %s) LIMIT 5", text, c.a, text, c.b)) {
			t.Errorf("%s %s %s", got, c.what, row[0])
		}
	}
	if n := w.SQL(t, "SELECT count(*) FROM "+got); n[0][0].(int64) == 0 {
		t.Errorf("%s is empty", got)
	}
}
