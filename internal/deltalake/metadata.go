package deltalake

import (
	"context"
	"crypto/sha256"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

// metadataVersion is a METADATA row, one version of it, as far as it is read of all traces.
type metadataVersion struct {
	*rowReader          // with metadataColumns and those that were asked for besides
	id         [16]byte // a hash of annotation_id, which takes less memory
	updatedAt  int64
	deleted    bool
}

// The columns that metadataRows always reads, and the places of target_id and of the first further one.
var metadataColumns = []string{"annotation_type", "annotation_id", "updated_at", "deleted_at", "target_id"}

const (
	targetIDColumn = 4
	furtherColumn  = 5
)

// metadataRows reads columns of each METADATA row, all versions.
func (l *Lake) metadataRows(ctx context.Context, columns []string, yield func(*metadataVersion) error) error {
	return l.annotations().scanAll(ctx, target.AllTimes, slices.Concat(metadataColumns, columns), func(r *rowReader) error {
		if string(r.text(0)) != string(uctables.Metadata) {
			return nil
		}
		m := metadataVersion{rowReader: r}
		hash := sha256.Sum256(r.text(1))
		m.id = [16]byte(hash[:16])
		m.updatedAt, _ = r.int(2)
		_, m.deleted = r.int(3)
		if r.err != nil {
			return r.err
		}
		return yield(&m)
	})
}

// replaces says whether the row is newer than a version with this updated_at. Of two with one updated_at the
// deleted one is newer.
func (m *metadataVersion) replaces(updatedAt int64) bool {
	return m.updatedAt > updatedAt || m.updatedAt == updatedAt && m.deleted
}

// appendJSON writes the VARIANT whose two binary parts are the columns at and after it. text is memory to reuse.
func (m *metadataVersion) appendJSON(at int, text *[]byte) (err error) {
	*text, err = variant.AppendJSON((*text)[:0], m.text(at), m.text(at+1))
	return err
}

// document decodes such a VARIANT.
func (m *metadataVersion) document(at int, text *[]byte, into any) error {
	if err := m.appendJSON(at, text); err != nil {
		return err
	}
	return json.Unmarshal(*text, into)
}

// provenanceRows reads each METADATA row with what tracemig noted in it, or nil.
func (l *Lake) provenanceRows(ctx context.Context, yield func(*metadataVersion, *uctables.Provenance) error) error {
	var text []byte
	columns := []string{"metadata.value", "metadata.metadata", "created_at"}
	return l.metadataRows(ctx, columns, func(m *metadataVersion) error {
		var p *uctables.Provenance
		if m.appendJSON(furtherColumn, &text) == nil {
			if noted, err := uctables.ParseProvenance(text); err == nil {
				noted.TraceID = string(m.text(targetIDColumn))
				noted.RequestMicros, _ = m.int(furtherColumn + 2)
				p = &noted
			}
		}
		if m.err != nil {
			return m.err
		}
		return yield(m, p)
	})
}

// traceVersion is the newest METADATA row of a trace.
type traceVersion struct {
	updatedAt int64
	trace     [16]byte
	live      bool // not deleted, and of the source
}

// Migrated implements target.Writer. It reads the annotations twice and the trace IDs of the spans once, in
// pieces. It holds some 100 bytes for each trace of the table.
func (l *Lake) Migrated(ctx context.Context, source string, yield func(uctables.Provenance) error) error {
	versions, err := l.traceVersions(ctx, source) // by a hash of annotation_id
	if err != nil {
		return err
	}
	spans, err := l.countSpans(ctx, versions)
	if err != nil {
		return err
	}
	return l.provenanceRows(ctx, func(m *metadataVersion, p *uctables.Provenance) error {
		v := versions[m.id]
		if !v.live || m.updatedAt != v.updatedAt || p == nil || p.Source != source || int(spans[v.trace]) < p.Spans {
			return nil
		}
		delete(versions, m.id) // The row may be there more than once.
		return yield(*p)
	})
}

// traceVersions finds the newest METADATA row of each trace.
func (l *Lake) traceVersions(ctx context.Context, source string) (map[[16]byte]traceVersion, error) {
	versions := make(map[[16]byte]traceVersion)
	err := l.provenanceRows(ctx, func(m *metadataVersion, p *uctables.Provenance) error {
		if old, ok := versions[m.id]; ok && !m.replaces(old.updatedAt) {
			return nil
		}
		v := traceVersion{updatedAt: m.updatedAt}
		if p != nil && p.Source == source && !m.deleted {
			v.live = hexID(v.trace[:], p.TraceID)
		}
		versions[m.id] = v
		return nil
	})
	return versions, err
}

// countSpans counts the rows of spans of the traces that are live. A span that is there twice counts twice: to tell, the IDs of
// all spans would have to be held. No run writes one twice.
func (l *Lake) countSpans(ctx context.Context, versions map[[16]byte]traceVersion) (map[[16]byte]int32, error) {
	spans := make(map[[16]byte]int32)
	for _, v := range versions {
		if v.live {
			spans[v.trace] = 0
		}
	}
	err := l.spans().scanAll(ctx, target.AllTimes, []string{"trace_id"}, func(r *rowReader) error {
		var trace [16]byte
		if hexID(trace[:], r.text(0)) {
			if n, ok := spans[trace]; ok {
				spans[trace] = n + 1
			}
		}
		return nil
	})
	return spans, err
}

// Official implements target.Writer. It reads the annotations once. It holds some 100 bytes for each trace of
// the table.
func (l *Lake) Official(ctx context.Context, experimentID string, yield func(targetTraceID string) error) error {
	type version struct {
		updatedAt int64
		official  bool // not deleted, and written by that migration
		traceID   string
	}
	newest := make(map[[16]byte]version) // by a hash of annotation_id
	columns := []string{"metadata.value", "metadata.metadata", "value.value", "value.metadata"}
	var text []byte
	err := l.metadataRows(ctx, columns, func(m *metadataVersion) error {
		if old, ok := newest[m.id]; ok && !m.replaces(old.updatedAt) {
			return nil
		}
		v := version{updatedAt: m.updatedAt}
		if !m.deleted {
			var own struct {
				Source *jsontext.Value `json:"tracemig.source"`
			}
			var info struct {
				Metadata struct {
					Experiment jsontext.Value `json:"mlflow.migration.sourceExperimentId"`
				} `json:"trace_metadata"`
			}
			// A row that does not decode, or has other types, was written by neither.
			_ = m.document(furtherColumn, &text, &own)
			if m.document(furtherColumn+2, &text, &info) == nil && own.Source == nil && plain(info.Metadata.Experiment) == experimentID {
				v.official, v.traceID = true, string(m.text(targetIDColumn))
			}
		}
		newest[m.id] = v
		return m.err
	})
	for _, v := range newest {
		if err == nil && v.official {
			err = yield(v.traceID)
		}
	}
	return err
}

// plain is the text of a JSON value, that of a string without its quotes.
func plain(v jsontext.Value) string {
	if v.Kind() == '"' {
		b, _ := jsontext.AppendUnquote(nil, v) // valid, since it was decoded before
		return string(b)
	}
	return string(v)
}
