package deltalake

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// TestRefusals edits the log of a good table and looks at what Check says.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct{ old, new, want string }{
		"reader feature": {
			`"readerFeatures":["variantType"]`,
			`"readerFeatures":["variantType","deletionVectors"]`,
			"reader feature deletionVectors",
		},
		"writer feature": {`"writerFeatures":["appendOnly"`, `"writerFeatures":["rowTracking"`, "writer feature rowTracking"},
		"reader version": {`"minReaderVersion":3`, `"minReaderVersion":4`, "version 4"},
		"v2 checkpoints": {`"delta.checkpointPolicy":"classic"`, `"delta.checkpointPolicy":"v2"`, "v2 checkpoints"},
		"column mapping": {`"delta.checkpointPolicy":"classic"`, `"delta.columnMapping.mode":"name"`, "column names"},
		"partitions":     {`"partitionColumns":[]`, `"partitionColumns":["date"]`, "partitioned by date"},
		"beta":           {`"otel.schemaVersion":"v2"`, `"otel.schemaVersion":"v1"`, "beta form"},
		"newer":          {`"otel.schemaVersion":"v2"`, `"otel.schemaVersion":"v3"`, "schema version v3"},
		"no version":     {`"otel.schemaVersion":"v2"`, `"x":"v2"`, "no OTEL table"},
		"column name":    {`\"name\":\"span_id\"`, `\"name\":\"spanid\"`, "has no column span_id"},
		"column type": {
			`\"name\":\"flags\",\"type\":\"integer\"`,
			`\"name\":\"flags\",\"type\":\"long\"`,
			"has column flags of type bigint, not int",
		},
		"not null": {
			`\"name\":\"record_id\",\"type\":\"string\",\"nullable\":true`,
			`\"name\":\"record_id\",\"type\":\"string\",\"nullable\":false`,
			"record_id is NOT NULL",
		},
		"invariant": {
			`\"name\":\"record_id\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}`,
			`\"name\":\"record_id\",\"type\":\"string\",\"nullable\":true,\"metadata\":{\"delta.invariants\":\"x\"}`,
			"delta.invariants",
		},
		"column missing": {
			`,{\"name\":\"span_schema_url\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}}`,
			``,
			"has no column span_schema_url",
		},
		"added not null": {
			`{\"name\":\"span_schema_url\"`,
			`{\"name\":\"x\",\"type\":\"string\",\"nullable\":false,\"metadata\":{}},{\"name\":\"span_schema_url\"`,
			"x is NOT NULL",
		},
		"nested type": {
			`\"name\":\"time_unix_nano\",\"type\":\"long\"`,
			`\"name\":\"time_unix_nano\",\"type\":\"double\"`,
			"has column events.time_unix_nano of type double, not bigint",
		},
		"nested missing": {
			`{\"name\":\"message\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}},`,
			``,
			"has no field status.message",
		},
		"deletion vector": {"\n", "\n" + `{"add":{"path":"x","size":1,"deletionVector":{"storageType":"u"}}}` + "\n", "deletion vectors"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			path := l.spans().log.file(0, ".json")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			whole := withoutComments(b)
			text := strings.Replace(whole, tt.old, tt.new, 1)
			if text == whole {
				t.Fatalf("%s is not in the log:\n%s", tt.old, b)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			l = open(t, l.path)
			for _, err := range []error{l.Check(t.Context()), l.Create(t.Context())} {
				if _, ok := errors.AsType[*target.TableError](err); !ok || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want a TableError with %q", err, tt.want)
				}
			}
			if _, err := l.WriteSpans(t.Context(), sampleSpans()); err == nil {
				t.Error("the table was written, want an error")
			}
		})
	}
}

// other is a column or field that tracemig does not know, in a schemaString inside of a log.
const other = `{\"name\":\"it's-new\",` +
	`\"type\":{\"type\":\"map\",\"keyType\":\"string\",\"valueType\":\"double\",\"valueContainsNull\":false},` +
	`\"nullable\":true,\"metadata\":{}},`

// changeLog edits the first commit of a table that nothing was written to.
func changeLog(t *testing.T, tbl *table, pairs ...string) {
	t.Helper()
	path := tbl.log.file(0, ".json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := withoutComments(b)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%s is not in the log:\n%s", pairs[i], b)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// withoutComments is a log without the comments on columns.
func withoutComments(log []byte) string {
	return regexp.MustCompile(`\\"comment\\":\\"[^"\\]*\\"`).ReplaceAllString(string(log), "")
}

// otherLake has tables with columns and fields that tracemig does not know, in another order, and
// annotations without the optional column.
func otherLake(t *testing.T) *Lake {
	l := newLake(t)
	field := func(name, typ string) string {
		return `{\"name\":\"` + name + `\",\"type\":\"` + typ + `\",\"nullable\":true,\"metadata\":{}}`
	}
	first, second := field("record_id", "string"), field("time", "timestamp")
	message, code := field("message", "string"), field("code", "string")
	changeLog(t, l.spans(), first+","+second, second+","+other+first, message+","+code, code+","+other+message,
		field("time_unix_nano", "long")+","+field("name", "string"), other+field("name", "string")+","+field("time_unix_nano", "long"))
	changeLog(t, l.annotations(), ","+field(uctables.ChangeType, "string"), "",
		field("target_id", "string"), other+field("target_id", "string"))
	return open(t, l.path)
}

// TestOtherColumns writes to tables with more columns and fields, and with fewer, and reads them back.
func TestOtherColumns(t *testing.T) {
	l := otherLake(t)
	ctx := t.Context()
	if err := l.Check(ctx); err != nil {
		t.Fatal(err)
	}
	for _, inserted := range []int{3, 0} {
		spans, err := l.WriteSpans(ctx, sampleSpans())
		if err != nil || spans.Inserted != inserted {
			t.Fatalf("spans: %+v, error %v; want %d inserted", spans, err, inserted)
		}
		annotations, err := l.WriteAnnotations(ctx, sampleAnnotations())
		if err != nil || annotations.Inserted != inserted {
			t.Fatalf("annotations: %+v, error %v; want %d inserted", annotations, err, inserted)
		}
	}
	ids := []string{sampleSpans()[0].TraceID}
	if d := cmp.Diff(spanLines(t, sampleSpans()), spanLines(t, readSpans(t, l, ids, target.AllTimes))); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}
	if d := cmp.Diff(annotationLines(t, sampleAnnotations()), annotationLines(t, readAnnotations(t, l, ids, target.AllTimes))); d != "" {
		t.Errorf("annotations (-want +got):\n%s", d)
	}
	if row := readTable(t, l.annotations())[0]; len(row) != 14 {
		t.Errorf("the file has %d columns, want the 14 of its table: %v", len(row), row)
	}
}
