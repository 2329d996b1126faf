// Package deltalake writes the OTEL tables as local Delta tables: directories with Parquet files
// and a Delta log, which Spark with Delta reads as they are, VARIANT columns included.
//
// A commit is Parquet files, made durable, and then a log file that appears under its name
// whole or not at all (link(2)). So writers of this program may run at the same time, in one process
// or several. Spark's own writer on a local file system does not promise the same: let Spark write
// (INSERT, OPTIMIZE, VACUUM) only while no tracemig runs. A crash leaves at most files that no commit names.
//
// The format is that of the Delta protocol (PROTOCOL.md of delta-io/delta): reader version 3 and
// writer version 7 with the feature variantType.
package deltalake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

// Options are choices about tables that Create makes.
type Options struct {
	// Clustering declares the clustering columns of the tables (Delta features clustering and
	// domainMetadata), by which Spark's OPTIMIZE sorts. delta-rs cannot append to such a table.
	Clustering bool
}

// Lake is the tables <path>_otel_spans and <path>_otel_annotations, and beside them those for logs
// and metrics, which are made but not written. It implements target.Writer and target.Reader.
type Lake struct {
	path    string
	options Options
	tables  [4]*table // as uctables.Tables
}

var _ interface {
	target.Writer
	target.Reader
} = (*Lake)(nil)

// Open names the tables; it does not look for them (Check does). The path is what follows "file:"
// in a target, such as ./lake/agent for the directory ./lake/agent_otel_spans and its siblings.
func Open(path string, options Options) (*Lake, error) {
	base := filepath.Base(path)
	if path == "" || path[len(path)-1] == filepath.Separator || base == "." || base == ".." || strings.HasSuffix(path, "/.") {
		return nil, fmt.Errorf("%q names no table prefix: write file:<directory>/<prefix>, such as file:./lake/agent", path)
	}
	if !utf8.ValidString(path) || strings.ContainsRune(path, 0) {
		return nil, fmt.Errorf("%q is no path", path)
	}
	l := &Lake{path: path, options: options}
	for i, spec := range uctables.Tables {
		timeColumn := "time"
		if spec.Suffix == uctables.Annotations.Suffix {
			timeColumn = "created_at"
		}
		l.tables[i] = &table{spec: spec, log: log{dir: path + spec.Suffix, timeColumn: timeColumn}}
	}
	return l, nil
}

func (l *Lake) spans() *table       { return l.tables[0] }
func (l *Lake) annotations() *table { return l.tables[1] }

// String is the target in the form of the command line.
func (l *Lake) String() string { return "file:" + l.path }

// Close does nothing: a Lake holds no file open.
func (l *Lake) Close() error { return nil }

// Limits asks for large commits: readers of a Delta table pay for each file, and a writer for each
// commit (some fsyncs, and the keys of files that overlap in time). 32 MiB of rows, which is a file
// of some 4 MiB, keep two commits at once, with the row group (16 MiB) that each collects, within
// about 100 MiB.
func (l *Lake) Limits() target.Limits { return target.Limits{Rows: 50_000, Bytes: 32 << 20} }

