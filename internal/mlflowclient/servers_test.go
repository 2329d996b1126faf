package mlflowclient

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Clients of one server keep to its quota together, have no more requests under way than one of them alone, and each counts its own
// requests.
func TestClientsOfOneServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var served, underWay, most int64
		opts := Options{Servers: &Servers{}, Limits: Limits{DownloadPerSecond: 100}}
		opts.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			underWay++
			most = max(most, underWay)
			wait := time.Duration(max(1, underWay-1)) * 100 * time.Millisecond // It bears two requests at a time.
			mu.Unlock()
			time.Sleep(wait)
			mu.Lock()
			underWay--
			served++
			mu.Unlock()
			return answer(200, `{"trace":{}}`), nil
		})
		read := func(n int) (clients []*Client) {
			end := time.Now().Add(time.Minute)
			var all sync.WaitGroup
			for range n {
				c, err := NewServer("http://Server.example:5000/", ServerCredentials{}, opts)
				if err != nil {
					t.Fatal(err)
				}
				clients = append(clients, c)
				for range 20 {
					all.Go(func() {
						for time.Now().Before(end) {
							if _, err := c.call(t.Context(), request{pacer: c.download, path: "/x"}); err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
			}
			all.Wait()
			return clients
		}
		read(1)
		alone := most
		served, most = 0, 0
		for i, c := range read(4) {
			n := c.Stats().Requests
			if served -= n; n == 0 {
				t.Errorf("client %d got no turn", i)
			}
		}
		if served != 0 {
			t.Errorf("the server counted %d requests more than its clients", served)
		}
		if most > alone {
			t.Errorf("%d requests under way of four clients, and %d of one alone", most, alone)
		}
		opts.Servers.Close()
	})
}

// The quota of a server is for all of its clients, the least that one of them names; a refusal of one holds back all.
func TestQuotaOfOneServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var served, refuse atomic.Int64
		opts := Options{Servers: &Servers{}, Limits: Limits{SearchPerSecond: 50}}
		opts.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			if refuse.CompareAndSwap(1, 0) {
				return answer(429, `{}`, "Retry-After", "30"), nil
			}
			served.Add(1)
			return answer(200, experiment7), nil
		})
		var clients []*Client
		for _, perSecond := range []float64{50, 20, 0} {
			opts.Limits.SearchPerSecond = perSecond
			c, err := NewServer("http://server.example:5000", ServerCredentials{}, opts)
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
		}
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			for _, c := range clients {
				if _, err := c.Experiment(t.Context(), "agent"); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := served.Load(); got < 190 || got > 205 {
			t.Errorf("%d requests in 10 s, want 190 to 205", got)
		}
		refuse.Store(1)
		for _, c := range clients {
			if _, err := c.Experiment(t.Context(), "agent"); err != nil {
				t.Fatal(err)
			}
		}
		late, err := NewServer("http://server.example:5000", ServerCredentials{}, opts)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range append(clients, late) {
			want := 30 * time.Second
			if c == late {
				want = 0 // It was made after that.
			}
			s := c.Stats()
			if s.Throttled != want || s.Retries != map[bool]int64{true: 1}[i == 0] {
				t.Errorf("client %d: %+v; want %v, and one retry of the first alone", i, s, want)
			}
		}
	})
}

// A server that has answered one client is known to be there, so that the next one waits for it; connections are used by all.
func TestConnectionsOfOneServer(t *testing.T) {
	servers := &Servers{}
	ways := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ways[r.RemoteAddr] = true
		w.Write([]byte(experiment7))
	}))
	defer s.Close()
	for range 3 {
		c, err := NewServer(s.URL, ServerCredentials{}, Options{Servers: servers})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Experiment(t.Context(), "agent"); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if !c.reached.Load() {
			t.Error("the server has answered, and does not count as reached")
		}
	}
	if len(ways) != 1 {
		t.Errorf("%d connections, want 1", len(ways))
	}
	servers.Close()
}
