package warehouse

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

const (
	// fileBytes is how many bytes of lines go into one file. A warehouse reads several files in parallel.
	fileBytes = 4 << 20
	// stagedFrom is from how many bytes of lines on files are worth their requests.
	stagedFrom = 1 << 20
	// uploads is how many files are encoded and sent at the same time.
	uploads = 4
)

// input is where a statement finds its rows: in a parameter, or in the files of a folder.
type input struct {
	params []any // ParamRows, unless the rows are in files
	volume *uctables.Volume
	folder string // of the volume; empty if the rows are in a parameter
	files  int    // numbered from 0
	bytes  int64  // of lines
}

// statement is text, changed so that it reads the rows from where they are.
func (in *input) statement(text string) string {
	if in.folder == "" {
		return text
	}
	return tablesql.Staged(*in.volume, text, in.folder)
}

// path is that of the folder.
func (in *input) path() string { return in.volume.StagedFolder() + "/" + in.folder }

func fileName(i int) string { return strconv.Itoa(i) + ".parquet" }

// prepareRows puts n rows, of which row appends the line of each, into a parameter or into files.
func (w *Warehouse) prepareRows(ctx context.Context, n int, row func(text []byte, i int) []byte) (*input, error) {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	u := &upload{s: w.staging, group: group}
	in := &u.in
	var text []byte
	var ends []int // of the lines in text
	for i := range n {
		if w.staging != nil && len(text) >= fileBytes {
			u.put(groupCtx, text, ends)
			text, ends = make([]byte, 0, len(text)+len(text)/8), make([]int, 0, len(ends))
		}
		text = append(row(text, i), '\n')
		ends = append(ends, len(text)-1)
	}
	if w.staging == nil || in.files == 0 && len(text) < stagedFrom {
		in.params, in.bytes = rowsParam(string(text[:len(text)-1])), int64(len(text)-1)
		return in, group.Wait() // of nothing; it ends the group's context
	}
	u.put(groupCtx, text, ends)
	if err := group.Wait(); err != nil {
		w.removeFiles(ctx, in)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, w.staging.explained("put a file there", err)
	}
	return in, nil
}

// upload puts the rows of one statement into the files of a folder.
type upload struct {
	s     *staging
	in    input
	group *errgroup.Group
}

// put has the group encode a file with the lines that end in text at ends, and send it. Before the first file it makes the
// folder.
func (u *upload) put(ctx context.Context, text []byte, ends []int) {
	in := &u.in
	if in.folder == "" {
		var random [8]byte
		_, _ = rand.Read(random[:])
		in.volume, in.folder = &u.s.volume, u.s.owner+"-"+hex.EncodeToString(random[:])
		if err := u.s.files.MakeFolder(ctx, in.path()); err != nil {
			u.group.Go(func() error { return err })
		}
	}
	path := in.path() + "/" + fileName(in.files)
	in.files++
	in.bytes += int64(len(text))
	u.group.Go(func() error {
		data, err := encodeLines(text, ends)
		if err != nil {
			return err
		}
		return u.s.files.Put(ctx, path, data)
	})
}

// removeFiles removes the files of an input while the caller goes on. The next run removes those that are left.
func (w *Warehouse) removeFiles(ctx context.Context, in *input) {
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
