package htmlpage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tracemig/tracemig/internal/disk"
)

// File is a file that holds the last report.
type File struct {
	path string
	mode fs.FileMode
}

// mark stands near the beginning of each report.
const mark = `<meta name="generator" content="tracemig">`

// OpenFile finds out whether a report can be written to path. What stands there stays until then; only an earlier report can be
// replaced. A new file is for its owner alone: reports name experiments and tables.
func OpenFile(path string) (*File, error) {
	f := &File{path, 0o600}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		f.path = real
	}
	switch info, err := os.Stat(f.path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file that can be replaced", path)
	default:
		f.mode = info.Mode().Perm()
		if err := f.isReport(info.Size()); err != nil {
			return nil, err
		}
	}
	beside, err := f.beside()
	if err != nil {
		return nil, err
	}
	beside.Close()
	return f, os.Remove(beside.Name())
}

// isReport says that the file of so many bytes is not to be replaced, where it is no report. An empty one is: somebody has made it for
// its mode.
func (f *File) isReport(size int64) error {
	if size == 0 {
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	head := make([]byte, min(size, 1024))
	if _, err := io.ReadFull(file, head); err != nil {
		return err
	}
	if !bytes.Contains(head, []byte(mark)) {
		return fmt.Errorf("%s is there, and is no report of tracemig, so it is not replaced", f.path)
	}
	return nil
}

// beside makes a new file in the folder of f.
func (f *File) beside() (*os.File, error) {
	beside, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*")
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		e.Path = f.path // the one that the user knows
	}
	return beside, err
}

// Write puts the page in the place of the one before: who opens the file sees one of them whole.
func (f *File) Write(p Page) error {
	data, err := Render(p)
	if err != nil {
		return err
	}
	beside, err := f.beside()
	if err != nil {
		return err
	}
	if f.mode != 0o600 {
		if err := beside.Chmod(f.mode); err != nil {
			beside.Close()
			_ = os.Remove(beside.Name()) // the error that led here is the one to tell
			return err
		}
	}
	return disk.Put(beside, data, f.path)
}
