package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/terminal"
)

// statusColumn is a column of the table of several pairs.
type statusColumn struct {
	title  string
	number bool
	cut    bool // it is cut where the table is wider than the terminal
	cell   func(st *pairStatus, now time.Time) string
	style  func(st *pairStatus) terminal.Style // nil for a plain one
	// shown says whether a person needs the column. Programs get all of them, so that they find each in its place.
	shown func(all []pairStatus) bool
	spare int // of the columns that have one, the least is left out first where a terminal is too narrow
}

// statusColumns are the columns of the table.
func statusColumns() []statusColumn {
	always := func([]pairStatus) bool { return true }
	count := func(s checkpoint.State, always bool, spare int) statusColumn {
		return statusColumn{
			title: string(s), number: true, spare: spare, cell: func(st *pairStatus, _ time.Time) string { return group(st.Traces[s]) },
			style: func(st *pairStatus) terminal.Style {
				if s == checkpoint.Failed && st.Traces[s] > 0 {
					return terminal.Failed
				}
				return terminal.Plain
			},
			shown: func(all []pairStatus) bool {
				return always || slices.ContainsFunc(all, func(st pairStatus) bool { return st.Traces[s] > 0 })
			},
		}
	}
	return []statusColumn{
		{title: "source", cut: true, cell: func(st *pairStatus, _ time.Time) string { return st.name() }, shown: always},
		{title: "target", cut: true, cell: func(st *pairStatus, _ time.Time) string { return plain(st.Target) }, shown: always},
		count(checkpoint.Migrated, true, 0), count(checkpoint.Deferred, false, 2), count(checkpoint.Skipped, false, 1),
		count(checkpoint.Failed, true, 0), count(checkpoint.Accepted, false, 3),
		{
			title: "last success", cell: func(st *pairStatus, _ time.Time) string { return st.lastSuccess() },
			shown: func([]pairStatus) bool { return false },
		},
		{title: "age", cell: (*pairStatus).age, style: (*pairStatus).ageStyle, shown: always},
		{
			title: "last run", cell: func(st *pairStatus, _ time.Time) string { return st.lastOutcome() }, style: (*pairStatus).outcomeStyle,
			shown: always, spare: 4,
		},
		{title: "look at", cell: func(st *pairStatus, _ time.Time) string { return cmp.Or(st.lookAt(), "-") }, shown: always},
	}
}

// name is that of the pair, or the source in words, as far as the checkpoint knows them.
func (st *pairStatus) name() string {
	if st.pair != "" {
		return plain(st.pair)
	}
	return part(plain(cmp.Or(st.SourceName, st.Source)), st.Shard)
}

func (st *pairStatus) lastSuccess() string {
	if st.Success == nil {
		return "never"
	}
	return st.Success.Format(time.RFC3339)
}

// success is both: when, and how long ago.
func (st *pairStatus) success(now time.Time) string {
	if st.Success == nil {
		return "never"
	}
	return st.lastSuccess() + ", " + st.age(now) + " ago"
}

