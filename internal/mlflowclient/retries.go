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

	"github.com/tracemig/tracemig/internal/retry"
)

// unreachable tells of a name that does not exist and of a port at which nothing listens.
func unreachable(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsNotFound
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// untrusted tells of a certificate that is not trusted, and of plain http behind an https address.
func untrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	return plain
}

const levelRetry = slog.LevelDebug

func attrErr(err error) slog.Attr        { return slog.String("error", err.Error()) }
func attrWait(d time.Duration) slog.Attr { return slog.Duration("wait", d.Round(time.Millisecond)) }

// sayEvery is how often it is said that the source gives no answer: many requests may wait for one.
const sayEvery = 5 * time.Second

const downloadFaults = 4

// patience says how long a question is repeated while the source answers that it failed by a fault of its
// own. The zero value is as long as the retry policy says.
type patience struct {
	faults int // so many such answers end it; 0 for as many as the retry policy bears
	// Two in a row that say the same end it, for callers that then find out whether the server is in trouble
	// or only what was asked for.
	twice bool
}

// counter makes a function that is told each failure, and whether it is such an answer. It says when there
// were enough.
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

// retryLevel has it said aloud that nothing answers at the source, which may last; that a request was refused,
// or a connection broke, is of no interest to the user.
func (c *Client) retryLevel(err error, now time.Time) slog.Level {
	last := c.said.Load()
	if !unreachable(err) && !errors.Is(err, errStalled) || now.UnixNano()-last < int64(sayEvery) || !c.said.CompareAndSwap(last, now.UnixNano()) {
		return levelRetry
	}
	return slog.LevelWarn
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
