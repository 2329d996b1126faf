//go:build rig

package rig

import (
	"encoding/json"
	"strings"
	"testing"
)

// The tables of a location that hold traces, as the service documents them.
const (
	locationSpans = `CREATE TABLE default.PREFIX_otel_spans (record_id STRING, time TIMESTAMP, date DATE, service_name STRING,
  trace_id STRING, span_id STRING,
  trace_state STRING, parent_span_id STRING, flags INT, name STRING, kind STRING, start_time_unix_nano BIGINT,
    end_time_unix_nano BIGINT, attributes VARIANT,
  dropped_attributes_count INT, events ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT,
    dropped_attributes_count: INT>>,
  dropped_events_count INT, links ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: VARIANT,
    dropped_attributes_count: INT, flags: INT>>,
  dropped_links_count INT, status STRUCT<message: STRING, code: STRING>, resource STRUCT<attributes: VARIANT,
    dropped_attributes_count: INT>,
  resource_schema_url STRING, instrumentation_scope STRUCT<name: STRING, version: STRING, attributes: VARIANT,
    dropped_attributes_count: INT>,
  span_schema_url STRING) USING DELTA`
	locationAnnotations = `CREATE TABLE default.PREFIX_otel_annotations (annotation_id STRING, target_type STRING, target_id STRING,
  annotation_type STRING, name STRING,
  value VARIANT, comment STRING, metadata VARIANT, created_at TIMESTAMP, created_by STRING, updated_at TIMESTAMP, updated_by STRING,
    deleted_at TIMESTAMP,
  deleted_by STRING, _change_type STRING) USING DELTA`
)

