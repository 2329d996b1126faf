package deltalake

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/parquet/file"
)

// copyRows writes the rows of a Parquet file for which keep is true, by their place in the file, to w as a file
// of the same form. It copies the values of all columns as they are, so that nothing gets lost that another
// writer has put there: columns and fields that tracemig does not know, and types that it would read into a
// coarser one.
func copyRows(ctx context.Context, from *file.Reader, keep []bool, w io.Writer) error {
	meta := from.MetaData()
	out := file.NewParquetWriter(noClose{w}, meta.Schema.Root(), file.WithWriterProps(writerProperties(meta.Schema)),
		// Spark notes there, among other things, in which calendar it wrote the dates.
		file.WithWriteMetadata(meta.KeyValueMetadata()))
	for g := range from.NumRowGroups() {
		group := from.RowGroup(g)
		if int64(len(keep)) < group.NumRows() {
			return io.ErrUnexpectedEOF
		}
		part := keep[:group.NumRows()]
		keep = keep[group.NumRows():]
		if !slices.Contains(part, true) {
			continue
		}
		copied, err := out.AppendRowGroupChecked()
		if err != nil {
			return err
		}
		for c := range meta.Schema.NumColumns() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := copyChunk(group, copied, c, part); err != nil {
				return fmt.Errorf("column %s: %w", meta.Schema.Column(c).Path(), err)
			}
		}
		if err := copied.Close(); err != nil {
			return err
		}
	}
	return out.Close()
}

func copyChunk(from *file.RowGroupReader, to file.SerialRowGroupWriter, column int, keep []bool) (err error) {
	in, err := from.Column(column)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := in.Close(); err == nil {
			err = closeErr
		}
	}()
	out, err := to.NextColumn()
	if err != nil {
		return err
	}
	switch in := in.(type) {
	case *file.BooleanColumnChunkReader:
		err = copyValues(in, out, keep)
	case *file.Int32ColumnChunkReader:
		err = copyValues(in, out, keep)
	case *file.Int64ColumnChunkReader:
		err = copyValues(in, out, keep)
	case *file.Int96ColumnChunkReader:
		err = copyValues(in, out, keep)
	case *file.Float32ColumnChunkReader:
		err = copyValues(in, out, keep)
	case *file.Float64ColumnChunkReader:
		err = copyValues(in, out, keep)
	case *file.ByteArrayColumnChunkReader:
		err = copyValues(in, out, keep)
	case *file.FixedLenByteArrayColumnChunkReader:
		err = copyValues(in, out, keep)
	default:
		err = fmt.Errorf("it is %s", in.Type())
	}
	if err != nil {
		return err
	}
	return out.Close()
}

type valueReader[T any] interface {
	file.ColumnChunkReader
	ReadBatchInPage(n int64, values []T, def, rep []int16) (levels int64, read int, err error)
}

type valueWriter[T any] interface {
	WriteBatch(values []T, def, rep []int16) (int64, error)
}

// copyValues copies the values that the kept rows have in one column. A row may have many values, or none, and
// they may be read in several batches.
func copyValues[T any](in valueReader[T], chunk file.ColumnChunkWriter, keep []bool) error {
	out, ok := chunk.(valueWriter[T])
	if !ok {
		return fmt.Errorf("no writer for %T", chunk)
	}
	b := valueBatch[T]{maxDef: in.Descriptor().MaxDefinitionLevel(), row: -1}
	b.values, b.def = make([]T, batchLevels), make([]int16, batchLevels)
	if in.Descriptor().MaxRepetitionLevel() > 0 {
		b.rep = make([]int16, batchLevels)
	}
	for in.HasNext() {
		n, _, err := in.ReadBatchInPage(batchLevels, b.values, b.def, b.rep)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		levels, values, err := b.compact(int(n), keep)
		if err != nil {
			return err
		}
		if levels == 0 {
			continue
		}
		rep := b.rep
		if rep != nil {
			rep = rep[:levels]
		}
		if _, err := out.WriteBatch(b.values[:values], b.def[:levels], rep); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	if b.row+1 != len(keep) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// valueBatch is a part of a column: its levels, and its values that are not NULL.
type valueBatch[T any] struct {
	values   []T
	def, rep []int16 // rep is nil for a column outside of lists
	maxDef   int16   // the definition level of a value that is not NULL
	row      int     // the row of the last level, -1 at first
}

// compact moves those of the first n levels whose rows are kept, and their values, to the front. It returns how
// many these are.
func (b *valueBatch[T]) compact(n int, keep []bool) (levels, values int, err error) {
	value := 0 // the next one
	for i := range n {
		if b.rep == nil || b.rep[i] == 0 {
			b.row++
		}
		if b.row < 0 || b.row >= len(keep) {
			return 0, 0, fmt.Errorf("it has other rows than its row group, which has %d", len(keep))
		}
		present := b.def[i] == b.maxDef
		if keep[b.row] {
			b.def[levels] = b.def[i]
			if b.rep != nil {
				b.rep[levels] = b.rep[i]
			}
			levels++
			if present {
				b.values[values] = b.values[value]
				values++
			}
		}
		if present {
			value++
		}
	}
	return levels, values, nil
}
