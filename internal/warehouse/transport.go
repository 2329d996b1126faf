package warehouse

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/retry"
)

// authenticator lends the SDK's credentials to the driver: one identity for REST and SQL.
type authenticator struct{ *databricks.Login }

func (a authenticator) Authenticate(r *http.Request) error {
	if err := a.Login.Authenticate(r); err != nil {
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
	said       string // what a response other than 200 says, fit to be shown
	noSession  bool   // the server does not know the session (any more)
	ended      bool   // the token has ended
	unsent     bool   // the connection broke before the request was out
	err        error  // of the last request, when there was no response
	auth       error  // why there are no credentials
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
	var sent atomic.Bool
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = whole{r.Body, &sent}
		if again := r.GetBody; again != nil { // of a connection that was closed before anything was sent
			r.GetBody = func() (io.ReadCloser, error) {
				body, err := again()
				sent.Store(false)
				return whole{body, &sent}, err
			}
		}
	}
	resp, err := w.base.RoundTrip(r)
	var said string
	if err == nil && resp.StatusCode != http.StatusOK {
		said = words(resp)
		if databricks.RefusesToken(resp.StatusCode, said) {
			resp, err = w.afresh(r, resp)
			if err == nil && resp.StatusCode != http.StatusOK {
				said = words(resp)
			}
		}
	}
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return resp, err
	}
	x.requests++
	x.status, x.retryAfter, x.err, x.said, x.noSession, x.ended = 0, 0, err, "", false, false
	x.unsent = err != nil && r.Body != nil && !sent.Load()
	if err != nil {
		return nil, err
	}
	x.status = resp.StatusCode
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	x.said = fit(said)
	x.noSession = (reported{text: said}).meaning() == noSession
	x.ended = databricks.RefusesToken(resp.StatusCode, said) && databricks.EndedToken(said)
	x.retryAfter = retry.After(resp.Header, time.Now())
	if x.statement && x.requests == 1 {
		_ = resp.Body.Close()
		return nil, errNotTaken
	}
	return resp, nil
}

// whole notes when a body was read to its end, which is when the last of it goes out.
type whole struct {
	io.ReadCloser
	ended *atomic.Bool
}

func (w whole) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err == io.EOF {
		w.ended.Store(true)
	}
	return n, err
}

// words are those of an answer that is no success. The driver shows some of the headers and drops the body, where
// gateways say why; it is read here, and given back for the driver to close.
func words(resp *http.Response) string {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	said := []string{resp.Header.Get("X-Thriftserver-Error-Message"), resp.Header.Get("X-Databricks-Reason-Phrase")}
	if !strings.Contains(resp.Header.Get("Content-Type"), "html") {
		said = append(said, string(body))
	}
	return strings.TrimSpace(strings.Join(said, " "))
}

var (
	// A server may quote a statement or a row.
	quotedWords = regexp.MustCompile("'[^']*'|\"[^\"]*\"|`[^`]*`|\\[[^\\]]*\\]|\\{[^{}]*\\}")
	tokenWords  = regexp.MustCompile(`\S{32,}`) // and tokens or addresses
)

// fit is what may be shown of a server's words.
func fit(said string) string {
	said = tokenWords.ReplaceAllString(quotedWords.ReplaceAllString(said, "…"), "…")
	said = strings.Join(strings.Fields(said), " ")
	if r := []rune(said); len(r) > 160 {
		said = string(r[:160]) + "…"
	}
	return strings.Trim(said, " …")
}

// afresh sends a request whose token was refused, and which so was not taken, once more with another token, where
// there is one by now.
func (w watcher) afresh(r *http.Request, refused *http.Response) (*http.Response, error) {
	if r.GetBody == nil {
		return refused, nil
	}
	body, err := r.GetBody()
	if err != nil {
		return refused, nil
	}
	w.auth.Renew()
	r = r.Clone(r.Context())
	r.Body = body
	if w.auth.Authenticate(r) != nil {
		_ = body.Close()
		return refused, nil
	}
	_ = refused.Body.Close()
	return w.base.RoundTrip(r)
}
