package main

import (
	"fmt"
	"os"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/verify"
)

// summaryFile is the file of --summary-file. Each line is one write at the end of the file, so that those of several processes
// don't mix. A nil one takes nothing.
type summaryFile struct{ *results }

// openSummaryFile opens the file at path, which is made for its owner alone where it is missing: summaries name experiments and
// tables, and errors.
func openSummaryFile(path string) (*summaryFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if cut(f) {
		if _, err := f.WriteString("\n"); err != nil {
			f.Close()
			return nil, err
		}
	}
	return &summaryFile{newResults(f)}, nil
}

// cut says whether the last line of f has no end, because the disk was full when it was written.
func cut(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

// summary, report and failure append a line. The first error stays, see failed.
func (s *summaryFile) summary(sum migrate.Summary, e ending) {
	if s != nil {
		_ = jsonPrinter{s.results}.summary(sum, e)
	}
}

func (s *summaryFile) report(r verify.Report, e ending) {
	if s != nil {
		_ = jsonPrinter{s.results}.report(r, e)
	}
}

func (s *summaryFile) failure(f failureLine) {
	if s != nil {
		_ = jsonPrinter{s.results}.failure(f)
	}
}

// failed is what kept a summary from the file.
func (s *summaryFile) failed() error {
	if s == nil || s.err == nil {
		return nil
	}
	return advice.With(fmt.Errorf("the summaries could not be appended: %w", s.err), "Make room, or name another file with --summary-file")
}

// close closes the file. Its error is that of closing alone.
func (s *summaryFile) close() error {
	if s == nil || s.err != nil {
		return nil
	}
	_ = s.finish() // failed says it
	return s.failed()
}
