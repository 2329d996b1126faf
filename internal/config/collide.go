package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// ofOnePair are the flags that name a file which one pair alone may write.
var ofOnePair = []string{"checkpoint", "missing-on-target", "differ", "extra"}

// Collisions are those pairs that would do the same, or get into each other's way. Sources that only a server can tell to be
// the same, and what the names are that match a pattern, is not known here.
func (file *File) Collisions() Problems {
	problems := file.sharedFiles()
	all := make([]moved, len(file.Pairs))
	for i := range file.Pairs {
		all[i] = file.Pairs[i].moved()
	}
	for i := range all {
		for j := range i {
			if suggestion, text := all[i].collides(&all[j]); text != "" {
				problems = append(problems, file.problem(all[i].Pair, "target", suggestion, text))
				break // the next one is told when this one is mended
			}
		}
	}
	return problems.Sorted()
}

// problem is about a flag of a pair.
func (file *File) problem(p *Pair, flag, suggestion, text string) Problem {
	line := p.Line
	if s, ok := p.Settings[flag]; ok {
		line = s.Line
	}
	return Problem{File: file.Path, Line: line, Pair: p.Name, Text: text, Suggestion: suggestion}
}

// sharedFiles are the problems of files that more than one pair would write.
func (file *File) sharedFiles() (problems Problems) {
	named := map[string]*Pair{}
	for i := range file.Pairs {
		p := &file.Pairs[i]
		for _, flag := range ofOnePair {
			value := p.value(flag)
			if value == "" {
				continue
			}
			path := absolute(value)
			switch other := named[path]; {
			case IsPattern(p.value("source")):
				problems = append(problems, file.problem(p, flag, "leave it out, or name the experiments in pairs of their own",
					Key(flag)+" is one file for all experiments of a pattern"))
			case other == p:
				problems = append(problems, file.problem(p, flag, "name another", Key(flag)+" is the file of another key too"))
			case other != nil:
				problems = append(problems, file.problem(p, flag, "name another", Key(flag)+" is a file of "+other.named()+" too"))
			default:
				named[path] = p
			}
		}
	}
	return problems
}

// moved is what a pair moves, and where to.
type moved struct {
	*Pair
	source  string
	pattern *regexp.Regexp // of the source; nil where that names one experiment
	server  string         // that the source is in
	target  string
	key     string // the same for the same tables, but for the {name} of a pattern
	written string // the tables, as checkpoints and rows name them
}

func (p *Pair) moved() moved {
	m := moved{Pair: p, source: p.value("source"), target: p.value("target")}
	uri := strings.ToLower(strings.TrimRight(p.value("tracking-uri"), "/"))
	m.server = strings.Join([]string{uri, p.value("workspace"), p.profile("source-profile"), p.value("host")}, "\x00")
	if name := p.value("source-name"); name != "" {
		m.server = name // whichever way leads to it
	}
	if expanded, err := TargetOf(m.target, m.source); err == nil && !IsPattern(m.source) {
		m.target = expanded
	}
	if IsPattern(m.source) {
		m.pattern = compiled(m.source)
	}
	m.key, m.written = p.tables(m.target)
	return m
}

// tables are those of target: a text that is the same for the same tables, and their names as checkpoints and rows have them.
func (p *Pair) tables(target string) (key, written string) {
	if path, ok := strings.CutPrefix(target, "file:"); ok {
		written = "file:" + absolute(path)
		return written, written
	}
	key, written = target, target
	const mark = "_name_of_experiment"
	if l, err := uctables.ParseLocation(strings.ReplaceAll(target, nameMark, mark)); err == nil {
		key, written = strings.ToLower(l.String()), strings.ReplaceAll(l.String(), mark, nameMark)
	}
	return strings.Join([]string{key, p.profile("target-profile"), p.value("host")}, "\x00"), written
}

// together gives the tables of two pairs for the experiments that both move; it is false where they move none, as far as is known.
func (m *moved) together(other *moved) (mine, theirs string, same bool) {
	switch {
	case m.server != other.server:
		return "", "", false
	case m.source == other.source:
		return m.key, other.key, true
	case m.pattern != nil && other.pattern == nil && m.pattern.MatchString(other.source):
		return m.tablesFor(other.source), other.key, true
	case m.pattern == nil && other.pattern != nil && other.pattern.MatchString(m.source):
		return m.key, other.tablesFor(m.source), true
	}
	return "", "", false // of two patterns it can't be told
}

// collides says in what m is in the way of another, if it is.
func (m *moved) collides(other *moved) (suggestion, text string) {
	a, b, same := m.together(other)
	switch {
	case same && a == b && !m.otherShard(other):
		return "leave one out, or give each a shard, such as 0/2 and 1/2", "it has the source and the target of " + other.named()
	case m.key == other.key && m.written != other.written:
		return "write it in one way: checkpoints and rows name the tables",
			fmt.Sprintf("target %s is that of %s, which writes it %s", printable(m.written), other.named(), printable(other.written))
	case within(m.key, other.key):
		return "choose another folder", "target lies in the folder of a table of " + other.named()
	case within(other.key, m.key):
		return "choose another folder", "target has a table in whose folder lies that of " + other.named()
	}
	return "", ""
}

// tablesFor are the tables of a pattern for an experiment.
func (m *moved) tablesFor(name string) string {
	target, err := TargetFor(m.target, m.source, name)
	if err != nil {
		return ""
	}
	key, _ := m.tables(target)
	return key
}

// otherShard says whether two pairs take parts of a source that don't overlap: those of different counts may.
func (m *moved) otherShard(other *moved) bool {
	a, b := m.value("shard"), other.value("shard")
	_, n, sharded := strings.Cut(a, "/")
	_, k, _ := strings.Cut(b, "/")
	return sharded && a != b && n == k
}

// within says whether local tables are in the folder of one of others.
func within(tables, others string) bool {
	return strings.HasPrefix(others, "file:") && slices.ContainsFunc(uctables.Tables, func(t uctables.Table) bool {
		return strings.HasPrefix(tables, others+t.Suffix+string(filepath.Separator))
	})
}

// named is how a problem of another pair names p.
func (p *Pair) named() string { return fmt.Sprintf("pair %s in line %d", printable(p.Name), p.Line) }

func (p *Pair) value(flag string) string { return p.Settings[flag].Value }

// profile is that of one side, or that of both.
func (p *Pair) profile(flag string) string {
	if own := p.value(flag); own != "" {
		return own
	}
	return p.value("profile")
}

// absolute is a path as it is named in every working folder.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
