package warehouse

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tracemig/tracemig/internal/parquetfile"
)

// encodeLines makes a Parquet file whose only column, line, has the lines of text. ends are where they end in text, each
// before its newline.
func encodeLines(text []byte, ends []int) ([]byte, error) {
	values := make([]parquet.ByteArray, len(ends))
	start := 0
	for i, end := range ends {
		values[i] = text[start:end:end]
		start = end + 1
	}
	line := schema.MustPrimitive(schema.NewPrimitiveNodeLogical("line", parquet.Repetitions.Required,
		schema.StringLogicalType{}, parquet.Types.ByteArray, 0, -1))
	root := schema.MustGroup(schema.NewGroupNode("spark_schema", parquet.Repetitions.Required, schema.FieldList{line}, -1))
	var out bytes.Buffer
	f := file.NewParquetWriter(&out, root, file.WithWriterProps(parquetfile.Properties(
		parquet.WithDictionaryDefault(false), parquet.WithStats(false),
		parquet.WithBatchSize(64), // the writer looks at the size of a page once a batch
	)))
	group, err := f.AppendRowGroupChecked()
	if err != nil {
		return nil, fmt.Errorf("encode rows: %w", err)
	}
	column, err := group.NextColumn()
	if err != nil {
		return nil, fmt.Errorf("encode rows: %w", err)
	}
	_, err = column.(*file.ByteArrayColumnChunkWriter).WriteBatch(values, nil, nil)
	if err := errors.Join(err, column.Close(), group.Close(), f.Close()); err != nil {
		return nil, fmt.Errorf("encode rows: %w", err)
	}
	return out.Bytes(), nil
}
