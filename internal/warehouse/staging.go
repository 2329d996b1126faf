package warehouse

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// stagedLimits of one statement: its cost hardly grows with its size, so large ones win.
var stagedLimits = target.Limits{Rows: 50_000, Bytes: 64 << 20, PreferLarge: true}

const (
	// fileBytes is how many bytes of lines go into one file. Several files are read in parallel.
	fileBytes = 4 << 20
	// stagedFrom is from how many bytes of lines on files are worth their requests.
	stagedFrom = 1 << 20
	// uploads is how many files are encoded and sent at the same time.
	uploads = 4
	// leftOver is the age from which on the files of other owners belong to nobody.
	leftOver = 24 * time.Hour
)

// staging puts the rows of statements into files of a volume. Each statement has a folder
// <volume>/tracemig/<owner>-<random>, which goes with its files once the statement has ended.
type staging struct {
	volume   uctables.Volume
	files    *databricks.Files
	owner    string
	removals sync.WaitGroup
}

var (
	ownerName = regexp.MustCompile(`^[0-9a-f]{16}$`)
	batchName = regexp.MustCompile(`^[0-9a-f]{16}-[0-9a-f]{16}$`)
)

// Stage has large batches from now on go by way of files in Options.Volume; without one it does
// nothing. owner is 16 hexadecimal digits that no other process uses at the same time: what lies in
// the volume under that name was left over by a run before, and is removed. So is what others have
// left over for a day. Call it before the first write.
func (w *Warehouse) Stage(ctx context.Context, owner string) error {
	v := w.opts.Volume
	if v == nil {
		return nil
	}
	if !ownerName.MatchString(owner) {
		return fmt.Errorf("%q can't be the owner of files in a volume. Move the checkpoint away and run again: it is rebuilt from the target", owner)
	}
	if err := v.Validate(); err != nil {
		return fmt.Errorf("volume %s: %w", v.Path(), err)
	}
	files, err := databricks.NewFiles(w.opts.Config, w.policy, w.opts.Waiting)
	if err != nil {
		return fmt.Errorf("volume %s: %w", v.Path(), err)
	}
	s := &staging{volume: *v, files: files, owner: owner}
	there, err := files.HasVolume(ctx, v.FullName())
	if err == nil && !there && w.opts.MakeVolume {
		if err := files.CreateVolume(ctx, v.Catalog, v.Schema, v.Name); err != nil {
			return fmt.Errorf("make volume %s: %w. Have the owner of the schema run: %s", v.FullName(), err, grants.ToMakeVolume(*v).Statement("<you>"))
		}
		there = true
	}
	switch {
	case err != nil:
		return s.explained("look for it", err)
	case !there:
		return s.explained("look for it", databricks.ErrNotThere)
	}
	if err := s.sweep(ctx, time.Now(), w.warn); err != nil {
		return s.explained("remove what earlier runs left there", err)
	}
	if w.staging != nil {
		w.staging.removals.Wait()
	}
	w.staging = s
	return nil
}

// explained says what to do about a volume that can't be used.
func (s *staging) explained(what string, err error) error {
	v := s.volume
	next := "Run again later, or without staging"
	switch {
	case errors.Is(err, databricks.ErrNotThere):
		next = "Check its name, or make it: " + tablesql.CreateVolume(v)
	case errors.Is(err, databricks.ErrNoRight):
		next = "Have its owner run: " + grants.ToStage(v).Statement("<you>")
	case errors.Is(err, databricks.ErrRefused):
		next = "Log in again, or check the token"
	}
	return fmt.Errorf("volume %s: %s: %w. %s", v.Path(), what, err, next)
}

// sweep removes what runs before have left over.
func (s *staging) sweep(ctx context.Context, now time.Time, warn func(error)) error {
	root := s.volume.StagedFolder()
	batches, err := s.files.List(ctx, root)
	if errors.Is(err, databricks.ErrNotThere) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, b := range batches {
		if !b.Folder || !batchName.MatchString(b.Name) {
			continue // not made by tracemig
		}
		folder := root + "/" + b.Name
		files, err := s.files.List(ctx, folder)
		if errors.Is(err, databricks.ErrNotThere) {
			continue // another run has just removed it
		}
		if err != nil {
			return err
		}
		var names []string
		last := b.ModifiedMs
		for _, f := range files {
			names = append(names, f.Name)
			last = max(last, f.ModifiedMs)
		}
		old := last > 0 && now.Sub(time.UnixMilli(last)) > leftOver
		if !strings.HasPrefix(b.Name, s.owner+"-") && !old {
			continue
		}
		err = s.files.Remove(ctx, folder, names...)
		if errors.Is(err, databricks.ErrNoRight) || errors.Is(err, databricks.ErrRefused) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			warn(fmt.Errorf("%s, which an earlier run has left there, can't be removed: %w. Remove it by hand", folder, err))
		}
	}
	return nil
}

