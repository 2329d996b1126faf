package mlflowclient

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/retry"
)

// patience bounds how often a request is repeated while the source answers that it failed by a fault of its own. The zero
// value leaves the bound to the retry policy.
type patience struct {
	faults int // so many such answers are the last; 0 for no bound
	// twice ends it after two such answers in a row that say the same. The caller then finds out whether the server is
	// in trouble or only can't answer this request.
	twice bool
}

// downloadFaults bounds how often a download is answered with 500. That is more often a trace that the server can't serve
// than a server in trouble.
const downloadFaults = 4

// counter makes a function that is told each failure, and whether the source failed by its own fault. It says whether the
// bound is reached.
func (p patience) counter() func(e *APIError, own bool) (enough bool) {
	var last *APIError
	return func(e *APIError, own bool) (enough bool) {
		if own {
			p.faults--
			enough = p.faults == 0 || p.twice && e.same(last)
		}
		last = e
		return enough
	}
}

// withRetries repeats op for r, as the pacer allows. A refusal for too many requests holds back all requests of that kind.
func (c *Client) withRetries(ctx context.Context, r request, op func(context.Context) error) error {
	p, enough := r.pacer, r.patience.counter()
	policy := c.retry
	if p == c.signed && !c.storageWorked.Load() {
		policy.Max = min(policy.Max, storageWait)
	}
	told := c.waits.Operation()
	defer told.Over()
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
			return e // Without the mark of retry.Again.
		}
		return err
	}, func(w retry.Wait) {
		c.retries.Add(1)
		if isCode(w.Err, http.StatusTooManyRequests, "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED") ||
			isCode(w.Err, http.StatusServiceUnavailable) {
			p.refused(w.For)
		}
		told.Waits(waitsFor(w.Err), w)
		c.log.LogAttrs(ctx, c.retryLevel(w.Err, time.Now()), "a request failed and is tried again", attrErr(w.Err), attrWait(w.For))
	})
}

// waitsFor says in a clause what a request waits for that failed with err.
func waitsFor(err error) string {
	if e, ok := errors.AsType[*APIError](err); ok {
		switch e.Status {
		case http.StatusTooManyRequests:
			return "the source asks for fewer requests (429)"
		case http.StatusOK: // of a long-running search
			return "the source's search failed (" + e.Code + ")"
		}
		return fmt.Sprintf("the source answers with an error (%d)", e.Status)
	}
	cause := err
	for inner := errors.Unwrap(cause); inner != nil; inner = errors.Unwrap(cause) {
		cause = inner
	}
	return fmt.Sprintf("the source does not answer (%v)", cause)
}

const levelRetry = slog.LevelDebug

func attrErr(err error) slog.Attr        { return slog.String("error", err.Error()) }
func attrWait(d time.Duration) slog.Attr { return slog.Duration("wait", d.Round(time.Millisecond)) }

// warnEvery is the least time between two warnings that the source gives no answer: many requests may wait for one.
const warnEvery = 5 * time.Second

// retryLevel is the level at which a retry is logged. Users are warned now and then that nothing answers at the source, since
// that may last. Refused requests and broken connections don't interest them.
func (c *Client) retryLevel(err error, now time.Time) slog.Level {
	if !unreachable(err) && !errors.Is(err, errStalled) || c.waits.Watched() {
		return levelRetry
	}
	last := c.lastWarned.Load()
	if now.UnixNano()-last < int64(warnEvery) || !c.lastWarned.CompareAndSwap(last, now.UnixNano()) {
		return levelRetry
	}
	return slog.LevelWarn
}

// transient marks an error of a connection, or of a body that ended early, with retry.Again, unless it says that
// this is not the server that was meant.
func (c *Client) transient(err error) error {
	if !c.reached.Load() && unreachable(err) {
		// A wrong address ends the run at once. A server that has answered before is waited for.
		return advice.With(err, "check the address of the source")
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if untrusted(err) {
		return advice.With(err, "check the address, or name the certificates of an authority of your own with "+c.trustWith)
	}
	if _, ok := errors.AsType[flate.CorruptInputError](err); ok || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return fmt.Errorf("%w; the server sends what is not compressed as it says", err) // It would send the same again.
	}
	return retry.Again(fault.With(err, fault.Unreachable), 0)
}

// unreachable tells whether the host's name does not exist, or nothing listens at its port.
func unreachable(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsNotFound
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// untrusted tells whether the server's certificate is not trusted, or it answers in plain http at an https address.
func untrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	return plain || errors.Is(err, http.ErrSchemeMismatch)
}
