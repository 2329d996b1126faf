package deltalake

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// batchRows is how many rows are read at a time.
const batchRows = 4096

// rowBatch holds some rows of the columns that were asked for.
type rowBatch struct {
	n    int
	cols []readColumn
}

// text is the string or blob of a column, nil for NULL. It is valid until the next batch.
func (b *rowBatch) text(col, row int) []byte { return b.cols[col].text[row] }

// micros is the TIMESTAMP of a column in microseconds; ok is false for NULL.
func (b *rowBatch) micros(col, row int) (v int64, ok bool) {
	c := &b.cols[col]
	return c.times[row], c.def[row] == c.maxDef
}

type readColumn struct {
	index  int
	maxDef int16
	unit   schema.TimeUnitType // of an INT64 TIMESTAMP
	def    []int16
	text   []parquet.ByteArray
	times  []int64
	int96  []parquet.Int96
}

// scan reads columns, named by their dotted path and not repeated, of the row groups that keep
// takes (nil: all) and calls yield for batches of rows. Files of other writers are read as well:
// times may be INT96, which Spark writes by default, or INT64 of any unit.
func scan(ctx context.Context, path string, columns []string, keep func(*metadata.RowGroupMetaData, *schema.Schema) bool, yield func(*rowBatch) error) (err error) {
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := r.Close(); err == nil {
			err = closeErr
		}
	}()
	sc := r.MetaData().Schema
	b := rowBatch{cols: make([]readColumn, len(columns))}
	for i, name := range columns {
		index := sc.ColumnIndexByName(name)
		if index < 0 {
			return fmt.Errorf("%s has no column %s", path, name)
		}
		d := sc.Column(index)
		if d.MaxRepetitionLevel() > 0 {
			return fmt.Errorf("%s: column %s is repeated", path, name)
		}
		c := &b.cols[i]
		*c = readColumn{index: index, maxDef: d.MaxDefinitionLevel(), def: make([]int16, batchRows)}
		switch d.PhysicalType() {
		case parquet.Types.ByteArray:
			c.text = make([]parquet.ByteArray, batchRows)
		case parquet.Types.Int64:
			c.times = make([]int64, batchRows)
			c.unit = timeUnit(d)
		case parquet.Types.Int96:
			c.times = make([]int64, batchRows)
			c.int96 = make([]parquet.Int96, batchRows)
		default:
			return fmt.Errorf("%s: column %s is %s", path, name, d.PhysicalType())
		}
	}
	for i := range r.NumRowGroups() {
		rg := r.RowGroup(i)
		if keep != nil && !keep(rg.MetaData(), sc) {
			continue
		}
		readers := make([]file.ColumnChunkReader, len(columns))
		for j := range b.cols {
			if readers[j], err = rg.Column(b.cols[j].index); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		for left := rg.NumRows(); left > 0; left -= int64(b.n) {
			if err := ctx.Err(); err != nil {
				return err
			}
			b.n = int(min(left, batchRows))
			for j := range b.cols {
				if err := b.cols[j].read(readers[j], b.n); err != nil {
					return fmt.Errorf("%s: column %s: %w", path, columns[j], err)
				}
			}
			if err := yield(&b); err != nil {
				return err
			}
		}
	}
	return nil
}

func timeUnit(d *schema.Column) schema.TimeUnitType {
	if ts, ok := d.LogicalType().(schema.TimestampLogicalType); ok {
		return ts.TimeUnit()
	}
	return schema.TimeUnitMicros
}

func toMicros(v int64, unit schema.TimeUnitType) int64 {
	switch unit {
	case schema.TimeUnitMillis:
		return v * 1000
	case schema.TimeUnitNanos:
		return time.Unix(0, v).UnixMicro()
	}
	return v
}

// read fills the column with the next n rows, each value at the place of its row.
func (c *readColumn) read(r file.ColumnChunkReader, n int) error {
	var rows int64
	var values int
	var err error
	switch r := r.(type) {
	case *file.ByteArrayColumnChunkReader:
		rows, values, err = r.ReadBatch(int64(n), c.text, c.def, nil)
	case *file.Int64ColumnChunkReader:
		rows, values, err = r.ReadBatch(int64(n), c.times, c.def, nil)
	case *file.Int96ColumnChunkReader:
		rows, values, err = r.ReadBatch(int64(n), c.int96, c.def, nil)
	}
	if err != nil {
		return err
	}
	if rows != int64(n) {
		return fmt.Errorf("%d rows where %d belong", rows, n)
	}
	if c.maxDef == 0 {
		clear(c.def[:n])
	}
	for row := n - 1; row >= 0; row-- {
		if c.def[row] < c.maxDef {
			if c.text != nil {
				c.text[row] = nil
			}
			continue
		}
		values--
		switch {
		case c.text != nil:
			c.text[row] = c.text[values]
		case c.int96 != nil:
			c.times[row] = c.int96[values].ToTime().UnixMicro()
		default:
			c.times[row] = toMicros(c.times[values], c.unit)
		}
	}
	return nil
}

// levels reads one column of all row groups and calls yield for each of its entries with the
// number of its row; v is nil where the value is absent.
func levels(r *file.Reader, name string, yield func(row int64, v any)) error {
	index := r.MetaData().Schema.ColumnIndexByName(name)
	if index < 0 {
		return nil
	}
	maxDef := r.MetaData().Schema.Column(index).MaxDefinitionLevel()
	repeated := r.MetaData().Schema.Column(index).MaxRepetitionLevel() > 0
	row := int64(-1)
	def, rep := make([]int16, batchRows), make([]int16, batchRows)
	text, i32, i64 := make([]parquet.ByteArray, batchRows), make([]int32, batchRows), make([]int64, batchRows)
	for i := range r.NumRowGroups() {
		cr, err := r.RowGroup(i).Column(index)
		if err != nil {
			return err
		}
		for cr.HasNext() {
			var n int64
			switch cr := cr.(type) {
			case *file.ByteArrayColumnChunkReader:
				n, _, err = cr.ReadBatch(batchRows, text, def, rep)
			case *file.Int32ColumnChunkReader:
				n, _, err = cr.ReadBatch(batchRows, i32, def, rep)
			case *file.Int64ColumnChunkReader:
				n, _, err = cr.ReadBatch(batchRows, i64, def, rep)
			default:
				return fmt.Errorf("column %s has an unexpected type", name)
			}
			if err != nil {
				return err
			}
			at := 0
			for k := range n {
				if !repeated || rep[k] == 0 {
					row++
				}
				if maxDef > 0 && def[k] < maxDef {
					yield(row, nil)
					continue
				}
				switch cr.(type) {
				case *file.ByteArrayColumnChunkReader:
					yield(row, string(text[at]))
				case *file.Int32ColumnChunkReader:
					yield(row, int64(i32[at]))
				default:
					yield(row, i64[at])
				}
				at++
			}
		}
		if err := cr.Err(); err != nil {
			return err
		}
	}
	return nil
}
