package mlflowclient

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Servers are the servers that the clients of one process read. A server's quotas, and how many requests it bears at a time, are
// for all of these clients together, whoever they read as: clients with the same Servers keep to them together, and use the
// same connections. Each has counters of its own. The zero value is ready for use.
type Servers struct {
	mu    sync.Mutex
	known map[string]*server // by address
	large chan struct{}      // full while an answer over largeAnswer is read, from whichever server
}

// server is what the clients of one server share.
type server struct {
	search   *pacer
	runs     *pacer
	download *pacer
	groups   *pacer        // downloads of several traces at once
	signed   *pacer        // downloads from signed addresses: an object store's, without a quota
	large    chan struct{} // of Servers

	reached    atomic.Bool  // it has answered at least once
	lastWarned atomic.Int64 // when users were last warned of a wait, in nanoseconds since the Unix epoch

	mu         sync.Mutex
	transports map[bool]*http.Transport // by whether certificates go unverified
}

// at is the server at an address, from which clients allow themselves so many requests. The least of the rates counts that its
// clients name.
func (s *Servers) at(base *url.URL, l Limits) *server {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.known[base.String()]; ok {
		one.search.quota.atMost(l.SearchPerSecond)
		one.runs.quota.atMost(l.RunsPerSecond)
		one.download.quota.atMost(l.DownloadPerSecond)
		return one
	}
	if s.known == nil {
		s.known, s.large = map[string]*server{}, make(chan struct{}, 1)
	}
	one := &server{
		search: newPacer(l.SearchPerSecond), runs: newPacer(l.RunsPerSecond), download: newPacer(l.DownloadPerSecond), signed: newPacer(0),
		large: s.large, transports: map[bool]*http.Transport{},
	}
	one.groups = newGroupPacer(one.download)
	s.known[base.String()] = one
	return one
}

// heldBack is the time for which the server had requests held back.
func (s *server) heldBack() time.Duration {
	return s.search.quota.heldBack() + s.runs.quota.heldBack() + s.download.quota.heldBack() + s.signed.quota.heldBack()
}

// transport holds the connections to the server.
func (s *server) transport(opts Options) http.RoundTripper {
	if opts.Transport != nil {
		return opts.Transport
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	unverified := opts.TLS != nil && opts.TLS.InsecureSkipVerify
	if s.transports[unverified] == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = maxWindow // the most requests of one kind that are under way to one host
		t.MaxIdleConns = 2 * maxWindow
		if opts.Proxy != nil {
			t.Proxy = opts.Proxy
		}
		if opts.TLS != nil {
			t.TLSClientConfig = opts.TLS
		}
		s.transports[unverified] = t
	}
	return s.transports[unverified]
}

// Close closes idle connections to all servers.
func (s *Servers) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.known {
		for _, t := range one.transports {
			t.CloseIdleConnections()
		}
	}
}
