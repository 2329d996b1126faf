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

// broken models a server that answers 500 to whatever holds one of the bad traces, as MLflow 3.17 does
// for a feedback of NaN. Its older search, which leaves assessments out, has them all.
type broken struct {
	store
	bad      map[string]bool
	older    bool // it has the older search
	trouble  int  // so many answers are 500 whatever is asked for
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
		fmt.Fprintf(w, `{"trace":{"trace_info":{"trace_id":%q,"request_time":%q}}}`, id, time.UnixMilli(b.rows[at].ms).UTC().Format("2006-01-02T15:04:05.000Z"))
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

// Whichever traces can't be listed, the others come once each, and each of those is told of: by its ID
// where the older search tells it, else by its time.
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
		got, told, toldAt := map[string]int{}, map[string]bool{}, map[int64]bool{}
		err = c.ListTraces(t.Context(), "7", Window{Unlistable: func(u *UnlistableError) error {
			told[u.TraceID], toldAt[u.FromMs] = true, true
			if u.FromMs != u.ToMs || badAt[u.FromMs] == 0 || u.TraceID != "" && !b.bad[u.TraceID] || (u.TraceID != "") != b.older {
				t.Errorf("told of %+v", u)
			}
			return nil
		}}, func(ti *mlflow.TraceInfo) error { got[ti.TraceID]++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range b.rows {
			switch n := got[r.id]; {
			case b.bad[r.id] && (n > 0 || b.older && !told[r.id] || !toldAt[r.ms]):
				t.Errorf("%s at %d, which can't be listed, came %d times, told: %v", r.id, r.ms, n, toldAt[r.ms])
			case b.bad[r.id] || n == 1:
			case n == 0 && !b.older && (badAt[r.ms] > 1 || badAt[r.ms] == 1 && at[r.ms] > c.pageSize): // too far from both ends of its millisecond
			default:
				t.Errorf("%s at %d came %d times", r.id, r.ms, n)
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
			var told []*UnlistableError
			if err := c.ListTraces(t.Context(), "7", Window{Unlistable: func(u *UnlistableError) error { told = append(told, u); return nil }},
				func(*mlflow.TraceInfo) error { n++; return nil }); err != nil {
				t.Fatal(err)
			}
			if n != 2999 || len(told) != 1 || told[0].FromMs != 1740787200000+1700*60_000 || b.requests > most || time.Since(start) > 10*time.Second {
				t.Errorf("%d traces, told of %v, in %d requests and %v", n, told, b.requests, time.Since(start))
			}
			// Whoever does not ask to be told gets an error.
			err = c.ListTraces(t.Context(), "7", Window{}, func(*mlflow.TraceInfo) error { return nil })
			if _, ok := errors.AsType[*UnlistableError](err); !ok {
				t.Errorf("error %v", err)
			}
			if _, err := c.TraceInfo(t.Context(), "tr-01700"); !errors.As(err, new(*UnlistableError)) {
				t.Errorf("its info: %v", err)
			}
		})
	}
}

// A server in trouble is waited for; nothing is said to be unlistable.
func TestTroubleIsNoUnlistableTrace(t *testing.T) {
	for trouble, wantErr := range map[int]bool{3: false, 9: false, 1000: true} {
		synctest.Test(t, func(t *testing.T) {
			b := &broken{older: true, trouble: trouble}
			for i := range 700 {
				b.rows = append(b.rows, row{int64(1000 + i), fmt.Sprintf("tr-%05d", i)})
			}
			c := serverClient(t, b.ServeHTTP)
			n := 0
			err := c.ListTraces(t.Context(), "7", Window{Unlistable: func(u *UnlistableError) error { t.Errorf("told of %v", u); return nil }},
				func(*mlflow.TraceInfo) error { n++; return nil })
			if (err != nil) != wantErr || !wantErr && n != 700 {
				t.Errorf("%d traces, error %v", n, err)
			}
		})
	}
}

// What the client can't read of one trace hides the others as little.
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
	var told []*UnlistableError
	if err := c.ListTraces(t.Context(), "7", Window{Unlistable: func(u *UnlistableError) error { told = append(told, u); return nil }},
		func(ti *mlflow.TraceInfo) error { got = append(got, ti.TraceID); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 19 || len(told) != 1 || told[0].FromMs != 1007 {
		t.Errorf("%v, told of %v", got, told)
	}
}
