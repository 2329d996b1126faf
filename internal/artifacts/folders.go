package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tracemig/tracemig/internal/fault"
)

// folders are those of this machine.
type folders struct{}

func openFolders(context.Context, string, func(string) string) (bucket, error) { return folders{}, nil }

// get opens a file. No link leads out of the folder, and nothing but a file is opened, since opening a pipe would wait.
func (folders) get(_ context.Context, folder, name string) (io.ReadCloser, int64, error) {
	root, err := os.OpenRoot(filepath.FromSlash(folder))
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	name = filepath.FromSlash(name)
	info, err := root.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("it is no file (%s)", info.Mode().Type())
	}
	f, err := root.Open(name)
	return f, info.Size(), err
}

func (folders) holds(_ context.Context, folder string) (bool, error) {
	f, err := os.Open(filepath.FromSlash(folder))
	if err != nil {
		return false, err
	}
	defer f.Close()
	_, err = f.ReadDir(1)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

func (folders) judge(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ErrNotExist
	}
	e := &Error{Problem: clean(err.Error()), kind: fault.Other, next: nextServer}
	if errors.Is(err, fs.ErrPermission) {
		e.kind = fault.Permission
		e.next = "run as a user who may read it, or name the MLflow server, which reads it, with --server"
	}
	return e
}
