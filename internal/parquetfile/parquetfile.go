// Package parquetfile holds the settings of all Parquet files that tracemig writes: those of local tables and
// those that are staged for a warehouse.
//
// Arrow takes its compressors from one registry per process. This package registers one for ZSTD when the
// process starts, so every file of a process has the same compression, whichever packages the process holds:
// the program's files and those of each test are alike as long as their properties come from here.
package parquetfile

import (
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// CreatedBy is the name of the program in the files.
const CreatedBy = "tracemig"

// Properties are those of every file, and more.
func Properties(more ...parquet.WriterProperty) *parquet.WriterProperties {
	return parquet.NewWriterProperties(append([]parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCreatedBy(CreatedBy),
	}, more...)...)
}

// codec compresses pages as arrow's own codec does, in less memory: a page is about 1 MB, and so is the window
// here. With the library's window of 8 MB each encoder takes 16 MB.
//
// It has one level, the library's default. A file that asks for another one makes the process panic, since it
// would not get it.
type codec struct {
	compress.ErrorCodec // arrow's, for decoding
	compress.StreamingCodec
}

// encoder compresses up to four pages at a time: that many files are written at once. A sync.Pool of encoders would lose
// them to the garbage collector, which runs often.
var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithZeroFrames(true), zstd.WithEncoderConcurrency(4),
		zstd.WithAllLitEntropyCompression(true), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
})

// Encode compresses src into dst, as far as that has room.
func (codec) Encode(dst, src []byte) []byte { return encoder().EncodeAll(src, dst[:0]) }

// EncodeLevel is Encode. Arrow calls it for every page.
func (c codec) EncodeLevel(dst, src []byte, level int) []byte {
	if level != compress.DefaultCompressionLevel {
		panic(fmt.Sprintf("parquetfile: a file asks for ZSTD level %d; there is the default level alone", level))
	}
	return c.Encode(dst, src)
}

func init() {
	arrows, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		panic(err)
	}
	compress.RegisterCodec(compress.Codecs.Zstd, codec{arrows.(compress.ErrorCodec), arrows.(compress.StreamingCodec)})
}
