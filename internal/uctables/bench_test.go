package uctables

import (
	"strings"
	"testing"
)

// benchSpan is a span of about 2 KB, without white space, as convert makes it.
func benchSpan() Span {
	s := exampleSpans()[1]
	message := `{"role":"user","content":"` + strings.Repeat("some words; ", 20) + `"},`
	s.Attributes = JSON(`{"mlflow.spanInputs":{"messages":[` + strings.TrimSuffix(strings.Repeat(message, 7), ",") + `]}}`)
	return s
}

func BenchmarkAppendSpan(b *testing.B) {
	s := benchSpan()
	line := AppendSpan(nil, &s)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		line = AppendSpan(line[:0], &s)
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	spans, annotations := append(exampleSpans(), benchSpan()), exampleAnnotations()
	line := make([]byte, 0, 1<<20)
	if n := testing.AllocsPerRun(100, func() {
		for i := range spans {
			line = AppendSpan(line[:0], &spans[i])
		}
		for i := range annotations {
			line = AppendAnnotation(line[:0], &annotations[i])
		}
	}); n > 0 {
		t.Errorf("%g allocations for %d rows into a large buffer, want none", n, len(spans)+len(annotations))
	}
}
