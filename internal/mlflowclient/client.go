// Package mlflowclient reads traces from an MLflow tracking server or a Databricks workspace over
// REST: experiments, listings, run links and spans. It never writes to the source.
//
// A listing neither loses nor repeats a trace (list.go says how). Requests stay under the source's quotas (quota.go)
// and are repeated after faults (retries.go). Spans come as the bytes that the source stores (spans.go).
package mlflowclient

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/busy"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/retry"
)

// Limits are the requests a second that the client allows itself for each kind of request. Zero means the quota of a
// workspace, and for an MLflow server, which has none, no limit.
type Limits struct {
	SearchPerSecond float64 // searches of traces, polls of searches, and experiments by name
	RunsPerSecond   float64 // pages of runs and of experiments
	// DownloadPerSecond is for spans or, in a workspace, for signed addresses of spans: their downloads from
	// object storage have no quota.
	DownloadPerSecond float64
}

// The quotas that Databricks documents for a workspace.
const (
	DefaultSearchPerSecond   = 25
	DefaultRunsPerSecond     = 7
	DefaultDownloadPerSecond = 200
)

// DefaultMaxTraceBytes is the largest answer that is read, decompressed. It has room for any trace that people
// make, and ends a decompression bomb.
const DefaultMaxTraceBytes = 256 << 20

// largeAnswer is the size from which on only one answer is read at a time, so that DefaultMaxTraceBytes bounds
// the client's memory rather than that of each connection.
const largeAnswer = 16 << 20

// Options of a Client; the zero value is usable.
type Options struct {
	Transport     http.RoundTripper                     // default: one for all clients of the server that obeys the proxy environment
	Proxy         func(*http.Request) (*url.URL, error) // in place of the proxy environment; the same for all clients of a server
	TLS           *tls.Config                           // likewise
	Servers       *Servers                              // what clients of one process share; default: servers of its own
	Limits        Limits
	Retry         retry.Policy  // default: retry.Default
	MaxTraceBytes int64         // default: DefaultMaxTraceBytes
	Logger        *slog.Logger  // default: silent
	UserAgent     string        // default: "tracemig"
	WarehouseID   string        // SQL warehouse for the long-running search of Databricks; may be empty
	Workspace     string        // of an MLflow server that has several (MLflow 3.10 and newer); may be empty
	InsecureHTTP  bool          // credentials may go to another machine in plain http
	Waits         *retry.Waits  // is told of requests that wait for another try; may be nil
	Timeout       time.Duration // an attempt ends when nothing has arrived for so long; default: stallTimeout
}

// Client reads from one source. It is safe for concurrent use.
type Client struct {
	base         *url.URL // scheme, host and path prefix only
	databricks   bool
	authenticate func(*http.Request) error // adds the credentials of the source; nil for none
	renew        func()                    // has authenticate bring a new token; nil where there is no other
	api          *http.Client
	storage      *http.Client // for signed addresses: shares no header, cookie or credential with api
	*server                   // with the quotas, shared by its clients
	close        func()
	retry        retry.Policy
	maxBytes     int64
	log          *slog.Logger
	userAgent    string
	warehouseID  string
	pageSize     int // traces a search asks for
	overlap      int // how many of them the next page of a walk repeats
	workspace    string
	stall        time.Duration
	trustWith    string // the variables that name certificates to trust, for messages

	// What the source has shown to have, or not to have, is remembered so that it is asked once.
	noLongSearch  atomic.Bool
	noBatch       atomic.Bool
	batch         batchSize
	ways          ways
	lastListed    atomic.Pointer[string] // ID of the experiment that was listed last
	storageWorked atomic.Bool            // the store behind signed addresses has answered, and not with a refusal
	storageFailed atomic.Int64           // attempts at that store before, which were refused or not answered
	workspaceMu   sync.Mutex             // guards hasWorkspaces
	hasWorkspaces bool                   // the server has said that it has them

	waits                       *retry.Waits
	answering                   busy.Clock // runs while a request is under way
	requests, retries, received atomic.Int64
	heldBefore                  time.Duration // for which the server had held back requests before there was this client
}

// Stats are counters since the client was made.
type Stats struct {
	Requests  int64
	Retries   int64
	Throttled time.Duration // time for which the source had asked to hold back requests, of whichever of its clients
	Bytes     int64         // received, decompressed
	// For how long at least one request waited for a quota of searches (and runs), and of downloads, and for how long one was
	// under way.
	SearchQuota, DownloadQuota, Answering time.Duration
}

// Stats returns the counters; they may be read at any time.
func (c *Client) Stats() Stats {
	return Stats{
		Requests:  c.requests.Load(),
		Retries:   c.retries.Load(),
		Throttled: c.heldBack() - c.heldBefore,
		Bytes:     c.received.Load(),

		SearchQuota: max(c.search.quota.waiting.Total(), c.runs.quota.waiting.Total()), DownloadQuota: c.download.quota.waiting.Total(),
		Answering: c.answering.Total(),
	}
}

// Identity is the source's address without credentials, such as https://mlflow.example.com. It names the
// workspace unless that is the default one: https://mlflow.example.com?workspace=team. All clients of one source
// have the same identity.
func (c *Client) Identity() string {
	if c.workspace == "" || c.workspace == defaultWorkspace {
		return c.base.String()
	}
	return c.base.String() + "?" + url.Values{"workspace": {c.workspace}}.Encode()
}

