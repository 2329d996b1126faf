package deltalake

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tracemig/tracemig/internal/disk"
)

// The log of a Delta table (PROTOCOL.md of delta-io/delta) has a file _delta_log/<20 digits>.json for each commit,
// which is a list of actions, and now and then a file <20 digits>.checkpoint.parquet, which sums up all commits up to
// that version.

const logDir = "_delta_log"

// dataFile is one file of the table's current version.
type dataFile struct {
	name     string // in the log
	path     string // in the file system
	since    int64  // the version that added it, as far as this process knows
	from, to int64  // range of the column timeColumn in microseconds; it may be a millisecond wider at each end
	ranged   bool   // the range is known
}

// snapshot is the newest version of a table that has been read.
type snapshot struct {
	version  int64
	protocol protocol
	meta     metaData
	files    map[string]dataFile // by the path in the log
}

// log reads and writes the log of one table.
type log struct {
	dir        string                 // of the table
	timeColumn string                 // the column by whose statistics files are skipped
	mark       atomic.Pointer[string] // the userMetadata of commits to come; nil for none
}

func (l *log) file(version int64, suffix string) string {
	return filepath.Join(l.dir, logDir, fmt.Sprintf("%020d%s", version, suffix))
}

// load reads the newest version: the latest checkpoint and the commits after it.
func (l *log) load() (*snapshot, error) {
	found, err := l.list()
	if err != nil {
		return nil, err
	}
	if found.commit < 0 && found.checkpoint < 0 {
		if found.otherForms {
			return nil, &problem{"has checkpoints of a form that tracemig does not read", nextRepair}
		}
		return nil, errNoTable
	}
	s := &snapshot{version: -1, files: make(map[string]dataFile)}
	if found.checkpoint >= 0 {
		if err := l.readCheckpoint(s, found.checkpoint); err != nil {
			return nil, fmt.Errorf("checkpoint %d: %w", found.checkpoint, err)
		}
		s.version = found.checkpoint
	}
	if err := l.follow(s); err != nil {
		return nil, err
	}
	if s.version < found.commit {
		clause := fmt.Sprintf("has a log without commit %d", s.version+1)
		if found.otherForms {
			clause += " and checkpoints of a form that tracemig does not read (v2, or of several parts)"
		}
		return nil, &problem{clause, nextRepair}
	}
	if s.protocol.MinReaderVersion == 0 || s.meta.SchemaString == "" {
		return nil, &problem{"has a log without protocol and schema", nextRepair}
	}
	return s, nil
}

// logFiles are the newest files of a log.
type logFiles struct {
	commit, checkpoint int64 // versions, -1 for none
	otherForms         bool  // there are v2 checkpoints, or some of several parts
}

