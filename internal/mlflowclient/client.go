// Package mlflowclient reads traces from an MLflow tracking server or a Databricks workspace over
// REST: experiments, listings, run links and spans. It never writes to the source.
//
// A listing neither loses nor repeats a trace (list.go says how), requests stay under the source's
// quotas and repeat after faults (http.go), and spans come as the bytes the source stores (spans.go).
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

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/retry"
)

// Limits are the requests a second that the client allows itself for each kind of request.
// Zero means the default.
type Limits struct {
	SearchPerSecond   float64 // searches of traces, polls of searches, and experiments by name; default 25
	RunsPerSecond     float64 // pages of runs and of experiments; default 7
	DownloadPerSecond float64 // spans, or signed addresses of spans, whose downloads a workspace does not serve itself; default 200
}

// The quotas that Databricks documents for a workspace are the defaults, for every kind of source.
const (
	DefaultSearchPerSecond   = 25
	DefaultRunsPerSecond     = 7
	DefaultDownloadPerSecond = 200
)

// DefaultMaxTraceBytes is the largest answer that is read, decompressed: room for any trace that people
// make, and an end to a decompression bomb.
const DefaultMaxTraceBytes = 256 << 20

// largeAnswer is the size from which on an answer waits for its turn: one larger is read at a time, so
// that the limit above is one on memory, not on memory per connection.
const largeAnswer = 16 << 20

// Options of a Client; the zero value is usable.
type Options struct {
	Transport     http.RoundTripper // default: a transport of its own that obeys the proxy environment
	Limits        Limits
	Retry         retry.Policy  // default: retry.Default
	MaxTraceBytes int64         // default: DefaultMaxTraceBytes
	Logger        *slog.Logger  // default: silent
	UserAgent     string        // default: "tracemig"
	WarehouseID   string        // SQL warehouse for the long-running search of Databricks; may be empty
	Workspace     string        // of an MLflow server that has several (MLflow 3.10 and newer); may be empty
	InsecureHTTP  bool          // credentials may go to another machine in plain http
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
	search       *pacer
	runs         *pacer
	download     *pacer
	signed       *pacer        // downloads from signed addresses: an object store's, without a quota
	large        chan struct{} // holds a token while an answer over largeAnswer is read
	retry        retry.Policy
	maxBytes     int64
	log          *slog.Logger
	userAgent    string
	warehouseID  string
	pageSize     int // traces a search asks for
	overlap      int // how many of them the next page of a walk repeats
	workspace    string
	stall        time.Duration
	trust        string // how to name certificates to trust, for messages

	// What the source has shown to have, or not to have; remembered so that it is asked once.
	noLongSearch  atomic.Bool
	noBatch       atomic.Bool
	ways          ways
	reached       atomic.Bool            // it has answered at least once
	listing       atomic.Pointer[string] // ID of the experiment that was listed last
	storageWorked atomic.Bool            // the store behind signed addresses has answered something else than a refusal
	storageFailed atomic.Int64           // attempts in which it has not, before
	checked       sync.Mutex             // guards hasWorkspaces
	hasWorkspaces bool                   // the server was seen to have them

	requests, retries, received atomic.Int64
	said                        atomic.Int64 // when a wait was last said aloud, in nanoseconds since the Unix epoch
}

// Stats are counters since the client was made.
type Stats struct {
	Requests  int64
	Retries   int64
	Throttled time.Duration // time in which the source had asked to hold back
	Bytes     int64         // received, decompressed
}

// Stats returns the counters; they may be read at any time.
func (c *Client) Stats() Stats {
	return Stats{
		Requests:  c.requests.Load(),
		Retries:   c.retries.Load(),
		Throttled: c.search.quota.heldBack() + c.runs.quota.heldBack() + c.download.quota.heldBack() + c.signed.quota.heldBack(),
		Bytes:     c.received.Load(),
	}
}

// Identity is the source's address without credentials, such as https://mlflow.example.com, and its
// workspace where that is not the default one: https://mlflow.example.com?workspace=team. It is the same
// for two clients of one source.
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
	c := newClient(u, opts)
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
	c.trust = "MLFLOW_TRACKING_SERVER_CERT_PATH or SSL_CERT_FILE"
	if c.authenticate != nil && !private(c.base) && !opts.InsecureHTTP {
		return nil, fmt.Errorf("refusing to send credentials to %s in plain http, where anyone on the way can read them; use https, or --insecure-http inside a network that you trust, or unset MLFLOW_TRACKING_TOKEN, MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD if the server asks for none", c.base.Host)
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
		return nil, errors.New("no Databricks host is configured; set DATABRICKS_HOST, or choose a profile of .databrickscfg with --profile")
	}
	if u.Scheme != "https" && !private(u) {
		return nil, fmt.Errorf("refusing to send Databricks credentials to %s without https", u.Host)
	}
	if opts.Transport == nil {
		opts.Transport = cfg.HTTPTransport
	}
	if opts.Transport == nil && cfg.InsecureSkipVerify {
		t := newTransport()
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // what the profile's skip_verify asks for
		opts.Transport = t
	}
	c := newClient(u, opts)
	c.databricks = true
	login := databricks.NewLogin(cfg)
	c.renew = login.Renew
	c.authenticate = func(r *http.Request) error {
		if cfg.WorkspaceID != "" {
			// A host that serves several workspaces routes by it; the others ignore it.
			r.Header.Set("X-Databricks-Workspace-Id", cfg.WorkspaceID)
		}
		return login.Authenticate(r)
	}
	return c, nil
}

func newClient(u *url.URL, opts Options) *Client {
	or := func(v, def float64) float64 {
		if v > 0 {
			return v
		}
		return def
	}
	c := &Client{
		base:        &url.URL{Scheme: strings.ToLower(u.Scheme), Host: strings.ToLower(u.Host), Path: strings.TrimRight(u.Path, "/")},
		search:      newPacer(or(opts.Limits.SearchPerSecond, DefaultSearchPerSecond)),
		runs:        newPacer(or(opts.Limits.RunsPerSecond, DefaultRunsPerSecond)),
		download:    newPacer(or(opts.Limits.DownloadPerSecond, DefaultDownloadPerSecond)),
		signed:      newPacer(0),
		large:       make(chan struct{}, 1),
		retry:       opts.Retry,
		maxBytes:    opts.MaxTraceBytes,
		log:         opts.Logger,
		userAgent:   opts.UserAgent,
		warehouseID: opts.WarehouseID,
		pageSize:    500, // the most that the search API gives
		overlap:     100,
		stall:       cmp.Or(opts.Timeout, stallTimeout),
		trust:       "SSL_CERT_FILE",
	}
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
	rt := opts.Transport
	if rt == nil {
		rt = newTransport()
	}
	// Redirects are answers to look at, not orders: following one could carry credentials away.
	asIs := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.api = &http.Client{Transport: rt, CheckRedirect: asIs}
	c.storage = &http.Client{Transport: rt, CheckRedirect: asIs}
	return c
}

func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = maxWindow // as many requests are under way to one host
	t.MaxIdleConns = 2 * maxWindow
	return t
}

// Close drops idle connections. Requests in flight are ended by their context.
func (c *Client) Close() {
	c.api.CloseIdleConnections()
	c.storage.CloseIdleConnections()
}
