package preflight

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// experiment is one with some traces, a second apart. The newest was requested as long ago as age says.
type experiment struct {
	traces int
	age    time.Duration
	err    error
	tags   map[string]string // of the experiment

	unlistable *mlflowclient.UnlistableError
	spans      func(*mlflow.TraceInfo) mlflowclient.Spans // nil for one span of each trace
	bound      string
}

func (s *experiment) FetchSpans(_ context.Context, _ mlflowclient.Read, infos []*mlflow.TraceInfo) []mlflowclient.Spans {
	if s.spans != nil {
		return []mlflowclient.Spans{s.spans(infos[0])}
	}
	return []mlflowclient.Spans{{JSON: []byte(`{"spans":[{}]}`)}}
}

func (s *experiment) Identity() string    { return "http://mlflow" }
func (s *experiment) Credentials() string { return "a token" }

func (s *experiment) Experiment(_ context.Context, ref string) (mlflowclient.Experiment, error) {
	if ref != "1" {
		return mlflowclient.Experiment{}, &mlflowclient.NotFoundError{Ref: ref, Source: "http://mlflow"}
	}
	return mlflowclient.Experiment{ID: "1", Name: "/Shared/agent", Tags: s.tags, TraceLocation: s.bound}, nil
}

func (s *experiment) ListTraces(_ context.Context, _ string, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error {
	if s.unlistable != nil && (w.StartMs == nil || *w.StartMs <= s.unlistable.FromMs) {
		if err := w.Unlistable(s.unlistable); err != nil {
			return err
		}
	}
	for i := range s.traces {
		at := now.Add(-s.age - time.Duration(s.traces-1-i)*time.Second)
		if w.StartMs != nil && at.UnixMilli() < *w.StartMs {
			continue
		}
		state := mlflow.StateOK
		if i == 0 {
			state = mlflow.StateError
		}
		if err := yield(&mlflow.TraceInfo{State: state, RequestTime: at}); err != nil {
			return err
		}
	}
	return s.err
}

// workspace grants every privilege, but for the securables that its fields name.
type workspace struct {
	meErr   error
	lacks   []string // full names of securables
	all     []string // those with ALL PRIVILEGES alone
	owned   []string
	absent  []string
	partial bool
	state   string
	mayUse  bool
	useErr  error
}

func (w *workspace) Host() string { return "https://w" }

func (w *workspace) Me(context.Context) (databricks.Identity, error) {
	if w.meErr != nil {
		return databricks.Identity{AuthType: "pat"}, w.meErr
	}
	return databricks.Identity{Name: "ann", AuthType: "pat"}, nil
}

func (w *workspace) Privileges(_ context.Context, securable, name string, _ databricks.Identity) ([]string, bool, error) {
	switch {
	case slices.Contains(w.absent, name):
		return nil, false, databricks.ErrNotThere
	case slices.Contains(w.all, name):
		return []string{"ALL PRIVILEGES"}, !w.partial, nil
	case slices.Contains(w.lacks, name):
		return []string{"BROWSE", "SELECT"}, !w.partial, nil
	}
	return []string{"USE CATALOG", "USE SCHEMA", "CREATE TABLE", "SELECT", "MODIFY", "READ VOLUME", "WRITE VOLUME"}, !w.partial, nil
}

func (w *workspace) Owns(_ context.Context, _, name string, _ databricks.Identity) bool {
	return slices.Contains(w.owned, name)
}

func (w *workspace) MayUse(context.Context, string, databricks.Identity) (bool, error) {
	return w.mayUse, w.useErr
}

func (w *workspace) Warehouse(context.Context, string) (databricks.Warehouse, error) {
	return databricks.Warehouse{Name: "main", State: w.state}, nil
}

// tables has the error of each table that is not as it should be, by suffix. A view with an error is one that tracemig made.
// The error of ownViews is that of asking for such views, the one of skips that of asking what was skipped.
type tables map[string]error

const (
	ownViews = "own views"
	skips    = "skips" // errFound where Databricks' own migration has skipped traces
)

func (t tables) OfficialSkips(context.Context, string) (map[string]int64, error) {
	if errors.Is(t[skips], errFound) {
		return map[string]int64{"too_large": 2, "no_spans": 1}, nil
	}
	return nil, t[skips]
}

func (t tables) OwnViews(context.Context) (own []tablesql.View, err error) {
	for _, v := range tablesql.Views(uctables.Location{Catalog: "m", Schema: "a", Prefix: "p"}) {
		if t[v.Suffix] != nil {
			own = append(own, v)
		}
	}
	return own, t[ownViews]
}

func (t tables) CheckTable(_ context.Context, table uctables.Table) error { return t[table.Suffix] }

func missing(t uctables.Table) error {
	return &target.TableError{Table: "m.a.p" + t.Suffix, Missing: true, Problem: "does not exist", Next: "run with --create."}
}

type fixture struct {
	job    Job
	src    *experiment
	ws     *workspace
	tables tables
	target Target
	path   string // of the checkpoint
}

// newFixture is a job from a workspace to tables in it, of which every probe is OK.
func newFixture(t *testing.T) *fixture {
	b := &fixture{
		src: &experiment{traces: 3, age: time.Hour}, ws: &workspace{state: "RUNNING", mayUse: true}, tables: tables{},
		path: filepath.Join(t.TempDir(), "state", "c.db"),
	}
	b.target = Target{
		Name: "m.a.p", Location: &uctables.Location{Catalog: "m", Schema: "a", Prefix: "p"},
		Warehouse: func() (string, error) { return "w1", nil },
		Open:      func(context.Context, string) (target.TableChecker, error) { return b.tables, nil },
	}
	b.job = Job{
		Experiment: "1", Now: now, Databricks: true,
		Workspace: func() (Workspace, error) { return b.ws, nil },
		Source:    func() (Source, error) { return b.src, nil },
		Target:    func(context.Context) (Target, error) { return b.target, nil },
		Checkpoint: func(server, experimentID, target string) (string, checkpoint.Pair, error) {
			return b.path, checkpoint.Pair{Source: server + "#" + experimentID, Target: target}, nil
		},
	}
	return b
}

func (b *fixture) run(t *testing.T) map[Code]Finding {
	t.Helper()
	found := map[Code]Finding{}
	Run(t.Context(), b.job, func(f Finding) {
		if _, twice := found[f.Code]; twice {
			t.Errorf("%s is reported twice, want once", f.Code)
		}
		if f.Text == "" || strings.HasSuffix(f.Text, ".") {
			t.Errorf("the text is empty or ends with a full stop: %+v", f)
		}
		if bad := f.Result == Failed || f.Result == Warning; bad && (f.Next == "" || strings.HasSuffix(f.Next, ".")) {
			t.Errorf("the next step is missing or ends with a full stop: %+v", f)
		}
		found[f.Code] = f
	})
	return found
}

// Probes that are not made where what they build on is missing.
var (
	traceProbes      = []Code{CodeTraces, CodeCap, CodeSpans, CodeWriters}
	tableProbes      = []Code{"table.spans", "table.annotations", "table.logs", "table.metrics", CodeViews, CodeOfficial}
	grantProbes      = []Code{"grant.catalog", "grant.schema", "grant.spans", "grant.annotations"}
	checkpointProbes = []Code{CodeCheckpoint, CodeLock, CodeStateDisk}
)

// notChecked adds probes that are not made to those in want.
func notChecked(want map[Code]Result, probes ...[]Code) map[Code]Result {
	for _, code := range slices.Concat(probes...) {
		want[code] = NotChecked
	}
	return want
}

// expect compares what was found with the results in want, OK for all others, and with texts that findings say.
func expect(t *testing.T, found map[Code]Finding, want map[Code]Result, says map[Code]string) {
	t.Helper()
	for code, f := range found {
		result, ok := want[code]
		if !ok {
			result = OK
		}
		if f.Result != result {
			t.Errorf("%s is %q, want %q: %+v", code, f.Result, result, f)
		}
	}
	for code, text := range says {
		f := found[code]
		if said := strings.Join(append([]string{f.Text, f.Next}, f.Grants...), "\n"); !strings.Contains(said, text) {
			t.Errorf("%s says\n%s\nwithout\n%s", code, said, text)
		}
	}
}

func TestProbes(t *testing.T) {
	spans, annotations := "m.a.p_otel_spans", "m.a.p_otel_annotations"
	for name, c := range map[string]struct {
		change func(*fixture)
		want   map[Code]Result // of those that are not OK
		says   map[Code]string
	}{
		"all well": {says: map[Code]string{
			CodeIdentity:   "ann at https://w (pat)",
			CodeExperiment: "/Shared/agent has the ID 1",
			CodeTraces:     "3 (1 ERROR, 2 OK), requested from 2026-03-01T10:59:58Z to 2026-03-01T11:00:00Z",
			CodeCap:        "100000",
			CodeWarehouse:  "main (w1) is running",
			"grant.spans":  "ann has SELECT and MODIFY on " + spans,
			CodeCheckpoint: "will be made",
		}},
		"refused": {
			change: func(b *fixture) { b.ws.meErr = fmt.Errorf("%w (Invalid access token)", databricks.ErrRefused) },
			want: notChecked(map[Code]Result{CodeIdentity: Failed}, []Code{CodeCredentials, CodeExperiment, CodeLocation, CodeWarehouse, CodeMayUse},
				traceProbes, tableProbes, grantProbes, checkpointProbes),
			says: map[Code]string{CodeIdentity: "Invalid access token", CodeLocation: "see workspace.identity"},
		},
		"two workspaces": {
			change: func(b *fixture) {
				b.job.SourceWorkspace = func() (Workspace, error) { return &workspace{}, nil }
			},
			says: map[Code]string{CodeAtSource: "ann at https://w", CodeCredentials: "see source.identity"},
		},
		"refused by the source": {
			change: func(b *fixture) {
				b.job.SourceWorkspace = func() (Workspace, error) {
					return &workspace{meErr: fmt.Errorf("%w (Invalid access token)", databricks.ErrRefused)}, nil
				}
			},
			want: notChecked(map[Code]Result{CodeAtSource: Failed}, []Code{CodeCredentials, CodeExperiment, CodeOfficial}, traceProbes,
				checkpointProbes),
			says: map[Code]string{CodeCredentials: "see source.identity"},
		},
		"refused by the target": {
			change: func(b *fixture) {
				b.job.SourceWorkspace = func() (Workspace, error) { return &workspace{}, nil }
				b.ws.meErr = fmt.Errorf("%w (Invalid access token)", databricks.ErrRefused)
			},
			want: notChecked(map[Code]Result{CodeIdentity: Failed}, []Code{CodeLocation, CodeWarehouse, CodeMayUse}, tableProbes, grantProbes,
				checkpointProbes),
			says: map[Code]string{CodeExperiment: "/Shared/agent has the ID 1", CodeLocation: "see workspace.identity"},
		},
		"nameless": {
			change: func(b *fixture) { b.ws.meErr = databricks.ErrNoRight },
			want:   notChecked(map[Code]Result{CodeIdentity: Warning}, grantProbes),
		},
		"no experiment": {
			change: func(b *fixture) { b.job.Experiment = "2" },
			want:   notChecked(map[Code]Result{CodeExperiment: Failed}, traceProbes, []Code{CodeOfficial}, checkpointProbes),
			says:   map[Code]string{CodeExperiment: "Give its ID"},
		},
		"near the cap": {
			change: func(b *fixture) { b.src.traces, b.src.age = 90_000, time.Hour },
			want:   map[Code]Result{CodeCap: Warning},
		},
		"a part": {
			change: func(b *fixture) { ms := now.Add(-time.Hour).UnixMilli(); b.job.Window.StartMs = &ms },
			want:   map[Code]Result{CodeCap: NotChecked},
			says:   map[Code]string{CodeTraces: "1 (1 OK)"},
		},
		"nothing there": {
			change: func(b *fixture) { b.src.traces = 0 },
			want:   map[Code]Result{CodeTraces: Warning, CodeSpans: NotChecked},
		},
		"not listed": {
			change: func(b *fixture) { b.src.traces, b.src.err = 0, advice.With(errors.New("listing: 500"), "Try later") },
			want:   map[Code]Result{CodeTraces: Failed, CodeCap: NotChecked, CodeSpans: NotChecked, CodeWriters: Failed},
			says:   map[Code]string{CodeTraces: "Try later"},
		},
		"still written": {
			change: func(b *fixture) { b.src.age = 4 * time.Minute },
			want:   map[Code]Result{CodeWriters: Warning},
			says:   map[Code]string{CodeWriters: "2026-03-01T11:55:5"},
		},
		"a trace that can't be listed": {
			change: func(b *fixture) {
				b.src.unlistable = &mlflowclient.UnlistableError{TraceID: "tr-nan", FromMs: 1, ToMs: 1, Err: errors.New("500")}
			},
			want: map[Code]Result{CodeTraces: Warning},
			says: map[Code]string{CodeTraces: "tr-nan"},
		},
		"spans that no way leads to": {
			change: func(b *fixture) {
				b.src.spans = func(*mlflow.TraceInfo) mlflowclient.Spans {
					return mlflowclient.Spans{Err: &mlflowclient.NoWayError{Refusals: []error{errors.New("GET h/x: 403")}}}
				}
			},
			want: map[Code]Result{CodeSpans: Failed},
			says: map[Code]string{CodeSpans: "GET h/x: 403\nHave the proxy"},
		},
		"spans of no trace": {
			change: func(b *fixture) {
				b.src.spans = func(*mlflow.TraceInfo) mlflowclient.Spans {
					return mlflowclient.Spans{Missing: mlflowclient.MissingLost}
				}
			},
			want: map[Code]Result{CodeSpans: Warning},
		},
		"the first trace's spans are damaged": {
			change: func(b *fixture) {
				n := 0
				b.src.spans = func(*mlflow.TraceInfo) mlflowclient.Spans {
					if n++; n == 1 {
						return mlflowclient.Spans{Err: errors.New("damaged")}
					}
					return mlflowclient.Spans{JSON: []byte(`{"spans":[{}]}`)}
				}
			},
		},
		"the source is bound to a location": {
			change: func(b *fixture) { b.src.bound = "main.agents.live" },
			want:   map[Code]Result{CodeBound: Warning},
			says:   map[Code]string{CodeBound: "main.agents.live"},
		},
		"no target": {
			change: func(b *fixture) {
				b.job.Target = func(context.Context) (Target, error) {
					_, err := uctables.ParseLocation("m.a.p_")
					return Target{}, err
				}
			},
			want: notChecked(map[Code]Result{CodeLocation: Failed},
				[]Code{CodeWarehouse, CodeMayUse}, tableProbes, grantProbes, checkpointProbes),
			says: map[Code]string{CodeLocation: `Write "p"`},
		},
		"no warehouse": {
			change: func(b *fixture) { b.target.Warehouse = func() (string, error) { return "", databricks.ErrNoWarehouse } },
			want:   notChecked(map[Code]Result{CodeWarehouse: Failed}, []Code{CodeMayUse}, tableProbes),
			says:   map[Code]string{CodeWarehouse: "Give --warehouse-id"},
		},
		"was stopped": {
			change: func(b *fixture) { b.ws.state = "STOPPED" },
			says:   map[Code]string{CodeWarehouse: "was stopped and has been started"},
		},
		"no use": {
			change: func(b *fixture) {
				b.ws.mayUse = false
				for _, table := range uctables.Tables {
					b.tables[table.Suffix] = advice.With(errors.New("HTTP 403"), "Ask for CAN USE")
				}
			},
			want: map[Code]Result{CodeMayUse: Failed, "table.spans": Failed, "table.annotations": Failed, "table.logs": Warning,
				"table.metrics": Warning},
		},
		"permissions hidden": {
			change: func(b *fixture) { b.ws.mayUse, b.ws.useErr = false, databricks.ErrNoRight },
			says:   map[Code]string{CodeMayUse: "statements run"},
		},
		"permissions hidden, nothing runs": {
			change: func(b *fixture) {
				b.ws.mayUse, b.ws.useErr = false, databricks.ErrNoRight
				b.target.Open = func(context.Context, string) (target.TableChecker, error) {
					return nil, advice.With(errors.New("SQL warehouse w1: start it: no"), "Ask for CAN USE on it")
				}
			},
			want: notChecked(map[Code]Result{CodeWarehouse: Failed}, []Code{CodeMayUse}, tableProbes),
		},
		"tables missing": {
			change: func(b *fixture) {
				b.tables["_otel_spans"], b.tables["_otel_logs"] = missing(uctables.Spans), missing(uctables.Logs)
			},
			want: map[Code]Result{"table.spans": Failed, "table.logs": Warning, "grant.spans": NotChecked},
			says: map[Code]string{"table.spans": "Run with --create"},
		},
		"own views": {
			change: func(b *fixture) { b.tables[tablesql.MetadataView], b.tables[tablesql.UnifiedView] = errFound, errFound },
			want:   map[Code]Result{CodeViews: Warning},
			says:   map[Code]string{CodeViews: "no experiment can be bound"},
		},
		"one view": {
			change: func(b *fixture) { b.tables[tablesql.UnifiedView] = errFound },
			want:   map[Code]Result{CodeViews: Warning},
			says:   map[Code]string{CodeViews: "run before it is created: DROP VIEW `m`.`a`.`p_trace_unified`. Otherwise leave them"},
		},
		"own views of a bound location": {
			change: func(b *fixture) { b.tables[tablesql.UnifiedView], b.target.ExperimentID = errFound, "7" },
			says:   map[Code]string{CodeViews: "experiment 7 is bound"},
		},
		"views to be made": {
			change: func(b *fixture) { b.job.CreateViews, b.ws.lacks = true, []string{"m.a"} },
			want:   map[Code]Result{CodeViews: Warning, "grant.schema": Failed},
			says:   map[Code]string{CodeViews: "Leave --create-views off", "grant.schema": "CREATE TABLE ON SCHEMA"},
		},
		"moved by Databricks' own migration": {
			change: func(b *fixture) {
				b.src.tags = map[string]string{
					"mlflow.databricks.migrate_traces_to_uc.latest_request_time_ms.location.m.a.p": "1760000000123",
					"mlflow.databricks.migrate_traces_to_uc.latest_trace_id.location.m.a.p":        "tr-1",
				}
				b.tables[skips] = errFound
			},
			says: map[Code]string{CodeOfficial: "up to the request time 2025-10-09T08:53:20.123Z (trace tr-1): a run takes them over; " +
				"3 that it skipped for good stand in m.a._migration_skipped (1 no_spans, 2 too_large): a run"},
		},
		"not moved by it": {says: map[Code]string{CodeOfficial: "has moved nothing"}},
		"what it skipped can't be seen": {
			change: func(b *fixture) { b.tables[skips] = errors.New("HTTP 500") },
			want:   map[Code]Result{CodeOfficial: NotChecked},
			says:   map[Code]string{CodeOfficial: "HTTP 500"},
		},
		"views can't be seen": {
			change: func(b *fixture) { b.tables[ownViews] = errors.New("HTTP 500") },
			want:   map[Code]Result{CodeViews: NotChecked},
			says:   map[Code]string{CodeViews: "HTTP 500"},
		},
		"a volume": {
			change: func(b *fixture) { b.target.Volume = &uctables.Volume{Catalog: "m", Schema: "b", Name: "v"} },
			says:   map[Code]string{"grant.volume": "ann has READ VOLUME and WRITE VOLUME on m.b.v"},
		},
		"no grants on the volume": {
			change: func(b *fixture) {
				b.target.Volume, b.ws.lacks = &uctables.Volume{Catalog: "m", Schema: "b", Name: "v"}, []string{"m.b.v"}
			},
			want: map[Code]Result{"grant.volume": Failed},
			says: map[Code]string{"grant.volume": "GRANT READ VOLUME, WRITE VOLUME ON VOLUME `m`.`b`.`v` TO `ann`"},
		},
		"no volume": {
			change: func(b *fixture) {
				b.target.Volume, b.ws.absent = &uctables.Volume{Catalog: "m", Schema: "b", Name: "v"}, []string{"m.b.v"}
			},
			want: map[Code]Result{"grant.volume": Failed},
		},
		"a volume to be made": {
			change: func(b *fixture) {
				b.target.Volume, b.target.MakeVolume, b.ws.absent = &uctables.Volume{Catalog: "m", Schema: "a", Name: "v"}, true, []string{"m.a.v"}
			},
			want: map[Code]Result{"grant.schema": Failed},
			says: map[Code]string{"grant.schema": "GRANT CREATE VOLUME ON SCHEMA `m`.`a` TO `ann`"},
		},
		"all tables to be made": {
			change: func(b *fixture) {
				b.job.Create, b.ws.lacks = true, []string{"m.a"}
				for _, table := range uctables.Tables {
					b.tables[table.Suffix] = missing(table)
				}
			},
			want: map[Code]Result{"grant.schema": Failed},
			says: map[Code]string{
				"table.spans": "will be made", "table.annotations": "will be made", "table.logs": "will be made", "table.metrics": "will be made",
				"grant.spans": "the table will be made, and belong to ann", "grant.annotations": "the table will be made, and belong to ann",
				"grant.schema": "GRANT USE SCHEMA, CREATE TABLE ON SCHEMA `m`.`a` TO `ann`",
			},
		},
		"the last table to be made": {
			change: func(b *fixture) {
				b.job.Create, b.tables["_otel_metrics"], b.ws.lacks = true, missing(uctables.Tables[3]), []string{"m.a"}
			},
			want: map[Code]Result{"grant.schema": Failed},
			says: map[Code]string{"table.metrics": "will be made", "grant.schema": "GRANT USE SCHEMA, CREATE TABLE ON SCHEMA `m`.`a` TO `ann`"},
		},
		"tables to be made": {
			change: func(b *fixture) {
				b.job.Create, b.tables["_otel_spans"], b.ws.lacks = true, missing(uctables.Spans), []string{"m.a", spans}
			},
			want: map[Code]Result{"grant.schema": Failed},
			says: map[Code]string{"table.spans": "will be made", "grant.schema": "GRANT USE SCHEMA, CREATE TABLE ON SCHEMA `m`.`a` TO `ann`"},
		},
		"lacks": {
			change: func(b *fixture) { b.ws.lacks = []string{"m", annotations} },
			want:   map[Code]Result{"grant.catalog": Failed, "grant.annotations": Failed},
			says: map[Code]string{
				"grant.catalog": "GRANT USE CATALOG ON CATALOG `m` TO `ann`",
				"grant.annotations": "ann lacks MODIFY on m.a.p_otel_annotations\nHave the owner of m.a.p_otel_annotations run the statement\n" +
					"GRANT MODIFY ON TABLE `m`.`a`.`p_otel_annotations` TO `ann`",
			},
		},
		"all privileges": {
			change: func(b *fixture) { b.ws.all = []string{"m", "m.a", spans} },
			want:   map[Code]Result{"grant.spans": Failed},
			says:   map[Code]string{"grant.spans": "is not enough"},
		},
		"owner": {
			change: func(b *fixture) { b.ws.lacks, b.ws.owned = []string{spans}, []string{spans} },
			says:   map[Code]string{"grant.spans": "ann owns"},
		},
		"groups hidden": {
			change: func(b *fixture) { b.ws.lacks, b.ws.partial = []string{spans}, true },
			want:   map[Code]Result{"grant.spans": Warning},
			says:   map[Code]string{"grant.spans": "through a group"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			if c.change != nil {
				c.change(b)
			}
			found := b.run(t)
			expect(t, found, c.want, c.says)
			more := b.target.Volume != nil || b.src.bound != "" || b.job.SourceWorkspace != nil
			if n := len(found); n != 23 && (n != 24 || !more) {
				t.Errorf("%d probes, want 23, and one for a volume or an identity of its own", n)
			}
			if _, err := os.Stat(filepath.Dir(b.path)); err == nil {
				t.Errorf("the folder of %s exists, want nothing written", b.path)
			}
		})
	}
}

func TestCheckpointProbes(t *testing.T) {
	b := newFixture(t)
	is := func(code Code, want Result, text string) {
		t.Helper()
		if f := b.run(t)[code]; f.Result != want || !strings.Contains(f.Text+"\n"+f.Next, text) {
			t.Errorf("%+v, want %s with %q", f, want, text)
		}
	}
	open := func(path, target string) {
		t.Helper()
		s, err := checkpoint.Open(t.Context(), path, checkpoint.Pair{Source: "http://mlflow#1", Target: target})
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	open(b.path, "m.a.p")
	is(CodeCheckpoint, OK, "readable and of this source and target")
	is(CodeLock, OK, "no run has it")
	files, err := os.ReadDir(filepath.Dir(b.path))
	if err != nil || len(files) != 1 {
		t.Errorf("the probes left %v, error %v, want the checkpoint alone", files, err)
	}
	lock, err := checkpoint.TakeLock(t.Context(), b.path, 0, checkpoint.Holder{PID: 7, User: "bob", Host: "h", RunID: "r"})
	if err != nil {
		t.Fatal(err)
	}
	is(CodeLock, Warning, "process 7 of bob on h")
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	b.path = filepath.Join(t.TempDir(), "other.db")
	open(b.path, "m.a.other")
	is(CodeCheckpoint, Failed, `is for target "m.a.other"`)
	b.path = filepath.Join(t.TempDir(), "junk.db")
	if err := os.WriteFile(b.path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	is(CodeCheckpoint, Failed, "Move the file away")
	is(CodeStateDisk, OK, "MiB are free")
}

func TestLocalTarget(t *testing.T) {
	b := newFixture(t)
	b.job.Databricks, b.job.Local = false, true
	folder := filepath.Join(t.TempDir(), "lake")
	b.target = Target{
		Name: "file:" + folder + "/agent", Folder: folder,
		Open: func(context.Context, string) (target.TableChecker, error) { return b.tables, nil },
	}
	b.tables["_otel_spans"] = missing(uctables.Spans)
	b.tables["_otel_annotations"] = &target.TableError{
		Table: "x", Problem: "has the reader feature deletionVectors, which tracemig does not know", Next: "Migrate into a new path.",
	}
	found := b.run(t)
	for code, want := range map[Code]Result{
		CodeCredentials: OK, CodeFolder: OK, CodeDisk: OK, "table.spans": OK, "table.annotations": Failed, CodeCheckpoint: OK,
	} {
		if f := found[code]; f.Result != want {
			t.Errorf("%+v, want %s", f, want)
		}
	}
	if got, want := found[CodeCredentials].Text, "a token for http://mlflow"; got != want {
		t.Errorf("%s says %q, want %q", CodeCredentials, got, want)
	}
	for _, code := range []Code{CodeIdentity, CodeCap, CodeWarehouse, "grant.spans"} {
		if f, ok := found[code]; ok {
			t.Errorf("%+v, want no probe of a workspace", f)
		}
	}
	// A file stands where the folder would be made.
	if err := os.WriteFile(folder, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	b.target.Folder = filepath.Join(folder, "inside")
	if f := b.run(t)[CodeFolder]; f.Result != Failed {
		t.Errorf("with a file in the way of the folder: %+v, want %s", f, Failed)
	}
}

func TestQuick(t *testing.T) {
	l := uctables.Location{Catalog: "m", Schema: "a", Prefix: "p"}
	ws := &workspace{lacks: []string{"m.a.p_otel_spans"}}
	lacks, err := Quick(t.Context(), ws, grants.ToWrite(l))
	if err != nil || len(lacks) != 1 || lacks[0].Code != "grant.spans" {
		t.Errorf("without grants on a table: %+v, error %v, want grant.spans alone", lacks, err)
	}
	ws.meErr = databricks.ErrRefused
	if _, err := Quick(t.Context(), ws, grants.ToWrite(l)); err == nil || !strings.Contains(err.Error(), "Log in again") {
		t.Errorf("refused: error %v, want one that says Log in again", err)
	}
	ws.meErr = databricks.ErrNoRight
	if lacks, err := Quick(t.Context(), ws, grants.ToWrite(l)); err != nil || len(lacks) != 1 || lacks[0].Code != CodeIdentity {
		t.Errorf("nameless: %+v, error %v, want %s alone", lacks, err, CodeIdentity)
	}
}

// database is a source that is a database.
type database struct {
	experiment
	warnings []string
}

func (d *database) Version() string    { return "PostgreSQL 17.1, MLflow 3.17.2 (revision 1)" }
func (d *database) Warnings() []string { return d.warnings }

func TestDatabase(t *testing.T) {
	b := newFixture(t)
	db := &database{experiment: *b.src}
	b.job.Databricks, b.job.Source = false, func() (Source, error) { return db, nil }
	found := b.run(t)
	expect(t, found, nil, map[Code]string{CodeCredentials: "a token for http://mlflow: PostgreSQL 17.1, MLflow 3.17.2 (revision 1)"})
	if f, ok := found[CodeVersion]; ok {
		t.Errorf("%+v of a form that is known", f)
	}
	db.warnings = []string{"it is newer", "and larger"}
	n := 0
	db.spans = func(*mlflow.TraceInfo) mlflowclient.Spans { // out of reach of all but one trace, which has none
		if n++; n == 1 {
			return mlflowclient.Spans{Missing: mlflowclient.MissingNever}
		}
		return mlflowclient.Spans{Missing: mlflowclient.MissingElsewhere}
	}
	expect(t, b.run(t), map[Code]Result{CodeVersion: Warning, CodeSpans: Warning}, map[Code]string{
		CodeVersion: "it is newer; and larger\nSee whether a newer tracemig knows it", CodeSpans: "--artifacts-destination",
	})
	db.spans = func(*mlflow.TraceInfo) mlflowclient.Spans {
		return mlflowclient.Spans{Err: errors.New("connection lost")}
	}
	expect(t, b.run(t), map[Code]Result{CodeVersion: Warning, CodeSpans: Failed}, map[Code]string{CodeSpans: "connection lost"})
}
