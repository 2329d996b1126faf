package targettest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/uctables"
)

// metadataRow is a METADATA row of a trace. info is the trace_metadata in its value; noted is its metadata, or
// empty.
func metadataRow(trace, info, noted string) uctables.Annotation {
	a := annotation(trace, "metadata")
	a.Type = uctables.Metadata
	a.Value = uctables.JSON(
		`{"client_request_id":null,"request_preview":"mlflow.migration.sourceExperimentId","trace_metadata":` + info + `}`)
	if noted != "" {
		a.Metadata = uctables.JSON(noted)
	}
	return a
}

// provenance is the METADATA row that tracemig writes of a trace with so many spans.
func provenance(trace, source string, spans int) uctables.Annotation {
	return metadataRow(trace, `{}`, fmt.Sprintf(`{"%s":%q,"%s":"tr-%s","%s":"digest","%s":%d}`,
		uctables.KeySource, source, uctables.KeySourceTraceID, trace, uctables.KeyDigest, uctables.KeySpans, spans))
}

// official is the METADATA row that Databricks' own migration writes of a trace of an experiment.
func official(trace, experiment, noted string) uctables.Annotation {
	return metadataRow(trace, fmt.Sprintf(`{"mlflow.migration.sourceExperimentId":%q,"mlflow.user":"ann"}`, experiment), noted)
}

// migrated tests which traces Migrated yields: those of the source whose newest METADATA row is not deleted,
// and that have as many spans as it names.
func (s *suite) migrated(t *testing.T) {
	source := "source " + traceID(t, 0)
	trace := func(n int) string { return traceID(t, n) }
	noting := func(a uctables.Annotation, more string) uctables.Annotation {
		a.Metadata = uctables.JSON(strings.TrimSuffix(string(a.Metadata), "}") + "," + more + "}")
		return a
	}
	requested := func(n int) int64 { return base + int64(n)*1_000_001 }
	row := func(n, spans int) uctables.Annotation {
		a := provenance(trace(n), source, spans)
		a.CreatedAtMicros = requested(n)
		return a
	}
	later := func(a uctables.Annotation) uctables.Annotation { a.UpdatedAtMicros++; return a }

	newer := later(row(1, 3))
	newer.Metadata = uctables.JSON(strings.Replace(string(newer.Metadata), `"digest"`, `"newer"`, 1))
	noLonger := deleted(later(row(2, 3)))
	noLonger.Metadata = nil
	anotherWriter := later(row(3, 3))
	anotherWriter.Metadata = uctables.JSON(`{"other":1}`)
	withoutSpans := noting(row(6, 0), `"tracemig.spans_missing":"lost","tracemig.attachments":[{"id":"a"}]`)
	elsewhere := provenance(trace(7), source+" of others", 0)
	foreign := row(8, 0)
	foreign.Metadata = uctables.JSON(`["tracemig.source"]`)
	tag := row(9, 0)
	tag.Type = uctables.Tag
	fewerNow := later(row(10, 1)) // the newest version names fewer spans than there are
	mustWriteAnnotations(t, s.w, row(0, 3), row(1, 3), newer, row(2, 3), noLonger, row(3, 3), anotherWriter, row(4, 3), row(5, 3),
		withoutSpans, elsewhere, foreign, tag, row(10, 3), fewerNow)
	var spans []uctables.Span
	for n, has := range map[int]int{0: 3, 1: 3, 2: 3, 3: 3, 4: 2, 10: 2} { // 4 lacks one, 5 all
		for i := range has {
			spans = append(spans, span(trace(n), i+1, base+int64(i)))
		}
	}
	mustWriteSpans(t, s.w, spans...)

	got := make(map[string]uctables.Provenance)
	if err := s.w.Migrated(t.Context(), source, func(p uctables.Provenance) error {
		if _, twice := got[p.TraceID]; twice {
			t.Errorf("trace %s is yielded twice, want once", p.TraceID)
		}
		got[p.TraceID] = p
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := make(map[string]uctables.Provenance)
	for n, p := range map[int]uctables.Provenance{
		0:  {Digest: "digest", Spans: 3},
		1:  {Digest: "newer", Spans: 3},
		6:  {Digest: "digest", SpansMissing: "lost", Attachments: `[{"id":"a"}]`},
		10: {Digest: "digest", Spans: 1},
	} {
		p.TraceID = trace(n)
		p.Source, p.SourceTraceID, p.RequestMicros = source, "tr-"+p.TraceID, requested(n)
		want[p.TraceID] = p
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("traces (-want +got):\n%s", d)
	}
}

// official tests which traces Official yields: those whose newest METADATA row names the experiment, and that
// tracemig did not write.
func (s *suite) official(t *testing.T) {
	own := traceID(t, 0)
	trace := func(name string) string { return name + " " + own } // an ID may be any text
	const experiment = "17"
	const note = `{"tracemig.source":"s#17"}`
	later := func(a uctables.Annotation) uctables.Annotation { a.UpdatedAtMicros++; return a }
	tag := official(trace("tag"), experiment, "")
	tag.Type = uctables.Tag
	mustWriteAnnotations(t, s.w,
		official(own, experiment, ""),
		official(trace("my own: trace"), experiment, `{"k":"v"}`),
		metadataRow(trace("number"), `{"mlflow.migration.sourceExperimentId":17}`, ""),
		official(trace("another experiment"), "170", ""),
		metadataRow(trace("nobody's"), `{}`, ""), metadataRow(trace("no object"), `"17"`, ""), metadataRow(trace("null"), `null`, ""),
		official(trace("ours"), experiment, note), tag,
		official(trace("taken over"), experiment, ""), later(official(trace("taken over"), experiment, note)),
		later(official(trace("official again"), experiment, "")), official(trace("official again"), experiment, note),
		official(trace("deleted"), experiment, ""), deleted(later(official(trace("deleted"), experiment, ""))),
		deleted(official(trace("back"), experiment, "")), later(official(trace("back"), experiment, "")),
	)
	var got []string
	if err := s.w.Official(t.Context(), experiment, func(id string) error {
		got = append(got, id)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	want := []string{own, trace("back"), trace("my own: trace"), trace("number"), trace("official again")}
	slices.Sort(want)
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("traces (-want +got):\n%s", d)
	}
}
