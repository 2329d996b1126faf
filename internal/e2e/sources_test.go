//go:build rig

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/uctables"
)

// sources are the two ways to the same traces, and how often each of wayExceptions was needed.
type sources struct {
	t      *testing.T
	server *mlflowclient.Client
	db     *mlflowdb.Source
	used   map[string]int
}

// openSources opens both ways to what a server has. What lies outside of the database, it is asked for.
func openSources(t *testing.T, m *rig.MLflow) *sources {
	t.Helper()
	server, err := mlflowclient.NewServer(m.URI, mlflowclient.ServerCredentials{}, mlflowclient.Options{
		Workspace: m.Workspace, Limits: mlflowclient.Limits{SearchPerSecond: 1000, DownloadPerSecond: 5000},
	})
	must(t, err)
	t.Cleanup(server.Close)
	address, err := mlflowdb.ParseAddress(m.StoreURI)
	must(t, err)
	db, err := mlflowdb.Open(t.Context(), address, mlflowdb.Options{Workspace: m.Workspace, Server: server})
	must(t, err)
	t.Cleanup(db.Close)
	return &sources{t, server, db, map[string]int{}}
}

// A wayException is a difference between what the server lists of a trace and what its database has.
type wayException struct {
	name string
	path string // regular expression for the whole path, see infoLeaves
	ok   func(server, db string) bool
}

var wayExceptions = []wayException{
	{"the server makes doubles of integers, so it lists another one beyond 2^53", `assessments/[^/]+/feedback/value(/.*)?`,
		func(server, db string) bool {
			n, err := strconv.ParseInt(db, 10, 64)
			f, ferr := strconv.ParseFloat(server, 64)
			return errors.Join(err, ferr) == nil && (n > 1<<53 || n < -1<<53) && f == float64(n)
		}},
	{"the server lists the first 250 characters of a value of trace metadata", `metadata/.*`,
		func(server, db string) bool {
			s, d := []rune(unquoted(server)), []rune(unquoted(db))
			return len(s) == 250 && len(d) > 250 && string(s) == string(d[:250])
		}},
}

// unlistable is the name of an exception that no path shows.
const unlistable = "the server can't list a trace with a feedback of NaN"

// compareExperiment fails unless both ways give the same of every trace of an experiment, but for wayExceptions.
func (s *sources) compareExperiment(id string) {
	s.t.Helper()
	server, bad := s.list(s.server, id, mlflowclient.Window{})
	db, none := s.list(s.db, id, mlflowclient.Window{})
	if len(none) > 0 {
		s.t.Errorf("the database reports %v as unlistable, want none", none)
	}
	for _, id := range bad {
		if db[id] == nil {
			s.t.Errorf("%s is not listed by the database, want it although the server can't list it", id)
			continue
		}
		s.used[unlistable]++
		delete(db, id)
	}
	ids := slices.Sorted(maps.Keys(server))
	if d := cmp.Diff(ids, slices.Sorted(maps.Keys(db))); d != "" || len(ids) == 0 {
		s.t.Fatalf("%d traces (-server +database):\n%s", len(ids), d)
	}
	for _, id := range ids {
		s.compareInfo(server[id], db[id])
		one, err := s.db.TraceInfo(s.t.Context(), id)
		if err != nil || one.Digest() != db[id].Digest() {
			s.t.Errorf("%s asked for alone: %v, %v, want it as it is listed", id, one, err)
		}
	}
	s.compareSpans(ids, server)
	s.compareWindows(id, ids, server)
	s.compareLinks(id, false)
	s.compareLinks(id, true)
}

// list lists an experiment, and checks that the order is that of the request times, and each trace comes once.
func (s *sources) list(src source.Source, id string, w mlflowclient.Window) (infos map[string]*mlflow.TraceInfo, bad []string) {
	s.t.Helper()
	infos = map[string]*mlflow.TraceInfo{}
	w.Unlistable = func(u *mlflowclient.UnlistableError) error { bad = append(bad, u.TraceID); return nil }
	var last time.Time
	must(s.t, src.ListTraces(s.t.Context(), id, w, func(t *mlflow.TraceInfo) error {
		if t.RequestTime.Before(last) || infos[t.TraceID] != nil {
			s.t.Errorf("%T lists %s of %v after one of %v, or twice", src, t.TraceID, t.RequestTime, last)
		}
		last, infos[t.TraceID] = t.RequestTime, t
		return nil
	}))
	return infos, bad
}

// compareInfo compares every field of a trace, and the digests where nothing is excepted.
func (s *sources) compareInfo(server, db *mlflow.TraceInfo) {
	s.t.Helper()
	want, got := infoLeaves(s.t, server), infoLeaves(s.t, db)
	paths := slices.Sorted(maps.Keys(want))
	for path := range got {
		if _, ok := want[path]; !ok {
			paths = append(paths, path)
		}
	}
	excepted := false
	for _, path := range paths {
		if want[path] == got[path] {
			continue
		}
		at := slices.IndexFunc(wayExceptions, func(e wayException) bool {
			return regexp.MustCompile(`^(?s:`+e.path+`)$`).MatchString(path) && e.ok(want[path], got[path])
		})
		if at < 0 {
			s.t.Errorf("%s (%s): %s is %s in the database, want %s as from the server", server.TraceID, server.Tags["corpus.case"], path,
				orNothing(got[path]), orNothing(want[path]))
			continue
		}
		s.used[wayExceptions[at].name]++
		excepted = true
	}
	if same := server.Digest() == db.Digest(); same == excepted {
		s.t.Errorf("%s (%s): the digests are the same: %t, want %t", server.TraceID, server.Tags["corpus.case"], same, !excepted)
	}
}

