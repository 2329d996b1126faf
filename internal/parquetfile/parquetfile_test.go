package parquetfile

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// write makes a file of one text.
func write(t *testing.T, props *parquet.WriterProperties, text string) []byte {
	t.Helper()
	column := schema.NewByteArrayNode("text", parquet.Repetitions.Required, -1)
	root := schema.MustGroup(schema.NewGroupNode("root", parquet.Repetitions.Required, schema.FieldList{column}, -1))
	var out bytes.Buffer
	f := file.NewParquetWriter(&out, root, file.WithWriterProps(props))
	group, err := f.AppendRowGroupChecked()
	if err != nil {
		t.Fatal(err)
	}
	chunk, err := group.NextColumn()
	if err == nil {
		_, err = chunk.(*file.ByteArrayColumnChunkWriter).WriteBatch([]parquet.ByteArray{parquet.ByteArray(text)}, nil, nil)
	}
	if err == nil {
		err = chunk.Close()
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestCodec writes a file by this package's properties. Its page is what codec makes of the text, and arrow
// reads the text back.
func TestCodec(t *testing.T) {
	text := strings.Repeat("some text ", 1000)
	b := write(t, Properties(parquet.WithDictionaryDefault(false), parquet.WithStats(false)), text)
	var c codec
	page := c.Encode(nil, append([]byte{byte(len(text)), byte(len(text) >> 8), 0, 0}, text...)) // PLAIN: the length first
	if !bytes.Contains(b, page) {
		t.Errorf("the file of %d bytes does not hold the page that codec makes, of %d bytes", len(b), len(page))
	}
	r, err := file.NewParquetReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	column, err := r.RowGroup(0).Column(0)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]parquet.ByteArray, 1)
	_, n, err := column.(*file.ByteArrayColumnChunkReader).ReadBatch(1, values, nil, nil)
	if err != nil || n != 1 || string(values[0]) != text {
		t.Errorf("%d values, %d bytes, error %v; want the text", n, len(values[0]), err)
	}
	chunk, err := r.MetaData().RowGroup(0).ColumnChunk(0)
	if err != nil || chunk.Compression() != compress.Codecs.Zstd {
		t.Errorf("compression %v, error %v; want ZSTD", chunk.Compression(), err)
	}
	if name := r.MetaData().GetCreatedBy(); name != CreatedBy {
		t.Errorf("created by %q, want %q", name, CreatedBy)
	}
}

func TestNoLevels(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a file with a level of compression was written, want a panic")
		}
	}()
	write(t, Properties(parquet.WithCompressionLevel(1)), "text")
}
