package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/jsonscan"
	"github.com/tracemig/tracemig/internal/retry"
)

// stallTimeout ends an attempt in which nothing has arrived for so long, unless Options says otherwise.
// It does not bound a whole download, which may be large.
const stallTimeout = 2 * time.Minute

// maxErrorBytes is how much of an error's body is read: enough to understand it.
const maxErrorBytes = 64 << 10

// request is one request to the source's API. All requests of this package only read, POST searches included, so each
// may be repeated after any fault that may pass.
type request struct {
	pacer  *pacer // of its kind
	method string // default GET
	path   string // below the base address, escaped
	root   bool   // the path is below the root of the base address's host instead
	query  url.Values
	body   []byte // JSON, or nil
	// check, which may be nil, looks at the body of a 2xx answer. io.ErrUnexpectedEOF from it asks for
	// another try.
	check func([]byte) error
	// bytes says that the answer may be anything, even what looks like a web page.
	bytes bool
	patience
}

// call sends r until it is answered, and returns the body of the 2xx answer.
func (c *Client) call(ctx context.Context, r request) ([]byte, error) {
	if r.method == "" {
		r.method = http.MethodGet
	}
	base := *c.base
	if r.root {
		base.Path = ""
	}
	u, err := url.Parse(base.String() + r.path)
	if err != nil {
		return nil, fmt.Errorf("%s %s: not a valid address", r.method, r.path)
	}
	u.RawQuery = r.query.Encode()
	renewed := c.renew == nil
	var answer []byte
	err = c.withRetries(ctx, r, func(ctx context.Context) (err error) {
		answer, err = c.send(ctx, r, u)
		if !renewed && RefusesToken(err) {
			// An OAuth token may have ended early. A new one may be let in.
			renewed = true
			c.renew()
			answer, err = c.send(ctx, r, u)
		}
		return err
	})
	return answer, err
}

// send sends r to u once, and looks at the answer.
func (c *Client) send(ctx context.Context, r request, u *url.URL) ([]byte, error) {
	req, err := c.newRequest(ctx, r, u)
	if err != nil {
		return nil, err
	}
	answer, err := c.attempt(r.pacer, c.api, req)
	if err != nil {
		return nil, err
	}
	if !r.bytes && webPage(answer) {
		return nil, fmt.Errorf("%s %s: %w", r.method, c.base.Host+r.path, errWebPage)
	}
	return answer, checkBody(r.check, answer)
}

// newRequest makes the HTTP request of r, with the source's credentials.
func (c *Client) newRequest(ctx context.Context, r request, u *url.URL) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, withoutURL(err, r.method, r.path)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	req.Header.Set("User-Agent", c.userAgent)
	if c.workspace != "" {
		req.Header.Set(workspaceHeader, c.workspace)
	}
	if c.authenticate != nil {
		if err := c.authenticate(req); err != nil {
			return nil, fault.With(fmt.Errorf("authenticating at %s: %w", c.base.Host, err), fault.Credentials)
		}
	}
	return req, nil
}

// checkBody runs check, which may be nil. It asks for another try where the body ends early.
func checkBody(check func([]byte) error, body []byte) error {
	if check == nil {
		return nil
	}
	err := check(body)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return retry.Again(fault.With(err, fault.Unreachable), 0)
	}
	return err
}

// errStalled says that an attempt ended because nothing had arrived for a while.
var errStalled = errors.New("nothing arrived")

// attempt sends req once, and reports to the window of p how long the answer took. Its errors carry retry.Again when
// another attempt may succeed.
func (c *Client) attempt(p *pacer, via *http.Client, req *http.Request) ([]byte, error) {
	c.requests.Add(1)
	c.answering.Begin()
	defer c.answering.End()
	outer := req.Context()
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	watchdog := time.AfterFunc(c.stall, func() { cancel(fmt.Errorf("%w for %v", errStalled, c.stall)) })
	defer watchdog.Stop()

	where := c.base.Host + req.URL.Path
	if via == c.storage {
		where = signedPath + req.URL.Host
	}
	fail := func(err error) error {
		if outer.Err() != nil {
			return context.Cause(outer)
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return c.transient(withoutURL(err, req.Method, where))
	}
	began := time.Now()
	resp, err := via.Do(req.WithContext(ctx))
	if err != nil {
		return nil, fail(err)
	}
	defer resp.Body.Close()
	now := time.Now()
	p.answered(now.Sub(began), now)
	c.reached.Store(true)
	watchdog.Reset(c.stall)
	if to, err := resp.Location(); err == nil && via == c.storage && resp.StatusCode/100 == 3 {
		return nil, &redirect{to}
	}
	if resp.StatusCode/100 != 2 {
		body, _ := c.readBody(ctx, resp, maxErrorBytes, watchdog)
		return nil, answerError(resp, req.Method, where, body)
	}
	body, err := c.readBody(ctx, resp, c.maxBytes, watchdog)
	if err != nil {
		return nil, fail(err)
	}
	if int64(len(body)) > c.maxBytes {
		return nil, withoutURL(&TooLargeError{c.maxBytes}, req.Method, where)
	}
	return body, nil
}

// readBody reads up to limit bytes of an answer, and one more if there are more. A large answer waits for its turn, so
// that the limit bounds the client's memory rather than that of each connection.
func (c *Client) readBody(ctx context.Context, resp *http.Response, limit int64, watchdog *time.Timer) ([]byte, error) {
	var body bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= limit && n <= largeAnswer {
		body.Grow(int(n) + bytes.MinRead) // Memory for larger answers is taken only as they arrive.
	}
	in := &stallReader{r: io.LimitReader(resp.Body, limit+1), watchdog: watchdog, stall: c.stall, received: &c.received}
	if _, err := body.ReadFrom(io.LimitReader(in, largeAnswer)); err != nil || body.Len() < largeAnswer {
		return body.Bytes(), err
	}
	watchdog.Stop() // Waiting for one's turn is no stall of the server.
	select {
	case c.large <- struct{}{}:
		defer func() { <-c.large }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	watchdog.Reset(c.stall)
	if n := resp.ContentLength; n > 0 && n <= limit {
		// Memory of the answer's size is taken once: a buffer that grows holds three times as much for a while.
		var whole bytes.Buffer
		whole.Grow(int(n) + bytes.MinRead)
		whole.Write(body.Bytes())
		body = whole
		_, err := body.ReadFrom(in)
		return body.Bytes(), err
	}
	return io.ReadAll(io.MultiReader(&body, in))
}

// stallReader restarts the watchdog of an attempt with each read that brings something.
type stallReader struct {
	r        io.Reader
	watchdog *time.Timer
	stall    time.Duration
	received *atomic.Int64 // counts the bytes
}

func (s *stallReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if n > 0 {
		s.watchdog.Reset(s.stall)
		s.received.Add(int64(n))
	}
	return n, err
}

// errWebPage says that something else than an API has answered.
var errWebPage = advice.With(errors.New("the answer is a web page, not JSON"),
	"check the address of the source, and whether a proxy or a login page stands before it")

// webPage tells whether a body is HTML or XML, which begin with <. JSON never does.
func webPage(body []byte) bool {
	i := jsonscan.SkipSpace(body, 0)
	return i < len(body) && body[i] == '<'
}
