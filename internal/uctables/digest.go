package uctables

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/variant"
)

// A Digester computes the same digests of rows as the queries tablesql.SumSpans and tablesql.SumAnnotations. Both hash the text that
// Spark's to_json gives a row, without NULLs. A digest that differs does not prove that the rows differ: engines don't agree on
// the digits of every double. The zero value is ready to use, by one goroutine at a time.
type Digester struct {
	variant variant.Encoder
	line    []byte
}

// Spans is the digest of a trace's spans in any order: of all values but record_id, or unless deep, of their IDs only. The error is
// that of a value that a VARIANT can't hold.
func (d *Digester) Spans(rows []Span, deep bool) (string, error) {
	sums := make([]string, len(rows))
	for i := range rows {
		if !deep {
			sums[i] = sum([]byte(rows[i].SpanID))
			continue
		}
		s, err := d.span(&rows[i])
		if err != nil {
			return "", err
		}
		s.RecordID = ""
		d.line = AppendSpan(d.line[:0], s)
		sums[i] = sum(d.line)
	}
	slices.Sort(sums)
	return sum([]byte(strings.Join(sums, ""))), nil
}

// Annotation is the digest of an annotation: of all values but those of its version (updated_at, updated_by, deleted_at,
// deleted_by) and the provenance in METADATA rows.
func (d *Digester) Annotation(a *Annotation) (string, error) {
	n := versionless(a)
	for _, v := range []*JSON{&n.Value, &n.Metadata} {
		if err := d.normal(v); err != nil {
			return "", fmt.Errorf("annotation %s: %w", a.AnnotationID, err)
		}
	}
	d.line = AppendAnnotation(d.line[:0], &n)
	return sum(d.line), nil
}

// versionless is a copy of a with only the values that its digest covers.
func versionless(a *Annotation) Annotation {
	n := *a
	n.UpdatedAtMicros, n.UpdatedBy, n.DeletedAtMicros, n.DeletedBy = 0, nil, nil, nil
	if n.Type == Metadata {
		n.Metadata = nil
	}
	return n
}

// span is a copy of s, with JSON texts as Spark's to_json writes a VARIANT.
func (d *Digester) span(s *Span) (*Span, error) {
	n := *s
	for _, v := range n.Documents() {
		if err := d.normal(v); err != nil {
			return nil, fmt.Errorf("span %s: %w", s.SpanID, err)
		}
	}
	return &n, nil
}

func (d *Digester) normal(v *JSON) error {
	if *v == nil {
		return nil
	}
	value, metadata, err := d.variant.Encode(*v)
	if err != nil {
		return err
	}
	*v, err = variant.AppendSparkJSON(nil, value, metadata)
	return err
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