// NewServer makes a client of an open-source MLflow server at an http or https address. Credentials
// in the address (http://user:password@host) count when creds has none. It refuses to send
// credentials in plain http to another machine, unless Options.InsecureHTTP is set.
func NewServer(trackingURI string, creds ServerCredentials, opts Options) (*Client, error) {
	u, err := serverAddress(trackingURI)
	if err != nil {
		return nil, err
	}
	if u.User != nil && creds == (ServerCredentials{}) {
		creds.Username = u.User.Username()
		creds.Password, _ = u.User.Password()
	}
	c := newClient(u, opts, Limits{})
	switch {
	case creds.Username != "" && creds.Password != "":
		c.authenticate = func(r *http.Request) error {
			r.SetBasicAuth(creds.Username, creds.Password)
			return nil
		}
	case creds.Token != "":
		c.authenticate = func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+creds.Token)
			return nil
		}
	}
	c.workspace = strings.TrimSpace(opts.Workspace)
	c.trustWith = "MLFLOW_TRACKING_SERVER_CERT_PATH or SSL_CERT_FILE"
	if c.authenticate != nil && !private(c.base) && !opts.InsecureHTTP {
		err := fmt.Errorf("refusing to send credentials to %s in plain http, where anyone on the way can read them", c.base.Host)
		return nil, advice.With(err, "use https, or --insecure-http inside a network that you trust, or unset MLFLOW_TRACKING_TOKEN, "+
			"MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD if the server asks for none")
	}
	return c, nil
}

// NewDatabricks makes a client of the workspace that cfg resolves to, with the identity that cfg
// resolves to. Only a loopback host may be plain http.
func NewDatabricks(cfg *config.Config, opts Options) (*Client, error) {
	if err := cfg.EnsureResolved(); err != nil {
		return nil, fmt.Errorf("resolving the Databricks configuration: %w", err)
	}
	u, err := url.Parse(cfg.Host)
	if err != nil || u.Host == "" {
		return nil, advice.With(errors.New("no Databricks host is configured"),
			"set DATABRICKS_HOST, or choose a profile of .databrickscfg with --profile")
	}
	if u.Scheme != "https" && !private(u) {
		return nil, fmt.Errorf("refusing to send Databricks credentials to %s without https", u.Host)
	}
	if opts.Transport == nil {
		opts.Transport = cfg.HTTPTransport
	}
	if cfg.InsecureSkipVerify {
		opts.TLS = &tls.Config{InsecureSkipVerify: true} // what the profile's skip_verify asks for
	}
	c := newClient(u, opts, Limits{DefaultSearchPerSecond, DefaultRunsPerSecond, DefaultDownloadPerSecond})
	c.databricks = true
	login := databricks.NewLogin(cfg)
	c.renew = login.Renew
	c.authenticate = func(r *http.Request) error {
		if cfg.WorkspaceID != "" {
			// A host that serves several workspaces routes requests by this header. Others ignore it.
			r.Header.Set("X-Databricks-Workspace-Id", cfg.WorkspaceID)
		}
		return login.Authenticate(r)
	}
	return c, nil
}

// newClient makes a client that keeps the given limits where opts have none.
func newClient(u *url.URL, opts Options, limits Limits) *Client {
	or := func(v, def float64) float64 {
		if v > 0 {
			return v
		}
		return def
	}
	c := &Client{
		base:        &url.URL{Scheme: strings.ToLower(u.Scheme), Host: strings.ToLower(u.Host), Path: strings.TrimRight(u.Path, "/")},
		close:       func() {},
		retry:       opts.Retry,
		waits:       opts.Waits,
		maxBytes:    opts.MaxTraceBytes,
		log:         opts.Logger,
		userAgent:   opts.UserAgent,
		warehouseID: opts.WarehouseID,
		pageSize:    500, // the most that the search API takes
		overlap:     100,
		stall:       cmp.Or(opts.Timeout, stallTimeout),
		trustWith:   "SSL_CERT_FILE",
	}
	servers := opts.Servers
	if servers == nil {
		servers = &Servers{}
		c.close = servers.Close
	}
	c.server = servers.at(c.base, Limits{
		or(opts.Limits.SearchPerSecond, limits.SearchPerSecond), or(opts.Limits.RunsPerSecond, limits.RunsPerSecond),
		or(opts.Limits.DownloadPerSecond, limits.DownloadPerSecond),
	})
	c.heldBefore = c.heldBack()
	if c.retry == (retry.Policy{}) {
		c.retry = retry.Default
	}
	if c.maxBytes <= 0 {
		c.maxBytes = DefaultMaxTraceBytes
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.userAgent == "" {
		c.userAgent = "tracemig"
	}
	rt := c.transport(opts)
	// Redirects are not followed by themselves: that could carry credentials to another host.
	asIs := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.api = &http.Client{Transport: rt, CheckRedirect: asIs}
	c.storage = &http.Client{Transport: rt, CheckRedirect: asIs}
	return c
}

// Close closes idle connections, unless other clients share them. It does not end requests that are under way, which their
// context does.
func (c *Client) Close() { c.close() }
