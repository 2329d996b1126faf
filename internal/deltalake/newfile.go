package deltalake

import (
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/tracemig/tracemig/internal/disk"
)

// newFile is a data file that no commit names yet. After a crash it stays where it is and does no harm: readers see
// only files that the log names, and its name is never used again.
type newFile struct {
	path  string
	size  int64
	stats string
}

// newFile makes a file with what write puts into it, and syncs it to the disk. write returns the file's statistics.
func (t *table) newFile(write func(*os.File) (*stats, error)) (_ *newFile, err error) {
	path := filepath.Join(t.log.dir, "part-00000-"+uuid.NewString()+"-c000.zstd.parquet")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.Remove(path)
		}
	}()
	s, err := write(f)
	if err := disk.Finish(f, err); err != nil {
		return nil, err
	}
	if err := disk.SyncFolder(t.log.dir); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return &newFile{path: path, size: info.Size(), stats: s.json()}, nil
}

func (f *newFile) remove() {
	if f != nil {
		os.Remove(f.path)
	}
}

// add is the action that makes the file part of the table.
func (f *newFile) add(now time.Time) *addFile {
	return &addFile{
		Path: filepath.Base(f.path), PartitionValues: map[string]string{}, Size: f.size,
		ModificationTime: now.UnixMilli(), DataChange: true, Stats: f.stats,
	}
}
