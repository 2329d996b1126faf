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

// read is all that the client reads of an experiment.
type read struct {
	infos map[string]*mlflow.TraceInfo
	spans map[string]Spans
	runs  map[string][]string // trace ID to the runs it is linked to
}

// readAll reads all of the experiment ref, and checks that no trace comes twice.
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
			t.Errorf("%s came twice, want once", ti.TraceID)
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
		out.spans[ti.TraceID] = c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{ti})[0]
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

// check compares what was read with what MLflow's own client reads.
func check(t *testing.T, corpus rig.Corpus, got read) {
	t.Helper()
	if len(got.infos) != len(corpus.Expected) {
		t.Errorf("listed %d traces, want %d", len(got.infos), len(corpus.Expected))
	}
	for _, want := range corpus.Expected {
		ti := got.infos[want.TraceID]
		if ti == nil {
			t.Errorf("%s: not listed", want.Case)
			continue
		}
		if ti.RequestTime.UnixMilli() != want.RequestTimeMS || string(ti.State) != want.State || len(ti.Assessments) != len(want.Assessments) {
			t.Errorf("%s: listed as %d %s with %d assessments, want %d %s with %d", want.Case, ti.RequestTime.UnixMilli(), ti.State,
				len(ti.Assessments), want.RequestTimeMS, want.State, len(want.Assessments))
		}
		if d := cmp.Diff([]*string{want.ClientRequestID, want.RequestPreview, want.ResponsePreview},
			[]*string{ti.ClientRequestID, ti.RequestPreview, ti.ResponsePreview}); d != "" {
			t.Errorf("%s: request, previews (-want +got):\n%s", want.Case, d)
		}
		delete(want.Metadata, "mlflow.trace.infoFinalized") // A workspace does not have it.
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
				t.Errorf("%s: missing %q, want %q", want.Case, s.Missing, MissingIncomplete)
			}
		case want.Error == nil && n > 0 && s.Missing != "" && want.State != "IN_PROGRESS":
			t.Errorf("%s: %d spans, missing %q, want none missing", want.Case, n, s.Missing)
		case n == 0 && s.Missing == "" && s.Err == nil:
			t.Errorf("%s: no spans, and no reason, want one", want.Case)
		}
		if want.Error != nil {
			t.Logf("%s, which MLflow's client cannot read: %d spans, missing %q, error %v", want.Case, n, s.Missing, s.Err)
		}
	}
}

// sampleCases has a case of each form. internal/e2e reads the whole corpus, and compares the rows with what MLflow's own
// client reads.
const sampleCases = "json_types,links,events,feedback_values,in_run_and_linked,state_error,otlp_two_roots,otlp_gen_ai," +
	"same_millisecond,tags," +
	"no_spans,no_spans_info_only,in_progress,partial_spans,integers_beyond_64_bits"

// sampleTraces is an experiment with these cases on the server of all tests.
func sampleTraces(t *testing.T) (*rig.MLflow, rig.Corpus) {
	t.Helper()
	m := rig.SharedServer(t)
	fillSample.Do(func() { sample = m.FillCases(t, "/Shared/sample", sampleCases) })
	return m, sample
}

var (
	fillSample sync.Once
	sample     rig.Corpus
)