// Rows as the service has them, written by hand. The IDs of METADATA and TAG are from coreutils' sha256sum
// and md5sum.
const (
	locationSpanRows = `INSERT INTO default.PREFIX_otel_spans (trace_id, span_id, parent_span_id, name, kind, start_time_unix_nano,
  end_time_unix_nano, attributes, events, links, status)
SELECT trace_id, span_id, parent_span_id, name, 'SPAN_KIND_INTERNAL', start, end, parse_json(attributes),
  transform(events, e -> named_struct('time_unix_nano', start + 1, 'name', e.col1, 'attributes', parse_json(e.col2),
    'dropped_attributes_count', 0)),
  transform(links, l -> named_struct('trace_id', l.col1, 'span_id', l.col2, 'trace_state', CAST(NULL AS STRING), 'attributes',
    parse_json(l.col3), 'dropped_attributes_count', 0, 'flags', 0)),
  named_struct('message', message, 'code', code)
FROM VALUES
 ('0123456789abcdef0123456789abcdef', '00000000000000a1', NULL, 'root', 1750000000123456789, 1750000000987654321,
  '{"mlflow.spanType": "AGENT", "mlflow.spanInputs": {"q": ["x", {"deep": null}], "empty": {}, "none": []},
    "mlflow.spanOutputs": "text", "max": 9223372036854775807,
    "min": -9223372036854775808, "past 2^53": 9007199254740993, "one": 1, "one as double": 1E0, "one as decimal": 1.0, "tenth": 0.1,
      "tiny": 5E-324, "minus zero": -0.0E0,
    "t": true, "f": false, "null": null, "": "empty key", "emoji": "😀"}',
  array(struct('first', '{"n": 9007199254740993, "d": 0.5}'), struct('bare', CAST(NULL AS STRING))),
  array(struct('4bf92f3577b34da6a3ce929d0e0e4736', '00000000000000ff', '{"why": "follows", "n": 3}')), NULL, 'STATUS_CODE_OK'),
 ('0123456789abcdef0123456789abcdef', '00000000000000a2', '00000000000000a1', 'child', 1750000000200000000, 1750000000300000000,
  '{"mlflow.spanType": "LLM"}', NULL, NULL, 'it broke', 'STATUS_CODE_ERROR'),
 ('11111111111111111111111111111111', '00000000000000b1', '', 'fails', 1750000001000000000, 1750000001000000001, NULL, NULL, NULL,
   'bad', 'STATUS_CODE_ERROR'),
 ('22222222222222222222222222222222', '00000000000000c1', NULL, 'unset', 1750000002000000000, 1750000002000000000, '{}', NULL, NULL,
   NULL, CAST(NULL AS STRING)),
 ('33333333333333333333333333333333', '00000000000000d1', '00000000000000d0', 'has no root', 1750000003000000000, 1750000003000000000,
   '{}', NULL, NULL, NULL, 'STATUS_CODE_OK')
AS t (trace_id, span_id, parent_span_id, name, start, end, attributes, events, links, message, code)`

	locationAnnotationRows = `INSERT INTO default.PREFIX_otel_annotations
SELECT id, 'TRACE', '0123456789abcdef0123456789abcdef', type, name, parse_json(value), comment, parse_json(metadata),
  CAST(created AS TIMESTAMP), NULL, CAST(updated AS TIMESTAMP), NULL,
  CAST(deleted AS TIMESTAMP), NULL, 'insert'
FROM VALUES
 ('17037a7b-0fff-bf5b-6ef8-982d2efa2a1f', 'METADATA', 'metadata', '{"client_request_id": "req-1",
   "trace_metadata": {"mlflow.trace.user": "ann", "k": ""}, "request_preview": "in", "response_preview": null}',
  NULL, '{"tracemig.version": "1"}', '2025-06-15T15:06:40.123Z', '2025-06-15T15:06:40.123Z', CAST(NULL AS STRING)),
 ('c8171299-cfbf-3ef5-abc1-0c15a379dbd1', 'TAG', 'env', '"new"', NULL, NULL, '2025-06-15T15:06:40Z', '2025-06-16T00:00:00.000001Z', NULL),
 ('c8171299-cfbf-3ef5-abc1-0c15a379dbd1', 'TAG', 'env', '"old"', NULL, NULL, '2025-06-15T15:06:40Z', '2025-06-16T00:00:00Z', NULL),
 ('f6335a09-f08b-3826-bb08-7a1a56e67460', 'TAG', 'gone', '"v"', NULL, NULL, '2025-06-15T15:06:40Z', '2025-06-15T15:06:40Z', NULL),
 ('f6335a09-f08b-3826-bb08-7a1a56e67460', 'TAG', 'gone', '"v"', NULL, NULL, '2025-06-15T15:06:40Z', '2025-06-16T00:00:00Z',
   '2025-06-16T00:00:00Z'),
 ('a-1', 'FEEDBACK', 'relevance', '0.25', 'because', '{"mlflow.source.source_type": "LLM_JUDGE", "mlflow.source.source_id": "judge",
   "mlflow.valid": "false", "mlflow.mine": "m", "v": "1"}',
  '2025-06-15T16:00:00.5Z', '2025-06-15T16:00:01.25Z', NULL),
 ('a-2', 'FEEDBACK', 'relevance', 'null', NULL, '{"mlflow.source.source_type": "HUMAN", "mlflow.source.source_id": "ann@example.com",
   "mlflow.valid": "true", "mlflow.overrides": "a-1",
    "mlflow.span_id": "00000000000000a2", "mlflow.error.error_code": "E", "mlflow.error.error_message": "failed",
      "mlflow.error.stack_trace": "at x"}',
  '2025-06-15T16:00:02Z', '2025-06-15T16:00:02Z', NULL),
 ('a-3', 'EXPECTATION', 'facts', '["x", {"n": 9007199254740993, "d": 1.0}]', NULL,
  '{"mlflow.source.source_type": "CODE", "mlflow.source.source_id": "label.py",
    "mlflow.expectation.serialization_format": "JSON_FORMAT"}', '2025-06-15T16:00:03Z', '2025-06-15T16:00:03Z', NULL),
 ('a-4', 'EXPECTATION', 'answer', '42', NULL, '{"mlflow.source.source_type": "HUMAN", "mlflow.source.source_id": "ann@example.com"}',
   '2025-06-15T16:00:04Z', '2025-06-15T16:00:04Z', NULL),
 ('a-5', 'FEEDBACK', 'withdrawn', 'true', NULL, '{}', '2025-06-15T16:00:05Z', '2025-06-15T16:00:05Z', '2025-06-15T16:00:05Z'),
 ('run-1', 'RUN_LINK', 'run_link', '"r1"', NULL, NULL, '2025-06-15T15:06:40Z', '2025-06-15T15:06:40Z', NULL)
AS t (id, type, name, value, comment, metadata, created, updated, deleted)`
)

