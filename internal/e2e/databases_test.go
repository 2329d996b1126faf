//go:build rig

package e2e

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/seed"
	"github.com/tracemig/tracemig/internal/verify"
)

// engines are the databases that an MLflow server may have.
var engines = append([]string{"sqlite"}, rig.Engines...)

// filled is a server with a database of some engine behind it, which has the corpus.
type filled struct {
	*rig.MLflow
	corpus rig.Corpus // in the experiment rig.SharedExperiment
	odd    rig.Corpus // see oddities
	beside []string   // flags that say how to read what lies outside of the database
}

// openStore fills a server's database with the corpus. Those of PostgreSQL and MariaDB have workspaces.
func openStore(t *testing.T, engine string) *filled {
	t.Helper()
	if engine == "sqlite" {
		m, c := rig.SharedMLflow(t)
		return &filled{MLflow: m, corpus: c, beside: []string{"--artifacts-destination", m.Artifacts}}
	}
	m := rig.StartMLflowOn(t, engine, "--enable-workspaces")
	c := m.FillCases(t, rig.SharedExperiment, "")
	if engine == "mysql" {
		return &filled{MLflow: m, corpus: c, beside: []string{"--artifacts-destination", m.Artifacts}}
	}
	// Texts of PostgreSQL hold no NUL, so the server refuses the name of this trace.
	const refused = "nul_in_keys_and_names_artifact"
	if slices.ContainsFunc(c.Expected, func(e rig.ExpectedTrace) bool { return e.Case == refused }) {
		t.Errorf("the server lists traces of case %s, want it to have refused them", refused)
	}
	delete(c.Cases, refused)
	return &filled{MLflow: m, corpus: c, beside: []string{"--server", m.URI}}
}

// TestDatabases reads the traces of MLflow servers from their databases. The corpus is written once for each engine, since that
// takes longest.
func TestDatabases(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := openStore(t, engine)
			checkCorpus(t, s.corpus)
			t.Run("conformance", s.conformance)
			t.Run("migration", s.migration)
			t.Run("two ways", s.twoWays)
			t.Run("NaN", s.nan)
			t.Run("written", s.written)
			t.Run("writing", s.writing)
			t.Run("killed", s.killed)
			t.Run("broken", s.broken)
			t.Run("workspaces", s.workspaces)
		})
	}
}

// fixture is one whose source is an experiment in the database, and whose target is local.
func (s *filled) fixture(t *testing.T, experiment string) *fixture {
	t.Helper()
	fx := newFixture(t, s.StoreURI, experiment).toLocal()
	fx.sourceFlags, fx.rateFlags = append(fx.sourceFlags, s.beside...), nil
	return fx
}

// oddities is an experiment that has what the server does not list as it is stored, see wayExceptions.
func (s *filled) oddities(t *testing.T) rig.Corpus {
	t.Helper()
	if s.odd.Experiment == "" {
		s.odd = s.FillCases(t, "/e2e/"+t.Name(), "feedback_null,overridden_feedback,tags,trace_metadata,linked_from_other_experiments")
		s.SetFeedback(t, s.odd.Cases["overridden_feedback"][0], "NaN")
		s.SetFeedback(t, s.odd.Cases["feedback_null"][0], "[1, 9007199254740993]")
		s.Execute(t, "UPDATE trace_request_metadata SET value = :v WHERE request_id = :id AND value = 'value'",
			"v="+strings.Repeat("é漢😀", 100), "id="+s.odd.Cases["trace_metadata"][0])
	}
	return s.odd
}

// conformance compares all that the database gives with what the server gives of the same experiments.
func (s *filled) conformance(t *testing.T) {
	odd := s.oddities(t)
	src := openSources(t, s.MLflow)
	src.compareExperiments(s.corpus.Experiment, odd.Experiment)
	src.compareExperiment(s.corpus.ExperimentID)
	src.compareExperiment(odd.ExperimentID)
	src.checkUsed()
}

