package deltalake

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tracemig/tracemig/internal/parquetfile"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

// rowGroupBytes is how many bytes of values are collected before they are written as a row group.
const rowGroupBytes = 16 << 20

// pageBytes is the size at which a page ends. Arrow makes a buffer as large as the next power of two, which is 1 MB for a page
// and the ordinary value that goes beyond this size.
const pageBytes = 1<<20 - 1<<16

// blockBytes is the size of the blocks of memory that hold encoded VARIANT values until then.
const blockBytes = 1 << 20

// rowWriter writes rows to a Parquet file. A row is written by one call per column, in the order of the file: each
// call for a leaf appends to the column at the cursor and moves the cursor on.
//
// def is the definition level of the group that encloses the cursor, and rep the repetition level of the next value
// (see the Parquet documentation of nested encoding).
type rowWriter struct {
	file *file.Writer
	cols []column
	at   int
	def  int16
	rep  int16

	changeType bool // the table of annotations has uctables.ChangeType

	enc    variant.Encoder
	copies arena // of VARIANT values
	rows   int
	size   int // bytes of values collected

	err    error  // of a document that VARIANT does not hold
	failed string // which document of the row that is
}

// column collects the values of one leaf until its row group is written.
type column struct {
	root   string // the table's column that the leaf is part of
	maxDef int16
	def    []int16
	rep    []int16 // of a repeated leaf only
	nested bool
	i32    []int32
	i64    []int64
	text   []parquet.ByteArray
	late   []lateValue // of text, in order
}

// lateValue is a value of a column that is encoded only when its page is written. Until then its place in column.text is
// empty.
type lateValue struct {
	at   int // in column.text
	json uctables.JSON
}

// lateBytes is the size from which on a value is encoded twice: to see whether it can be, and when its page is written.
// The parts of a value over the size limit are such values of one row, and took as much memory as the row. It is the size of
// a page, so that a page ends with each, and the encoder's memory holds one at a time.
const lateBytes = pageBytes

// newRowWriter begins a file with the columns of t, which are those that tracemig knows, in the order of schema
// version v2. Further columns and fields of the table are NULL to readers, since the file lacks them. The memory of used,
// a closed writer or nil, becomes that of the new one: to grow it anew for each file was a fifth of all allocations of a run.
func newRowWriter(w io.Writer, t uctables.Table, used *rowWriter) *rowWriter {
	root := schema.MustGroup(schema.NewGroupNode("spark_schema", parquet.Repetitions.Required, parquetNodes(t.Struct()), -1))
	sc := schema.NewSchema(root)
	cols := make([]column, sc.NumColumns())
	for i := range cols {
		c := sc.Column(i)
		if used != nil && i < len(used.cols) {
			cols[i] = used.cols[i]
		}
		cols[i].root, cols[i].maxDef, cols[i].nested = c.ColumnPath()[0], c.MaxDefinitionLevel(), c.MaxRepetitionLevel() > 0
	}
	next := &rowWriter{
		file: file.NewParquetWriter(w, root, file.WithWriterProps(writerProperties(sc))),
		cols: cols, changeType: t.Has(uctables.ChangeType),
	}
	if used != nil {
		next.copies = used.copies
	}
	return next
}

// writerProperties are the settings of a file with any columns.
func writerProperties(sc *schema.Schema) *parquet.WriterProperties {
	var props []parquet.WriterProperty
	for i := range sc.NumColumns() {
		c := sc.Column(i)
		path := c.ColumnPath()
		name := path[len(path)-1]
		_, text := c.LogicalType().(schema.StringLogicalType)
		blob := c.PhysicalType() == parquet.Types.ByteArray && !text
		// The smallest and largest bytes of a blob say nothing, and INT96 has no order that readers agree on.
		if blob || c.PhysicalType() == parquet.Types.Int96 {
			props = append(props, parquet.WithStatsPath(path, false))
		}
		// A dictionary costs a look-up and two allocations a value, which only texts that repeat make up for. Of a VARIANT
		// the keys do, which are its metadata. IDs, times and counters do not, or compress as well without.
		if c.PhysicalType() != parquet.Types.ByteArray || blob && name != "metadata" || strings.HasSuffix(name, "_id") {
			props = append(props, parquet.WithDictionaryPath(path, false))
		}
	}
	return parquetfile.Properties(append(props, parquet.WithDataPageSize(pageBytes))...)
}

