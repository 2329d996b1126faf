// Package htmlpage renders a report as one HTML page for people: a file that needs nothing else, and asks nobody for anything.
//
// What it shows comes from servers, so every text is escaped, freed of what could turn the text around it, and bounded.
package htmlpage

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"time"
)

// Tone says how good something is. Each has a sign beside its color.
type Tone string

// The tones.
const (
	Plain   Tone = "plain"   // neither good nor bad
	Good    Tone = "good"    //
	Other   Tone = "other"   // good, and to be told apart from what is Good
	Later   Tone = "later"   // it will be good by itself
	Warning Tone = "warning" // somebody should look at it
	Bad     Tone = "bad"     //
)

// Page is a report.
type Page struct {
	Title    string
	Tone     Tone
	Verdict  string // how it ended, in a sentence
	Facts    []Fact
	Overview *Table    // a row for each section; nil where there is one section alone
	Sections []Section // each is about one source and target
	Version  string    // of tracemig
	Made     time.Time
}

// Section is what there is to tell of one source and target.
type Section struct {
	Name  string // empty where there is one alone
	Tone  Tone
	Facts []Fact
	Parts []Part
}

// Part is one step of what a command did: a migration, a verification, a check.
type Part struct {
	Heading string
	Tone    Tone
	Verdict string // empty where the page says it
	Facts   []Fact
	Problem *Problem // what kept it from its end; nil for nothing
	Figures []Figure
	Shares  []Share // parts of a whole; empty ones are left out
	Days    *Days
	Blocks  []Block
	Steps   []Step // what is to follow
}

// Fact is a name and what there is to say of it.
type Fact struct {
	Name, Value string
	Code        bool // the value is one of a machine, such as an ID
}

// Problem is what went wrong, and what to do about it.
type Problem struct{ Message, Next string }

// Figure is a number that is shown large.
type Figure struct{ Value, Name, Note string }

// Share is how many of a whole are of a kind.
type Share struct {
	Name  string
	Count int64
	Tone  Tone
}

// Block is a table, or sentences, with a heading.
type Block struct {
	Heading string
	Texts   []string // sentences before the table
	Table   *Table
	Command string // that shows all of what the table shows a part of
}

// Table is rows of cells.
type Table struct {
	Columns []Column
	Rows    [][]Cell
}

// Column is the heading of a column, and how its cells look.
type Column struct {
	Name   string
	Number bool
	Code   bool // of IDs and the like
}

// Cell is a text, and how it looks.
type Cell struct {
	Text  string
	Tone  Tone     // shown with a sign; empty for none
	Notes []string // smaller lines below
	To    *int     // leads to the section of this index; nil for none
}

// Step is what is to follow, and the commands or statements that do it.
type Step struct {
	Why      string
	Commands []string
}

// Texts makes cells of texts.
func Texts(texts ...string) []Cell {
	cells := make([]Cell, len(texts))
	for i, t := range texts {
		cells[i].Text = t
	}
	return cells
}

//go:embed page.html
var pageText string

//go:embed page.css
var styles string

// policy forbids the page everything but its own styles, which it names by their hash: no script runs and no request is made, whatever
// else may get into it.
var policy = func() string {
	sum := sha256.Sum256([]byte(styles))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}()

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"policy": func() string { return policy },
	"styles": func() template.HTML { return template.HTML("<style>" + styles + "</style>") }, // a constant of the program
	"t":      clean,
	"long":   func(s string) string { return shorten(clean(s), longest) },
	"anchor": anchor,
	"sign":   func(t Tone) string { return signs[t] },
	"bar":    stack,
	"level":  func(p Part, sub bool) leveled { return leveled{p, sub} },
	"stamp":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
}).Parse(pageText))

// signs stand beside the colors of tones, for who can't tell these.
var signs = map[Tone]string{Good: "✓", Other: "✓", Later: "…", Warning: "!", Bad: "✕", Plain: "·"}

// leveled is a part, and whether it stands below the heading of a section.
type leveled struct {
	Part
	Sub bool
}

// Render is the page as a file holds it.
func Render(p Page) ([]byte, error) {
	var b bytes.Buffer
	if err := page.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("render the report: %w", err)
	}
	return b.Bytes(), nil
}

// number is n with commas between its thousands.
func number(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// anchor is the ID of a section in the page.
func anchor(i int) string { return fmt.Sprintf("pair-%d", i+1) }
