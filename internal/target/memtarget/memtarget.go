// Package memtarget is a target in memory for the tests of what writes to targets and reads from them. It
// passes the conformance suite of package targettest, so a test that runs against it meets the same contract
// as at the tables.
package memtarget

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

// Target keeps rows in memory as the tables keep them: documents in the form of VARIANT, and keys that are
// looked up within the times of a write alone, so that a key can be there twice. It implements target.Writer,
// and target.SpanProber and target.Remover.
type Target struct {
	// Before, unless nil, sees the rows of each write, and of each probe. Where it returns an error, nothing is
	// written and the write returns the same error.
	Before func(spans []uctables.Span, annotations []uctables.Annotation) error
	// After, unless nil, is called after each write that took effect. The write returns its error although the
	// rows are there, as when an answer gets lost. It may read the target.
	After func() error

	writing     sync.Mutex // held during a whole write, with Before and After
	mu          sync.Mutex // guards what follows
	id          string     // of the tables; empty while one is missing
	spans       map[spanKey][]uctables.Span
	annotations map[string][]uctables.Annotation // by annotation_id
}

type spanKey struct{ trace, span string }

var _ interface {
	target.Writer
	target.SpanProber
	target.Remover
} = (*Target)(nil)

// New returns a target whose tables are missing.
func New() *Target { return &Target{annotations: make(map[string][]uctables.Annotation)} }

// DropSpans drops the table of spans. The one of annotations stays.
func (t *Target) DropSpans() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.id, t.spans = "", nil
}

// Create implements target.Writer.
func (t *Target) Create(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := ctx.Err(); err != nil || t.id != "" {
		return err
	}
	t.id = uuid.NewString()
	t.spans = make(map[spanKey][]uctables.Span)
	return nil
}

// Check implements target.Writer.
func (t *Target) Check(ctx context.Context) error {
	_, err := t.Identity(ctx)
	return err
}

// Identity implements target.Writer.
func (t *Target) Identity(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id, t.usable(ctx)
}

// usable says why the tables can't be read or written; call it with mu held.
func (t *Target) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.id == "" {
		return &target.TableError{Table: "spans", Missing: true, Problem: "does not exist",
			Next: "Move traces into it with tracemig run, which makes it."}
	}
	return nil
}

// Limits implements target.Writer.
func (t *Target) Limits() target.Limits { return target.Limits{Rows: 1000, Bytes: 1 << 20} }

// String implements target.Writer.
func (t *Target) String() string { return "memory" }

// Close implements target.Writer.
func (t *Target) Close() error { return nil }

// write makes one write: all of it, or nothing where it fails before apply. apply changes the tables; it is
// called with the rows as they are stored.
func (t *Target) write(
	ctx context.Context, spans []uctables.Span, annotations []uctables.Annotation,
	apply func(spans []uctables.Span, annotations []uctables.Annotation) (inserted int),
) (target.Written, error) {
	rows := len(spans) + len(annotations)
	if rows == 0 {
		return target.Written{}, ctx.Err()
	}
	t.writing.Lock()
	defer t.writing.Unlock()
	storedSpans, storedAnnotations, bytes, err := t.prepare(spans, annotations)
	if err != nil {
		return target.Written{}, err
	}
	t.mu.Lock()
	if err := t.usable(ctx); err != nil {
		t.mu.Unlock()
		return target.Written{}, err
	}
	inserted := apply(storedSpans, storedAnnotations)
	t.mu.Unlock()
	if t.After != nil {
		err = t.After()
	}
	return target.Written{Inserted: inserted, Present: rows - inserted, Bytes: bytes}, err
}

// prepare gives the rows the form in which they are stored, or says why they are refused.
func (t *Target) prepare(spans []uctables.Span, annotations []uctables.Annotation) (
	storedSpans []uctables.Span, storedAnnotations []uctables.Annotation, bytes int64, err error,
) {
	if t.Before != nil {
		if err := t.Before(spans, annotations); err != nil {
			return nil, nil, 0, err
		}
	}
	for i := range spans {
		s, err := storedSpan(&spans[i])
		if err != nil {
			return nil, nil, 0, &target.RowError{Table: "spans", Err: err}
		}
		storedSpans = append(storedSpans, s)
		bytes += s.Size()
	}
	for i := range annotations {
		a, err := storedAnnotation(&annotations[i])
		if err != nil {
			return nil, nil, 0, &target.RowError{Table: "annotations", Err: err}
		}
		storedAnnotations = append(storedAnnotations, a)
		bytes += a.Size()
	}
	return storedSpans, storedAnnotations, bytes, nil
}

// WriteSpans implements target.Writer.
func (t *Target) WriteSpans(ctx context.Context, rows []uctables.Span) (target.Written, error) {
	return t.write(ctx, rows, nil, func(rows []uctables.Span, _ []uctables.Annotation) (inserted int) {
		times := spanTimes(rows)
		for _, s := range rows {
			k := spanKey{s.TraceID, s.SpanID}
			if !slices.ContainsFunc(t.spans[k], func(s uctables.Span) bool { return times.Contains(s.TimeMicros) }) {
				t.spans[k] = append(t.spans[k], s)
				inserted++
			}
		}
		return inserted
	})
}