// migration compares the rows of the whole corpus with what MLflow's client reads through the server.
func (s *filled) migration(t *testing.T) {
	fx := s.fixture(t, s.corpus.ExperimentID)
	o := fx.mustRun(3)
	var failed []string
	for _, trace := range o.traces {
		if trace.State == "failed" {
			failed = append(failed, trace.TraceID)
			if !slices.Contains(s.corpus.Cases["corrupt_artifact"], trace.TraceID) {
				t.Errorf("%+v failed, want only traces of case corrupt_artifact to fail", trace)
			}
		}
	}
	got := fx.readLake()
	compareRowsWithSource(t, s.corpus.Expected, got.spans, got.annotations, failed...)
	if v := fx.verify("verify", 3, "--deep"); v.report.Wrong() > 0 || v.report.Kinds[verify.Unreadable] != int64(len(failed)) {
		t.Errorf("verify: %v, want nothing wrong and %d traces unreadable", v, len(failed))
	}
	checkUnchanged(t, s.corpus.Expected, s.Dump(t, s.corpus.Experiment))
}

// twoWays migrates through the server and then from its database, as one pair: the second run has nothing to do, and what was
// migrated is proved by either way.
func (s *filled) twoWays(t *testing.T) {
	c := s.FillBulk(t, "/e2e/"+t.Name(), "links,expectations,tags,in_run_and_linked,otlp_two_roots,feedback_errors", 10)
	fx := s.fixture(t, c.ExperimentID)
	all := []string{"--run-links", "all"}
	database := append(fx.sourceFlags, "--source-name", "rig")
	server := []string{"--tracking-uri", s.URI, "--source", c.ExperimentID, "--source-name", "rig"}
	fx.sourceFlags = server
	if n := fx.mustRun(0, all...).summary.Migrated; n != int64(len(c.Expected)) {
		t.Fatalf("%d traces migrated through the server, want %d", n, len(c.Expected))
	}
	want := fx.readLake()
	fx.sourceFlags = database
	for _, flags := range [][]string{all, nil} {
		o := fx.mustRun(0, flags...).summary
		if o.Present != int64(len(c.Expected)) || o.TargetWrites != 0 || o.Updated != 0 {
			t.Errorf("%v: %+v, want every trace already there and nothing written", flags, o)
		}
	}
	// Without a checkpoint, the target tells what was migrated.
	fx.deleteCheckpoint()
	if o := fx.mustRun(0).summary; o.TargetWrites != 0 || o.Updated != 0 || o.Migrated != 0 {
		t.Errorf("without a checkpoint: %+v, want nothing written", o)
	}
	want.same(t, fx.readLake())
	for _, way := range []struct {
		flags []string
		from  string
	}{{append(server, "--server", s.URI), s.StoreURI}, {database, s.URI}} {
		fx.sourceFlags = way.flags
		if v := fx.verify("verify", 0, "--deep", "--run-links", "all", "--verify-from", way.from); !v.report.Equal ||
			v.report.Kinds[verify.Match] != int64(len(c.Expected)) {
			t.Errorf("verify from %s: %v, want every trace to match", way.from, v)
		}
	}
}

// nan migrates a trace that the server can't list. Its value becomes a string, as in spans.
func (s *filled) nan(t *testing.T) {
	c := s.oddities(t)
	bad := c.Cases["overridden_feedback"][0]
	fx := s.fixture(t, c.ExperimentID)
	if o := fx.mustRun(0).summary; o.Migrated != int64(c.Listed) || o.Failed != 0 {
		t.Errorf("%+v, want all %d traces migrated", o, c.Listed)
	}
	values := 0
	for _, a := range fx.readLake().annotations {
		if a.Type == "FEEDBACK" && "tr-"+a.TargetID == bad && a.Value == "NaN" {
			values++
		}
	}
	if values != 3 {
		t.Errorf("%d feedbacks of trace %s are NaN as a string, want its 3", values, bad)
	}
	if v := fx.verify("verify", 0, "--deep"); v.report.Kinds[verify.Match] != int64(c.Listed) {
		t.Errorf("verify: %v, want all %d traces to match", v, c.Listed)
	}
}