// infoLeaves are the fields of a trace as JSON texts by their paths, such as tags/a or assessments/<ID>/feedback/value. The order of
// assessments, which may have the same time, makes no difference. A value that is no JSON is its text.
func infoLeaves(t *testing.T, info *mlflow.TraceInfo) map[string]string {
	t.Helper()
	found := map[string]string{}
	value := func(path string, v []byte) {
		if json.Valid(v) {
			collectLeaves(path, decode(t, v), found)
		} else {
			found[path] = text(string(v))
		}
	}
	for _, a := range info.Assessments {
		path := "assessments/" + a.ID
		if found[path] != "" {
			t.Errorf("trace %s has %s twice", info.TraceID, path)
		}
		if a.Feedback != nil {
			value(path+"/feedback/value", a.Feedback.Value)
			a.Feedback = &mlflow.Feedback{Error: a.Feedback.Error}
		}
		if a.Expectation != nil {
			value(path+"/expectation/value", a.Expectation.Value)
			a.Expectation = &mlflow.Expectation{Serialized: a.Expectation.Serialized}
		}
		found[path] = text(a)
	}
	rest := *info
	rest.Assessments, rest.Tags, rest.Metadata = nil, nil, nil
	found["fields"] = text(rest)
	for key, v := range info.Tags {
		found["tags/"+key] = text(v)
	}
	for key, v := range info.Metadata {
		found["metadata/"+key] = text(v)
	}
	return found
}

// compareSpans compares what both ways give of the spans of traces: the rows that they become, or why there are none.
func (s *sources) compareSpans(ids []string, infos map[string]*mlflow.TraceInfo) {
	s.t.Helper()
	for group := range slices.Chunk(ids, 40) {
		var asked []*mlflow.TraceInfo
		for _, id := range group {
			asked = append(asked, infos[id])
		}
		server := s.server.FetchSpans(s.t.Context(), mlflowclient.Exact, asked)
		db := s.db.FetchSpans(s.t.Context(), mlflowclient.Exact, asked)
		for i, info := range asked {
			want, got := spanRows(info, server[i]), spanRows(info, db[i])
			if !reflect.DeepEqual(want, got) {
				s.t.Errorf("%s (%s): spans (-server +database):\n%s", info.TraceID, info.Tags["corpus.case"], short(cmp.Diff(want, got)))
			}
		}
	}
}

// spanRows is what becomes of a trace, or why nothing does.
func spanRows(info *mlflow.TraceInfo, spans mlflowclient.Spans) any {
	if spans.Err != nil {
		return "an error"
	}
	got, err := convert.Convert(convert.Input{Info: info, Spans: spans.JSON, SpansMissing: spans.Missing}, convert.Options{})
	if err != nil {
		return err.Error()
	}
	// The server lists spans of the same start in any order.
	slices.SortFunc(got.Trace.Spans, func(a, b uctables.Span) int { return strings.Compare(a.SpanID, b.SpanID) })
	return struct {
		Missing string
		Rows    any
		Notes   []convert.Note
	}{spans.Missing, got.Trace, got.Notes}
}

// compareWindows lists windows that begin and end where traces are.
func (s *sources) compareWindows(id string, ids []string, infos map[string]*mlflow.TraceInfo) {
	s.t.Helper()
	var times []int64
	for _, id := range ids {
		times = append(times, infos[id].RequestTime.UnixMilli())
	}
	slices.Sort(times)
	first, middle, last := times[0], times[len(times)/2], times[len(times)-1]
	after := last + 1
	for _, w := range []mlflowclient.Window{
		{StartMs: &middle}, {EndMs: &middle}, {StartMs: &first, EndMs: &last}, {StartMs: &last}, {StartMs: &after},
		{StartMs: &middle, EndMs: &middle},
	} {
		server, _ := s.list(s.server, id, w)
		db, _ := s.list(s.db, id, w)
		for id := range db {
			if infos[id] == nil {
				delete(db, id) // the server can't list it
			}
		}
		if d := cmp.Diff(slices.Sorted(maps.Keys(server)), slices.Sorted(maps.Keys(db))); d != "" {
			s.t.Errorf("window %s (-server +database):\n%s", text(w), d)
		}
	}
}

