// Package config reads the file that names pairs of a source and a target, and sets flags from it and from the environment. Which
// flags there are, and what their values may be, it learns from the commands' own flags.
package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// File is a file of pairs.
type File struct {
	Path     string
	Defaults map[string]Setting // by the flag's name, such as warehouse-id
	Pairs    []Pair
}

// Pair is a source and a target, with all that the file says of them.
type Pair struct {
	Name     string
	Line     int                // in the file
	Settings map[string]Setting // by the flag's name; those of the defaults too, where the pair has no value of its own
	Wrong    map[string]bool    // flags whose values can't be used, which is a problem already
}

// Setting is the value of a flag as it stands in the file.
type Setting struct {
	Value string
	Line  int
}

// At is how the file and a line of it are named.
func (file *File) At(line int) string { return fmt.Sprintf("%s:%d", file.Path, line) }

// Place says where in a file a flag's value may stand.
type Place int

// The places.
const (
	Anywhere   Place = iota
	OfPair           // of one pair alone: what it names can't be shared
	OfDefaults       // of the defaults alone: it is the same for all pairs
)

// Keys are the flags whose values may stand in a file, by name.
type Keys map[string]Place

// Key is how a file names a flag.
func Key(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// Problem is something wrong with a file.
type Problem struct {
	File       string `json:"file"`
	Line       int    `json:"line,omitempty"` // 0 where it is about the whole file
	Pair       string `json:"pair,omitempty"` // name of the pair, where it is about one
	Text       string `json:"text"`
	Suggestion string `json:"suggestion,omitempty"` // what to do, as a clause
}

// String is the problem in one line.
func (p Problem) String() string {
	at := p.File
	if p.Line > 0 {
		at += fmt.Sprintf(":%d", p.Line)
	}
	if p.Pair != "" {
		at += ": pair " + p.Pair
	}
	text := at + ": " + p.Text
	if p.Suggestion != "" {
		text += "; " + p.Suggestion
	}
	return text
}

// Problems are all that is wrong with a file, as an error.
type Problems []Problem

// Error has one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// Sorted are the problems in the order of the file, each once.
func (p Problems) Sorted() Problems {
	slices.SortStableFunc(p, byLine)
	return slices.Compact(p)
}

// byLine orders problems as a reader of the file meets them.
func byLine(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
}

// displacedBy has, for a flag, those that take its place where they are given by something stronger: the environment before the
// file, the pair before the defaults. Together they would contradict each other.
var displacedBy = map[string][]string{
	"start-time":     {"start-time-ms"},
	"start-time-ms":  {"start-time"},
	"stage":          {"staging-volume"},
	"staging-volume": {"stage"},
	"verify":         {"dry-run"},
	"repair":         {"dry-run"},
	"extra":          {"sample"},
}
