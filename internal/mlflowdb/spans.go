package mlflowdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
)

// fetchGroup is how many traces one query reads, at most.
const fetchGroup = 200

// FetchGroup is how many traces one call of FetchSpans should be for.
func (s *Source) FetchGroup(mlflowclient.Read) int { return fetchGroup }

// FetchSpans reads the spans of each trace, in the order of infos: those that the database has by one query, and the others where
// they lie. The document of a trace is the one that the server makes of the same rows (get-trace-artifact).
func (s *Source) FetchSpans(ctx context.Context, read mlflowclient.Read, infos []*mlflow.TraceInfo) []mlflowclient.Spans {
	out := make([]mlflowclient.Spans, len(infos))
	var here []int
	elsewhere := map[int]*mlflow.TraceInfo{}
	for i, t := range infos {
		if t.SpansInTrackingStore() && s.schema.spans {
			here = append(here, i)
		} else {
			elsewhere[i] = t
		}
	}
	maps.Copy(elsewhere, s.stored(ctx, infos, here, out))
	s.elsewhere(ctx, read, elsewhere, out)
	return out
}

// stored reads the spans of infos[i] for each i in at from the database into out[i]. It returns those traces whose spans were moved
// elsewhere since they were listed, as they are listed now.
func (s *Source) stored(ctx context.Context, infos []*mlflow.TraceInfo, at []int, out []mlflowclient.Spans) map[int]*mlflow.TraceInfo {
	if len(at) == 0 {
		return nil
	}
	ids := make([]string, len(at))
	for k, i := range at {
		ids[k] = infos[i].TraceID
	}
	var spans map[string]*stored
	var now map[string]*mlflow.TraceInfo
	err := s.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		if spans, err = s.spans(ctx, tx, ids); err != nil {
			return err
		}
		now, err = s.without(ctx, tx, ids, spans)
		return err
	})
	if n := len(at) / 2; err != nil && n > 0 && ctx.Err() == nil && ofOneTrace(err) {
		moved := s.stored(ctx, infos, at[:n], out)
		maps.Copy(moved, s.stored(ctx, infos, at[n:], out))
		return moved
	}
	moved := map[int]*mlflow.TraceInfo{}
	for _, i := range at {
		t := infos[i]
		found, again := spans[t.TraceID], now[t.TraceID]
		switch {
		case err != nil:
			out[i].Err = fmt.Errorf("reading the spans of trace %s: %w", t.TraceID, err)
		case found != nil:
			out[i] = found.result(t, s.opts.MaxTraceBytes)
			s.bytes.Add(int64(len(out[i].JSON)))
		case again == nil:
			out[i].Missing = mlflowclient.MissingDeleted
		case !again.SpansInTrackingStore():
			moved[i] = again
		default:
			out[i].Missing = mlflowclient.MissingOf(t, 0)
		}
	}
	return moved
}

// result is what there is of the spans of a trace, which are not to have more bytes than most.
func (t *stored) result(info *mlflow.TraceInfo, most int64) mlflowclient.Spans {
	if t.bytes > most {
		return mlflowclient.Spans{Err: fmt.Errorf("reading the spans of trace %s: %w", info.TraceID, &mlflowclient.TooLargeError{Limit: most})}
	}
	return mlflowclient.Spans{JSON: t.document(), Missing: mlflowclient.MissingOf(info, len(t.spans))}
}

// ofOneTrace says whether an error may be due to one trace of several, so that the others can be had without it.
func ofOneTrace(err error) bool {
	switch fault.Of(err) {
	case fault.Unreachable, fault.Credentials, fault.Permission:
		return false
	}
	return true
}

// stored are the spans that the database has of a trace.
type stored struct {
	spans []span // none of a trace that is too large
	bytes int64  // of their documents
}

// span is a stored span.
type span struct {
	root    bool
	start   int64
	content string // its document
}

// largeGroup is the size from which on the spans of only one group are read at a time, so that Options.MaxTraceBytes bounds the
// memory rather than that of each connection.
const largeGroup = 16 << 20

// spans reads the spans of traces, by trace. It leaves out those whose documents the server has archived.
func (s *Source) spans(ctx context.Context, tx *sql.Tx, ids []string) (map[string]*stored, error) {
	rows, err := tx.QueryContext(ctx, "SELECT trace_id, parent_span_id, start_time_unix_nano, content FROM spans WHERE trace_id IN ("+
		s.parameters(ids)+")", values(ids)...)
	if err != nil {
		return nil, err
	}
	found := make(map[string]*stored, len(ids))
	var kept int64
	alone := false // this is the large group
	defer func() {
		if alone {
			<-s.large
		}
	}()
	return found, each(rows, func() error {
		var id string
		var parent sql.NullString
		var sp span
		if err := rows.Scan(&id, &parent, &sp.start, &sp.content); err != nil {
			return fmt.Errorf("a row of spans: %w", err)
		}
		if sp.root = !parent.Valid; sp.content == "" {
			return nil
		}
		of := found[id]
		if of == nil {
			of = &stored{}
			found[id] = of
		}
		if of.bytes += int64(len(sp.content)); of.bytes > s.opts.MaxTraceBytes {
			of.spans = nil
			return nil
		}
		of.spans, kept = append(of.spans, sp), kept+int64(len(sp.content))
		if kept > largeGroup && !alone {
			select {
			case s.large <- struct{}{}:
				alone = true
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
}

// without lists the traces anew of which no span was found.
func (s *Source) without(ctx context.Context, tx *sql.Tx, ids []string, spans map[string]*stored) (map[string]*mlflow.TraceInfo, error) {
	var bare []string
	for _, id := range ids {
		if spans[id] == nil {
			bare = append(bare, id)
		}
	}
	if len(bare) == 0 {
		return nil, nil
	}
	found, err := s.named(ctx, tx, bare)
	now := make(map[string]*mlflow.TraceInfo, len(found))
	for _, t := range found {
		now[t.TraceID] = t.TraceInfo
	}
	return now, err
}

// document makes the document of a trace: roots first, and both them and the other spans in the order of their starts.
func (t *stored) document() []byte {
	spans := t.spans
	slices.SortStableFunc(spans, span.compare)
	const begin, end = `{"spans":[`, `]}`
	doc := append(make([]byte, 0, len(begin)+len(end)+len(spans)+int(t.bytes)), begin...)
	for i := range spans {
		if i > 0 {
			doc = append(doc, ',')
		}
		doc = append(doc, spans[i].content...)
	}
	return append(doc, end...)
}

// compare orders the spans of a trace.
func (s span) compare(o span) int {
	if s.root != o.root {
		if s.root {
			return -1
		}
		return 1
	}
	return cmp.Compare(s.start, o.start)
}