// level appends a level to the column at the cursor and moves the cursor on.
func (w *rowWriter) level(present bool) *column {
	c := &w.cols[w.at]
	w.at++
	def := w.def
	if present {
		def = c.maxDef
	}
	c.def = append(c.def, def)
	if c.nested {
		c.rep = append(c.rep, w.rep)
	}
	w.size += 2
	return c
}

func (w *rowWriter) int32(v int32) { w.optInt32(v, true) }

func (w *rowWriter) optInt32(v int32, present bool) {
	if c := w.level(present); present {
		c.i32 = append(c.i32, v)
		w.size += 4
	}
}

func (w *rowWriter) int64(v int64) { w.optInt64(&v) }

func (w *rowWriter) optInt64(v *int64) {
	if c := w.level(v != nil); v != nil {
		c.i64 = append(c.i64, *v)
		w.size += 8
	}
}

func (w *rowWriter) string(s string) { w.optString(&s) }

// optString keeps a reference to the text until the row group is written, and no copy.
func (w *rowWriter) optString(s *string) {
	c := w.level(s != nil)
	if s == nil {
		return
	}
	text := *s
	if !utf8.ValidString(text) {
		text = string([]rune(text)) // Each wrong byte becomes U+FFFD.
	}
	c.text = append(c.text, unsafe.Slice(unsafe.StringData(text), len(text)))
	w.size += len(text) + int(unsafe.Sizeof(parquet.ByteArray{}))
}

// variant writes the two binary parts of a document; what names it in an error. After an error it writes NULL, so
// that the row can be written to its end, where endRow returns the error.
func (w *rowWriter) variant(what string, text uctables.JSON) {
	if text == nil || w.err != nil {
		w.level(false)
		w.level(false)
		return
	}
	value, metadata, err := w.enc.Encode(text)
	if err != nil {
		w.err, w.failed = err, what
	}
	for i, b := range [][]byte{value, metadata} {
		c := w.level(err == nil)
		if err != nil {
			continue
		}
		if i == 0 && len(b) >= lateBytes {
			c.late = append(c.late, lateValue{len(c.text), text})
			c.text = append(c.text, nil)
		} else {
			c.text = append(c.text, w.copies.keep(b))
		}
		w.size += len(b) + int(unsafe.Sizeof(parquet.ByteArray{}))
	}
}

// arena is memory for copies of values. It is used again once the row group is written.
type arena struct {
	blocks [][]byte
	used   int // how many blocks hold values; the last one of these may have room
}

// keep copies b to memory that stays as it is until reset.
func (a *arena) keep(b []byte) []byte {
	if len(b) > blockBytes/4 {
		return slices.Clone(b)
	}
	if a.used == 0 || len(a.blocks[a.used-1])+len(b) > blockBytes {
		if a.used == len(a.blocks) {
			a.blocks = append(a.blocks, make([]byte, 0, blockBytes))
		}
		a.blocks[a.used] = a.blocks[a.used][:0]
		a.used++
	}
	block := &a.blocks[a.used-1]
	start := len(*block)
	*block = append(*block, b...)
	return (*block)[start:len(*block):len(*block)]
}

func (a *arena) reset() { a.used = 0 }

// skip writes NULL to all leaves of the table's column at the cursor.
func (w *rowWriter) skip() { w.skipAt(w.def) }

func (w *rowWriter) skipAt(def int16) {
	outer := w.def
	w.def = def
	for root := w.cols[w.at].root; w.at < len(w.cols) && w.cols[w.at].root == root; {
		w.level(false)
	}
	w.def = outer
}

// group writes the fields of a struct that is not NULL.
func (w *rowWriter) group(fields func()) {
	w.def++
	fields()
	w.def--
}

