package mlflowclient

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/jsonscan"
	"github.com/tracemig/tracemig/internal/mlflow"
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

const downloadFaults = 4

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

// RefusesToken says whether an answer refuses a token, perhaps for its age, which workspaces tell by several statuses:
// no other request will be answered.
func RefusesToken(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && databricks.RefusesToken(e.Status, e.Message)
}

// try repeats op as the pacer of r allows. A refusal for too many requests holds back all requests of that kind.
func (c *Client) try(ctx context.Context, r request, op func(context.Context) error) error {
	p, enough := r.pacer, r.patience.counter()
	policy := c.retry
	if p == c.signed && !c.storageWorked.Load() {
		policy.Max = min(policy.Max, storageWait)
	}
	return retry.Do(ctx, policy, func(ctx context.Context) error {
		if err := p.start(ctx); err != nil {
			return err
		}
		err := op(ctx)
		p.done()
		if err == nil {
			p.quota.succeeded()
		}
		e, _ := errors.AsType[*APIError](err)
		if enough(e, e != nil && e.Status == http.StatusInternalServerError) {
			return e // without the mark of retry.Again
		}
		return err
	}, func(err error, wait time.Duration) {
		c.retries.Add(1)
		if isCode(err, http.StatusTooManyRequests, "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED") || isCode(err, http.StatusServiceUnavailable) {
			p.refused(wait)
		}
		c.log.LogAttrs(ctx, c.retryLevel(err, time.Now()), "request failed, trying again", attrErr(err), attrWait(wait))
	})
}

// errStalled is why an attempt ended to which the source sent nothing for a while.
var errStalled = errors.New("nothing arrived")

// sayEvery is how often it is said that the source gives no answer: many requests may wait for one.
const sayEvery = 5 * time.Second

// retryLevel has it said aloud that nothing answers at the source, which may last; that a request was refused,
// or a connection broke, is of no interest to the user.
func (c *Client) retryLevel(err error, now time.Time) slog.Level {
	last := c.said.Load()
	if !unreachable(err) && !errors.Is(err, errStalled) || now.UnixNano()-last < int64(sayEvery) || !c.said.CompareAndSwap(last, now.UnixNano()) {
		return levelRetry
	}
	return slog.LevelWarn
}

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

// redirect is the answer of an object store that sends its clients on.
type redirect struct{ to *url.URL }

func (r *redirect) Error() string { return "redirected to " + r.to.Host }

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

// transient marks the errors of a connection or of a body that ended early, which all may pass, but
// for those that say that this is not the server that was meant.
func (c *Client) transient(err error) error {
	if !c.reached.Load() && unreachable(err) {
		// A wrong address should be told at once; a server that restarts later is waited for.
		return fmt.Errorf("%w; check the address of the source", err)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if untrusted(err) {
		return fmt.Errorf("%w; check the address, or name the certificates of an authority of your own with %s", err, c.trust)
	}
	if _, ok := errors.AsType[flate.CorruptInputError](err); ok || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return fmt.Errorf("%w; the server sends what is not compressed as it says", err) // and will again
	}
	return retry.Again(err, 0)
}

func answerError(resp *http.Response, method, where string, body []byte) error {
	e := &APIError{
		Status:    resp.StatusCode,
		Method:    method,
		Path:      where,
		RequestID: resp.Header.Get("X-Request-Id"),
	}
	e.Code, e.Message = errorBody(body)
	if e.Code == "" && e.Status == http.StatusNotFound {
		e.Code = codeNoEndpoint // as MLflow's client takes a 404 that is no JSON
	}
	switch {
	case bytes.Contains(body, []byte("--no-serve-artifacts")):
		e.Code, e.Message = codeNoEndpoint, "the server runs with --no-serve-artifacts"
		return e
	case e.Status/100 == 3:
		e.Message = "the server sends its clients elsewhere, which is not followed because credentials could leak"
		if to, err := resp.Location(); err == nil {
			e.Message += fmt.Sprintf("; if %s://%s is right, give that address", to.Scheme, to.Host)
		}
		return e
	case e.Code == codeDamaged, e.Status == http.StatusNotImplemented:
		// These stay as they are however often one asks.
	case e.Status == http.StatusTooManyRequests, e.Status >= 500:
		return retry.Again(e, retry.After(resp.Header, time.Now()))
	}
	return e
}

// The error codes of MLflow that this package decides on.
const (
	codeNoEndpoint   = "ENDPOINT_NOT_FOUND"
	codeInvalidParam = "INVALID_PARAMETER_VALUE"
	codeNotThere     = "RESOURCE_DOES_NOT_EXIST"
	codeDamaged      = "INVALID_STATE" // with 500: a stored document that the server cannot read
)

// storageCode finds the code in the XML of an object store.
var storageCode = regexp.MustCompile(`<Error>[^<]*<Code>(\w{1,64})</Code>`)

// errorBody reads {"error_code": …, "message": …}. Some answers have a number for a code, which only
// repeats the status, and some are no JSON at all; these are a proxy's and are not quoted.
func errorBody(body []byte) (code, message string) {
	dec := jsontext.NewDecoder(bytes.NewReader(body), mlflow.DecodeOptions...)
	if dec.PeekKind() != jsontext.KindBeginObject {
		if m := storageCode.FindSubmatch(body); m != nil {
			return string(m[1]), ""
		}
		return "", ""
	}
	err := mlflow.ReadObject(dec, func(name string) error {
		if (name == "error_code" || name == "message") && dec.PeekKind() == jsontext.KindString {
			tok, err := dec.ReadToken()
			if err != nil {
				return err
			}
			if name == "message" {
				message = tok.String()
			} else {
				code = tok.String()
			}
			return nil
		}
		return dec.SkipValue()
	})
	if err != nil && message == "" && code == "" {
		return "", ""
	}
	return code, shorten(message)
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 500 {
		s = string(r[:500]) + "…"
	}
	return redactQueries(s)
}