func TestServerCorpus(t *testing.T) {
	m, corpus := sampleTraces(t)
	c, err := NewServer(m.URI, ServerCredentials{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	check(t, corpus, readAll(t, c, corpus.Experiment, nil))
	if c.ways.stored.refusal() != nil {
		t.Errorf("stored spans are refused with %v, want them served", c.ways.stored.refusal())
	}
	// The OTLP forms have as many spans, but for those that they can't hold.
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
	for i, s := range c.FetchSpans(t.Context(), Exact, infos) {
		n := 0
		jsonscan.Elements(s.JSON, func([]byte) error { n++; return nil })
		if s.Err == nil && infos[i].Tags[mlflow.TagSpansLocation] == "TRACKING_STORE" && n != want[infos[i].TraceID] {
			t.Errorf("%s: %d spans in OTLP, want %d", infos[i].TraceID, n, want[infos[i].TraceID])
		}
	}
}

func TestWindowOnServer(t *testing.T) {
	m, corpus := sampleTraces(t)
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
	for _, w := range []Window{
		{StartMs: new(at)}, {EndMs: new(at)}, {StartMs: new(at), EndMs: new(at + 1)}, {StartMs: new(at + 1)}, {StartMs: new(at), EndMs: new(at)},
	} {
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

// workspaceClient makes a client with what is in cfg, and nothing from the environment.
func workspaceClient(t *testing.T, cfg *config.Config, opts Options) *Client {
	t.Helper()
	cfg.Loaders = []config.Loader{config.ConfigAttributes}
	c, err := NewDatabricks(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestWorkspaceCorpus(t *testing.T) {
	m, corpus := sampleTraces(t)
	for _, v4 := range []string{rig.V4Supported, rig.V4EndpointNotFound, rig.V4NotYet} {
		t.Run(v4, func(t *testing.T) {
			f := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI, V4: v4, Forms: []string{"v2", "v30", "v3", "v350"}, QuotaDownload: 150})
			f.Fault(t, rig.FrontFault{Match: "/search", Kind: "status429", RetryAfter: 1})
			f.Fault(t, rig.FrontFault{Match: "/search", Nth: 3, Kind: rig.FrontReset})
			f.Fault(t, rig.FrontFault{Match: "credentials-for-data-download", Nth: 5, Times: 2, Kind: "status503"})
			f.Fault(t, rig.FrontFault{Match: "__storage", Nth: 7, Kind: rig.FrontTruncate})
			c := workspaceClient(t, &config.Config{
				Host: f.URL, ClientID: f.ClientID, ClientSecret: f.ClientSecret, AuthType: "oauth-m2m",
			}, Options{WarehouseID: "rig"})
			check(t, corpus, readAll(t, c, corpus.ExperimentID, func() { f.ExpireSigned(t) }))
			stats := f.Stats(t)
			if stats.SignedWithToken > 0 || len(stats.Writes) > 0 {
				t.Errorf("the front saw %+v, want no token at signed addresses and no writes", stats)
			}
			if s := c.Stats(); s.Retries < 4 || s.Throttled == 0 {
				t.Errorf("%+v, want at least 4 retries and a throttled time", s)
			}
		})
	}
	t.Run("lost spans", func(t *testing.T) {
		var lost *mlflow.TraceInfo
		f := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI})
		c := workspaceClient(t, &config.Config{Host: f.URL, Token: f.Token, AuthType: "pat"}, Options{})
		if err := c.ListTraces(t.Context(), corpus.ExperimentID, Window{}, func(ti *mlflow.TraceInfo) error {
			if n, known := spanCount(ti); lost == nil && known && n > 0 && ti.State == mlflow.StateOK {
				lost = ti
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		f.SetLost(t, lost.TraceID)
		if s := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{lost})[0]; s.Missing != MissingLost || s.Err != nil {
			t.Errorf("missing %q, error %v, want missing %q", s.Missing, s.Err, MissingLost)
		}
	})
	t.Run("a wrong token", func(t *testing.T) {
		f := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI})
		c := workspaceClient(t, &config.Config{Host: f.URL, Token: "wr0ng", AuthType: "pat"}, Options{})
		if _, err := c.Experiment(t.Context(), corpus.Experiment); !isCode(err, 403) || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("error %v, want 403 without the token", err)
		}
	})
}

// One feedback of NaN in a real server's store is found in seconds and reported by its ID, and the other traces come.
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
	var got, reported []string
	w := Window{Unlistable: func(u *UnlistableError) error { reported = append(reported, u.TraceID); return nil }}
	if err := c.ListTraces(t.Context(), corpus.ExperimentID, w, func(ti *mlflow.TraceInfo) error {
		got = append(got, ti.TraceID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	want := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == bad })
	if !slices.Equal(got, want) || !slices.Equal(reported, []string{bad}) {
		t.Errorf("listed %v and reported %v, want all of %v but %s, which is reported", got, reported, ids, bad)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("it took %v, want at most 30s", d)
	}
	_, err = c.TraceInfo(t.Context(), bad)
	if _, ok := errors.AsType[*UnlistableError](err); !ok {
		t.Errorf("error %v of its info, want an *UnlistableError", err)
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
			t.Fatalf("%s: %d %s, want 2xx", path, resp.StatusCode, b)
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
		t.Errorf("error %v of a server without workspaces, want one that says so", err)
	}
}
