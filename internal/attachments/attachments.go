// Package attachments keeps the bytes of traces' attachments in files: in a local folder, or in a volume of
// Unity Catalog.
package attachments

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/disk"
)

// ErrNotThere says that a file does not exist.
var ErrNotThere = errors.New("there is no such file")

// Files reads and writes the files. Those whose path begins with /Volumes/ are in a volume, and all others are local. That
// is so on machines, too, that show volumes as folders, because a write there may leave a part of a file.
type Files struct {
	// Volumes gives the workspace that has the volumes. It is called whenever a path is in a volume.
	Volumes func() (*databricks.Files, error)
}

// Place is the file of an attachment in folder.
func Place(folder, traceID, attachmentID string) string {
	if InVolume(folder) {
		return path.Join(folder, traceID, attachmentID)
	}
	return filepath.Join(folder, traceID, attachmentID)
}

// InVolume says whether a path is one of a volume.
func InVolume(name string) bool { return name == "/Volumes" || strings.HasPrefix(name, "/Volumes/") }

// Digest is the SHA-256 of data as METADATA rows have it.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Prepare makes a folder for attachments, and fails where no file can be written to it.
func (f *Files) Prepare(ctx context.Context, folder string) error {
	if InVolume(folder) {
		v, err := f.Volumes()
		if err == nil {
			err = v.MakeFolder(ctx, folder)
		}
		if err != nil {
			return fmt.Errorf("folder %s for attachments: %w; the volume must be there, "+
				"with READ VOLUME and WRITE VOLUME on it for this identity", folder, err)
		}
		return nil
	}
	err := os.MkdirAll(folder, 0o777)
	if err == nil {
		var probe *os.File
		if probe, err = create(filepath.Join(folder, "probe")); err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("folder %s for attachments: %w; name one in which this user may write", folder, cause(err))
	}
	return nil
}

// Has says whether a file exists and has this size and digest.
func (f *Files) Has(ctx context.Context, name string, size int64, digest string) (bool, error) {
	n, err := f.Size(ctx, name)
	if errors.Is(err, ErrNotThere) || err == nil && n != size {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	sum, err := f.Sum(ctx, name)
	if errors.Is(err, ErrNotThere) {
		return false, nil
	}
	return err == nil && sum == digest, err
}

// Put writes data to a file, unless the file holds the same already, and says whether it wrote. digest is the Digest of data.
// The file never has a part of data under its name.
func (f *Files) Put(ctx context.Context, name string, data []byte, digest string) (written bool, err error) {
	there, err := f.Has(ctx, name, int64(len(data)), digest)
	switch {
	case err != nil:
		return false, err
	case there:
		return false, nil
	case InVolume(name):
		err = f.putVolume(ctx, name, data)
	default:
		err = put(name, data)
	}
	if err != nil {
		return false, fmt.Errorf("write attachment %s: %w; make room or rights there and run again", name, cause(err))
	}
	return true, nil
}

func (f *Files) putVolume(ctx context.Context, name string, data []byte) error {
	v, err := f.Volumes()
	if err == nil {
		err = v.MakeFolder(ctx, path.Dir(name))
	}
	if err == nil {
		err = v.Put(ctx, name, data) // The service shows the file once it has all of it.
	}
	return err
}

// put writes a local file under a temporary name, and renames it once it is on disk.
func put(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	removeLeft(name)
	f, err := create(name)
	if err != nil {
		return err
	}
	return disk.Put(f, data, name)
}

// create makes a file beside name with a temporary name, and with the rights that new files have.
func create(name string) (*os.File, error) {
	return os.OpenFile(temporary(name, rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// temporary is the name that a file has while it is written.
func temporary(name, unique string) string {
	return filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+unique+".part")
}

// maxWriteTime is longer than any write of a file takes.
const maxWriteTime = time.Hour

// removeLeft removes what killed runs have left of a file under temporary names.
func removeLeft(name string) {
	left, _ := filepath.Glob(temporary(name, "*"))
	for _, at := range left {
		if s, err := os.Stat(at); err == nil && time.Since(s.ModTime()) > maxWriteTime {
			_ = os.Remove(at)
		}
	}
}

// Size is how many bytes a file has.
func (f *Files) Size(ctx context.Context, name string) (int64, error) {
	if InVolume(name) {
		v, err := f.Volumes()
		if err != nil {
			return 0, err
		}
		n, err := v.Size(ctx, name)
		return n, readError(name, err)
	}
	s, err := os.Stat(name)
	if err != nil {
		return 0, readError(name, err)
	}
	if !s.Mode().IsRegular() {
		return 0, ErrNotThere
	}
	return s.Size(), nil
}

// Sum is the digest of a file's bytes.
func (f *Files) Sum(ctx context.Context, name string) (string, error) {
	in, err := f.open(ctx, name)
	if err != nil {
		return "", readError(name, err)
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", readError(name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (f *Files) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if !InVolume(name) {
		return os.Open(name)
	}
	v, err := f.Volumes()
	if err != nil {
		return nil, err
	}
	return v.Open(ctx, name)
}

// readError adds to err which file it is about. It is ErrNotThere where the file does not exist.
func readError(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, databricks.ErrNotThere):
		return ErrNotThere
	}
	return fmt.Errorf("read attachment %s: %w", name, cause(err))
}

// cause is err without the file's name, which the operating system's errors repeat.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}
