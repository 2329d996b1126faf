package warehouse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// sampleLines are lines of 2 KB that compress as spans do, with their ends.
func sampleLines(n int) (text []byte, ends []int) {
	for i := range n {
		text = fmt.Appendf(text, `{"i":%d,"text":"%s"}`, i*7919, strings.Repeat(fmt.Sprintf("some words %d ", i%97), 140))
		ends = append(ends, len(text))
		text = append(text, '\n')
	}
	return text, ends
}

func TestEncodeLines(t *testing.T) {
	text, ends := sampleLines(3000)
	data, err := encodeLines(text, ends)
	if err != nil {
		t.Fatal(err)
	}
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []byte
	for i := range r.NumRowGroups() {
		c, err := r.RowGroup(i).Column(0)
		if err != nil {
			t.Fatal(err)
		}
		values := make([]parquet.ByteArray, 100)
		for c.HasNext() {
			_, n, err := c.(*file.ByteArrayColumnChunkReader).ReadBatch(int64(len(values)), values, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range values[:n] {
				got = append(append(got, v...), '\n')
			}
		}
	}
	if !bytes.Equal(got, text) {
		t.Errorf("%d bytes came back, want the %d that were written", len(got), len(text))
	}
	if name := r.MetaData().Schema.Column(0).Path(); name != "line" {
		t.Errorf("the column is %q", name)
	}
}

func BenchmarkEncodeLines(b *testing.B) {
	text, ends := sampleLines(4000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		data, err := encodeLines(text, ends)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(text))/float64(len(data)), "ratio")
	}
}
