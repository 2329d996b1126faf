package mlflowdb

import (
	"errors"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
)

// TestBadRowsStopNobody damages rows of three traces in a store, as SQLite lets anyone: these are told of, and the others are read.
func TestBadRowsStopNobody(t *testing.T) {
	whole := openStore(t, "3.17.2", "")
	e, err := whole.Experiment(t.Context(), "stores")
	if err != nil {
		t.Fatal(err)
	}
	infos := listAll(t, whole, e.ID)
	var assessed string
	for _, info := range infos {
		if len(info.Assessments) > 0 {
			assessed = info.TraceID
		}
	}
	var others []string
	for _, info := range infos {
		if info.TraceID != assessed && info.SpansInTrackingStore() {
			others = append(others, info.TraceID)
		}
	}
	s := openStore(t, "3.17.2", "UPDATE assessments SET value = '{\"a\": ' WHERE trace_id = '"+assessed+"'; "+
		"UPDATE trace_info SET execution_time_ms = 'soon' WHERE request_id = '"+others[0]+"'; "+
		"UPDATE spans SET start_time_unix_nano = 'then' WHERE trace_id = '"+others[1]+"'")
	unlistable := map[string]error{}
	w := mlflowclient.Window{Unlistable: func(u *mlflowclient.UnlistableError) error { unlistable[u.TraceID] = u; return nil }}
	var listed []*mlflow.TraceInfo
	if err := s.ListTraces(t.Context(), e.ID, w, func(i *mlflow.TraceInfo) error { listed = append(listed, i); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(unlistable) != 2 || unlistable[assessed] == nil || unlistable[others[0]] == nil || len(listed) != len(infos)-2 {
		t.Errorf("%d traces of %d are listed, and not %v", len(listed), len(infos), unlistable)
	}
	if err := unlistable[others[0]]; err != nil && !strings.Contains(err.Error(), "soon") {
		t.Errorf("the error does not say what is wrong: %v", err)
	}
	if _, err := s.TraceInfo(t.Context(), assessed); err == nil {
		t.Error("a damaged trace is listed by its ID")
	} else if _, ok := errors.AsType[*mlflowclient.UnlistableError](err); !ok {
		t.Errorf("a damaged trace: %v", err)
	}
	for i, spans := range s.FetchSpans(t.Context(), mlflowclient.Exact, listed) {
		if bad := listed[i].TraceID == others[1]; bad != (spans.Err != nil) {
			t.Errorf("trace %s: %v", listed[i].TraceID, spans.Err)
		}
	}
}

// TestLargeTraces reads traces with a bound on the bytes of one.
func TestLargeTraces(t *testing.T) {
	s := openStore(t, "3.17.2", "")
	e, err := s.Experiment(t.Context(), "stores")
	if err != nil {
		t.Fatal(err)
	}
	infos := listAll(t, s, e.ID)
	sizes := map[string]int64{}
	largest := ""
	for i, spans := range s.FetchSpans(t.Context(), mlflowclient.Exact, infos) {
		id := infos[i].TraceID
		if sizes[id] = int64(len(spans.JSON)); infos[i].SpansInTrackingStore() && sizes[id] > sizes[largest] {
			largest = id
		}
	}
	s.opts.MaxTraceBytes = sizes[largest] / 2
	for i, spans := range s.FetchSpans(t.Context(), mlflowclient.Exact, infos) {
		_, tooLarge := errors.AsType[*mlflowclient.TooLargeError](spans.Err)
		if id := infos[i].TraceID; id == largest && !tooLarge || sizes[id] < s.opts.MaxTraceBytes && spans.Err != nil {
			t.Errorf("trace %s of %d bytes: %v", id, sizes[id], spans.Err)
		}
	}
}