// What MLflow's client has to read of these rows. ID stands for the whole ID of the first trace.
var locationTraces = []string{
	`{"case": "", "trace_id": "ID", "state": "OK", "request_time_ms": 1750000000123, "execution_duration_ms": 864,
  "client_request_id": "req-1", "request_preview": "in",
"response_preview": null, "tags": {"env": "new"}, "trace_metadata": {"mlflow.trace.user": "ann", "k": ""}, "runs": [],
"assessments": [
 {"assessment_id": "a-1", "assessment_name": "relevance", "trace_id": "ID", "source": {"source_type": "LLM_JUDGE", "source_id": "judge"},
  "create_time": "2025-06-15T16:00:00.500Z", "last_update_time": "2025-06-15T16:00:01.250Z", "feedback": {"value": 0.25},
    "rationale": "because", "metadata": {"mlflow.mine": "m", "v": "1"}, "valid": false},
 {"assessment_id": "a-2", "assessment_name": "relevance", "trace_id": "ID", "span_id": "00000000000000a2",
   "source": {"source_type": "HUMAN", "source_id": "ann@example.com"},
  "create_time": "2025-06-15T16:00:02Z", "last_update_time": "2025-06-15T16:00:02Z",
  "feedback": {"value": null, "error": {"error_code": "E", "error_message": "failed", "stack_trace": "at x"}}, "overrides": "a-1",
    "valid": true},
 {"assessment_id": "a-3", "assessment_name": "facts", "trace_id": "ID", "source": {"source_type": "CODE", "source_id": "label.py"},
  "create_time": "2025-06-15T16:00:03Z", "last_update_time": "2025-06-15T16:00:03Z",
  "expectation": {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": "[\"x\", {\"d\": 1.0, \"n\": 9007199254740993}]"}}},
 {"assessment_id": "a-4", "assessment_name": "answer", "trace_id": "ID", "source": {"source_type": "HUMAN",
   "source_id": "ann@example.com"},
  "create_time": "2025-06-15T16:00:04Z", "last_update_time": "2025-06-15T16:00:04Z", "expectation": {"value": 42.0}}],
"spans": [
 {"trace_id": "0123456789abcdef0123456789abcdef", "span_id": "00000000000000a1", "parent_span_id": null, "name": "root",
   "type": "AGENT", "start_time_unix_nano": 1750000000123456789,
  "end_time_unix_nano": 1750000000987654321, "status_code": "OK", "status_message": "",
  "attributes": {"mlflow.spanType": "AGENT", "mlflow.spanInputs": {"empty": {}, "none": [], "q": ["x", {"deep": null}]},
    "mlflow.spanOutputs": "text", "max": 9223372036854775807,
   "min": -9223372036854775808, "past 2^53": 9007199254740993, "one": 1, "one as double": 1.0, "one as decimal": 1.0, "tenth": 0.1,
     "tiny": 5e-324, "minus zero": -0.0,
   "t": true, "f": false, "null": null, "": "empty key", "emoji": "😀", "mlflow.traceRequestId": "ID"},
  "events": [{"name": "first", "time_unix_nano": 1750000000123456790, "attributes": {"d": 0.5, "n": 9007199254740993}},
    {"name": "bare", "time_unix_nano": 1750000000123456790, "attributes": {}}],
  "links": [{"trace_id": "trace:/LOCATION/tr-4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00000000000000ff", "attributes": {"n": 3,
    "why": "follows"}}]},
 {"trace_id": "0123456789abcdef0123456789abcdef", "span_id": "00000000000000a2", "parent_span_id": "00000000000000a1", "name": "child",
   "type": "LLM", "start_time_unix_nano": 1750000000200000000,
  "end_time_unix_nano": 1750000000300000000, "status_code": "ERROR", "status_message": "it broke",
    "attributes": {"mlflow.spanType": "LLM", "mlflow.traceRequestId": "ID"}, "events": [], "links": []}],
"error": null}`,
	`{"trace_id": "trace:/LOCATION/11111111111111111111111111111111", "state": "ERROR", "request_time_ms": 1750000001000,
  "execution_duration_ms": 0, "tags": {}, "trace_metadata": {}, "runs": [],
"assessments": [], "spans": [{"trace_id": "11111111111111111111111111111111", "span_id": "00000000000000b1", "name": "fails",
  "start_time_unix_nano": 1750000001000000000,
  "end_time_unix_nano": 1750000001000000001, "status_code": "ERROR", "status_message": "bad",
    "attributes": {"mlflow.traceRequestId": "trace:/LOCATION/11111111111111111111111111111111"},
  "events": [], "links": []}]}`,
	`{"trace_id": "trace:/LOCATION/22222222222222222222222222222222", "state": "OK", "request_time_ms": 1750000002000,
  "execution_duration_ms": 0, "tags": {}, "trace_metadata": {}, "runs": [],
"assessments": [], "spans": [{"trace_id": "22222222222222222222222222222222", "span_id": "00000000000000c1", "name": "unset",
  "start_time_unix_nano": 1750000002000000000,
  "end_time_unix_nano": 1750000002000000000, "status_code": "UNSET", "status_message": "",
    "attributes": {"mlflow.traceRequestId": "trace:/LOCATION/22222222222222222222222222222222"},
  "events": [], "links": []}]}`,
}

