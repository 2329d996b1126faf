//go:build rig

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// SQL expressions for the rows of the tables as JSON texts, which differ wherever two values differ, however these are
// stored: VARIANT is decoded, and times are in microseconds. VARIANT null and NULL differ in an additional column.
const (
	spanText = `to_json(struct(record_id, unix_micros(time) AS time, unix_date(date) AS date, service_name, trace_id, span_id,
  trace_state, parent_span_id, flags, name, kind, start_time_unix_nano, end_time_unix_nano, attributes,
  attributes IS NULL AS no_attributes, dropped_attributes_count, events, dropped_events_count, links, dropped_links_count, status,
  resource, resource_schema_url, instrumentation_scope, span_schema_url), map('ignoreNullFields', 'false'))`
	annotationText = `to_json(struct(annotation_id, target_type, target_id, annotation_type, name, value, value IS NULL AS no_value,
  comment, metadata, metadata IS NULL AS no_metadata, unix_micros(created_at) AS created_at, created_by,
  unix_micros(updated_at) AS updated_at, updated_by, unix_micros(deleted_at) AS deleted_at, deleted_by),
  map('ignoreNullFields', 'false'))`
	// anySource is annotationText without the source that the row names.
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

// readRows reads both tables with one statement, since each statement takes Spark about a second.
func readRows(t *testing.T, at tables) (spans []spanRow, annotations []annotationRow) {
	t.Helper()
	query := "SELECT 's', " + spanText + " FROM " + at.spans + " UNION ALL SELECT 'a', " + annotationText + " FROM " + at.annotations
	for _, row := range rig.SharedWarehouse(t).SQL(t, query) {
		if row[0] == "s" {
			spans = append(spans, decodeRow[spanRow](t, row[1].(string)))
		} else {
			annotations = append(annotations, decodeRow[annotationRow](t, row[1].(string)))
		}
	}
	return spans, annotations
}

// lake are the rows of local tables, read without Spark.
type lake struct {
	spans       []spanRow
	annotations []annotationRow
	texts       []string // of all rows, sorted, without the source that they name
}

var sourceInRow = regexp.MustCompile(`"tracemig.source": ?"[^"]*"`)

// readLake reads the fixture's local tables.
func (fx *fixture) readLake() (l lake) {
	fx.t.Helper()
	cmd := rig.Command(fx.t, "venv", "read_lake.py", fx.localPath)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	must(fx.t, err)
	for line := range strings.Lines(string(out)) {
		if row, ok := strings.CutPrefix(line, "spans "); ok {
			l.spans = append(l.spans, decodeRow[spanRow](fx.t, row))
		} else {
			l.annotations = append(l.annotations, decodeRow[annotationRow](fx.t, strings.TrimPrefix(line, "annotations ")))
		}
		l.texts = append(l.texts, sourceInRow.ReplaceAllString(line, ""))
	}
	slices.Sort(l.texts)
	return l
}

// same fails unless other holds exactly the rows of l, each as often, and at least one.
func (l *lake) same(t *testing.T, other lake) {
	t.Helper()
	if d := cmp.Diff(l.texts, other.texts); d != "" || len(l.texts) == 0 {
		t.Errorf("%d rows, want the %d of the other target, each as often (-want +got):\n%s", len(other.texts), len(l.texts), tail(d))
	}
}

func decodeRow[R any](t *testing.T, text string) (row R) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&row); err != nil {
		t.Fatalf("%v in %s", err, tail(text))
	}
	return row
}

// sameRows fails unless each target holds exactly the rows of want, each as often, and at least one.
func sameRows(t *testing.T, want tables, got ...tables) {
	t.Helper()
	compareRowTexts(t, [2]string{spanText, anySource}, want, got...)
}

// sameRowsButForStorage is sameRows for rows from a plain server and from a workspace. The two keep spans in different
// places and say so in tags, so that their digests of the listing differ too.
func sameRowsButForStorage(t *testing.T, want, got tables) {
	t.Helper()
	text := `regexp_replace(` + annotationText + `, '"tracemig.(source|digest)":"[^"]*",?|` +
		`"mlflow.trace.infoFinalized":"[^"]*",?|"tracemig.source_tags":[{][^}]*[}],?', '')`
	compareRowTexts(t, [2]string{spanText, text}, want, got)
}

// compareRowTexts compares the texts of rows by their hashes, and shows some of the rows where these differ.
func compareRowTexts(t *testing.T, texts [2]string, want tables, got ...tables) {
	t.Helper()
	var parts []string
	for i, at := range append([]tables{want}, got...) {
		for j, from := range []string{at.spans, at.annotations} {
			parts = append(parts, fmt.Sprintf("SELECT %d, xxhash64(%s) FROM %s", 2*i+j, texts[j], from))
		}
	}
	rows := make([]map[int64]int, len(parts)) // how often each hash occurs
	for i := range rows {
		rows[i] = map[int64]int{}
	}
	w := rig.SharedWarehouse(t)
	for _, row := range w.SQL(t, strings.Join(parts, "\nUNION ALL\n")) {
		rows[row[0].(int64)][row[1].(int64)]++
	}
	for i, hashes := range rows {
		at := append([]tables{want}, got...)[i/2]
		name, wanted := []string{at.spans, at.annotations}[i%2], []string{want.spans, want.annotations}[i%2]
		if len(hashes) == 0 {
			t.Errorf("%s is empty, want rows", name)
		}
		if maps.Equal(hashes, rows[i%2]) {
			continue
		}
		t.Errorf("%s has %d different rows, want the %d of %s, each as often", name, len(hashes), len(rows[i%2]), wanted)
		for _, c := range []struct{ what, a, b string }{{"lacks", wanted, name}, {"has besides", name, wanted}} {
			difference := "SELECT left(j, 2000) FROM (SELECT %[1]s AS j FROM %[2]s EXCEPT ALL SELECT %[1]s FROM %[3]s) LIMIT 5"
			for _, row := range w.SQL(t, fmt.Sprintf(difference, texts[i%2], c.a, c.b)) {
				t.Errorf("%s %s %s", name, c.what, row[0])
			}
		}
	}
}

// present returns the tables as readers see them: the newest version of each annotation, unless it is deleted. Annotations
// without an update time at the source show the time of their first version.
func (at tables) present() tables {
	return tables{at.spans, `(
		SELECT annotation_id, target_type, target_id, annotation_type, name, value, comment, metadata, created_at, created_by,
		  CASE WHEN annotation_type IN ('FEEDBACK', 'EXPECTATION') THEN updated_at ELSE created_at END AS updated_at, updated_by,
		  deleted_at, deleted_by
		FROM (SELECT *, row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
		  FROM ` + at.annotations + `)
		WHERE age = 1 AND deleted_at IS NULL)`}
}
