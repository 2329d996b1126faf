package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/accept"
	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/verify"
)

// listFiles are the paths of files for the IDs of traces, one a line: a file for each group of findings.
type listFiles struct{ missing, differ, extra string }

func (f *listFiles) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.missing, "missing-on-target", "", "file for the IDs of traces that are pending, missing or incomplete")
	c.Flags().StringVar(&f.differ, "differ", "", "file for the IDs of traces that differ or have rows twice")
	c.Flags().StringVar(&f.extra, "extra", "", "file for the IDs of traces that the source no longer lists")
}

// traceLists writes the files of trace IDs.
type traceLists struct {
	byKind map[verify.Kind]*os.File
	all    []*os.File
	err    error
}

func openLists(f listFiles) (*traceLists, error) {
	l := &traceLists{byKind: map[verify.Kind]*os.File{}}
	for _, list := range []struct {
		path  string
		kinds []verify.Kind
	}{
		{f.missing, []verify.Kind{verify.Pending, verify.Missing, verify.Incomplete}},
		{f.differ, []verify.Kind{verify.Differ, verify.Duplicate}},
		{f.extra, []verify.Kind{verify.Extra}},
	} {
		if list.path == "" {
			continue
		}
		file, err := os.OpenFile(list.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			_ = l.close() // of the lists opened so far; the error below is the one that matters
			return nil, advice.With(fmt.Errorf("open the list of trace IDs: %w", err), "Name a file that can be written")
		}
		l.all = append(l.all, file)
		for _, k := range list.kinds {
			l.byKind[k] = file
		}
	}
	return l, nil
}

func (l *traceLists) add(f verify.Finding) {
	if file := l.byKind[f.Kind]; file != nil && l.err == nil {
		_, l.err = fmt.Fprintln(file, f.TraceID)
	}
}

// close closes the files, and returns the first error of writing or closing any.
func (l *traceLists) close() error {
	for _, f := range l.all {
		if err := f.Close(); l.err == nil {
			l.err = err
		}
	}
	return l.err
}

// readTraces reads the traces of a list that a flag names: a file, or - for standard input. status --list of a state prints one.
func readTraces(flag, name string, stdin io.Reader, state string) ([]accept.Trace, error) {
	in := stdin
	if name == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, advice.With(fmt.Errorf("read the trace IDs: %w", err), "Name a file that can be read with --"+flag)
		}
		defer f.Close()
		in = f
	}
	traces, err := accept.Read(in)
	if err == nil && len(traces) == 0 {
		err = errors.New("it names no trace")
	}
	if err != nil {
		return nil, advice.With(fmt.Errorf("read the trace IDs of %s: %w", name, err),
			"Nothing was changed. Write one ID a line, or take the CSV of tracemig status --list "+state)
	}
	return traces, nil
}