// input is where a statement finds its rows.
type input struct {
	params []any // ParamRows, unless they are in files
	volume *uctables.Volume
	folder string // in the volume
	files  int    // numbered from 0
	bytes  int64  // of lines
}

// statement is text with its rows read from where they are.
func (in *input) statement(text string) string {
	if in.folder == "" {
		return text
	}
	return tablesql.Staged(*in.volume, text, in.folder)
}

// path is that of the folder.
func (in *input) path() string { return in.volume.StagedFolder() + "/" + in.folder }

func fileName(i int) string { return strconv.Itoa(i) + ".parquet" }

// lay makes n rows, which line appends as text, ready for a statement: as a parameter, or in files.
func (w *Warehouse) lay(ctx context.Context, n int, line func(text []byte, i int) []byte) (*input, error) {
	in := &input{}
	s := w.staging
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(uploads)
	put := func(text []byte, ends []int) {
		if in.folder == "" {
			var random [8]byte
			_, _ = rand.Read(random[:])
			in.volume, in.folder = &s.volume, s.owner+"-"+hex.EncodeToString(random[:])
			if err := s.files.MakeFolder(ctx, in.path()); err != nil {
				g.Go(func() error { return err })
			}
		}
		number := in.files
		in.files++
		in.bytes += int64(len(text))
		g.Go(func() error {
			data, err := encodeLines(text, ends)
			if err != nil {
				return err
			}
			return s.files.Put(gctx, in.path()+"/"+fileName(number), data)
		})
	}
	var text []byte
	var ends []int
	for i := range n {
		if s != nil && len(text) >= fileBytes {
			put(text, ends)
			text, ends = make([]byte, 0, len(text)+len(text)/8), make([]int, 0, len(ends))
		}
		text = append(line(text, i), '\n')
		ends = append(ends, len(text)-1)
	}
	if s == nil || in.files == 0 && len(text) < stagedFrom {
		in.params, in.bytes = rowsParam(string(text[:len(text)-1])), int64(len(text)-1)
		return in, nil
	}
	put(text, ends)
	if err := g.Wait(); err != nil {
		w.remove(ctx, in)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, s.explained("put a file there", err)
	}
	return in, nil
}

// remove takes the files of an input away while the caller goes on. What can't be removed, the next
// run removes.
func (w *Warehouse) remove(ctx context.Context, in *input) {
	if in == nil || in.folder == "" || ctx.Err() != nil {
		return
	}
	names := make([]string, in.files)
	for i := range names {
		names[i] = fileName(i)
	}
	w.staging.removals.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := w.staging.files.Remove(ctx, in.path(), names...); err != nil {
			w.warn(fmt.Errorf("the files in %s were loaded and could not be removed: %w. The next run removes them", in.path(), err))
		}
	})
}

func (w *Warehouse) warn(err error) {
	if w.opts.Warn != nil {
		w.opts.Warn(err)
	}
}

// grants are the statements that let somebody write.
func (w *Warehouse) grants() []string {
	g := grants.Statements(w.opts.Location, "<you>")
	if w.opts.Volume != nil {
		g = append(g, grants.ToStage(*w.opts.Volume).Statement("<you>"))
	}
	return g
}

// encodeLines makes a Parquet file with the column line of lines, which end in text at ends, each
// followed by a newline.
func encodeLines(text []byte, ends []int) ([]byte, error) {
	values := make([]parquet.ByteArray, len(ends))
	start := 0
	for i, end := range ends {
		values[i] = text[start:end:end]
		start = end + 1
	}
	line := schema.MustPrimitive(schema.NewPrimitiveNodeLogical("line", parquet.Repetitions.Required, schema.StringLogicalType{}, parquet.Types.ByteArray, 0, -1))
	root := schema.MustGroup(schema.NewGroupNode("spark_schema", parquet.Repetitions.Required, schema.FieldList{line}, -1))
	var out bytes.Buffer
	f := file.NewParquetWriter(&out, root, file.WithWriterProps(parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1), parquet.WithDictionaryDefault(false), parquet.WithStats(false),
		parquet.WithCreatedBy("tracemig"), parquet.WithBatchSize(64), // page size is looked at once a batch
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
