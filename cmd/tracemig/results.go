package main

import "io"

// results is standard output. It keeps the first error of a write: what is printed in many places fails in
// one, and no command can end well without its results.
type results struct {
	out io.Writer
	err error
}

func newResults(out io.Writer) *results { return &results{out: out} }

func (r *results) Write(p []byte) (n int, err error) {
	if r.err != nil {
		return 0, r.err
	}
	n, r.err = r.out.Write(p)
	return n, r.err
}

// finish closes the output, at which some file systems first say that it did not fit, and returns what kept
// results from being written.
func (r *results) finish() error {
	if c, ok := r.out.(io.Closer); ok {
		if err := c.Close(); r.err == nil {
			r.err = err
		}
	}
	return r.err
}