// age is how long ago the last run ended that failed with no trace.
func (st *pairStatus) age(now time.Time) string {
	if st.Success == nil {
		return "never"
	}
	switch d := max(now.Sub(*st.Success), 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// judge says whether the pair is stale: no run that ended at that time or later failed with no trace. A zero time says nothing.
func (st *pairStatus) judge(fresh time.Time) {
	if !fresh.IsZero() {
		stale := st.Success == nil || st.Success.Before(fresh)
		st.Stale = &stale
	}
}

// staleError names the pairs that are stale; nil for none. maxAge is what makes them so.
func staleError(all []pairStatus, maxAge string) error {
	var names strings.Builder
	n := 0
	for i := range all {
		if st := &all[i]; st.Stale != nil && *st.Stale {
			n++
			fmt.Fprintf(&names, "\n  %s → %s: %s", st.name(), plain(st.Target), st.success(time.Now()))
			if what := st.lookAt(); what != "" {
				names.WriteString("; " + what)
			}
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("stale pairs: %d of %d, without a successful run in the last %s%s", n, len(all), maxAge, names.String())
}

// foundStale ends the command with the code for what was found, where pairs are stale.
func foundStale(all []pairStatus, maxAge string) error {
	if err := staleError(all, maxAge); err != nil {
		return reported{&exitError{exitFound, err}}
	}
	return nil
}

func (st *pairStatus) lastOutcome() string {
	if st.LastRun == nil {
		return "none"
	}
	return string(st.LastRun.Outcome)
}

func (st *pairStatus) ageStyle() terminal.Style {
	if st.Stale != nil && *st.Stale {
		return terminal.Failed
	}
	return terminal.Plain
}

func (st *pairStatus) outcomeStyle() terminal.Style {
	switch st.lastOutcome() {
	case string(report.Done):
		return terminal.OK
	case string(report.Failed), string(checkpoint.Killed):
		return terminal.Failed
	case string(checkpoint.Running), string(checkpoint.Rebuilt), string(checkpoint.Removed):
		return terminal.Plain
	}
	return terminal.Warning
}

// lookAt is what a person should look at next; empty for nothing.
func (st *pairStatus) lookAt() string {
	stale := st.Stale != nil && *st.Stale
	switch last := st.LastRun; {
	case st.UsedBy != "":
		return "a run goes on"
	case last == nil:
		return "no run yet"
	case last.Outcome == report.Failed:
		return "it broke off: see its message, and run again"
	case last.Outcome == checkpoint.Killed, last.Outcome == report.Interrupted, last.Outcome == report.Stopped:
		return "run again to go on"
	case last.Outcome == checkpoint.Lost:
		return "the tables were replaced: run again"
	case st.Traces[checkpoint.Failed] > 0:
		return "status --list failed"
	case last.Outcome == report.Partial && last.Failed > 0:
		return "the run's summary: status -o json"
	case last.Outcome == report.Partial:
		return "rows that are there twice: tracemig verify"
	case stale:
		return "no run in time"
	}
	return ""
}

// statusTable is how to print a line for each of several pairs.
type statusTable struct {
	width int // of the terminal, where names are cut to fit it and columns left out that say nothing; 0 for none
	color bool
	now   time.Time
}

func (t statusTable) print(out io.Writer, all []pairStatus) error {
	columns := statusColumns()
	if slices.ContainsFunc(all, func(st pairStatus) bool { return st.pair != "" }) {
		columns[0].title = "pair"
	}
	if t.width > 0 {
		columns = slices.DeleteFunc(columns, func(c statusColumn) bool { return !c.shown(all) })
	}
	rows := t.cells(columns, all)
	for t.width > 0 && widthOf(rows, columns, shortName) > t.width && dropOne(&columns) {
		rows = t.cells(columns, all)
	}
	if t.width > 0 {
		cutTo(t.width, rows, func(column int) bool { return columns[column].cut })
	}
	for i, c := range columns {
		if !t.color {
			break
		}
		rows[0][i] = terminal.Strong.Paint(rows[0][i])
		for j := range all {
			if c.style != nil {
				rows[j+1][i] = c.style(&all[j]).Paint(rows[j+1][i])
			}
		}
	}
	_, err := io.WriteString(out, layOut(rows, func(column int) bool { return columns[column].number })+"\n")
	return err
}

// cells are the rows of the table, the first of which has the titles.
func (t statusTable) cells(columns []statusColumn, all []pairStatus) [][]string {
	rows := make([][]string, 1+len(all))
	for _, c := range columns {
		rows[0] = append(rows[0], c.title)
		for i := range all {
			rows[i+1] = append(rows[i+1], c.cell(&all[i], t.now))
		}
	}
	return rows
}

// dropOne leaves the column out that can be spared most; it returns false where there is none.
func dropOne(columns *[]statusColumn) bool {
	least := -1
	for i, c := range *columns {
		if c.spare > 0 && (least < 0 || c.spare < (*columns)[least].spare) {
			least = i
		}
	}
	if least >= 0 {
		*columns = slices.Delete(*columns, least, least+1)
	}
	return least >= 0
}

// shortName is how much of a name should be left, before columns that can be spared are.
const shortName = 18

// widthOf is how wide rows are once names are cut to a width.
func widthOf(rows [][]string, columns []statusColumn, name int) (total int) {
	for i, w := range widthsOf(rows) {
		if columns[i].cut {
			w = min(w, name)
		}
		total += w + columnGap
	}
	return total - columnGap
}

// widthsOf are the widths of the columns of rows.
func widthsOf(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], text.StringWidthWithoutEscSequences(cell))
		}
	}
	return widths
}

// columnGap is the space between two columns.
const columnGap = 2

// layOut makes a table of rows, the first of which has the titles.
func layOut(rows [][]string, number func(column int) bool) string {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", columnGap)
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	var configs []table.ColumnConfig
	for i := range rows[0] {
		if number(i) {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	t.SetColumnConfigs(configs)
	for i, row := range rows {
		cells := make(table.Row, len(row))
		for j, cell := range row {
			cells[j] = cell
		}
		if i == 0 {
			t.AppendHeader(cells)
		} else {
			t.AppendRow(cells)
		}
	}
	return t.Render()
}

// leastName is how much of a name is left at least.
const leastName = 10

// cutTo cuts the cells of some columns so that rows are as wide as a terminal at most: the widest of them first, so that names of
// the usual length stay whole. What names have in common stands at their beginning, so that is what is cut off.
func cutTo(width int, rows [][]string, cut func(column int) bool) {
	widths, total := widthsOf(rows), -columnGap
	for _, w := range widths {
		total += w + columnGap
	}
	for ; total > width; total-- {
		widest := -1
		for i := range widths {
			if cut(i) && widths[i] > leastName && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break // The lines are longer than the terminal is wide, and it breaks them.
		}
		widths[widest]--
	}
	for _, row := range rows {
		for i := range row {
			row[i] = endOf(row[i], widths[i])
		}
	}
}

// endOf is the end of s, with an ellipsis before it where s is wider than width.
func endOf(s string, width int) string {
	if text.StringWidthWithoutEscSequences(s) <= width {
		return s
	}
	rest := []rune(s)
	for len(rest) > 0 && text.StringWidthWithoutEscSequences(string(rest)) >= width {
		rest = rest[1:]
	}
	return "…" + string(rest)
}