// written has the server write while its database is listed, and the listing wait in the middle of a page: no write waits for it.
// What is there all the time is listed once.
func (s *filled) written(t *testing.T) {
	c := s.AddBulk(t, "/e2e/"+t.Name(), 1200, 2) // more than two pages
	src := openSources(t, s.MLflow)
	before, _ := src.list(src.server, c.ExperimentID, mlflowclient.Window{})
	ids := slices.SortedFunc(maps.Keys(before), func(a, b string) int { return before[a].RequestTime.Compare(before[b].RequestTime) })
	gone, changed := []string{ids[3], ids[len(ids)/2], ids[len(ids)-2]}, ids[len(ids)-1]
	seen, n := map[string]int{}, 0
	must(t, src.db.ListTraces(t.Context(), c.ExperimentID, mlflowclient.Window{}, func(info *mlflow.TraceInfo) error {
		if seen[info.TraceID]++; n == 5 {
			s.post(t, http.MethodPost, "/api/3.0/mlflow/traces/delete-traces", map[string]any{"experiment_id": c.ExperimentID, "request_ids": gone})
			s.post(t, http.MethodPatch, "/api/3.0/mlflow/traces/"+changed+"/tags", map[string]any{"key": "late", "value": "set"})
			for _, at := range []time.Time{before[ids[0]].RequestTime, before[ids[len(ids)/2]].RequestTime, time.Now()} {
				s.newTrace(t, c.ExperimentID, at)
			}
		}
		if info.TraceID == changed && info.Tags["late"] != "set" {
			t.Errorf("trace %s is listed with the tags %v, want the one that was set before its page", changed, info.Tags)
		}
		n++
		return nil
	}))
	for _, id := range ids {
		if want := !slices.Contains(gone, id); seen[id] > 1 || want && seen[id] == 0 || id == gone[2] && seen[id] > 0 {
			t.Errorf("trace %s is listed %d times, want once: %t", id, seen[id], want)
		}
	}
	if spans := src.db.FetchSpans(t.Context(), mlflowclient.Exact, []*mlflow.TraceInfo{before[gone[0]], before[changed]}); spans[0].Missing !=
		mlflowclient.MissingDeleted || spans[1].Missing != "" || spans[1].Err != nil {
		t.Errorf("spans of a trace that was deleted since it was listed, and of one that was not: %+v", spans)
	}
	after, _ := src.list(src.db, c.ExperimentID, mlflowclient.Window{})
	if len(after) != len(ids)-len(gone)+3 {
		t.Errorf("%d traces are listed afterwards, want %d", len(after), len(ids))
	}
}

// newTrace makes a trace without spans.
func (s *filled) newTrace(t *testing.T, experiment string, at time.Time) {
	t.Helper()
	s.post(t, http.MethodPost, "/api/3.0/mlflow/traces", map[string]any{"trace": map[string]any{"trace_info": map[string]any{
		"trace_id": "tr-" + strings.ReplaceAll(uuid.NewString(), "-", ""), "state": "OK", "request_time": at.UTC().Format(time.RFC3339Nano),
		"trace_location": map[string]any{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]any{"experiment_id": experiment}},
	}}})
}

// post sends a request to the server, which has to be answered soon.
func (s *filled) post(t *testing.T, method, path string, body any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.URI+path, strings.NewReader(text(body)))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	must(t, err)
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 {
		t.Errorf("%s: %s %s", path, resp.Status, answer)
	}
}

