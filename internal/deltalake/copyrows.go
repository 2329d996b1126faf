package deltalake

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/parquet/file"
)

// copyRows writes those rows of a Parquet file that keep says, by their place in the file, as a file of
// the same form to w. It copies the values of all columns as they are, so that nothing that another
// writer has put there gets lost: columns and fields that tracemig does not know, and types that it would
// read into a coarser one.
func copyRows(ctx context.Context, from *file.Reader, keep []bool, w io.Writer) error {
	meta := from.MetaData()
	out := file.NewParquetWriter(noClose{w}, meta.Schema.Root(), file.WithWriterProps(writerProperties(meta.Schema)),
		// By it Spark knows, among other things, in which calendar it wrote the dates.
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

// copyValues copies what the kept rows have in one column. A row may have many values, or none, and
// they may lie in several batches.
func copyValues[T any](in valueReader[T], chunk file.ColumnChunkWriter, keep []bool) error {
	out, ok := chunk.(valueWriter[T])
	if !ok {
		return fmt.Errorf("no writer for %T", chunk)
	}
	maxDef := in.Descriptor().MaxDefinitionLevel()
	values, def := make([]T, batchLevels), make([]int16, batchLevels)
	var rep []int16
	if in.Descriptor().MaxRepetitionLevel() > 0 {
		rep = make([]int16, batchLevels)
	}
	row := -1
	for in.HasNext() {
		n, _, err := in.ReadBatchInPage(batchLevels, values, def, rep)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		levels, kept, value := 0, 0, 0
		for i := range int(n) {
			if rep == nil || rep[i] == 0 {
				row++
			}
			if row < 0 || row >= len(keep) {
				return fmt.Errorf("it has other rows than its row group, which has %d", len(keep))
			}
			present := def[i] == maxDef
			if keep[row] {
				def[levels] = def[i]
				if rep != nil {
					rep[levels] = rep[i]
				}
				levels++
				if present {
					values[kept] = values[value]
					kept++
				}
			}
			if present {
				value++
			}
		}
		if levels == 0 {
			continue
		}
		levelsRep := rep
		if rep != nil {
			levelsRep = rep[:levels]
		}
		if _, err := out.WriteBatch(values[:kept], def[:levels], levelsRep); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	if row+1 != len(keep) {
		return io.ErrUnexpectedEOF
	}
	return nil
}