// ProbeSpans implements target.SpanProber.
func (t *Target) ProbeSpans(ctx context.Context, rows []uctables.Span) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	_, _, _, err := t.prepare(rows, nil)
	return err
}

// ReplaceSpans implements target.Writer. It looks for rows at all times between the first and the last of
// times and of rows.
func (t *Target) ReplaceSpans(ctx context.Context, rows []uctables.Span, times target.Times) (target.Written, error) {
	return t.write(ctx, rows, nil, func(rows []uctables.Span, _ []uctables.Annotation) (inserted int) {
		times.Join(spanTimes(rows))
		seen := make(map[spanKey]bool)
		for _, s := range rows {
			k := spanKey{s.TraceID, s.SpanID}
			if seen[k] {
				continue
			}
			seen[k] = true
			var found, others []uctables.Span
			for _, p := range t.spans[k] {
				if times.Contains(p.TimeMicros) {
					found = append(found, p)
				} else {
					others = append(others, p)
				}
			}
			if len(found) == 1 && found[0].RecordID == s.RecordID && uctables.SameSpan(&s, &found[0]) {
				continue
			}
			t.spans[k] = append(others, s)
			inserted++
		}
		return inserted
	})
}

// WriteAnnotations implements target.Writer.
func (t *Target) WriteAnnotations(ctx context.Context, rows []uctables.Annotation) (target.Written, error) {
	return t.write(ctx, nil, rows, func(_ []uctables.Span, rows []uctables.Annotation) (inserted int) {
		times := target.NoTimes
		for i := range rows {
			times.Include(rows[i].CreatedAtMicros)
		}
		for _, a := range rows {
			if !slices.ContainsFunc(t.annotations[a.AnnotationID], func(p uctables.Annotation) bool {
				return p.UpdatedAtMicros == a.UpdatedAtMicros && times.Contains(p.CreatedAtMicros)
			}) {
				t.annotations[a.AnnotationID] = append(t.annotations[a.AnnotationID], a)
				inserted++
			}
		}
		return inserted
	})
}

// ReplaceAnnotations implements target.Writer.
func (t *Target) ReplaceAnnotations(ctx context.Context, rows []uctables.Replacement) (target.Written, error) {
	annotations := make([]uctables.Annotation, len(rows))
	times := target.NoTimes
	for i := range rows {
		annotations[i] = rows[i].Annotation
		times.Include(rows[i].CreatedAtMicros)
		times.Include(rows[i].ReplacesCreatedMicros)
	}
	return t.write(ctx, nil, annotations, func(_ []uctables.Span, stored []uctables.Annotation) (inserted int) {
		seen := make(map[string]bool)
		for i, a := range stored {
			newer := func(p uctables.Annotation) bool {
				return p.UpdatedAtMicros > rows[i].ReplacesMicros && times.Contains(p.CreatedAtMicros)
			}
			if !seen[a.AnnotationID] && !slices.ContainsFunc(t.annotations[a.AnnotationID], newer) {
				t.annotations[a.AnnotationID] = append(t.annotations[a.AnnotationID], a)
				inserted++
			}
			seen[a.AnnotationID] = true
		}
		return inserted
	})
}

func spanTimes(rows []uctables.Span) target.Times {
	times := target.NoTimes
	for i := range rows {
		times.Include(rows[i].TimeMicros)
	}
	return times
}

// storedSpan is a copy of a span as a table stores it.
func storedSpan(s *uctables.Span) (uctables.Span, error) {
	if !isHex(s.TraceID, 16) || !isHex(s.SpanID, 8) {
		return uctables.Span{}, fmt.Errorf("span %q of trace %q: the IDs are not 16 and 32 lowercase hex digits", s.SpanID, s.TraceID)
	}
	row := *s
	return stored(&row, (*uctables.Span).Documents, uctables.AppendSpan, uctables.ParseSpan)
}

// storedAnnotation is a copy of an annotation as a table stores it.
func storedAnnotation(a *uctables.Annotation) (uctables.Annotation, error) {
	documents := func(a *uctables.Annotation) []*uctables.JSON { return []*uctables.JSON{&a.Value, &a.Metadata} }
	row := *a
	return stored(&row, documents, uctables.AppendAnnotation, uctables.ParseAnnotation)
}

// stored passes the documents of a row through VARIANT and all other values through the text that a warehouse is
// sent. The documents, which may be large, stay out of that text. It changes row.
func stored[R any](
	row *R, documents func(*R) []*uctables.JSON, appendRow func([]byte, *R) []byte, parse func([]byte) (*R, error),
) (R, error) {
	var none R
	var e variant.Encoder
	var texts []uctables.JSON
	for _, d := range documents(row) {
		if *d == nil {
			texts = append(texts, nil)
			continue
		}
		value, metadata, err := e.Encode(*d)
		if err != nil {
			return none, err
		}
		text, err := variant.AppendJSON(nil, value, metadata)
		if err != nil {
			return none, err
		}
		texts = append(texts, text)
		*d = uctables.JSON("0")
	}
	parsed, err := parse(appendRow(nil, row))
	if err != nil {
		return none, err
	}
	for i, d := range documents(parsed) {
		*d = texts[i]
	}
	return *parsed, nil
}

// isHex says whether id is so many bytes in lowercase hex digits.
func isHex(id string, bytes int) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == bytes && strings.ToLower(id) == id
}