// writing migrates again and again while clients write through the server. A last run then has everything, each row once.
func (s *filled) writing(t *testing.T) {
	c := s.FillBulk(t, "/e2e/"+t.Name(), "in_progress,expectations,feedback_null", 50)
	fx := s.fixture(t, c.ExperimentID)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for runs := 1; ; runs++ {
			if out, err := fx.command(smallBatches...).CombinedOutput(); err != nil {
				t.Errorf("run %d: %v\n%s", runs, err, tail(string(out)))
				return
			}
			select {
			case <-over:
				t.Logf("%d runs", runs)
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	s.Change(t, c.Experiment, 1)
	s.EndInProgress(t, c.Experiment)
	s.Add(t, c.Experiment, 10)
	close(over)
	<-ended
	fx.mustRun(0, smallBatches...)
	got := fx.readLake()
	compareRowsWithSource(t, s.Dump(t, c.Experiment), got.spans, present(got.annotations))
}

// present is what readers see of annotations, see tables.present.
func present(rows []annotationRow) []annotationRow {
	newest := map[string]annotationRow{}
	for _, a := range rows {
		if old, ok := newest[a.ID]; !ok || a.UpdatedAt > old.UpdatedAt {
			newest[a.ID] = a
		}
	}
	var all []annotationRow
	for _, a := range newest {
		if a.DeletedAt != nil {
			continue
		}
		if a.Type != "FEEDBACK" && a.Type != "EXPECTATION" {
			a.UpdatedAt = a.CreatedAt
		}
		all = append(all, a)
	}
	return all
}

// killed kills runs at random moments, of which some lose their checkpoint too. A last run leaves the same rows as one that was
// never killed.
func (s *filled) killed(t *testing.T) {
	var want lake
	lasts := time.Hour
	for range 2 { // the first takes longer
		whole := s.fixture(t, s.corpus.ExperimentID)
		began := time.Now()
		whole.mustRun(3, smallBatches...)
		lasts = min(lasts, time.Since(began))
		want = whole.readLake()
	}
	random, kills := seed.Rand(t), 0
	for round := range 3 {
		fx := s.fixture(t, s.corpus.ExperimentID)
		for range 3 {
			p := fx.start(smallBatches...)
			timer := time.AfterFunc(time.Duration(random.Int64N(int64(lasts))), func() { _ = p.cmd.Process.Kill() })
			if o := p.wait(); o.code == -1 {
				kills++
			} else if o.code != 3 {
				t.Errorf("a run ended with exit code %d, want it killed or 3:\n%s", o.code, tail(o.stderr))
			}
			timer.Stop()
			if round == 1 {
				fx.deleteCheckpoint()
			}
		}
		fx.mustRun(3, smallBatches...)
		want.same(t, fx.readLake())
	}
	if kills == 0 {
		t.Error("no run was killed, want some to be")
	}
	t.Logf("%d of 9 runs were killed, the others ended before; a whole one took %v", kills, lasts)
}

// broken migrates while the connections to the database break again and again, in the middle of answers. The rows are those of a run
// without that.
func (s *filled) broken(t *testing.T) {
	if s.DB != "" {
		t.Skip("there are no connections to a file")
	}
	c := s.AddBulk(t, "/e2e/"+t.Name(), 4000, 2)
	named := []string{"--source-name", "rig"} // else the rows would tell the two addresses
	whole := s.fixture(t, c.ExperimentID)
	whole.mustRun(0, named...)
	want := whole.readLake()
	uri, err := url.Parse(s.StoreURI)
	must(t, err)
	uri.Host = rig.BreakingRelay(t, uri.Host, 1_000_000) // more than a page or a group of spans takes
	fx := newFixture(t, uri.String(), c.ExperimentID).toLocal()
	fx.sourceFlags, fx.rateFlags = append(fx.sourceFlags, s.beside...), nil
	if o := fx.mustRun(0, named...).summary; o.Retries == 0 {
		t.Errorf("%+v, want connections to have broken", o)
	}
	want.same(t, fx.readLake())
}

// workspaces has an experiment in a second workspace that has the name of the corpus.
func (s *filled) workspaces(t *testing.T) {
	if s.DB != "" {
		t.Skip("the shared server has no workspaces")
	}
	s.post(t, http.MethodPost, "/api/3.0/mlflow/workspaces", map[string]any{"name": "team"})
	team := s.InWorkspace("team")
	c := team.FillCases(t, s.corpus.Experiment, "links,in_run_and_linked")
	fx := s.fixture(t, c.Experiment)
	if o := fx.run(); o.code != 2 || !strings.Contains(o.message()+o.stderr, "--workspace") {
		t.Errorf("a name of two workspaces: %d, %s, want wrong usage and a hint at --workspace", o.code, tail(o.stderr))
	}
	fx.mustRun(0, "--workspace", "team")
	got := fx.readLake()
	compareRowsWithSource(t, c.Expected, got.spans, got.annotations)
	if o := s.fixture(t, c.Experiment).run("--workspace", "nobody"); o.code == 0 {
		t.Errorf("a workspace that is not there: success, want an error")
	}
	src := openSources(t, team)
	src.compareExperiments(c.Experiment)
	src.compareExperiment(c.ExperimentID)
	if e, err := openSources(t, s.InWorkspace("default")).db.Experiment(t.Context(), c.Experiment); e.ID != s.corpus.ExperimentID {
		t.Errorf("in the default workspace %q is %+v (%v), want experiment %s", c.Experiment, e, err, s.corpus.ExperimentID)
	}
}
