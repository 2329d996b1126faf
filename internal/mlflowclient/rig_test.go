//go:build rig

package mlflowclient

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/config"
	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/jsonscan"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// read is all that the client brings of an experiment.
type read struct {
	infos map[string]*mlflow.TraceInfo
	spans map[string]Spans
	runs  map[string][]string // trace ID to the runs it is linked to
}

// readAll reads ref whole and checks that nothing came twice.
func readAll(t *testing.T, c *Client, ref string, halfway func()) read {
	t.Helper()
	e, err := c.Experiment(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	out := read{map[string]*mlflow.TraceInfo{}, map[string]Spans{}, map[string][]string{}}
	var infos []*mlflow.TraceInfo
	if err := c.ListTraces(t.Context(), e.ID, Window{}, func(ti *mlflow.TraceInfo) error {
		if out.infos[ti.TraceID] != nil {
			t.Errorf("%s came twice", ti.TraceID)
		}
		out.infos[ti.TraceID] = ti
		infos = append(infos, ti)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i, ti := range infos {
		if i == len(infos)/2 && halfway != nil {
			halfway()
		}
		out.spans[ti.TraceID] = c.FetchSpans(t.Context(), []*mlflow.TraceInfo{ti})[0]
	}
	if err := c.ListRuns(t.Context(), e.ID, func(run string) error {
		return c.ListRunTraces(t.Context(), e.ID, run, Window{}, func(id string) error {
			out.runs[id] = append(out.runs[id], run)
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// check compares what came with what MLflow's own client reads.
func check(t *testing.T, corpus rig.Corpus, got read) {
	t.Helper()
	if len(got.infos) != len(corpus.Expected) {
		t.Errorf("listed %d traces of %d", len(got.infos), len(corpus.Expected))
	}
	for _, want := range corpus.Expected {
		ti := got.infos[want.TraceID]
		if ti == nil {
			t.Errorf("%s: not listed", want.Case)
			continue
		}
		if ti.RequestTime.UnixMilli() != want.RequestTimeMS || string(ti.State) != want.State || len(ti.Assessments) != len(want.Assessments) {
			t.Errorf("%s: listed as %v %s with %d assessments", want.Case, ti.RequestTime, ti.State, len(ti.Assessments))
		}
		if d := cmp.Diff([]*string{want.ClientRequestID, want.RequestPreview, want.ResponsePreview}, []*string{ti.ClientRequestID, ti.RequestPreview, ti.ResponsePreview}); d != "" {
			t.Errorf("%s: request, previews (-want +got):\n%s", want.Case, d)
		}
		delete(want.Metadata, "mlflow.trace.infoFinalized") // the server's own, which a workspace has not
		delete(ti.Metadata, "mlflow.trace.infoFinalized")
		if d := cmp.Diff(want.Metadata, ti.Metadata); d != "" && len(want.Metadata) > 0 {
			t.Errorf("%s: metadata (-want +got):\n%s", want.Case, d)
		}
		slices.Sort(got.runs[want.TraceID])
		if !slices.Equal(got.runs[want.TraceID], want.Runs) {
			t.Errorf("%s: runs %v, want %v", want.Case, got.runs[want.TraceID], want.Runs)
		}
		s := got.spans[want.TraceID]
		n := 0
		if s.JSON != nil {
			var err error
			if n, err = countSpans(s.JSON); err != nil {
				t.Errorf("%s: %v", want.Case, err)
			}
		}
		switch {
		case want.Error == nil && (n != len(want.Spans) || s.Err != nil):
			t.Errorf("%s: %d spans (missing %q, error %v), want %d", want.Case, n, s.Missing, s.Err, len(want.Spans))
		case want.Case == "partial_spans":
			if s.Missing != MissingIncomplete {
				t.Errorf("%s: missing %q", want.Case, s.Missing)
			}
		case want.Error == nil && n > 0 && s.Missing != "" && want.State != "IN_PROGRESS":
			t.Errorf("%s: %d spans said to be %s", want.Case, n, s.Missing)
		case n == 0 && s.Missing == "" && s.Err == nil:
			t.Errorf("%s: nothing, and no reason", want.Case)
		}
		if want.Error != nil {
			t.Logf("%s, which MLflow's client cannot read: %d spans, missing %q, error %v", want.Case, n, s.Missing, s.Err)
		}
	}
}

// few are cases of each form. That the client reads the whole corpus as MLflow's own does, internal/e2e proves by the
// rows that come of it.
const few = "json_types,links,events,feedback_values,in_run_and_linked,state_error,otlp_two_roots,otlp_gen_ai,same_millisecond,tags," +
	"no_spans,no_spans_info_only,in_progress,partial_spans,integers_beyond_64_bits"

// fewTraces is an experiment with them on the server of all tests.
func fewTraces(t *testing.T) (*rig.MLflow, rig.Corpus) {
	t.Helper()
	m := rig.SharedServer(t)
	fillFew.Do(func() { fewFilled = m.FillCases(t, "/Shared/few", few) })
	return m, fewFilled
}

var (
	fillFew   sync.Once
	fewFilled rig.Corpus
)

func TestServerCorpus(t *testing.T) {
	m, corpus := fewTraces(t)
	c, err := NewServer(m.URI, ServerCredentials{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	check(t, corpus, readAll(t, c, corpus.Experiment, nil))
	if c.ways.stored.refusal() != nil {
		t.Error("the server is said not to serve stored spans")
	}
	// The OTLP forms bring the same numbers of spans, but for what they cannot hold.
	c.ways.stored.works.Store(false)
	c.ways.stored.refuse(errWebPage)
	var infos []*mlflow.TraceInfo
	want := map[string]int{}
	for _, e := range corpus.Expected {
		if e.Error == nil && len(e.Spans) > 0 {
			ti, err := c.TraceInfo(t.Context(), e.TraceID)
			if err != nil {
				t.Fatal(err)
			}
			infos, want[e.TraceID] = append(infos, ti), len(e.Spans)
		}
		if len(infos) == 25 {
			break
		}
	}
	for i, s := range c.FetchSpans(t.Context(), infos) {
		n := 0
		jsonscan.Elements(s.JSON, func([]byte) error { n++; return nil })
		if s.Err == nil && infos[i].Tags[mlflow.TagSpansLocation] == "TRACKING_STORE" && n != want[infos[i].TraceID] {
			t.Errorf("%s: %d spans in OTLP, want %d", infos[i].TraceID, n, want[infos[i].TraceID])
		}
	}
}

func TestWindowOnServer(t *testing.T) {
	m, corpus := fewTraces(t)
	c, err := NewServer(m.URI, ServerCredentials{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	times := []int64{}
	for _, e := range corpus.Expected {
		times = append(times, e.RequestTimeMS)
	}
	slices.Sort(times)
	at := times[len(times)/2]
	for _, w := range []Window{{StartMs: new(at)}, {EndMs: new(at)}, {StartMs: new(at), EndMs: new(at + 1)}, {StartMs: new(at + 1)}, {StartMs: new(at), EndMs: new(at)}} {
		want, got := 0, 0
		for _, ms := range times {
			if (w.StartMs == nil || ms >= *w.StartMs) && (w.EndMs == nil || ms < *w.EndMs) {
				want++
			}
		}
		if err := c.ListTraces(t.Context(), corpus.ExperimentID, w, func(*mlflow.TraceInfo) error { got++; return nil }); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("window %v: %d traces, want %d", w, got, want)
		}
	}
}

func TestWorkspaceCorpus(t *testing.T) {
	m, corpus := fewTraces(t)
	for _, v4 := range []string{rig.V4Supported, rig.V4EndpointNotFound, rig.V4NotYet} {
		t.Run(v4, func(t *testing.T) {
			f := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI, V4: v4, Forms: []string{"v2", "v30", "v3", "v350"}, QuotaDownload: 150})
			f.Fault(t, rig.FrontFault{Match: "/search", Kind: "status429", RetryAfter: 1})
			f.Fault(t, rig.FrontFault{Match: "/search", Nth: 3, Kind: rig.FrontReset})
			f.Fault(t, rig.FrontFault{Match: "credentials-for-data-download", Nth: 5, Times: 2, Kind: "status503"})
			f.Fault(t, rig.FrontFault{Match: "__storage", Nth: 7, Kind: rig.FrontTruncate})
			c, err := NewDatabricks(&config.Config{Host: f.URL, ClientID: f.ClientID, ClientSecret: f.ClientSecret, AuthType: "oauth-m2m", Loaders: []config.Loader{config.ConfigAttributes}}, Options{WarehouseID: "rig"})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			check(t, corpus, readAll(t, c, corpus.ExperimentID, func() { f.ExpireSigned(t) }))
			stats := f.Stats(t)
			if stats.SignedWithToken > 0 || len(stats.Writes) > 0 {
				t.Errorf("the front saw %+v", stats)
			}
			if s := c.Stats(); s.Retries < 4 || s.Throttled == 0 {
				t.Errorf("the faults were not met: %+v", s)
			}
		})
	}
	t.Run("lost spans", func(t *testing.T) {
		var lost *mlflow.TraceInfo
		f := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI})
		c, err := NewDatabricks(&config.Config{Host: f.URL, Token: f.Token, AuthType: "pat", Loaders: []config.Loader{config.ConfigAttributes}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.ListTraces(t.Context(), corpus.ExperimentID, Window{}, func(ti *mlflow.TraceInfo) error {
			if n, told := spanCount(ti); lost == nil && told && n > 0 && ti.State == mlflow.StateOK {
				lost = ti
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		f.SetLost(t, lost.TraceID)
		if s := c.FetchSpans(t.Context(), []*mlflow.TraceInfo{lost})[0]; s.Missing != MissingLost || s.Err != nil {
			t.Errorf("missing %q, error %v", s.Missing, s.Err)
		}
	})
	t.Run("a wrong token", func(t *testing.T) {
		f := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI})
		c, err := NewDatabricks(&config.Config{Host: f.URL, Token: "wr0ng", AuthType: "pat", Loaders: []config.Loader{config.ConfigAttributes}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Experiment(t.Context(), corpus.Experiment); !isCode(err, 403) || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("error %v", err)
		}
	})
}

// One feedback of NaN in a real server's store: found in seconds, told of by its ID, and the others come.
func TestNaNFeedbackOnServer(t *testing.T) {
	m := rig.SharedServer(t)
	corpus := m.Add(t, "/Shared/nan", 12)
	ids := []string{}
	for _, of := range corpus.Cases {
		ids = append(ids, of...)
	}
	slices.Sort(ids)
	bad := ids[len(ids)/2]
	m.SetFeedback(t, bad, "NaN")
	c, err := NewServer(m.URI, ServerCredentials{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start := time.Now()
	var got, told []string
	if err := c.ListTraces(t.Context(), corpus.ExperimentID, Window{Unlistable: func(u *UnlistableError) error { told = append(told, u.TraceID); return nil }},
		func(ti *mlflow.TraceInfo) error { got = append(got, ti.TraceID); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if want := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == bad }); !slices.Equal(got, want) || !slices.Equal(told, []string{bad}) {
		t.Errorf("listed %v, told of %v, want all of %v but %s", got, told, ids, bad)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("it took %v", d)
	}
	if _, err := c.TraceInfo(t.Context(), bad); err == nil {
		t.Error("its info could be read")
	} else if _, ok := errors.AsType[*UnlistableError](err); !ok {
		t.Errorf("its info: %v", err)
	}
}

// A real server with workspaces, below a prefix: experiments of one name are told apart.
func TestWorkspacesOnServer(t *testing.T) {
	m := rig.StartMLflow(t, "--enable-workspaces", "--static-prefix", "/flow")
	post := func(workspace, path, body string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.URI+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if workspace != "" {
			r.Header.Set("X-MLFLOW-WORKSPACE", workspace)
		}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		if resp.StatusCode/100 != 2 {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, b)
		}
		return string(b)
	}
	post("", "/api/3.0/mlflow/workspaces", `{"name":"team"}`)
	want := map[string]string{}
	for _, workspace := range []string{"", "team"} {
		var made struct {
			ID string `json:"experiment_id"`
		}
		if err := json.Unmarshal([]byte(post(workspace, "/api/2.0/mlflow/experiments/create", `{"name":"agent"}`)), &made); err != nil {
			t.Fatal(err)
		}
		want[workspace] = made.ID
	}
	if want[""] == want["team"] {
		t.Fatalf("one experiment for both: %v", want)
	}
	for workspace, id := range want {
		c, err := NewServer(m.URI, ServerCredentials{}, Options{Workspace: workspace})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		e, err := c.Experiment(t.Context(), "agent")
		if err != nil || e.ID != id {
			t.Errorf("workspace %q: %+v, %v, want experiment %s", workspace, e, err, id)
		}
		if err := c.ListTraces(t.Context(), e.ID, Window{}, func(*mlflow.TraceInfo) error { return nil }); err != nil {
			t.Errorf("workspace %q: %v", workspace, err)
		}
	}
	c, err := NewServer(rig.SharedServer(t).URI, ServerCredentials{}, Options{Workspace: "team"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Experiment(t.Context(), "Default"); err == nil || !strings.Contains(err.Error(), "has no workspaces") {
		t.Errorf("a server without them: %v", err)
	}
}
