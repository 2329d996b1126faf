package mlflowclient

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// inProcess serves requests by calling a handler, without a network, so that it works under synctest.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

var unlimited = Limits{SearchPerSecond: 1e9, DownloadPerSecond: 1e9}

func serverClient(t testing.TB, h http.HandlerFunc) *Client {
	t.Helper()
	c, err := NewServer("http://127.0.0.1:5000", ServerCredentials{}, Options{Transport: inProcess{h}, Limits: unlimited})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type row struct {
	ms int64
	id string
}

// store models the search of the open-source server: rows by time and ID, page tokens that are
// offsets, and a token with every full page.
type store struct {
	rows []row
	// before is called ahead of each request and may change the rows.
	before func()
}

func (s *store) add(r row) {
	s.rows = append(s.rows, r)
	slices.SortFunc(s.rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.id, b.id))
	})
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.before != nil {
		s.before()
	}
	var req searchRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != "/api/3.0/mlflow/traces/search" ||
		!slices.Equal(req.OrderBy, []string{"timestamp_ms ASC"}) || req.Locations[0].Experiment.ID != "7" {
		http.Error(w, "unexpected request", http.StatusBadRequest)
		return
	}
	offset := 0
	if req.PageToken != "" {
		b, _ := base64.StdEncoding.DecodeString(req.PageToken)
		var err error
		if offset, err = strconv.Atoi(string(b)); err != nil {
			http.Error(w, "bad token", http.StatusBadRequest)
			return
		}
	}
	var hits []row
	for _, r := range s.rows {
		if matches(req.Filter, r.ms) {
			hits = append(hits, r)
		}
	}
	hits = hits[min(offset, len(hits)):]
	hits = hits[:min(req.MaxResults, len(hits))]
	token := ""
	if len(hits) == req.MaxResults {
		token = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(offset + len(hits))))
	}
	io.WriteString(w, listing(hits, token))
}

func matches(filter string, ms int64) bool {
	if filter == "" {
		return true
	}
	for clause := range strings.SplitSeq(filter, " AND ") {
		var op string
		var v int64
		if _, err := fmt.Sscanf(clause, "attributes.timestamp_ms %s %d", &op, &v); err != nil {
			panic("filter " + filter)
		}
		if !map[string]bool{">=": ms >= v, "<": ms < v, "=": ms == v}[op] {
			return false
		}
	}
	return true
}

