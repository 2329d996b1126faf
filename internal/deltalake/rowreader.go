package deltalake

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// batchLevels is how many values of a column are decoded at a time. A batch ends at the end of a page, too.
const batchLevels = 1024

// rowReader reads the columns of one row after the other. It reads a column only as far as the row for which it is
// asked for the column's value, so columns that nobody looks at cost little or nothing.
//
// Its methods take the number of a column in the list that scan was called with. After an error, which err holds,
// they return NULL.
type rowReader struct {
	cols []leaf
	row  int64 // of its row group
	err  error
}

// leaf is a column of a file and the cursor in it.
type leaf struct {
	name     string
	index    int // in the file; -1 where the file lacks the column, which is NULL in all its rows then
	maxDef   int16
	entryDef int16 // the lowest definition level of an element of the list that the column is in; 0 for no list
	unit     schema.TimeUnitType

	group  *file.RowGroupReader
	chunk  file.ColumnChunkReader // nil until the column is asked for
	row    int64                  // the row that the cursor is in, -1 at first
	at     int                    // the cursor among the n levels that are decoded
	n      int
	value  int // the cursor among the values that are decoded
	def    []int16
	rep    []int16 // of a list only
	text   []parquet.ByteArray
	int32s []int32
	int64s []int64
	int96s []parquet.Int96
}

