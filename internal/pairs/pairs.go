// Package pairs finds which sources and targets a file of pairs stands for at present, and remembers which experiments its patterns
// stood for before.
package pairs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/config"
)

// Experiment is an experiment that a pattern stands for.
type Experiment struct {
	ID   string `json:"experiment_id"` // at the source
	Name string `json:"experiment"`    // full name
}

// Pair is one experiment of a pair whose source is a pattern.
type Pair struct {
	Of         string // name of the pair in the file
	Name       string // NAME/EXPERIMENT
	Experiment Experiment
	Target     string
	Err        error // why nothing is to be done with it
	made       bool  // the target has been made of the experiment's name
}

// Expand gives the pairs that a pair of the file stands for, in the order of the names of their experiments. found may have
// others than those that match the source, and any of them twice.
func Expand(name, source, target string, found []Experiment) []Pair {
	var all []Pair
	for _, e := range Matching(source, found) {
		p := Pair{Of: name, Name: name + "/" + config.Part(source, e.Name), Experiment: e}
		p.Target, p.Err = config.TargetFor(target, source, e.Name)
		p.made = p.Target != target
		all = append(all, p)
	}
	return all
}

// Matching are those of found whose names match the source, each once, in the order of their names.
func Matching(source string, found []Experiment) []Experiment {
	match := slices.DeleteFunc(slices.Clone(found), func(e Experiment) bool { return !config.Matches(source, e.Name) })
	slices.SortFunc(match, func(a, b Experiment) int { return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID) })
	return slices.Compact(match)
}

// KeepApart gives an error to pairs of different experiments whose names make the same tables: nobody has decided that their
// traces are to be mixed.
func KeepApart(all []Pair) {
	first := map[string]int{}
	for i := range all {
		p := &all[i]
		if !p.made || p.Err != nil {
			continue
		}
		tables := strings.ToLower(p.Target)
		at, taken := first[tables]
		if !taken {
			first[tables] = i
			continue
		}
		p.Err = mixed(p, &all[at])
		if other := &all[at]; other.Err == nil {
			other.Err = mixed(other, p)
		}
	}
}

func mixed(p, other *Pair) error {
	return advice.With(fmt.Errorf("the experiments %q and %q both make the tables %s of their names (pairs %s and %s)",
		p.Experiment.Name, other.Experiment.Name, p.Target, p.Name, other.Name),
		"Rename one of them, or take it out of the pattern and give it a pair of its own with another target")
}