// TestFrontServesLocation reads rows that were written by hand with MLflow's own client.
func TestFrontServesLocation(t *testing.T) {
	w := SharedWarehouse(t)
	prefix := TablePrefix(t)
	for _, statement := range []string{locationSpans, locationAnnotations, locationSpanRows, locationAnnotationRows} {
		w.SQL(t, strings.ReplaceAll(statement, "PREFIX", prefix))
	}
	f := StartFront(t, FrontOptions{MLflow: "http://127.0.0.1:9", Warehouse: w.URL()})
	location := "spark_catalog.default." + prefix
	names := strings.NewReplacer("ID", "trace:/"+location+"/"+locationTrace, "LOCATION", location)

	read := f.ReadLocation(t, location)
	if len(read) != len(locationTraces) {
		t.Fatalf("the client lists %d traces, want %d", len(read), len(locationTraces))
	}
	for i, trace := range read {
		var want ExpectedTrace
		if err := json.Unmarshal([]byte(names.Replace(locationTraces[i])), &want); err != nil {
			t.Fatal(err)
		}
		if got, want := marshalled(t, trace), marshalled(t, want); got != want {
			t.Errorf("the client reads\n%s\nwant\n%s", got, want)
		}
	}

	edited := f.ReadLocation(t, location, TagEdit{TraceID: locationTrace, Key: "env", Value: "${edited} 'q'"},
		TagEdit{TraceID: locationTrace, Key: "gone", Value: "back"}, TagEdit{TraceID: locationTrace, Key: "odd/key %", Value: ""})
	if want := `{"env":"${edited} 'q'","gone":"back","odd/key %":""}`; len(edited) != 1 || marshalled(t, edited[0].Tags) != want {
		t.Errorf("after the tags were set: %v, want one trace with the tags %s", edited, want)
	}
	edited = f.ReadLocation(t, location, TagEdit{TraceID: locationTrace, Key: "env", Delete: true},
		TagEdit{TraceID: locationTrace, Key: "odd/key %", Delete: true})
	if want := `{"gone":"back"}`; len(edited) != 1 || marshalled(t, edited[0].Tags) != want {
		t.Errorf("after the tags were deleted: %v, want one trace with the tags %s", edited, want)
	}
	rows := w.SQL(t, "SELECT created_at, deleted_at IS NOT NULL, _change_type FROM default."+prefix+"_otel_annotations"+
		" WHERE annotation_id = 'c8171299-cfbf-3ef5-abc1-0c15a379dbd1' ORDER BY updated_at DESC")
	if want := `["2025-06-15T15:06:40+00:00",true,"insert"]`; len(rows) != 4 || marshalled(t, rows[0]) != want {
		t.Errorf("rows of the edited tag, newest first: %v, want 4, the first one %s", rows, want)
	}

	api := f.URL + "/api/4.0/mlflow/traces/" + location
	for path, want := range map[string]int{
		"/" + strings.Repeat("3", 32) + "/info": 404, "x/" + locationTrace + "/info": 404, "/batchGet?trace_ids=" + strings.Repeat("0", 32): 200,
		"/batchGet?" + strings.Repeat("trace_ids="+locationTrace+"&", 11): 400,
	} {
		if status, body, _, _ := ask(t, "GET", api+path, f.Token, ""); status != want {
			t.Errorf("%s: %d %s, want %d", path, status, body, want)
		}
	}
}

const locationTrace = "0123456789abcdef0123456789abcdef"

// marshalled is a value as JSON with the members of objects in alphabetical order. Numbers stay as they are written.
func marshalled(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var anything any
	if err := d.Decode(&anything); err != nil {
		t.Fatal(err)
	}
	if b, err = json.Marshal(anything); err != nil {
		t.Fatal(err)
	}
	return string(b)
}
