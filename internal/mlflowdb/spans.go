package mlflowdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

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
	var spans map[string][]span
	var now map[string]*mlflow.TraceInfo
	err := s.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		if spans, err = s.spans(ctx, tx, ids); err != nil {
			return err
		}
		now, err = s.without(ctx, tx, ids, spans)
		return err
	})
	moved := map[int]*mlflow.TraceInfo{}
	for _, i := range at {
		t := infos[i]
		found := spans[t.TraceID]
		switch again := now[t.TraceID]; {
		case err != nil:
			out[i].Err = fmt.Errorf("reading the spans of trace %s: %w", t.TraceID, err)
		case len(found) == 0 && again == nil:
			out[i].Missing = mlflowclient.MissingDeleted
		case len(found) == 0 && !again.SpansInTrackingStore():
			moved[i] = again
		default:
			out[i] = mlflowclient.Spans{JSON: document(found), Missing: mlflowclient.MissingOf(t, len(found))}
			s.bytes.Add(int64(len(out[i].JSON)))
		}
	}
	return moved
}

// span is a stored span.
type span struct {
	root    bool
	start   int64
	content string // its document
}

// spans reads the spans of traces, by trace. It leaves out those whose documents the server has archived.
func (s *Source) spans(ctx context.Context, tx *sql.Tx, ids []string) (map[string][]span, error) {
	rows, err := tx.QueryContext(ctx, "SELECT trace_id, parent_span_id, start_time_unix_nano, content FROM spans WHERE trace_id IN ("+
		s.parameters(ids)+")", values(ids)...)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]span, len(ids))
	return found, each(rows, func() error {
		var id string
		var parent sql.NullString
		var sp span
		if err := rows.Scan(&id, &parent, &sp.start, &sp.content); err != nil {
			return fmt.Errorf("a row of spans: %w", err)
		}
		if sp.root = !parent.Valid; sp.content != "" {
			found[id] = append(found[id], sp)
		}
		return nil
	})
}

// without lists the traces anew of which no span was found.
func (s *Source) without(ctx context.Context, tx *sql.Tx, ids []string, spans map[string][]span) (map[string]*mlflow.TraceInfo, error) {
	var bare []string
	for _, id := range ids {
		if len(spans[id]) == 0 {
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
func document(spans []span) []byte {
	if len(spans) == 0 {
		return nil
	}
	slices.SortStableFunc(spans, span.compare)
	const begin, end = `{"spans":[`, `]}`
	size := len(begin) + len(end) + len(spans)
	for i := range spans {
		size += len(spans[i].content)
	}
	doc := append(make([]byte, 0, size), begin...)
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
