package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/replay"
)

func init() { comparisons["convert"] = conversion }

// conversion compares the conversion of a spans document with the least work that reads one: a scan to its end.
// The scanner is the fastest of the dependencies, and the one that the conversion uses. Nearly all of a span is
// JSON inside strings of the document, which such a scan does not look into. The second comparison therefore
// unquotes and scans these strings too.
//
// Times are processor time, including the garbage collector's, so that other programs do not count.
func conversion(o options) error {
	const spans = 200
	info, doc, err := readLastTrace(&replay.Synthetic{Traces: 1, Spans: spans, SpanBytes: 2000, Large: -1})
	if err != nil {
		return err
	}
	sides := []func() error{
		func() error {
			res, err := convert.Convert(convert.Input{Info: info, Spans: doc}, convert.Options{Source: "s"})
			if err == nil && len(res.Trace.Spans) != spans {
				err = fmt.Errorf("converted %d spans, want %d", len(res.Trace.Spans), spans)
			}
			return err
		},
		func() error { return newDecoder(doc).SkipValue() },
		func() error { return scanDeep(doc) },
	}
	var rates [3][]float64 // bytes a second
	var ratios [3][]float64
	for range o.N {
		for i, side := range sides {
			begin, n := cpuSeconds(), 0
			var took float64
			for ; took < 0.5; took = cpuSeconds() - begin {
				for range 20 {
					if err := side(); err != nil {
						return err
					}
					n++
				}
			}
			rates[i] = append(rates[i], float64(n*len(doc))/took)
		}
		for i := range sides {
			ratios[i] = append(ratios[i], rates[i][len(ratios[i])]/rates[0][len(ratios[i])])
		}
	}
	allocs := testing.AllocsPerRun(10, func() { err = sides[0]() })
	fmt.Printf("a spans document of %d spans of 2 KB, medians of %d\n", spans, o.N)
	fmt.Printf("converted: %4.0f MB a second and core, %.1f allocations a span\n", median(rates[0])/1e6, allocs/spans)
	for i, name := range []string{"", "scanned", "scanned, and the JSON in its strings"} {
		if i > 0 {
			fmt.Printf("%s: %.0f MB a second and core; converting takes %.2f times as long (%.2f to %.2f)\n",
				name, median(rates[i])/1e6, median(ratios[i]), slices.Min(ratios[i]), slices.Max(ratios[i]))
		}
	}
	return err
}

// newDecoder returns a decoder that is as lenient as the conversion.
func newDecoder(doc []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(doc), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// scanDeep scans a document, and also the content of its strings that begin like JSON.
func scanDeep(doc []byte) error {
	d := newDecoder(doc)
	inner := jsontext.NewDecoder(bytes.NewReader(nil))
	var text []byte
	for {
		if d.PeekKind() != '"' {
			if _, err := d.ReadToken(); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			continue
		}
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		if text, err = jsontext.AppendUnquote(text[:0], v); err != nil {
			return err
		}
		if len(text) > 0 && (text[0] == '{' || text[0] == '[' || text[0] == '"') {
			inner.Reset(bytes.NewBuffer(text))
			if err := inner.SkipValue(); err != nil {
				return err
			}
		}
	}
}

// cpuSeconds returns the processor time that this process has used.
func cpuSeconds() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // It fails only for wrong arguments.
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// readLastTrace reads the last trace of a source.
func readLastTrace(s *replay.Synthetic) (info *mlflow.TraceInfo, doc []byte, err error) {
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	source, err := mlflowclient.NewServer(server.URL, mlflowclient.ServerCredentials{}, mlflowclient.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer source.Close()
	ctx := context.Background()
	err = source.ListTraces(ctx, replay.SyntheticID, mlflowclient.Window{}, func(i *mlflow.TraceInfo) error { info = i; return nil })
	if err != nil {
		return nil, nil, err
	}
	spans := source.FetchSpans(ctx, mlflowclient.Exact, []*mlflow.TraceInfo{info})[0]
	return info, spans.JSON, spans.Err
}
