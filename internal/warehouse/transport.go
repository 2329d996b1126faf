package warehouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/retry"
)

// authenticator lends the SDK's credentials to the driver: one identity for REST and SQL.
type authenticator struct{ cfg *config.Config }

func (a authenticator) Authenticate(r *http.Request) error {
	if err := a.cfg.Authenticate(r); err != nil {
		if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
			x.auth = err
		}
		return err
	}
	return nil
}

// exchange is what the HTTP layer saw of one call of the driver, whose errors only have words for it.
// It is read after the call and written by its requests, which follow one another.
type exchange struct {
	statement  bool // the first request is an ExecuteStatement
	requests   int
	status     int // of the last response; 0 when there was none
	retryAfter time.Duration
	noSession  bool  // the server does not know the session (any more)
	err        error // of the last request, when there was no response
	auth       error // why there are no credentials
}

type exchangeKey struct{}

func withExchange(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// errNotTaken stops the driver from trying a statement again by itself: how long to wait, whether to
// split, and whether it may have taken effect is for the writer to decide.
var errNotTaken = errors.New("the server did not take the statement")

func newTransport(cfg *config.Config) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	if cfg.InsecureSkipVerify {
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the user's own choice, skip_verify in .databrickscfg
	}
	return t
}

// watcher notes statuses in the context's exchange. It lets only the warehouse's own protocol
// through: the driver would otherwise ask the workspace whether to send telemetry.
type watcher struct {
	base http.RoundTripper
	auth authenticator
}

func (w watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, "/sql/") {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("%s is not part of the SQL protocol", r.URL.Path)
	}
	resp, err := w.base.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		resp, err = w.afresh(r, resp)
	}
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return resp, err
	}
	x.requests++
	x.status, x.retryAfter, x.err = 0, 0, err
	if err != nil {
		return nil, err
	}
	x.status = resp.StatusCode
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	x.noSession = strings.Contains(resp.Header.Get("X-Thriftserver-Error-Message"), "Invalid SessionHandle")
	x.retryAfter = retry.After(resp.Header, time.Now())
	if x.statement && x.requests == 1 {
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
		_ = resp.Body.Close()
		return nil, errNotTaken
	}
	return resp, nil
}

// afresh sends a request that was answered with 401, and so not taken, once more: its token may have
// ended early, and the SDK may have another by now.
func (w watcher) afresh(r *http.Request, refused *http.Response) (*http.Response, error) {
	if r.GetBody == nil {
		return refused, nil
	}
	body, err := r.GetBody()
	if err != nil {
		return refused, nil
	}
	r = r.Clone(r.Context())
	r.Body = body
	if w.auth.Authenticate(r) != nil {
		_ = body.Close()
		return refused, nil
	}
	_, _ = io.CopyN(io.Discard, refused.Body, 64<<10)
	_ = refused.Body.Close()
	return w.base.RoundTrip(r)
}
