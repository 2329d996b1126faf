package mlflowclient

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// A body that inflates to much more than it sends is read up to the limit, and no further.
func TestDecompressionBomb(t *testing.T) {
	const limit = 2 * largeAnswer
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		zeros := make([]byte, 1<<20)
		for range 1 << 10 { // a GiB
			if _, err := z.Write(zeros); err != nil {
				return
			}
		}
		z.Close()
	}))
	defer s.Close()
	c, err := NewServer(s.URL, ServerCredentials{}, Options{MaxTraceBytes: limit, Limits: unlimited})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0]
	if e, ok := errors.AsType[*TooLargeError](got.Err); !ok || e.Limit != limit || !strings.Contains(got.Err.Error(), "tr-1") {
		t.Errorf("got %v, want a *TooLargeError", got.Err)
	}
	if stats := c.Stats(); stats.Bytes > limit+1 || stats.Requests != 1 {
		t.Errorf("read %d bytes in %d requests, want at most %d in 1", stats.Bytes, stats.Requests, limit+1)
	}
	// A listing has the same limit.
	err = c.ListTraces(t.Context(), "7", Window{}, func(*mlflow.TraceInfo) error { return nil })
	if _, ok := errors.AsType[*TooLargeError](err); !ok {
		t.Errorf("listing: %v, want a *TooLargeError", err)
	}
}

// An answer that says to be gzip and is not is asked for once.
func TestNotCompressedAsItSays(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, `{"spans":[{}]}`)
	}))
	defer s.Close()
	c, err := NewServer(s.URL, ServerCredentials{}, Options{Limits: unlimited})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0]
	if got.Err == nil || !strings.Contains(got.Err.Error(), "not compressed as it says") || c.Stats().Requests != 1 {
		t.Errorf("error %v after %d requests, want one that it is not compressed as it says, after 1", got.Err, c.Stats().Requests)
	}
}

// Large answers are read one at a time. Small ones don't wait for them.
func TestOneLargeAnswerAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := `{"spans":[{"x":"` + strings.Repeat("x", largeAnswer) + `"}]}`
		c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("request_id") == "tr-large" {
				io.WriteString(w, large)
			} else {
				io.WriteString(w, `{"spans":[{}]}`)
			}
		})
		c.large <- struct{}{} // another one is being read
		done := make(chan Spans, 1)
		go func() { done <- c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-large", "", 1)})[0] }()
		synctest.Wait()
		if s := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-small", "", 1)})[0]; s.Err != nil {
			t.Error(s.Err)
		}
		time.Sleep(2 * stallTimeout) // Waiting for its turn is no stall.
		select {
		case <-done:
			t.Error("a second large answer was read beside the first")
		default:
		}
		<-c.large
		if s := <-done; s.Err != nil || string(s.JSON) != large {
			t.Errorf("%d bytes, error %v, want %d", len(s.JSON), s.Err, len(large))
		}
		if len(c.large) != 0 {
			t.Error("the turn was not given back")
		}
	})
}

// A login page, or a proxy's error with status 200, is not taken for damaged data, and asked for once.
func TestWebPages(t *testing.T) {
	n := 0
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "\n<!doctype html><title>Log in</title>")
	})
	c := serverClient(t, page)
	_, experiment := c.Experiment(t.Context(), "agent")
	listing := c.ListTraces(t.Context(), "7", Window{}, func(*mlflow.TraceInfo) error { return nil })
	runs := c.ListRuns(t.Context(), "7", func(string) error { return nil })
	_, info := c.TraceInfo(t.Context(), "tr-1")
	spans := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-1", "TRACKING_STORE", 1)})[0].Err
	if n != 6 { // spans are asked for in two ways
		t.Errorf("%d requests, want 6", n)
	}
	signed := databricksClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "127.0.0.1:8443" {
			return answer(200, `{"credential_info":{"signed_uri":"https://store.example/traces.json?sig=SIGNATURE"}}`), nil
		}
		return inProcess{page}.RoundTrip(r)
	})).FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{trace("tr-1", "", 1)})[0].Err
	for name, err := range map[string]error{
		"experiment": experiment, "listing": listing, "runs": runs, "trace": info, "spans": spans, "signed download": signed,
	} {
		if err == nil || !strings.Contains(err.Error(), "a web page, not JSON") {
			t.Errorf("%s: error %v, want one of a web page", name, err)
		}
	}
}

// Certificates are verified for every kind of source, signed addresses included, unless the profile's
// own skip_verify says otherwise.
func TestVerifiesCertificates(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/traces.json" {
			t.Error("a request went to an address that is not trusted")
		}
		io.WriteString(w, experiment7)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	server, err := NewServer(s.URL, ServerCredentials{Token: "s3cret"}, Options{Limits: unlimited})
	if err != nil {
		t.Fatal(err)
	}
	cfg := workspace(s.URL)
	databricks, err := NewDatabricks(cfg, Options{Limits: unlimited})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*Client{"server": server, "workspace": databricks} {
		_, err := c.Experiment(t.Context(), "7")
		if err == nil || !strings.Contains(err.Error(), "certificate") || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
			t.Errorf("%s: error %v, want one with certificate and SSL_CERT_FILE", name, err)
		}
		if n := c.Stats().Requests; n != 1 {
			t.Errorf("%s: %d requests, want 1", name, n)
		}
		_, err = c.signedGet(t.Context(), signedAddress{uri: s.URL + "/traces.json?sig=SIGNATURE"}, endsEarly())
		if err == nil || strings.Contains(err.Error(), "SIGNATURE") {
			t.Errorf("%s: signed address: error %v, want one without the signature", name, err)
		}
		c.Close()
	}
	cfg = workspace(s.URL)
	cfg.InsecureSkipVerify = true
	skips, err := NewDatabricks(cfg, Options{Limits: unlimited})
	if err != nil {
		t.Fatal(err)
	}
	defer skips.Close()
	if _, err := skips.Experiment(t.Context(), "7"); err != nil {
		t.Error(err)
	}
}

// An answer with another trace says nothing about the trace that was asked for.
func TestAnotherTracesInfo(t *testing.T) {
	c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"trace":{"trace_info":{"trace_id":"tr-2","request_time":"2026-01-01T00:00:00Z"}}}`)
	})
	if _, err := c.TraceInfo(t.Context(), "tr-1"); err == nil || !strings.Contains(err.Error(), "tr-2") {
		t.Errorf("error %v, want one that names tr-2", err)
	}
}
