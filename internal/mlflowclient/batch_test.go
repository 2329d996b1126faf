package mlflowclient

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// batchServer answers batchGet and get-trace-artifact. It keeps the size of each group that it was asked for, and the traces that
// were asked for by themselves.
type batchServer struct {
	refuse  func(ids []string) int // status of the answer for a group; 0 for spans
	without string                 // trace that it leaves out of groups
	broken  string                 // trace that is damaged in groups

	mu     sync.Mutex
	groups []int
	stored []string
}

func (s *batchServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "get-trace-artifact") {
		s.stored = append(s.stored, r.FormValue("request_id"))
		io.WriteString(w, `{"spans":[{"name":"stored"}]}`)
		return
	}
	ids := r.URL.Query()["trace_ids"]
	s.groups = append(s.groups, len(ids))
	if s.refuse != nil {
		if status := s.refuse(ids); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	var traces []string
	for _, id := range ids {
		if id == s.broken {
			traces = append(traces, fmt.Sprintf(`{"trace_info":{"trace_id":%q},"spans":{}}`, id))
		} else if id != s.without {
			traces = append(traces, fmt.Sprintf(`{"trace_info":{"trace_id":%q},"spans":[{"name":"grouped"}]}`, id))
		}
	}
	fmt.Fprintf(w, `{"traces":[%s]}`, strings.Join(traces, ","))
}

// storedTraces are traces of one span in the tracking store.
func storedTraces(n int) (infos []*mlflow.TraceInfo) {
	for i := range n {
		infos = append(infos, trace(fmt.Sprintf("tr-%03d", i), "TRACKING_STORE", 1))
	}
	return infos
}

// The fast way reads traces of few spans in groups, and any other as it is stored.
func TestFastReadsSmallTracesInGroups(t *testing.T) {
	s := &batchServer{without: "tr-001", broken: "tr-003"}
	infos := append(storedTraces(4), trace("tr-many", "TRACKING_STORE", fewSpans+1), trace("tr-unknown", "TRACKING_STORE", -1),
		trace("tr-artifact", "ARTIFACT_REPO", 1))
	c := serverClient(t, s.ServeHTTP)
	for i, got := range c.FetchSpans(t.Context(), Fast, infos) {
		fast := i == 0 || i == 2
		if got.Err != nil || got.Fast != fast || strings.Contains(string(got.JSON), "grouped") != fast {
			t.Errorf("%s: fast %v, %s, error %v; want fast %v", infos[i].TraceID, got.Fast, got.JSON, got.Err, fast)
		}
	}
	want := []string{"tr-001", "tr-003", "tr-many", "tr-unknown", "tr-artifact"}
	if !slices.Equal(s.stored, want) || !slices.Equal(s.groups, []int{4}) {
		t.Errorf("groups of %v and %v by themselves, want one of 4 and %v", s.groups, s.stored, want)
	}
	s.groups = nil
	for _, got := range c.FetchSpans(t.Context(), Exact, infos) {
		if got.Fast {
			t.Errorf("%s read fast, want it read exactly", got.JSON)
		}
	}
	if len(s.groups) > 0 || c.FetchGroup(Exact) != 1 {
		t.Errorf("groups of %v when read exactly, want none", s.groups)
	}
}

// Groups grow while the server answers them, and shrink when it does not: its answer to a group of which it refuses one trace
// says nothing of the others, so these are read as they are stored.
func TestGroupsFollowTheServer(t *testing.T) {
	s := &batchServer{}
	c := serverClient(t, s.ServeHTTP)
	infos := storedTraces(300)
	for range 8 {
		c.FetchSpans(t.Context(), Fast, infos[:c.FetchGroup(Fast)])
	}
	if want := []int{50, 100, 100, 100, 100, 100, 100, 100}; !slices.Equal(s.groups, want) {
		t.Errorf("groups of %v, want %v", s.groups, want)
	}
	s.groups = nil
	s.refuse = func(ids []string) int {
		if slices.Contains(ids, "tr-042") {
			return http.StatusInternalServerError
		}
		return 0
	}
	for i, got := range c.FetchSpans(t.Context(), Fast, infos[:100]) {
		if fast := i < 37 || i > 42; got.Err != nil || got.Fast != fast {
			t.Errorf("%s: fast %v, error %v; want fast %v", infos[i].TraceID, got.Fast, got.Err, fast)
		}
	}
	if got, want := slices.Compact(s.groups), []int{100, 50, 25, 12, 13, 6, 7, 50}; !slices.Equal(got, want) { // each failed one twice
		t.Errorf("groups of %v, want %v", got, want)
	}
	s.groups = nil
	s.refuse = func([]string) int { return http.StatusInternalServerError }
	for range 3 {
		c.FetchSpans(t.Context(), Fast, infos[:c.FetchGroup(Fast)])
	}
	if n := c.FetchGroup(Fast); n != leastBatch {
		t.Errorf("groups of %d at a server that refuses all of them, want %d", n, leastBatch)
	}
	s.groups = nil
	s.refuse = func([]string) int { return http.StatusNotFound }
	c.FetchSpans(t.Context(), Fast, infos[:5])
	if c.FetchSpans(t.Context(), Fast, infos[:5]); len(s.groups) > 1 || c.FetchGroup(Fast) != 1 {
		t.Errorf("%d groups asked for, of %d, want none once the server has said that it does not know them", len(s.groups), c.FetchGroup(Fast))
	}
}

// One worker that serves a group of traces at a time, and two of them more slowly, is asked for one at a time. Where it is quicker
// with several, it is asked for several.
func TestGroupWindow(t *testing.T) {
	for _, tt := range []struct {
		name        string
		slower      float64 // how much longer each of several groups takes
		workers     int
		least, most float64 // of the share of the time that more than one is asked for
	}{
		{"one worker", 1.4, 1, 0, 0.3},
		{"four workers", 1, 4, 0.9, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pacer{quota: newQuota(0), window: newGroupWindow(), traces: 50}
				workers := make(chan struct{}, tt.workers)
				var mu sync.Mutex
				underWay, served, beside := 0, 0, 0
				ask(p, 2*time.Minute, func() {
					mu.Lock()
					underWay++
					mu.Unlock()
					workers <- struct{}{}
					mu.Lock()
					took := 250 * time.Millisecond
					if served++; underWay > 1 {
						beside++
						took = time.Duration(float64(took) * tt.slower)
					}
					mu.Unlock()
					time.Sleep(took)
					<-workers
					mu.Lock()
					underWay--
					mu.Unlock()
				})
				if share := float64(beside) / float64(served); share < tt.least || share > tt.most {
					t.Errorf("%d of %d groups asked for beside others, want %v to %v of them", beside, served, tt.least, tt.most)
				}
			})
		})
	}
}
