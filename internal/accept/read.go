package accept

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The columns of tracemig status --list accepted -o csv that Read looks for.
const (
	ColumnTraceID = "trace_id"
	ColumnWhy     = "accepted_why"
)

// Read reads the traces of a list: their IDs, one a line, or CSV with a column trace_id, as tracemig status --list writes it, and
// perhaps a column accepted_why. Blank lines and lines that begin with # are left out.
func Read(r io.Reader) ([]Trace, error) {
	b := bufio.NewReader(r)
	if mark, _ := b.Peek(3); bytes.Equal(mark, []byte("\ufeff")) { // which programs for tables write before CSV
		_, _ = b.Discard(3)
	}
	var traces []Trace
	for n := 1; ; n++ {
		line, err := b.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		id := strings.TrimSpace(line)
		switch {
		case id == "" || strings.HasPrefix(id, "#"):
		case len(traces) == 0 && slices.Contains(strings.Split(id, ","), ColumnTraceID):
			return readCSV(io.MultiReader(strings.NewReader(line), b), n-1)
		case strings.ContainsAny(id, " \t"):
			return nil, fmt.Errorf("line %d is %q, which is no trace ID: one a line is wanted", n, id)
		default:
			traces = append(traces, Trace{ID: id})
		}
		if err != nil {
			return traces, nil
		}
	}
}

// readCSV reads CSV that begins with its header after some lines.
func readCSV(r io.Reader, after int) (traces []Trace, err error) {
	c := csv.NewReader(r)
	c.Comment = '#'
	header, err := c.Read()
	if err != nil {
		return nil, lineError(err, after)
	}
	id, why := slices.Index(header, ColumnTraceID), slices.Index(header, ColumnWhy)
	if id < 0 {
		return nil, fmt.Errorf("its header %q has no column %s", strings.Join(header, ","), ColumnTraceID)
	}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return traces, nil
		}
		if err != nil {
			return nil, lineError(err, after)
		}
		t := Trace{ID: strings.TrimSpace(row[id])}
		if t.ID == "" {
			line, _ := c.FieldPos(id)
			return nil, fmt.Errorf("line %d has no %s", line+after, ColumnTraceID)
		}
		if why >= 0 {
			t.Why = strings.TrimSpace(row[why])
		}
		traces = append(traces, t)
	}
}

// lineError is an error of CSV that begins after some lines.
func lineError(err error, after int) error {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Errorf("line %d: %w", e.Line+after, e.Err)
	}
	return err
}
