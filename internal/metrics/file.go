package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/tracemig/tracemig/internal/advice"
)

// File is a file in the format that node_exporter's textfile collector reads. Several processes may write it: what one of them
// does not know stays as the others wrote it.
type File struct{ path string }

// OpenFile checks that the file at path can be written, and that what is there now is tracemig's. It does not change it.
func OpenFile(path string) (*File, error) {
	f := &File{path}
	probe, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			e.Path = path // the one that the user knows
		}
		return nil, err
	}
	probe.Close()
	os.Remove(probe.Name())
	lock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	_, err = f.read()
	return f, err
}

// lockTime bounds the wait for others, who have the lock for as long as they write a file of some pairs.
const lockTime = time.Minute

// lock keeps other processes from writing.
func (f *File) lock() (*flock.Flock, error) {
	lock := flock.New(f.path+".lock", flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockTime)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return nil, fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	return lock, nil
}

// Write puts the metrics of s into the file. A metric that s does not tell of a pair stays as it is; one of a pair that kept, if it
// is not nil, does not want is removed. Who reads the file sees it as it was before or as it is after.
func (f *File) Write(s *Set, kept func(pair string) bool) error {
	lock, err := f.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	old, err := f.read()
	if err != nil {
		return err
	}
	gathered, err := s.gatherer().Gather()
	if err != nil {
		return err
	}
	merge := prometheus.Gatherers{as(gathered), as(rest(old, gathered, kept))}
	return prometheus.WriteToTextfile(f.path, merge)
}

func as(families []*dto.MetricFamily) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
}

// read returns what is in the file; nothing where there is none.
func (f *File) read() ([]*dto.MetricFamily, error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	byName, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		// What the parser says quotes the file, which may be any, with secrets too.
		return nil, advice.With(fmt.Errorf("%s has other lines than those of a file of metrics", f.path), "Name another file, or remove this one")
	}
	var families []*dto.MetricFamily
	for name, family := range byName {
		if !strings.HasPrefix(name, "tracemig_") {
			return nil, advice.With(fmt.Errorf("%s has metrics of another program, such as %s", f.path, name), "Name a file of its own")
		}
		help, known := Help[name]
		if known && family.GetType() == dto.MetricType_GAUGE { // else one of another version of tracemig, which would never change
			family.Help = &help
			families = append(families, family)
		}
	}
	return families, nil
}

// rest is what stays of the old metrics beside the new ones.
func rest(old, gathered []*dto.MetricFamily, kept func(pair string) bool) []*dto.MetricFamily {
	told := map[string]bool{}
	for _, f := range gathered {
		for _, m := range f.Metric {
			told[owner(f, m)] = true
		}
	}
	for _, f := range old {
		f.Metric = slices.DeleteFunc(f.Metric, func(m *dto.Metric) bool {
			return told[owner(f, m)] || kept != nil && !kept(label(m, "pair"))
		})
	}
	return slices.DeleteFunc(old, func(f *dto.MetricFamily) bool { return len(f.Metric) == 0 })
}

// owner tells those metrics apart of which a new one takes the place of an old one, whatever labels they have besides: states
// and verdicts that are not there any more have to go.
func owner(f *dto.MetricFamily, m *dto.Metric) string {
	return strings.Join([]string{f.GetName(), label(m, "pair"), label(m, "shard"), label(m, "command")}, "\x00")
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}
