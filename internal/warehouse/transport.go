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

// authenticator gives the SDK's credentials to the driver, so that REST and SQL have one identity.
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

// exchange is what the HTTP layer saw of one call of the driver, whose errors tell of it only in words. The requests of the
// call write it one after the other, and it is read after the call.
type exchange struct {
	statement  bool // the first request is an ExecuteStatement
	requests   int
	status     int // of the last response; 0 if there was none
	retryAfter time.Duration
	message    string // the words of a response other than 200 that may be shown
	noSession  bool   // the server does not know the session (any more)
	tokenEnded bool
	unsent     bool  // the connection broke before the whole request was sent
	err        error // of the last request, if there was no response
	auth       error // why there are no credentials
}

type exchangeKey struct{}

func withExchange(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// errNotTaken keeps the driver from trying a statement again by itself. The package decides how long to wait, whether to
// split the rows, and whether the statement may have taken effect.
var errNotTaken = errors.New("the server did not take the statement")

func newTransport(cfg *config.Config) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	if cfg.InsecureSkipVerify {
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the user's own choice, skip_verify in .databrickscfg
	}
	return t
}

// watcher writes what it sees of requests into the exchange of their context. It sends only those of the SQL protocol: the
// driver would otherwise ask the workspace whether to send telemetry.
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
	r = watchBody(r, &sent)
	resp, message, err := w.send(r)
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return resp, err
	}
	x.note(resp, message, err)
	x.unsent = err != nil && r.Body != nil && !sent.Load()
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK && x.statement && x.requests == 1:
		_ = resp.Body.Close()
		return nil, errNotTaken
	}
	return resp, nil
}

// send sends a request, and once more with another token where the first is refused. message is what a response other than
// 200 says.
func (w watcher) send(r *http.Request) (resp *http.Response, message string, err error) {
	resp, err = w.base.RoundTrip(r)
	if err != nil || resp.StatusCode == http.StatusOK {
		return resp, "", err
	}
	message = readMessage(resp)
	if !databricks.RefusesToken(resp.StatusCode, message) {
		return resp, message, nil
	}
	resp, err = w.sendWithNewToken(r, resp)
	if err == nil && resp.StatusCode != http.StatusOK {
		message = readMessage(resp)
	}
	return resp, message, err
}

// sendWithNewToken sends a request once more whose token was refused, and which therefore had no effect. Where there is no
// other token, it returns the refusal.
func (w watcher) sendWithNewToken(r *http.Request, refused *http.Response) (*http.Response, error) {
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

// note writes down how a request ended.
func (x *exchange) note(resp *http.Response, message string, err error) {
	x.requests++
	x.status, x.retryAfter, x.err, x.message, x.noSession, x.tokenEnded = 0, 0, err, "", false, false
	if err != nil {
		return
	}
	x.status = resp.StatusCode
	if resp.StatusCode == http.StatusOK {
		return
	}
	x.message = redact(message)
	x.noSession = (reported{text: message}).meaning() == noSession
	x.tokenEnded = databricks.RefusesToken(resp.StatusCode, message) && databricks.EndedToken(message)
	x.retryAfter = retry.After(resp.Header, time.Now())
}

// watchBody returns the request with a body that sets sent when it was read to its end, which is when its last part is sent.
func watchBody(r *http.Request, sent *atomic.Bool) *http.Request {
	if r.Body == nil {
		return r
	}
	r = r.Clone(r.Context())
	r.Body = watchedBody{r.Body, sent}
	if again := r.GetBody; again != nil { // for a connection that was closed before anything was sent
		r.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			sent.Store(false)
			return watchedBody{body, sent}, err
		}
	}
	return r
}

type watchedBody struct {
	io.ReadCloser
	sent *atomic.Bool
}

func (b watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.sent.Store(true)
	}
	return n, err
}

// readMessage is what a response that is no success says in its headers and its body. The driver shows some of the headers and
// drops the body, where gateways say why. The body can be read again by the driver.
func readMessage(resp *http.Response) string {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	parts := []string{resp.Header.Get("X-Thriftserver-Error-Message"), resp.Header.Get("X-Databricks-Reason-Phrase")}
	if !strings.Contains(resp.Header.Get("Content-Type"), "html") {
		parts = append(parts, string(body))
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

var (
	// A server may quote a statement or a row,
	quotedText = regexp.MustCompile("'[^']*'|\"[^\"]*\"|`[^`]*`|\\[[^\\]]*\\]|\\{[^{}]*\\}")
	// and name tokens or addresses.
	longWord = regexp.MustCompile(`\S{32,}`)
)

// redact is the part of a server's message that may be shown.
func redact(message string) string {
	message = longWord.ReplaceAllString(quotedText.ReplaceAllString(message, "…"), "…")
	message = strings.Join(strings.Fields(message), " ")
	if r := []rune(message); len(r) > 160 {
		message = string(r[:160]) + "…"
	}
	return strings.Trim(message, " …")
}
