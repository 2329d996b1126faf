package deltalake

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

// readTable reads all rows of the table's newest version by arrow-go's own record reader, as maps of
// JSON values. VARIANT columns come as json.RawMessage.
func readTable(t *testing.T, tbl *table) []map[string]any {
	t.Helper()
	s, err := tbl.log.load()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		r, err := file.OpenParquetFile(s.files[name].path, false)
		if err != nil {
			t.Fatal(err)
		}
		ar, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: 1000}, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		records, err := ar.GetRecordReader(t.Context(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for records.Next() {
			b, err := records.RecordBatch().MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			d := json.NewDecoder(strings.NewReader(string(b)))
			d.UseNumber()
			var batch []map[string]any
			if err := d.Decode(&batch); err != nil {
				t.Fatal(err)
			}
			for _, row := range batch {
				rows = append(rows, variants(t, row).(map[string]any))
			}
		}
		if err := records.Err(); err != nil {
			t.Fatal(err)
		}
		records.Release()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// variants puts decoded texts in the place of the two blobs of VARIANT.
func variants(t *testing.T, v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = variants(t, v[i])
		}
	case map[string]any:
		if v["value"] != nil && v["metadata"] != nil && len(v) == 2 {
			blobs := make([][]byte, 2)
			for i, name := range []string{"value", "metadata"} {
				b, err := base64.StdEncoding.DecodeString(v[name].(string))
				if err != nil {
					t.Fatal(err)
				}
				blobs[i] = b
			}
			text, err := variant.AppendJSON(nil, blobs[0], blobs[1])
			if err != nil {
				t.Fatal(err)
			}
			return json.RawMessage(text)
		}
		for k := range v {
			v[k] = variants(t, v[k])
		}
	}
	return v
}

// expectedSpan is the row as readTable should return it: the JSON line that uctables makes of it, with null for the
// columns that the line lacks, and with times as arrow-go prints them.
func expectedSpan(t *testing.T, s *uctables.Span) map[string]any {
	row := expectedRow(t, uctables.Spans, uctables.AppendSpan(nil, s))
	row["time"] = stamp(s.TimeMicros)
	if s.Date != uctables.NoDate {
		row["date"] = dayTime(int64(s.Date)).Format(time.DateOnly)
	}
	return row
}

func expectedAnnotation(t *testing.T, a *uctables.Annotation) map[string]any {
	row := expectedRow(t, uctables.Annotations, uctables.AppendAnnotation(nil, a))
	row["created_at"], row["updated_at"] = stamp(a.CreatedAtMicros), stamp(a.UpdatedAtMicros)
	if a.DeletedAtMicros != nil {
		row["deleted_at"] = stamp(*a.DeletedAtMicros)
	}
	row[uctables.ChangeType] = uctables.Insert
	return row
}

func stamp(micros int64) string {
	text := time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.999999Z")
	return text
}

func expectedRow(t *testing.T, tbl uctables.Table, line []byte) map[string]any {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(line, &row); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]any)
	for _, c := range tbl.Columns {
		out[c.Name] = expectedValue(t, uctables.MustType(c.Type), row[c.Name])
	}
	return out
}

func expectedValue(t *testing.T, typ uctables.Type, text json.RawMessage) any {
	if text == nil {
		return nil
	}
	switch typ.Name {
	case "variant":
		var e variant.Encoder
		value, metadata, err := e.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := variant.AppendJSON(nil, value, metadata)
		if err != nil {
			t.Fatal(err)
		}
		return json.RawMessage(b)
	case "struct":
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		out := make(map[string]any)
		for _, f := range typ.Fields {
			out[f.Name] = expectedValue(t, f.Type, fields[f.Name])
		}
		return out
	case "array":
		var elems []json.RawMessage
		if err := json.Unmarshal(text, &elems); err != nil {
			t.Fatal(err)
		}
		out := []any{}
		for _, e := range elems {
			out = append(out, expectedValue(t, typ.Elems[0], e))
		}
		return out
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
