// Package artifacts reads files of traces that an MLflow server keeps outside of its database: in folders, S3, Google Cloud Storage
// and Azure. Where they lie is in tags of the trace, in the forms of mlflow.store.artifact in MLflow's source. Credentials are those
// that MLflow itself would find in the environment.
//
// A file is said not to be there only by a store that was asked and knows. Everything else, such as a folder of another machine or a
// bucket that this identity may not read, is no sign of a lost file.
package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/retry"
)

// Options say how to read files.
type Options struct {
	// Destination is where the server keeps the files that it serves itself, whose locations begin with mlflow-artifacts: (mlflow
	// server --artifacts-destination): a folder, or a location in an object store. Empty where it is not known.
	Destination string
	Getenv      func(string) string // for settings of MLflow's own; the SDKs of the stores read the environment by themselves
	MaxBytes    int64               // of one file; 0 for mlflowclient.DefaultMaxTraceBytes
	Retry       retry.Policy        // zero for retry.Default
	Waits       *retry.Waits        // may be nil
	Logger      *slog.Logger        // may be nil
}

// Store reads files. It is a mlflowdb.Files, and its method may be called at the same time.
type Store struct {
	opts  Options
	large chan struct{} // holds one element for each file over largeFile that is being read

	mu     sync.Mutex
	opened map[string]*opening
	found  map[string]bool // folders that are known to hold something
}

var _ mlflowdb.Files = (*Store)(nil)

const (
	// largeFile is the size from which on only one file is read at a time, so that Options.MaxBytes bounds the memory.
	largeFile = 16 << 20
	// stall is how long a store may send nothing.
	stall = time.Minute
)

// bucket is a bucket or container of an object store, or the folders of this machine.
type bucket interface {
	// get opens a file below a folder, which is the path of a place. size is below 0 where it is not known.
	get(ctx context.Context, folder, name string) (body io.ReadCloser, size int64, err error)
	// holds says whether anything is below a folder.
	holds(ctx context.Context, folder string) (bool, error)
	// judge makes an error of get or holds fs.ErrNotExist, one of retry.Again, or an *Error.
	judge(err error) error
}

// opening is a bucket that is being opened, or was.
type opening struct {
	sync.Mutex
	bucket bucket
	err    error // which stays
}

// New makes a Store. It opens nothing yet. Its error says that the destination is of a kind that can't be read.
func New(opts Options) (*Store, error) {
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = mlflowclient.DefaultMaxTraceBytes
	}
	if opts.Retry == (retry.Policy{}) {
		opts.Retry = retry.Default
	}
	if opts.Getenv == nil {
		opts.Getenv = func(string) string { return "" }
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Destination != "" {
		var err error
		if opts.Destination, err = absolute(opts.Destination); err != nil {
			return nil, err
		}
	}
	return &Store{opts: opts, large: make(chan struct{}, 1), opened: map[string]*opening{}, found: map[string]bool{}}, nil
}

// Read reads the file at a path below a location: what a trace's tag says. The error is fs.ErrNotExist where the location can be read
// and has no such file, and mlflowdb.ErrElsewhere where it is of a kind that can't be read here. An *Error, which is ErrElsewhere too,
// says what is in the way, and what to do about it.
func (s *Store) Read(ctx context.Context, location, name string) ([]byte, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, fmt.Errorf("%q is no path of a file below a location", name)
	}
	at, err := s.resolve(location)
	if err != nil {
		return nil, err
	}
	b, err := s.open(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.child(name), err)
	}
	var body []byte
	err = s.try(ctx, at, b, func(ctx context.Context, alive func()) (err error) {
		body, err = s.get(ctx, alive, b, at.path, name)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = s.confirm(ctx, at, b)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.child(name), err)
	}
	return body, nil
}

// open opens the bucket of a place, once. A bucket that can't be opened is not tried again: the environment stays as it is.
func (s *Store) open(ctx context.Context, at place) (bucket, error) {
	id := at.scheme + "://" + at.host
	s.mu.Lock()
	o := s.opened[id]
	if o == nil {
		o = &opening{}
		s.opened[id] = o
	}
	s.mu.Unlock()
	o.Lock()
	defer o.Unlock()
	if o.bucket == nil && o.err == nil {
		b, err := openers[at.scheme](ctx, at.host, s.opts.Getenv)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		o.bucket, o.err = b, err
	}
	return o.bucket, o.err
}

var openers = map[string]func(ctx context.Context, host string, getenv func(string) string) (bucket, error){
	"file": openFolders, "s3": openS3, "gs": openGCS, "wasbs": openAzure, "abfss": openAzure,
}

// confirm gives fs.ErrNotExist for a file that was not found, if other traces have files where it would be. If nothing at all is there,
// it is more likely that the files lie somewhere else: on the server's own disk, or below another destination.
func (s *Store) confirm(ctx context.Context, at place, b bucket) error {
	around := at.around()
	s.mu.Lock()
	known := s.found[around.String()]
	s.mu.Unlock()
	if known {
		return fs.ErrNotExist
	}
	holds := false
	err := s.try(ctx, around, b, func(ctx context.Context, _ func()) (err error) {
		holds, err = b.holds(ctx, around.path)
		return err
	})
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case !holds:
		return &Error{Problem: around.String() + ", where it and the files of other traces should be, is not there or holds nothing",
			next: "run where the server's files are, give the right --artifacts-destination, or name the server with --server"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found[around.String()] = true
	return fs.ErrNotExist
}

var errStalled = errors.New("the store has sent nothing for a minute")

// try calls f until it succeeds, or another try can't help. f calls alive whenever it gets something.
func (s *Store) try(ctx context.Context, at place, b bucket, f func(ctx context.Context, alive func()) error) error {
	op := s.opts.Waits.Operation()
	defer op.Over()
	return retry.Do(ctx, s.opts.Retry, func(ctx context.Context) error {
		attempt, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		watchdog := time.AfterFunc(stall, func() { cancel(errStalled) })
		defer watchdog.Stop()
		err := f(attempt, func() { watchdog.Reset(stall) })
		_, large := errors.AsType[*mlflowclient.TooLargeError](err)
		switch {
		case err == nil || large:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case attempt.Err() != nil:
			return retry.Again(&Error{Problem: errStalled.Error(), next: nextServer}, 0)
		}
		return b.judge(err)
	}, func(w retry.Wait) {
		op.Waits(at.root()+" does not answer", w)
		s.opts.Logger.Debug("a store of files asks for another try", "store", at.root(), "in", w.For.String(), "error", w.Err)
	})
}

// get reads one file.
func (s *Store) get(ctx context.Context, alive func(), b bucket, folder, name string) ([]byte, error) {
	body, size, err := b.get(ctx, folder, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	limit := s.opts.MaxBytes
	if size > limit {
		return nil, &mlflowclient.TooLargeError{Limit: limit}
	}
	if size < 0 || size > largeFile {
		select {
		case s.large <- struct{}{}:
			defer func() { <-s.large }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var text bytes.Buffer
	if size > 0 {
		text.Grow(int(size) + bytes.MinRead)
	}
	if _, err := text.ReadFrom(io.LimitReader(&living{body, alive}, limit+1)); err != nil {
		return nil, err
	}
	if int64(text.Len()) > limit {
		return nil, &mlflowclient.TooLargeError{Limit: limit}
	}
	return text.Bytes(), nil
}

// living calls alive with each read that brings something.
type living struct {
	r     io.Reader
	alive func()
}

func (l *living) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if n > 0 {
		l.alive()
	}
	return n, err
}
