package deltalake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/disk"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// table is one Delta table that rows are appended to, and replaced in.
type table struct {
	spec uctables.Table
	log  log

	mu   sync.Mutex
	snap *snapshot      // the newest version that was read and checked; nil before the first
	part uctables.Table // the part of spec that this version has
	used *rowWriter     // closed, for its memory; nil where a writer uses it or there was none
}

// wrap names the table in an error.
func (t *table) wrap(err error) error {
	if _, named := errors.AsType[*target.RowError](err); err == nil || named {
		return err
	}
	if errors.Is(err, errNoTable) {
		return &target.TableError{
			Table: t.log.dir, Missing: true, Problem: "is no Delta table yet", Next: "Move traces into it with tracemig run, which makes it.",
		}
	}
	if p, ok := errors.AsType[*problem](err); ok {
		return &target.TableError{Table: t.log.dir, Problem: p.clause, Next: p.next}
	}
	return disk.Explain(fmt.Errorf("%s: %w", t.log.dir, err), "name another folder with --target")
}

// refresh brings the snapshot up to date. Call with mu held.
func (t *table) refresh() error {
	fresh := t.snap
	if fresh != nil {
		// Spark deletes old commits some time after a checkpoint, the oldest first. As long as the commit of
		// this version is there, so are those after it.
		if _, err := os.Stat(t.log.file(fresh.version, ".json")); err != nil {
			fresh = nil
		}
	}
	t.snap = nil // until the new one is known to be good
	if fresh == nil {
		s, err := t.log.load()
		if err != nil {
			return err
		}
		fresh = s
	} else if err := t.log.follow(fresh); err != nil {
		return err
	}
	part, err := fresh.check(t.spec)
	if err != nil {
		return err
	}
	t.snap, t.part = fresh, part
	return nil
}

// id is the table's ID, which no other table ever has.
func (t *table) id() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refresh(); err != nil {
		return "", err
	}
	return t.snap.meta.ID, nil
}

// files brings the snapshot up to date. It returns its version and the files added after version since that may
// hold a row at one of the times, sorted by path.
func (t *table) files(since int64, times timeFilter) (version int64, files []dataFile, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refresh(); err != nil {
		return 0, nil, err
	}
	for _, f := range t.snap.files {
		if f.since > since && (!f.ranged || times(f.from, f.to)) {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b dataFile) int { return strings.Compare(a.path, b.path) })
	return t.snap.version, files, nil
}

// timeFilter selects files and row groups by their times: it says whether one of the wanted times lies between from
// and to, both included.
type timeFilter func(from, to int64) bool

// at wants some times.
func at(times []int64) timeFilter {
	slices.Sort(times)
	return func(from, to int64) bool {
		i, _ := slices.BinarySearch(times, from)
		return i < len(times) && times[i] <= to
	}
}

// within wants all times of a range.
func within(times target.Times) timeFilter {
	return func(from, to int64) bool { return from <= times.High && to >= times.Low }
}

var errFileGone = advice.With(errors.New("another program rewrote its files meanwhile"), "run again when nothing else writes to it")

// explainMissing returns err, or where err says that a data file does not exist, the reason for that: errFileGone
// where another program has rewritten it, otherwise a problem of the table.
func (t *table) explainMissing(f dataFile, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refresh(); err != nil {
		return err
	}
	for _, current := range t.snap.files {
		if current.path == f.path {
			return &problem{"lacks its data file " + filepath.Base(f.path), nextRepair}
		}
	}
	return errFileGone
}

// scan reads columns of those of a file's row groups that may hold a row at one of the times.
func (t *table) scan(ctx context.Context, f dataFile, times timeFilter, columns []string, yield func(*rowReader) error) error {
	return scan(ctx, f.path, columns, func(rg *metadata.RowGroupMetaData, sc *schema.Schema) bool {
		from, to, ok := rowGroupRange(rg, sc, t.log.timeColumn)
		return !ok || times(from, to)
	}, yield)
}

// scanAll reads columns of all rows of the table's newest version that lie within the times, and of other rows in
// the same row groups.
func (t *table) scanAll(ctx context.Context, times target.Times, columns []string, yield func(*rowReader) error) error {
	_, files, err := t.files(-1, within(times))
	if err != nil {
		return t.wrap(err)
	}
	for _, f := range files {
		err := t.scan(ctx, f, within(times), columns, yield)
		if errors.Is(err, fs.ErrNotExist) {
			err = t.wrap(t.explainMissing(f, err))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func rowGroupRange(rg *metadata.RowGroupMetaData, sc *schema.Schema, name string) (from, to int64, ok bool) {
	index := sc.ColumnIndexByName(name)
	if index < 0 {
		return 0, 0, false
	}
	chunk, err := rg.ColumnChunk(index)
	if err != nil {
		return 0, 0, false
	}
	if set, err := chunk.StatsSet(); err != nil || !set {
		return 0, 0, false
	}
	st, err := chunk.Statistics()
	if err != nil {
		return 0, 0, false
	}
	times, ok := st.(*metadata.Int64Statistics)
	if !ok || !times.HasMinMax() {
		return 0, 0, false
	}
	unit := timeUnit(sc.Column(index))
	// Times in nanoseconds are cut to microseconds, so the upper end is moved up by one.
	return toMicros(times.Min(), unit), toMicros(times.Max(), unit) + 1, true
}

// create makes the table where it is missing, and checks it where it is there.
func (t *table) create(clustering bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.refresh()
	if !errors.Is(err, errNoTable) {
		return err
	}
	if err := os.MkdirAll(filepath.Join(t.log.dir, logDir), 0o755); err != nil {
		return err
	}
	// Of several writers that create the table at once, one succeeds. All check the table that is there then.
	if err := t.log.commit(0, creation(t.spec, clustering, time.Now())); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := disk.SyncFolder(filepath.Dir(t.log.dir)); err != nil {
		return err
	}
	return t.refresh()
}
