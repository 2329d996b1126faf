package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/tracemig/tracemig/internal/jsonscan"
	"github.com/tracemig/tracemig/internal/retry"
)

// stallTimeout ends an attempt in which nothing has arrived for so long, unless Options says otherwise.
// It is no limit on a whole download, which may be large.
const stallTimeout = 2 * time.Minute

// request is one question to the source's API. Everything this package asks for only reads, POST
// searches included, so any fault that another try may cure leads to one.
type request struct {
	pacer  *pacer // of its kind
	method string // default GET
	path   string // below the base address, escaped
	root   bool   // below the root of the base address's host instead
	query  url.Values
	body   []byte // JSON, or nil
	// check, which may be nil, looks at the body of a 2xx answer. io.ErrUnexpectedEOF from it asks for
	// another try.
	check func([]byte) error
	// bytes: the answer may be anything, also what looks like a web page.
	bytes bool
	// A 500 to a download is more often a trace that the server cannot serve than a server in trouble.
	patience
}

// call sends r until it is answered, and returns the body of the 2xx answer.
func (c *Client) call(ctx context.Context, r request) ([]byte, error) {
	if r.method == "" {
		r.method = http.MethodGet
	}
	method, path, body, check := r.method, r.path, r.body, r.check
	base := *c.base
	if r.root {
		base.Path = ""
	}
	u, err := url.Parse(base.String() + path)
	if err != nil {
		return nil, fmt.Errorf("%s %s: not a valid address", method, path)
	}
	u.RawQuery = r.query.Encode()
	renewed := c.renew == nil // an OAuth token may have ended early; a fresh look may bring a new one
	var answer []byte
	err = c.try(ctx, r, func(ctx context.Context) error {
		for {
			req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
			if err != nil {
				return withoutURL(err, method, path)
			}
			if body == nil {
				req.Body, req.ContentLength = nil, 0
			} else {
				req.Header.Set("Content-Type", "application/json")
			}
			req.Header.Set("Accept", "application/json, */*;q=0.5")
			req.Header.Set("User-Agent", c.userAgent)
			if c.workspace != "" {
				req.Header.Set(workspaceHeader, c.workspace)
			}
			if c.authenticate != nil {
				if err := c.authenticate(req); err != nil {
					return fmt.Errorf("authenticating at %s: %w", c.base.Host, err)
				}
			}
			answer, err = c.attempt(r.pacer, c.api, req)
			if !renewed && RefusesToken(err) {
				renewed = true
				c.renew()
				continue
			}
			if err == nil && !r.bytes && webPage(answer) {
				return fmt.Errorf("%s %s: %w", method, c.base.Host+path, errWebPage)
			}
			if err == nil && check != nil {
				if err = check(answer); errors.Is(err, io.ErrUnexpectedEOF) {
					err = retry.Again(err, 0)
				}
			}
			return err
		}
	})
	return answer, err
}

// errStalled is why an attempt ended to which the source sent nothing for a while.
var errStalled = errors.New("nothing arrived")

// attempt sends req once, as one of p. Its errors carry retry.Again when another attempt may succeed.
func (c *Client) attempt(p *pacer, via *http.Client, req *http.Request) ([]byte, error) {
	c.requests.Add(1)
	outer := req.Context()
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	watchdog := time.AfterFunc(c.stall, func() { cancel(fmt.Errorf("%w for %v", errStalled, c.stall)) })
	defer watchdog.Stop()

	where := c.base.Host + req.URL.Path
	if via == c.storage {
		where = signedAddress + req.URL.Host
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
	p.window.answered(now.Sub(began), now)
	c.reached.Store(true)
	watchdog.Reset(c.stall)
	limit := c.maxBytes
	if resp.StatusCode/100 != 2 {
		limit = 64 << 10 // enough of an error to understand it
	}
	body := &bytes.Buffer{}
	if n := resp.ContentLength; n > 0 && n <= limit && n <= largeAnswer {
		body.Grow(int(n) + bytes.MinRead) // larger ones prove their size by arriving
	}
	if to, err := resp.Location(); err == nil && via == c.storage && resp.StatusCode/100 == 3 {
		return nil, &redirect{to}
	}
	in := &watched{r: io.LimitReader(resp.Body, limit+1), dog: watchdog, stall: c.stall, n: &c.received}
	if _, err = body.ReadFrom(io.LimitReader(in, largeAnswer)); err == nil && body.Len() >= largeAnswer {
		watchdog.Stop() // it is not the server that keeps this waiting
		select {
		case c.large <- struct{}{}:
			defer func() { <-c.large }()
		case <-ctx.Done():
			return nil, fail(ctx.Err())
		}
		watchdog.Reset(c.stall)
		_, err = body.ReadFrom(in)
	}
	if resp.StatusCode/100 != 2 {
		return nil, answerError(resp, req.Method, where, body.Bytes())
	}
	if err != nil {
		return nil, fail(err)
	}
	if int64(body.Len()) > limit {
		return nil, withoutURL(&TooLargeError{limit}, req.Method, where)
	}
	return body.Bytes(), nil
}

// errWebPage says that something else than an API has answered.
var errWebPage = errors.New("the answer is a web page, not JSON; check the address of the source, and whether a proxy or a login page stands before it")

// webPage tells HTML and XML, which begin with <, from JSON, which never does.
func webPage(body []byte) bool {
	i := jsonscan.SkipSpace(body, 0)
	return i < len(body) && body[i] == '<'
}

type watched struct {
	r     io.Reader
	dog   *time.Timer
	stall time.Duration
	n     interface{ Add(int64) int64 }
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.dog.Reset(w.stall)
		w.n.Add(int64(n))
	}
	return n, err
}