// compareLinks compares the links of an experiment's traces to its own runs and, with all, to those of every other experiment.
func (s *sources) compareLinks(id string, all bool) {
	s.t.Helper()
	ctx := s.t.Context()
	type runOf struct {
		id    string
		other bool
	}
	want, got := map[runOf][]string{}, map[runOf][]string{}
	asked := func(experiment string) error {
		return s.server.ListRuns(ctx, experiment, func(run string) error {
			r := runOf{run, experiment != id}
			want[r] = nil
			return s.server.ListRunTraces(ctx, id, run, mlflowclient.Window{}, func(trace string) error {
				want[r] = append(want[r], trace)
				return nil
			})
		})
	}
	if all {
		must(s.t, s.server.ListExperiments(ctx, asked))
	} else {
		must(s.t, asked(id))
	}
	ended := map[string]bool{}
	must(s.t, s.db.ListLinks(ctx, id, all, mlflowclient.Window{}, func(l source.RunLink) error {
		if ended[l.RunID] {
			s.t.Errorf("%+v comes after its run", l)
		}
		r := runOf{l.RunID, l.Other}
		if l.TraceID == "" {
			ended[l.RunID] = true
			got[r] = append(got[r], []string{}...)
		} else if !slices.Contains(got[r], l.TraceID) {
			got[r] = append(got[r], l.TraceID)
		}
		return nil
	}))
	for _, links := range []map[runOf][]string{want, got} {
		for r, traces := range links {
			if slices.Sort(traces); all && len(traces) == 0 {
				delete(links, r) // the database has the runs of other workspaces too
			}
		}
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(runOf{})); d != "" || !all && len(ended) != len(want) {
		s.t.Errorf("all: %t; %d runs, links (-server +database):\n%s", all, len(ended), d)
	}
}

// compareExperiments compares what both ways say of experiments, by name and by ID, and of what is not there.
func (s *sources) compareExperiments(names ...string) {
	s.t.Helper()
	ctx := s.t.Context()
	for _, name := range names {
		want, err := s.server.Experiment(ctx, name)
		must(s.t, err)
		for _, ref := range []string{name, want.ID} {
			got, err := s.db.Experiment(ctx, ref)
			if d := cmp.Diff(want, got); d != "" || err != nil {
				s.t.Errorf("experiment %s: %v (-server +database):\n%s", ref, err, d)
			}
		}
	}
	for _, src := range []source.Opened{s.server, s.db} {
		missing := []string{"nothing of this name", "987654"}
		if src == source.Opened(s.db) { // A server on MySQL does not tell these from the name.
			missing = append(missing, strings.ToUpper(names[0]), names[0]+" ")
		}
		for _, ref := range missing {
			if e, err := src.Experiment(ctx, ref); err == nil {
				s.t.Errorf("%T finds %q: %+v, want nothing", src, ref, e)
			} else if _, ok := errors.AsType[*mlflowclient.NotFoundError](err); !ok {
				s.t.Errorf("%T of %q: %v, want a *NotFoundError", src, ref, err)
			}
		}
		if _, err := src.TraceInfo(ctx, "tr-00000000000000000000000000000bad"); !source.Gone(err) {
			s.t.Errorf("%T of a trace that is not there: %v, want an error that says so", src, err)
		}
	}
	of := func(list func(yield func(string) error) error) (all []string) {
		s.t.Helper()
		must(s.t, list(func(id string) error { all = append(all, id); return nil }))
		slices.Sort(all)
		return all
	}
	ids := func(src source.Source) []string {
		return of(func(yield func(string) error) error { return src.ListExperiments(ctx, yield) })
	}
	// Other tests make experiments on a shared server meanwhile.
	before, server, after := ids(s.db), ids(s.server), ids(s.db)
	for _, id := range before {
		if !slices.Contains(server, id) {
			s.t.Errorf("experiment %s is in the database alone", id)
		}
	}
	for _, id := range server {
		if !slices.Contains(after, id) {
			s.t.Errorf("experiment %s is on the server alone", id)
		}
	}
	for _, prefix := range []string{names[0], names[0][:len(names[0])-1], strings.ToUpper(names[0]), "%", "_"} {
		named := func(list func(string, func(mlflowclient.Experiment) error) error) []string {
			return of(func(yield func(string) error) error {
				return list(prefix, func(e mlflowclient.Experiment) error {
					if !strings.HasPrefix(e.Name, prefix) {
						return nil // of a server, whose filters have wildcards, others may come
					}
					return yield(fmt.Sprint(e.ID, e.Name, e.LifecycleStage))
				})
			})
		}
		want := named(func(p string, yield func(mlflowclient.Experiment) error) error {
			return s.server.ListExperimentsNamed(ctx, p, yield)
		})
		got := named(func(p string, yield func(mlflowclient.Experiment) error) error {
			return s.db.ListExperimentsNamed(ctx, p, yield)
		})
		if d := cmp.Diff(want, got); d != "" {
			s.t.Errorf("experiments that begin with %q (-server +database):\n%s", prefix, d)
		}
	}
}

// checkUsed fails unless every exception was needed.
func (s *sources) checkUsed() {
	s.t.Helper()
	if s.used[unlistable] == 0 {
		s.t.Errorf("not needed: %s", unlistable)
	}
	for _, e := range wayExceptions {
		if s.used[e.name] == 0 {
			s.t.Errorf("nothing differs in %s: take the exception off the list (%s)", e.path, e.name)
		}
	}
}