// optGroup writes a struct, or NULL where it is not there.
func (w *rowWriter) optGroup(there bool, fields func()) {
	if !there {
		w.skip()
		return
	}
	w.group(fields)
}

// list writes n elements of one of the table's columns, an array of structs that is not NULL; noun names an element
// in an error.
func (w *rowWriter) list(n int, noun string, element func(i int)) {
	if n == 0 {
		w.skipAt(w.def + 1)
		return
	}
	start := w.at
	w.def += 3 // the list, its repetition, the element
	for i := range n {
		w.at = start
		before := w.err
		element(i)
		if before == nil && w.err != nil {
			w.failed = fmt.Sprintf("%s of %s %d", w.failed, noun, i)
		}
		w.rep = 1
	}
	w.def -= 3
	w.rep = 0
}

// endRow ends a row, and writes a row group when enough has been collected.
func (w *rowWriter) endRow() error {
	if w.at != len(w.cols) {
		panic(fmt.Sprintf("deltalake: row has %d leaves, the table %d", w.at, len(w.cols)))
	}
	if w.err != nil {
		return fmt.Errorf("%s: %w", w.failed, w.err)
	}
	w.at = 0
	w.rows++
	if w.size < rowGroupBytes {
		return nil
	}
	return w.flush()
}

func (w *rowWriter) flush() error {
	if w.rows == 0 {
		return nil
	}
	rg, err := w.file.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	for i := range w.cols {
		c := &w.cols[i]
		out, err := rg.NextColumn()
		if err != nil {
			return err
		}
		switch out := out.(type) {
		case *file.Int32ColumnChunkWriter:
			_, err = out.WriteBatch(c.i32, c.def, c.rep)
		case *file.Int64ColumnChunkWriter:
			_, err = out.WriteBatch(c.i64, c.def, c.rep)
		case *file.ByteArrayColumnChunkWriter:
			err = c.writeText(out, &w.enc)
		default:
			err = fmt.Errorf("no writer for %T", out)
		}
		if err != nil {
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
		clear(c.text)
		clear(c.late)
		c.def, c.rep, c.i32, c.i64, c.text, c.late = c.def[:0], c.rep[:0], c.i32[:0], c.i64[:0], c.text[:0], c.late[:0]
	}
	w.copies.reset()
	w.rows, w.size = 0, 0
	return rg.Close()
}

// writeText writes the values in steps of about a page. The values may be large, and arrow's writer ends a page only
// between steps and has several copies of it in memory. It would also grow the page's buffer many times, unless told how
// much comes.
func (c *column) writeText(out *file.ByteArrayColumnChunkWriter, enc *variant.Encoder) error {
	text, late := c.text, c.late
	dictionary := out.Properties().DictionaryEnabledFor(out.Descr().Path())
	from, values, bytes := 0, 0, 0 // since the last step
	for i, def := range c.def {
		if def == c.maxDef {
			if len(late) > 0 && late[0].at == len(c.text)-len(text)+values {
				value, _, err := enc.Encode(late[0].json)
				if err != nil {
					return err
				}
				text[values] = value
				late = late[1:]
			}
			bytes += len(text[values])
			values++
		}
		if bytes < pageBytes && i+1 < len(c.def) {
			continue
		}
		if !dictionary {
			out.CurrentEncoder().ReserveForWrite(bytes + 4*values) // The length of a value takes four bytes.
		}
		var rep []int16
		if c.nested {
			rep = c.rep[from : i+1]
		}
		if _, err := out.WriteBatch(text[:values], c.def[from:i+1], rep); err != nil {
			return err
		}
		clear(text[:values]) // frees large ones
		text = text[values:]
		from, values, bytes = i+1, 0, 0
	}
	return nil
}

// close writes the last row group and the footer. It does not close the file underneath.
func (w *rowWriter) close() error {
	if err := w.flush(); err != nil {
		return err
	}
	f := w.file
	w.file = nil // which has memory of its own
	return f.Close()
}

// noClose hides the file's Close from the Parquet writer: the file must be synced before it is closed.
type noClose struct{ io.Writer }