func listing(rows []row, token string) string {
	if len(rows) == 0 && token == "" {
		return "{}"
	}
	var b strings.Builder
	b.WriteString(`{"traces":[`)
	for i, r := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"trace_id":%q,"request_time":%q}`, r.id, time.UnixMilli(r.ms).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	fmt.Fprintf(&b, `],"next_page_token":%q}`, token)
	return b.String()
}

// Whatever is added and deleted during a listing, each trace that is there all the time comes once, and no other comes twice or
// from outside the window.
func TestListTracesLosesAndRepeatsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(0, 4)
		s := &store{}
		stable, fleeting := map[string]int64{}, []string(nil)
		next := 0
		id := func() string { // The order of IDs is not that of times.
			next++
			return fmt.Sprintf("tr-%03d%d", rapid.IntRange(0, 999).Draw(t, "id"), next)
		}
		for range rapid.IntRange(0, 40).Draw(t, "stable") {
			r := row{ms.Draw(t, "ms"), id()}
			stable[r.id] = r.ms
			s.add(r)
		}
		insert := func() {
			r := row{ms.Draw(t, "ms"), id()}
			fleeting = append(fleeting, r.id)
			s.add(r)
		}
		for range rapid.IntRange(0, 40).Draw(t, "fleeting") {
			insert()
		}
		changes := rapid.IntRange(0, 60).Draw(t, "changes")
		s.before = func() {
			for changes > 0 && rapid.Bool().Draw(t, "change") {
				changes--
				if rapid.Bool().Draw(t, "insert") || len(fleeting) == 0 {
					insert()
					continue
				}
				i := rapid.IntRange(0, len(fleeting)-1).Draw(t, "victim")
				s.rows = slices.DeleteFunc(s.rows, func(r row) bool { return r.id == fleeting[i] })
				fleeting = slices.Delete(fleeting, i, i+1)
			}
		}
		var w Window
		if rapid.Bool().Draw(t, "from") {
			w.StartMs = new(ms.Draw(t, "start"))
		}
		if rapid.Bool().Draw(t, "to") {
			w.EndMs = new(ms.Draw(t, "end"))
		}
		within := func(ms int64) bool {
			return (w.StartMs == nil || ms >= *w.StartMs) && (w.EndMs == nil || ms < *w.EndMs)
		}
		c, err := NewServer("http://127.0.0.1:5000", ServerCredentials{}, Options{Transport: inProcess{s}, Limits: unlimited})
		if err != nil {
			t.Fatal(err)
		}
		c.pageSize = rapid.IntRange(2, 6).Draw(t, "page")
		c.overlap = 1
		got := map[string]bool{}
		err = c.ListTraces(t.Context(), "7", w, func(ti *mlflow.TraceInfo) error {
			if got[ti.TraceID] {
				t.Errorf("%s came twice, want once", ti.TraceID)
			}
			if !within(ti.RequestTime.UnixMilli()) {
				t.Errorf("%s at %v came, want none outside of the window", ti.TraceID, ti.RequestTime)
			}
			got[ti.TraceID] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for id, ms := range stable {
			if within(ms) && !got[id] {
				t.Errorf("%s at %d ms did not come, want once", id, ms)
			}
		}
	})
}

// Deletions during the walk of a millisecond can shift a trace before the offset of the last page, which is then empty. An
// empty page repeats no trace of the one before, so the pass has a gap and must not end the walk.
func TestListTracesEmptyLastPage(t *testing.T) {
	s := &store{}
	for i := range 7 {
		s.add(row{5, fmt.Sprintf("tr-%d", i)})
	}
	requests := 0
	s.before = func() {
		// The walk is under way from the third request on: its first page, the shorter page for the next token, and the last page.
		if requests++; requests == 4 || requests == 5 {
			s.rows = s.rows[1:]
		}
	}
	c := serverClient(t, s.ServeHTTP)
	c.pageSize, c.overlap = 6, 1
	got := map[string]bool{}
	err := c.ListTraces(t.Context(), "7", Window{}, func(ti *mlflow.TraceInfo) error { got[ti.TraceID] = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.rows {
		if !got[r.id] {
			t.Errorf("%s did not come, want all of %v", r.id, s.rows)
		}
	}
}

func TestListTracesManyInOneMillisecond(t *testing.T) {
	s := &store{}
	for i := range 2345 {
		s.add(row{1700000000000 + int64(i/2000), fmt.Sprintf("tr-%05d", i)})
	}
	c := serverClient(t, s.ServeHTTP)
	got := map[string]bool{}
	if err := c.ListTraces(t.Context(), "7", Window{}, func(ti *mlflow.TraceInfo) error {
		got[ti.TraceID] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2345 {
		t.Errorf("listed %d traces, want 2345", len(got))
	}
}

func TestListTracesStops(t *testing.T) {
	full := func(from int) []row {
		rows := make([]row, 500)
		for i := range rows {
			rows[i] = row{5, fmt.Sprintf("tr-%d", from+i)}
		}
		return rows
	}
	calls := 0
	for name, answer := range map[string]func() string{
		"the same page and token for ever": func() string { return listing(full(0), "t") },
		"new traces and the same token":    func() string { calls++; return listing(full(calls*1000), "t") },
		"empty pages with a token":         func() string { return listing(nil, "t") },
		"unsorted":                         func() string { return listing([]row{{5, "tr-a"}, {4, "tr-b"}}, "") },
	} {
		t.Run(name, func(t *testing.T) {
			c := serverClient(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, answer()) })
			err := c.ListTraces(t.Context(), "7", Window{}, func(*mlflow.TraceInfo) error { return nil })
			if e, ok := errors.AsType[*ListingError](err); !ok || e.ExperimentID != "7" {
				t.Errorf("got %v, want a *ListingError", err)
			}
		})
	}
	t.Run("an empty page with a token is not the end", func(t *testing.T) {
		c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			if strings.Contains(string(b), "page_token") {
				io.WriteString(w, listing([]row{{5, "tr-a"}}, ""))
			} else {
				io.WriteString(w, listing(nil, "t"))
			}
		})
		n := 0
		if err := c.ListTraces(t.Context(), "7", Window{}, func(*mlflow.TraceInfo) error { n++; return nil }); err != nil || n != 1 {
			t.Errorf("%d traces, error %v, want 1", n, err)
		}
	})
	t.Run("the caller's error ends it", func(t *testing.T) {
		s := &store{rows: []row{{1, "tr-a"}, {2, "tr-b"}}}
		c := serverClient(t, s.ServeHTTP)
		stop, n := errors.New("stop"), 0
		if err := c.ListTraces(t.Context(), "7", Window{}, func(*mlflow.TraceInfo) error { n++; return stop }); err != stop || n != 1 {
			t.Errorf("%d traces, error %v, want %v after 1", n, err, stop)
		}
	})
}
