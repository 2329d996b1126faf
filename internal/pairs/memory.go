package pairs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/disk"
)

// Memory is a small file that remembers which experiments the patterns of a file of pairs stood for, so that one that vanishes is
// reported, and once. Nothing else goes by it: without it, nothing is reported as vanished at the next run.
type Memory struct {
	path     string
	Config   string             `json:"config"`   // path of the file of pairs
	Patterns map[string]pattern `json:"patterns"` // by the names of pairs
}

// pattern is what a pair stood for. Experiments of another source have not vanished.
type pattern struct {
	Server      string            `json:"server"`
	Source      string            `json:"source"`
	Experiments map[string]string `json:"experiments"` // names by IDs
}

// Vanished is an experiment that a pattern no longer stands for.
type Vanished struct {
	Experiment
	RenamedTo string `json:"renamed_to,omitempty"` // its name now, where the pattern stands for that too
}

// OpenMemory reads the memory of a file of pairs from a folder. It is empty where there is none yet, and where it can't be
// read, which the error says.
func OpenMemory(folder, config string) (*Memory, error) {
	config, err := filepath.Abs(config)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(config))
	name := strings.TrimSuffix(filepath.Base(config), filepath.Ext(config))
	empty := Memory{
		path: filepath.Join(folder, fmt.Sprintf("%.60s-%s.patterns.json", name, hex.EncodeToString(sum[:6]))), Config: config,
		Patterns: map[string]pattern{},
	}
	text, err := os.ReadFile(empty.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &empty, nil
	}
	m := empty
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return &empty, fmt.Errorf("what the patterns stood for before is not known: read %s: %w", empty.path, err)
	}
	if m.Patterns == nil {
		m.Patterns = empty.Patterns
	}
	return &m, nil
}

// Vanished are the experiments that a pair stood for before and does not now.
func (m *Memory) Vanished(pair, server, source string, now []Experiment) (gone []Vanished) {
	before := m.Patterns[pair]
	if before.Server != server || before.Source != source {
		return nil
	}
	names := byID(now)
	for id, name := range before.Experiments {
		if names[id] != name {
			gone = append(gone, Vanished{Experiment{id, name}, names[id]})
		}
	}
	slices.SortFunc(gone, func(a, b Vanished) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return gone
}

// Note remembers what a pair stands for now.
func (m *Memory) Note(pair, server, source string, now []Experiment) {
	m.Patterns[pair] = pattern{server, source, byID(now)}
}

// Save writes the file, if it is not as it should be, and forgets pairs that are not among those of the file of pairs.
func (m *Memory) Save(pairs []string) error {
	maps.DeleteFunc(m.Patterns, func(pair string, _ pattern) bool { return !slices.Contains(pairs, pair) })
	if err := m.save(); err != nil {
		return disk.Explain(fmt.Errorf("remember what the patterns stand for: %w", err), "set XDG_STATE_HOME to another folder")
	}
	return nil
}

func (m *Memory) save() error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(m.path); err == nil && string(old) == string(text) {
		return nil
	}
	folder := filepath.Dir(m.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, filepath.Base(m.path)+".*") // for its owner alone
	if err != nil {
		return err
	}
	return disk.Put(f, text, m.path)
}

func byID(all []Experiment) map[string]string {
	names := make(map[string]string, len(all))
	for _, e := range all {
		names[e.ID] = e.Name
	}
	return names
}
