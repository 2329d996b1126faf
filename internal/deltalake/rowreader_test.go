package deltalake

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// TestOtherForms reads a file of a form that tracemig does not write: with INT96 and other units of time, a list of
// two levels and columns that it does not know, and without one that it asks for.
func TestOtherForms(t *testing.T) {
	optional, required := parquet.Repetitions.Optional, parquet.Repetitions.Required
	unit := func(name string, u schema.TimeUnitType) schema.Node {
		timestamp := schema.NewTimestampLogicalType(true, u)
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, optional, timestamp, parquet.Types.Int64, -1, -1))
	}
	element := schema.MustGroup(schema.NewGroupNode("array", parquet.Repetitions.Repeated, schema.FieldList{
		schema.NewInt32Node("extra", required, -1), schema.NewInt64Node("n", optional, -1),
	}, -1))
	root := schema.MustGroup(schema.NewGroupNode("schema", required, schema.FieldList{
		unit("nanos", schema.TimeUnitNanos), unit("millis", schema.TimeUnitMillis), schema.NewInt96Node("int96", optional, -1),
		schema.MustGroup(schema.NewGroupNodeLogical("list", optional, schema.FieldList{element}, schema.ListLogicalType{}, -1)),
	}, -1))
	path := filepath.Join(t.TempDir(), "f.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := file.NewParquetWriter(f, root)
	rg, err := w.AppendRowGroupChecked()
	if err != nil {
		t.Fatal(err)
	}
	column := func(write func(c file.ColumnChunkWriter) error) {
		c, err := rg.NextColumn()
		if err == nil {
			err = write(c)
		}
		if err == nil {
			err = c.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	int96 := make([]parquet.Int96, 3)
	for i, at := range []int64{target.AllTimes.Low, sampleTime, target.AllTimes.High} {
		days := uctables.Day(at)
		int96[i].SetNanoSeconds((at - int64(days)*microsPerDay) * 1000)
		binary.LittleEndian.PutUint32(int96[i][8:], uint32(julianDayOfEpoch+days))
	}
	def := []int16{1, 0, 1, 1}
	column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Int64ColumnChunkWriter).WriteBatch([]int64{sampleTime*1000 + 999, -1, -1000}, def, nil)
		return err
	})
	column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Int64ColumnChunkWriter).WriteBatch([]int64{sampleTime / 1000, -1, 0}, def, nil)
		return err
	})
	column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Int96ColumnChunkWriter).WriteBatch(int96, def, nil)
		return err
	})
	// The lists are [1, NULL], NULL, [] and [2].
	rep := []int16{0, 1, 0, 0, 0}
	column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Int32ColumnChunkWriter).WriteBatch([]int32{7, 8, 9}, []int16{2, 2, 0, 1, 2}, rep)
		return err
	})
	column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Int64ColumnChunkWriter).WriteBatch([]int64{1, 2}, []int16{3, 2, 0, 1, 3}, rep)
		return err
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got [][]any
	if err := scan(t.Context(), path, []string{"int96", "millis", "nanos", "list.n", "missing"}, nil, func(r *rowReader) error {
		var row []any
		value := func(col int) {
			if v, ok := r.int(col); ok {
				row = append(row, v)
			} else {
				row = append(row, nil)
			}
		}
		value(0)
		value(1)
		value(2)
		value(4)
		r.list(3, 4, func() { value(3) })
		r.list(4, 5, func() { value(4) })
		got = append(got, row)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := [][]any{
		{target.AllTimes.Low, int64(sampleTime / 1000 * 1000), int64(sampleTime), nil, int64(1), nil},
		{nil, nil, nil, nil},
		{int64(sampleTime), int64(-1000), int64(-1), nil},
		{target.AllTimes.High, int64(0), int64(-1), nil, int64(2)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	err = scan(t.Context(), path, []string{"nanos"}, nil, func(r *rowReader) error { r.text(0); return nil })
	if err == nil || !strings.Contains(err.Error(), "column nanos") {
		t.Errorf("a number as a text: error %v, want one that names column nanos", err)
	}
}
