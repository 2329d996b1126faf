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

// Migrated implements target.Writer. It reads the annotations twice and the spans' trace IDs once,
// in pieces; what it holds is some 100 bytes for each trace of the table.
func (l *Lake) Migrated(ctx context.Context, source string, yield func(uctables.Provenance) error) error {
	entries := make(map[[16]byte]entry) // by a hash of annotation_id
	spans := make(map[[16]byte]int32)   // by trace
	if err := l.metadata(ctx, func(id [16]byte, updatedAt int64, deleted bool, p *uctables.Provenance) error {
		e := entry{updatedAt: updatedAt}
		if p != nil && p.Source == source && !deleted {
			e.live = hexID(e.trace[:], p.TraceID)
		}
		old, ok := entries[id]
		if !ok || updatedAt > old.updatedAt || updatedAt == old.updatedAt && deleted {
			entries[id] = e
		}
		return nil
	}); err != nil {
		return err
	}
	for _, e := range entries {
		if e.live {
			spans[e.trace] = 0
		}
	}
	if err := l.spans().scanAll(ctx, target.AllTimes, []string{"trace_id"}, func(r *rowReader) error {
		var trace [16]byte
		if hexID(trace[:], r.text(0)) {
			if n, ok := spans[trace]; ok {
				spans[trace] = n + 1
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return l.metadata(ctx, func(id [16]byte, updatedAt int64, deleted bool, p *uctables.Provenance) error {
		e := entries[id]
		if !e.live || updatedAt != e.updatedAt || p == nil || p.Source != source || int(spans[e.trace]) < p.Spans {
			return nil
		}
		delete(entries, id) // once, whatever the table holds
		return yield(*p)
	})
}

// entry is the newest METADATA row of an annotation ID.
type entry struct {
	updatedAt int64
	trace     [16]byte
	live      bool // not deleted, and of the source
}

// Official implements target.Writer. It reads the annotations once; what it holds is some 100 bytes
// for each trace of the table.
func (l *Lake) Official(ctx context.Context, experimentID string, yield func(targetTraceID string) error) error {
	type version struct {
		updatedAt int64
		official  bool // not deleted, and of that migration
		traceID   string
	}
	newest := make(map[[16]byte]version) // by a hash of annotation_id
	columns := []string{"metadata.value", "metadata.metadata", "value.value", "value.metadata"}
	var text []byte
	err := l.metadataRows(ctx, columns, func(r *rowReader, id [16]byte, updatedAt int64, deleted bool) error {
		if old, ok := newest[id]; ok && (updatedAt < old.updatedAt || updatedAt == old.updatedAt && !deleted) {
			return nil
		}
		v := version{updatedAt: updatedAt}
		if !deleted {
			var own struct {
				Source *jsontext.Value `json:"tracemig.source"`
			}
			var info struct {
				Metadata struct {
					Experiment jsontext.Value `json:"mlflow.migration.sourceExperimentId"`
				} `json:"trace_metadata"`
			}
			// What does not decode, or has other types, is of neither.
			_ = decode(r, metadataMore, &text, &own)
			if decode(r, metadataMore+2, &text, &info) == nil && own.Source == nil && plain(info.Metadata.Experiment) == experimentID {
				v.official, v.traceID = true, string(r.text(metadataTarget))
			}
		}
		newest[id] = v
		return r.err
	})
	for _, v := range newest {
		if err == nil && v.official {
			err = yield(v.traceID)
		}
	}
	return err
}

// plain is the text of a JSON value, a string's without its quotes.
func plain(v jsontext.Value) string {
	if v.Kind() == '"' {
		b, _ := jsontext.AppendUnquote(nil, v) // decoded before, so it is valid
		return string(b)
	}
	return string(v)
}

// decode reads the VARIANT whose binary parts are the columns at and after it; text is room for it.
func decode(r *rowReader, at int, text *[]byte, into any) (err error) {
	if *text, err = variant.AppendJSON((*text)[:0], r.text(at), r.text(at+1)); err != nil {
		return err
	}
	return json.Unmarshal(*text, into)
}

// metadata calls yield for each METADATA row, with what tracemig noted in it or nil, and with a hash
// of its annotation_id.
func (l *Lake) metadata(ctx context.Context, yield func(id [16]byte, updatedAt int64, deleted bool, p *uctables.Provenance) error) error {
	var text []byte
	return l.metadataRows(ctx, []string{"metadata.value", "metadata.metadata", "created_at"}, func(r *rowReader, id [16]byte, updatedAt int64, deleted bool) error {
		var p *uctables.Provenance
		var m struct {
			Source        string         `json:"tracemig.source"`
			SourceTraceID string         `json:"tracemig.source_trace_id"`
			Digest        string         `json:"tracemig.digest"`
			Spans         int            `json:"tracemig.spans"`
			SpansMissing  string         `json:"tracemig.spans_missing"`
			Attachments   jsontext.Value `json:"tracemig.attachments"`
		}
		// A row that does not decode, or has other types, is not of tracemig.
		if decode(r, metadataMore, &text, &m) == nil {
			created, _ := r.int(metadataMore + 2)
			p = &uctables.Provenance{
				Source: m.Source, SourceTraceID: m.SourceTraceID, TraceID: string(r.text(metadataTarget)),
				Digest: m.Digest, Spans: m.Spans, SpansMissing: m.SpansMissing, RequestMicros: created,
				Attachments: string(m.Attachments),
			}
		}
		if r.err != nil {
			return r.err
		}
		return yield(id, updatedAt, deleted, p)
	})
}

// The columns that metadataRows reads first.
var metadataColumns = []string{"annotation_type", "annotation_id", "updated_at", "deleted_at", "target_id"}

const (
	metadataTarget = 4 // target_id
	metadataMore   = 5 // the first of those that it is asked for
)

// metadataRows reads columns of each METADATA row, and calls yield with a hash of its annotation_id.
func (l *Lake) metadataRows(ctx context.Context, columns []string, yield func(r *rowReader, id [16]byte, updatedAt int64, deleted bool) error) error {
	return l.annotations().scanAll(ctx, target.AllTimes, slices.Concat(metadataColumns, columns), func(r *rowReader) error {
		if string(r.text(0)) != string(uctables.Metadata) {
			return nil
		}
		hash := sha256.Sum256(r.text(1))
		updatedAt, _ := r.int(2)
		_, deleted := r.int(3)
		if r.err != nil {
			return r.err
		}
		return yield(r, [16]byte(hash[:16]), updatedAt, deleted)
	})
}