// list looks for the files of the log by their names.
func (l *log) list() (logFiles, error) {
	found := logFiles{commit: -1, checkpoint: -1}
	entries, err := os.ReadDir(filepath.Join(l.dir, logDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	for _, e := range entries {
		digits, suffix, _ := strings.Cut(e.Name(), ".")
		version, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || len(digits) != 20 {
			continue
		}
		switch {
		case suffix == "json":
			found.commit = max(found.commit, version)
		case suffix == "checkpoint.parquet":
			found.checkpoint = max(found.checkpoint, version)
		case strings.HasPrefix(suffix, "checkpoint."):
			found.otherForms = true
		}
	}
	return found, nil
}

// follow reads the commits after the snapshot's version.
func (l *log) follow(s *snapshot) error {
	for {
		b, err := os.ReadFile(l.file(s.version+1, ".json"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.apply(s, s.version+1, b); err != nil {
			return fmt.Errorf("commit %d: %w", s.version+1, err)
		}
		s.version++
	}
}

func (l *log) apply(s *snapshot, version int64, commit []byte) error {
	for line := range bytes.Lines(commit) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var a action
		if err := json.Unmarshal(line, &a); err != nil {
			return err
		}
		switch {
		case a.Protocol != nil:
			s.protocol = *a.Protocol
		case a.MetaData != nil:
			s.meta = *a.MetaData
		case a.Remove != nil:
			delete(s.files, a.Remove.Path)
		case a.Add != nil:
			if a.Add.DeletionVector != nil {
				return deletionVectors
			}
			if err := l.add(s, version, a.Add.Path, a.Add.Stats); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *log) add(s *snapshot, version int64, path, stats string) error {
	name, err := url.PathUnescape(path)
	if err != nil {
		return err
	}
	if strings.Contains(name, "://") {
		return &problem{"has files outside of its directory", nextRepair}
	}
	name = strings.TrimPrefix(name, "file:")
	if !filepath.IsAbs(name) {
		name = filepath.Join(l.dir, filepath.FromSlash(name))
	}
	f := dataFile{name: path, path: name, since: version}
	f.from, f.to, f.ranged = timeRange(stats, l.timeColumn)
	s.files[path] = f
	return nil
}

// timeRange reads the range of a TIMESTAMP column from the statistics of a file. They are cut to milliseconds, so the
// upper end is moved up by one.
func timeRange(stats, column string) (from, to int64, ok bool) {
	var s struct {
		Min map[string]json.RawMessage `json:"minValues"`
		Max map[string]json.RawMessage `json:"maxValues"`
	}
	if json.Unmarshal([]byte(stats), &s) != nil {
		return 0, 0, false
	}
	var low, high time.Time
	if json.Unmarshal(s.Min[column], &low) != nil || json.Unmarshal(s.Max[column], &high) != nil {
		return 0, 0, false
	}
	return low.UnixMicro(), high.UnixMicro() + 1000, true
}

// readCheckpoint reads a classic checkpoint of one file.
func (l *log) readCheckpoint(s *snapshot, version int64) error {
	columns := []string{
		"protocol.minReaderVersion", "protocol.minWriterVersion", "protocol.readerFeatures", "protocol.writerFeatures",
		"metaData.id", "metaData.format.provider", "metaData.schemaString", "metaData.partitionColumns",
		"metaData.configuration.key", "metaData.configuration.value",
		"add.path", "add.stats", "add.deletionVector.storageType",
	}
	s.meta.Configuration = make(map[string]string)
	return scan(context.Background(), l.file(version, ".checkpoint.parquet"), columns, nil, func(r *rowReader) error {
		texts := func(col int) (all []string) {
			r.list(col, col+1, func() { all = append(all, string(r.text(col))) })
			return all
		}
		if v, ok := r.int(0); ok {
			writer, _ := r.int(1)
			s.protocol = protocol{int(v), int(writer), texts(2), texts(3)}
		}
		if id := r.text(4); id != nil {
			s.meta.ID, s.meta.Format.Provider, s.meta.SchemaString = string(id), string(r.text(5)), string(r.text(6))
			s.meta.PartitionColumns = texts(7)
			r.list(8, 10, func() { s.meta.Configuration[string(r.text(8))] = string(r.text(9)) })
		}
		if r.text(12) != nil {
			return deletionVectors
		}
		if path := r.text(10); path != nil {
			return l.add(s, version, string(path), string(r.text(11)))
		}
		return nil
	})
}

// commit writes the actions as a version, with the mark of the run. The error is fs.ErrExist where that version is there
// already, whoever wrote it. A crash leaves at most a hidden file that nobody reads.
func (l *log) commit(version int64, actions []action) (err error) {
	dir := filepath.Join(l.dir, logDir)
	tmp, err := os.CreateTemp(dir, fmt.Sprintf(".%020d.json.*.tmp", version))
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	w := bufio.NewWriter(tmp)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, a := range actions {
		if mark := l.mark.Load(); mark != nil && a.CommitInfo != nil {
			a.CommitInfo = maps.Clone(a.CommitInfo)
			a.CommitInfo["userMetadata"] = *mark
		}
		if err == nil {
			err = enc.Encode(a)
		}
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err := disk.Finish(tmp, err); err != nil {
		return err
	}
	target := l.file(version, ".json")
	if err := os.Link(tmp.Name(), target); err != nil {
		// A network file system may return this error although it has just made the link.
		if errors.Is(err, fs.ErrExist) && sameFile(tmp.Name(), target) {
			return disk.SyncFolder(dir)
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		return fmt.Errorf("%w (a local Delta table needs a file system with hard links, by which commits are atomic)", err)
	}
	return disk.SyncFolder(dir)
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