// Check says whether the tables for spans and annotations are there in schema version v2, and whether
// tracemig knows all that their Delta protocol asks of a writer.
func (l *Lake) Check(ctx context.Context) error {
	for _, t := range []uctables.Table{uctables.Spans, uctables.Annotations} {
		if err := l.CheckTable(ctx, t); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// CheckTable says what Check says of one table.
func (l *Lake) CheckTable(ctx context.Context, spec uctables.Table) error {
	for _, t := range l.tables {
		if t.spec.Suffix == spec.Suffix {
			_, err := t.id()
			return t.wrap(err)
		}
	}
	return ctx.Err()
}

// Identity is the Delta IDs of the tables of spans and annotations.
func (l *Lake) Identity(ctx context.Context) (string, error) {
	spans, err := l.spans().id()
	if err != nil {
		return "", l.spans().wrap(err)
	}
	annotations, err := l.annotations().id()
	if err != nil {
		return "", l.annotations().wrap(err)
	}
	return spans + " " + annotations, ctx.Err()
}

// Create makes the tables that are missing. It may run at the same time elsewhere.
func (l *Lake) Create(ctx context.Context) error {
	for _, t := range l.tables {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.create(l.options.Clustering); err != nil {
			return t.wrap(err)
		}
	}
	return nil
}

// rowError is for what a row holds.
func (t *table) rowError(format string, args ...any) error {
	return &target.RowError{Table: t.log.dir, Err: fmt.Errorf(format, args...)}
}

type spanKey struct {
	trace [16]byte
	span  [8]byte
}

// hexID decodes an ID of exactly 2*len(dst) lowercase hex digits.
func hexID[T []byte | string](dst []byte, id T) bool {
	if len(id) != 2*len(dst) || strings.ContainsAny(string(id), "ABCDEF") {
		return false
	}
	_, err := hex.Decode(dst, []byte(id))
	return err == nil
}

// spanIndex is where the spans of a batch are in it.
type spanIndex map[spanKey]int

func (x spanIndex) row(trace, span []byte) (row int, ok bool) {
	var k spanKey
	if !hexID(k.trace[:], trace) || !hexID(k.span[:], span) {
		return 0, false
	}
	row, ok = x[k]
	return row, ok
}

// WriteSpans implements target.Writer. A span whose (trace_id, span_id) the table holds, at a time
// within the batch's times, is left alone. Of the same key twice in rows, the first is written.
func (l *Lake) WriteSpans(ctx context.Context, rows []uctables.Span) (target.Written, error) {
	t := l.spans()
	b, index, times, err := t.spanBatch(rows)
	if err != nil {
		return target.Written{}, err
	}
	b.meets = at(times)
	b.keys = []string{"trace_id", "span_id"}
	b.mark = func(r *rowReader) {
		if row, ok := index.row(r.text(0), r.text(1)); ok {
			b.drop(row)
		}
	}
	written, err := t.insert(ctx, b)
	return written, t.wrap(err)
}

// spanBatch is a batch of spans, of one key the first, with their places in rows and their times.
func (t *table) spanBatch(rows []uctables.Span) (b *batch, index spanIndex, times []int64, err error) {
	index, times = make(spanIndex, len(rows)), make([]int64, 0, len(rows))
	b = newBatch(len(rows))
	for i := range rows {
		var k spanKey
		if !hexID(k.trace[:], rows[i].TraceID) || !hexID(k.span[:], rows[i].SpanID) {
			return nil, nil, nil, t.rowError("span %q of trace %q: the IDs are not 16 and 32 lowercase hex digits", rows[i].SpanID, rows[i].TraceID)
		}
		if _, twice := index[k]; twice {
			b.drop(i)
			continue
		}
		index[k] = i
		times = append(times, rows[i].TimeMicros)
	}
	b.write = func(w *rowWriter, i int) error {
		if err := w.span(&rows[i]); err != nil {
			return t.writeError(err, "span %s of trace %s", rows[i].SpanID, rows[i].TraceID)
		}
		return nil
	}
	b.stats = func(i int, s *stats) {
		r := &rows[i]
		s.span(&r.TraceID, &r.SpanID, &r.TimeMicros, r.Date, r.ServiceName)
	}
	return b, index, times, nil
}

type annotationKey struct {
	id        string
	updatedAt int64
}

// WriteAnnotations implements target.Writer. An annotation whose (annotation_id, updated_at) the
// table holds, created within the batch's times of creation, is left alone.
func (l *Lake) WriteAnnotations(ctx context.Context, rows []uctables.Annotation) (target.Written, error) {
	index := make(map[annotationKey]int, len(rows))
	times := make([]int64, 0, len(rows))
	b := newBatch(len(rows))
	for i := range rows {
		k := annotationKey{rows[i].AnnotationID, rows[i].UpdatedAtMicros}
		if _, twice := index[k]; twice {
			b.drop(i)
			continue
		}
		index[k] = i
		times = append(times, rows[i].CreatedAtMicros)
	}
	b.meets = at(times)
	b.mark = func(r *rowReader) {
		if updatedAt, ok := r.int(1); ok {
			if row, ok := index[annotationKey{string(r.text(0)), updatedAt}]; ok {
				b.drop(row)
			}
		}
	}
	return l.insertAnnotations(ctx, b, func(i int) *uctables.Annotation { return &rows[i] })
}

// ReplaceAnnotations implements target.Writer. A row is left alone where the table holds a version of
// its annotation_id newer than the one that it replaces, created within the range of all times of
// creation that the batch names.
func (l *Lake) ReplaceAnnotations(ctx context.Context, rows []uctables.Replacement) (target.Written, error) {
	index := make(map[string]int, len(rows))
	times := target.NoTimes
	b := newBatch(len(rows))
	for i := range rows {
		if _, twice := index[rows[i].AnnotationID]; twice {
			b.drop(i)
			continue
		}
		index[rows[i].AnnotationID] = i
		times.Include(rows[i].CreatedAtMicros)
		times.Include(rows[i].ReplacesCreatedMicros)
	}
	b.meets = within(times)
	b.mark = func(r *rowReader) {
		if row, ok := index[string(r.text(0))]; ok {
			if updatedAt, ok := r.int(1); ok && updatedAt > rows[row].ReplacesMicros {
				b.drop(row)
			}
		}
	}
	return l.insertAnnotations(ctx, b, func(i int) *uctables.Annotation { return &rows[i].Annotation })
}

func (l *Lake) insertAnnotations(ctx context.Context, b *batch, row func(i int) *uctables.Annotation) (target.Written, error) {
	t := l.annotations()
	b.keys = []string{"annotation_id", "updated_at"}
	b.write = func(w *rowWriter, i int) error {
		a := row(i)
		if err := w.annotation(a); err != nil {
			return t.writeError(err, "annotation %s of %s", a.AnnotationID, a.TargetID)
		}
		return nil
	}
	b.stats = func(i int, s *stats) {
		a := row(i)
		s.text("annotation_id", &a.AnnotationID)
		s.text("target_id", &a.TargetID)
		s.time("created_at", a.CreatedAtMicros)
		s.time("updated_at", a.UpdatedAtMicros)
	}
	written, err := t.insert(ctx, b)
	return written, t.wrap(err)
}

func newBatch(rows int) *batch {
	b := &batch{rows: make([]bool, rows), left: rows}
	for i := range b.rows {
		b.rows[i] = true
	}
	return b
}

// writeError tells a row that VARIANT can't hold from a file that can't be written.
func (t *table) writeError(err error, format string, args ...any) error {
	var syntax *variant.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, variant.ErrDuplicateKey) || errors.Is(err, variant.ErrTooDeep) || errors.Is(err, variant.ErrTooLarge) {
		return t.rowError("%s: %w", fmt.Sprintf(format, args...), err)
	}
	return err
}

// entry is the newest METADATA row of an annotation ID.
type entry struct {
	updatedAt int64
	trace     [16]byte
	live      bool // not deleted, and of the source
}

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