// scan reads columns of the row groups for which keep is true (nil: all), and calls yield for each row. Columns are
// named by their path in the table. The levels that Parquet has for lists, which writers name in several ways, are
// not part of a path. A column may be in one list at most.
func scan(
	ctx context.Context, path string, columns []string,
	keep func(*metadata.RowGroupMetaData, *schema.Schema) bool, yield func(*rowReader) error,
) (err error) {
	f, err := openParquet(path)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	sc := f.MetaData().Schema
	known := leaves(sc)
	r := rowReader{cols: make([]leaf, len(columns))}
	for i, name := range columns {
		l, ok := known[name]
		if !ok {
			l.index = -1
		}
		l.name = name
		r.cols[i] = l
	}
	defer func() {
		if closeErr := r.open(nil); err == nil {
			err = closeErr
		}
	}()
	for g := range f.NumRowGroups() {
		group := f.RowGroup(g)
		if keep != nil && !keep(group.MetaData(), sc) {
			continue
		}
		if err := r.open(group); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for r.row = range group.NumRows() {
			if r.row%batchLevels == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			err := yield(&r)
			if r.err != nil {
				return fmt.Errorf("%s: %w", path, r.err)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func openParquet(path string) (*file.Reader, error) {
	props := parquet.NewReaderProperties(nil)
	props.BufferedStreamEnabled = true // otherwise whole column chunks are in memory
	// A page holds whole rows, and the events of a span may be large.
	props.MaxCompressedPageSize, props.MaxUncompressedPageSize = math.MaxInt32, math.MaxInt32
	return file.OpenParquetFile(path, false, file.WithReadProps(props))
}

// leaves are the columns of a file by their path in the table.
func leaves(sc *schema.Schema) map[string]leaf {
	found := make(map[string]leaf)
	index := 0
	var walk func(n schema.Node, path string, def, entryDef int16)
	walk = func(n schema.Node, path string, def, entryDef int16) {
		switch n.RepetitionType() {
		case parquet.Repetitions.Optional:
			def++
		case parquet.Repetitions.Repeated:
			def++
			entryDef = def
		}
		group, ok := n.(*schema.GroupNode)
		if !ok {
			d := sc.Column(index)
			if d.MaxRepetitionLevel() <= 1 {
				found[path] = leaf{index: index, maxDef: d.MaxDefinitionLevel(), entryDef: entryDef, unit: timeUnit(d)}
			}
			index++
			return
		}
		for i := range group.NumFields() {
			child, path := group.Field(i), path
			inner := n.RepetitionType() == parquet.Repetitions.Repeated && group.NumFields() == 1
			if !inner && child.RepetitionType() != parquet.Repetitions.Repeated {
				if path != "" {
					path += "."
				}
				path += child.Name()
			}
			walk(child, path, def, entryDef)
		}
	}
	for i := range sc.Root().NumFields() {
		walk(sc.Root().Field(i), sc.Root().Field(i).Name(), 0, 0)
	}
	return found
}

// open goes to the beginning of a row group, or with nil closes the last one.
func (r *rowReader) open(g *file.RowGroupReader) error {
	for i := range r.cols {
		c := &r.cols[i]
		if c.chunk != nil {
			if err := c.chunk.Close(); err != nil {
				return err
			}
		}
		c.group, c.chunk, c.row, c.at, c.n = g, nil, -1, 0, 0
	}
	return nil
}

// fill decodes the next levels and values. It returns io.EOF at the end of the row group.
func (c *leaf) fill() (err error) {
	if c.chunk == nil {
		if c.chunk, err = c.group.Column(c.index); err != nil {
			return err
		}
		if c.def == nil {
			c.def = make([]int16, batchLevels)
			if c.entryDef > 0 {
				c.rep = make([]int16, batchLevels)
			}
		}
	}
	c.at, c.n, c.value = 0, 0, 0
	if !c.chunk.HasNext() {
		if err := c.chunk.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	var n int64
	switch chunk := c.chunk.(type) {
	case *file.ByteArrayColumnChunkReader:
		n, _, err = chunk.ReadBatchInPage(batchLevels, buffer(&c.text), c.def, c.rep)
	case *file.Int32ColumnChunkReader:
		n, _, err = chunk.ReadBatchInPage(batchLevels, buffer(&c.int32s), c.def, c.rep)
	case *file.Int64ColumnChunkReader:
		n, _, err = chunk.ReadBatchInPage(batchLevels, buffer(&c.int64s), c.def, c.rep)
	case *file.Int96ColumnChunkReader:
		n, _, err = chunk.ReadBatchInPage(batchLevels, buffer(&c.int96s), c.def, c.rep)
	default:
		return fmt.Errorf("it is %s", c.chunk.Type())
	}
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	c.n = int(n)
	return err
}

// buffer returns the memory for a batch of values, which it makes on first use.
func buffer[T any](values *[]T) []T {
	if *values == nil {
		*values = make([]T, batchLevels)
	}
	return *values
}

// next moves the cursor on by one level. It returns io.EOF at the end of the row group.
func (c *leaf) next() error {
	if c.at < c.n && c.def[c.at] == c.maxDef {
		c.value++
	}
	if c.at++; c.at >= c.n {
		if err := c.fill(); err != nil {
			return err
		}
	}
	if c.rep == nil || c.rep[c.at] == 0 {
		c.row++
	}
	return nil
}

// find returns a column with its cursor at the row, or in the row where it is there already; nil where the file
// lacks the column, or after an error.
func (r *rowReader) find(col int) *leaf {
	c := &r.cols[col]
	if c.index < 0 || r.err != nil {
		return nil
	}
	for c.row < r.row {
		if err := c.next(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			r.fail(col, err)
			return nil
		}
	}
	return c
}

func (r *rowReader) fail(col int, err error) {
	r.err = fmt.Errorf("row %d of a row group: column %s: %w", r.row, r.cols[col].name, err)
}

// present is find, and nil for NULL.
func (r *rowReader) present(col int) *leaf {
	if c := r.find(col); c != nil && c.def[c.at] == c.maxDef {
		return c
	}
	return nil
}

// text is a string or the bytes of a blob; nil for NULL. It is valid until the next row or element of a list is read.
func (r *rowReader) text(col int) []byte {
	c := r.present(col)
	switch {
	case c == nil:
		return nil
	case c.text == nil:
		r.fail(col, fmt.Errorf("it is %s", c.chunk.Type()))
		return nil
	case c.text[c.value] == nil:
		return []byte{}
	}
	return c.text[c.value]
}

const (
	julianDayOfEpoch = 2_440_588
	microsPerDay     = 24 * 60 * 60 * 1_000_000
)

// int is an integer, or a TIMESTAMP in microseconds. Other writers may store that in other units, and Spark stores it
// as INT96 by default. ok is false for NULL.
func (r *rowReader) int(col int) (v int64, ok bool) {
	c := r.present(col)
	switch {
	case c == nil:
		return 0, false
	case c.int64s != nil:
		return toMicros(c.int64s[c.value], c.unit), true
	case c.int32s != nil:
		return int64(c.int32s[c.value]), true
	case c.int96s != nil:
		// Int96.ToTime is of no use: it counts nanoseconds from 1970 in 64 bits, which is too few for all years.
		b := c.int96s[c.value]
		day := int64(binary.LittleEndian.Uint32(b[8:])) - julianDayOfEpoch
		return day*microsPerDay + int64(binary.LittleEndian.Uint64(b[:8]))/1000, true
	}
	r.fail(col, fmt.Errorf("it is %s", c.chunk.Type()))
	return 0, false
}

// list calls element for each element of the list that the columns [from, to) are in.
func (r *rowReader) list(from, to int, element func()) {
	for {
		entry, more := false, false
		for i := from; i < to; i++ {
			if c := r.find(i); c != nil {
				entry = c.def[c.at] >= c.entryDef
			}
		}
		if !entry || r.err != nil {
			return
		}
		element()
		for i := from; i < to && r.err == nil; i++ {
			c := &r.cols[i]
			if c.index < 0 {
				continue
			}
			err := c.next()
			more = err == nil && c.row == r.row
			if err != nil && !errors.Is(err, io.EOF) {
				r.fail(i, err)
			}
		}
		if !more || r.err != nil {
			return
		}
	}
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
