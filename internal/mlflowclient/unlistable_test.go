package mlflowclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// broken models a server that answers 500 instead of an answer with one of the bad traces, as MLflow 3.17 does for a feedback
// of NaN. Its older search, which leaves assessments out, lists all traces.
type broken struct {
	store
	bad      map[string]bool
	older    bool // it has the older search
	trouble  int  // so many answers, to any request, are 500
	requests int
}

func (b *broken) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.requests++
	if b.trouble > 0 {
		b.trouble--
		http.Error(w, "<html>500</html>", http.StatusInternalServerError)
		return
	}
	switch path := r.URL.Path; {
	case path == "/api/3.0/mlflow/traces/search":
		body, _ := io.ReadAll(r.Body)
		var req searchRequest
		if err := json.Unmarshal(body, &req); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// The model sorts one way; DESC is served from a mirrored copy.
		s := &store{rows: slices.Clone(b.rows)}
		if desc := req.OrderBy[0] == "timestamp_ms DESC"; desc {
			slices.Reverse(s.rows)
			req.OrderBy = []string{"timestamp_ms ASC"}
			body, _ = json.Marshal(req)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		answer := recordOf(s, r)
		for id := range b.bad {
			if strings.Contains(answer, `"`+id+`"`) {
				http.Error(w, "<html>500</html>", http.StatusInternalServerError)
				return
			}
		}
		io.WriteString(w, answer)
	case path == "/api/2.0/mlflow/traces" && b.older:
		b.stubs(w, r.URL.Query())
	case strings.HasPrefix(path, "/api/3.0/mlflow/traces/"):
		id := strings.TrimPrefix(path, "/api/3.0/mlflow/traces/")
		at := slices.IndexFunc(b.rows, func(r row) bool { return r.id == id })
		if b.bad[id] {
			http.Error(w, "<html>500</html>", http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, `{"trace":{"trace_info":{"trace_id":%q,"request_time":%q}}}`, id,
			time.UnixMilli(b.rows[at].ms).UTC().Format("2006-01-02T15:04:05.000Z"))
	default:
		http.NotFound(w, r)
	}
}

func recordOf(h http.Handler, r *http.Request) string {
	resp, _ := inProcess{h}.RoundTrip(r)
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

func (b *broken) stubs(w http.ResponseWriter, q url.Values) {
	size, _ := strconv.Atoi(q.Get("max_results"))
	offset, _ := strconv.Atoi(q.Get("page_token"))
	var hits []string
	for _, r := range b.rows {
		if matches(q.Get("filter"), r.ms) {
			hits = append(hits, fmt.Sprintf(`{"request_id":%q,"timestamp_ms":%d,"status":"OK"}`, r.id, r.ms))
		}
	}
	hits = hits[min(offset, len(hits)):]
	token := ""
	if len(hits) > size {
		hits, token = hits[:size], strconv.Itoa(offset+size)
	}
	fmt.Fprintf(w, `{"traces":[%s],"next_page_token":%q}`, strings.Join(hits, ","), token)
}

// Whichever traces can't be listed, the others come once each. Those that can't be listed are reported, by their ID if the
// older search lists them, else by their time.
func TestUnlistableTracesHideNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &broken{bad: map[string]bool{}, older: rapid.Bool().Draw(t, "older")}
		badAt, at := map[int64]int{}, map[int64]int{}
		for i := range rapid.IntRange(0, 30).Draw(t, "traces") {
			r := row{rapid.Int64Range(1000, 1006).Draw(t, "ms"), fmt.Sprintf("tr-%03d", i)}
			b.add(r)
			at[r.ms]++
			if rapid.IntRange(0, 4).Draw(t, "bad") == 0 {
				b.bad[r.id] = true
				badAt[r.ms]++
			}
		}
		c, err := NewServer("http://127.0.0.1:5000", ServerCredentials{}, Options{Transport: inProcess{b}, Limits: unlimited})
		if err != nil {
			t.Fatal(err)
		}
		c.retry.Initial = 1
		c.pageSize, c.overlap = rapid.IntRange(2, 8).Draw(t, "page"), 1
		got, reported, reportedAt := map[string]int{}, map[string]bool{}, map[int64]bool{}
		err = c.ListTraces(t.Context(), "7", Window{Unlistable: func(u *UnlistableError) error {
			reported[u.TraceID], reportedAt[u.FromMs] = true, true
			if u.FromMs != u.ToMs || badAt[u.FromMs] == 0 || u.TraceID != "" && !b.bad[u.TraceID] || (u.TraceID != "") != b.older {
				t.Errorf("%+v is reported, want a bad trace, with its ID: %t", u, b.older)
			}
			return nil
		}}, func(ti *mlflow.TraceInfo) error { got[ti.TraceID]++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range b.rows {
			switch n := got[r.id]; {
			case b.bad[r.id] && (n > 0 || b.older && !reported[r.id] || !reportedAt[r.ms]):
				t.Errorf("%s at %d, which can't be listed, came %d times and is reported: %t, want only a report", r.id, r.ms, n, reportedAt[r.ms])
			case b.bad[r.id] || n == 1:
			case n == 0 && !b.older && (badAt[r.ms] > 1 || badAt[r.ms] == 1 && at[r.ms] > c.pageSize):
				// It may be too far from both ends of its millisecond.
			default:
				t.Errorf("%s at %d came %d times, want once", r.id, r.ms, n)
			}
		}
	})
}

// One bad trace among thousands costs seconds, not the five minutes of a server in trouble.
func TestUnlistableTraceIsFoundSoon(t *testing.T) {
	for older, most := range map[bool]int{true: 60, false: 160} {
		synctest.Test(t, func(t *testing.T) {
			b := &broken{bad: map[string]bool{"tr-01700": true}, older: older}
			for i := range 3000 {
				b.rows = append(b.rows, row{1740787200000 + int64(i)*60_000, fmt.Sprintf("tr-%05d", i)})
			}
			c, err := NewServer("http://127.0.0.1:5000", ServerCredentials{}, Options{Transport: inProcess{b}})
			if err != nil {
				t.Fatal(err)
			}
			start, n := time.Now(), 0
			var reported []*UnlistableError
			w := Window{Unlistable: func(u *UnlistableError) error { reported = append(reported, u); return nil }}
			if err := c.ListTraces(t.Context(), "7", w, func(*mlflow.TraceInfo) error { n++; return nil }); err != nil {
				t.Fatal(err)
			}
			if want := b.rows[1700].ms; n != 2999 || len(reported) != 1 || reported[0].FromMs != want {
				t.Errorf("%d traces and reports %v, want 2999 and one at %d", n, reported, want)
			}
			if took := time.Since(start); b.requests > most || took > 10*time.Second {
				t.Errorf("%d requests in %v, want at most %d in 10s", b.requests, took, most)
			}
			// Without a function for reports it is an error.
			err = c.ListTraces(t.Context(), "7", Window{}, func(*mlflow.TraceInfo) error { return nil })
			if _, ok := errors.AsType[*UnlistableError](err); !ok {
				t.Errorf("error %v, want an *UnlistableError", err)
			}
			_, err = c.TraceInfo(t.Context(), "tr-01700")
			if _, ok := errors.AsType[*UnlistableError](err); !ok {
				t.Errorf("error %v of its info, want an *UnlistableError", err)
			}
		})
	}
}

// A server in trouble is waited for, and nothing is reported as unlistable.
func TestTroubleIsNoUnlistableTrace(t *testing.T) {
	for trouble, wantErr := range map[int]bool{3: false, 9: false, 1000: true} {
		synctest.Test(t, func(t *testing.T) {
			b := &broken{older: true, trouble: trouble}
			for i := range 700 {
				b.rows = append(b.rows, row{int64(1000 + i), fmt.Sprintf("tr-%05d", i)})
			}
			c := serverClient(t, b.ServeHTTP)
			n := 0
			w := Window{Unlistable: func(u *UnlistableError) error { t.Errorf("%v is reported, want nothing", u); return nil }}
			err := c.ListTraces(t.Context(), "7", w, func(*mlflow.TraceInfo) error { n++; return nil })
			if (err != nil) != wantErr || !wantErr && n != 700 {
				t.Errorf("%d traces, error %v, want 700 or an error: %t", n, err, wantErr)
			}
		})
	}
}

// A trace that the client can't read does not hide the others, either.
func TestUnreadableListing(t *testing.T) {
	s := &store{}
	for i := range 20 {
		s.add(row{int64(1000 + i), fmt.Sprintf("tr-%02d", i)})
	}
	c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/3.0/mlflow/traces/search" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, strings.ReplaceAll(recordOf(s, r), `"trace_id":"tr-07","request_time":"1970`, `"trace_id":"tr-07","request_time":"x`))
	})
	var got []string
	var reported []*UnlistableError
	w := Window{Unlistable: func(u *UnlistableError) error { reported = append(reported, u); return nil }}
	if err := c.ListTraces(t.Context(), "7", w, func(ti *mlflow.TraceInfo) error { got = append(got, ti.TraceID); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 19 || len(reported) != 1 || reported[0].FromMs != 1007 {
		t.Errorf("%v and reports %v, want 19 traces and one at 1007", got, reported)
	}
}
