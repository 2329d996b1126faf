package mlflowclient

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tracemig/tracemig/internal/mlflow"
)

const picture = "00000000-0000-4000-8000-000000000001"

func notThere(w http.ResponseWriter) {
	w.WriteHeader(http.StatusNotFound)
	io.WriteString(w, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No such artifact"}`)
}

func TestServedAttachment(t *testing.T) {
	const (
		served    = "/ajax-api/2.0/mlflow/get-trace-artifact"
		artifacts = "/api/2.0/mlflow-artifacts/artifacts/1/traces/tr-1/artifacts/attachments/" + picture
		svg       = "<svg>not a login page</svg>"
	)
	of := func(traceID, contentType string, size int) mlflow.Attachment {
		return mlflow.Attachment{ID: picture, TraceID: traceID, Type: contentType, Size: int64(size)}
	}
	info := func(w http.ResponseWriter, location string) {
		fmt.Fprintf(w, `{"trace":{"trace_info":{"trace_id":"tr-1","request_time":"2026-01-01T00:00:00Z",`+
			`"tags":{"mlflow.artifactLocation":%q}}}}`, location)
	}
	tests := map[string]struct {
		a        mlflow.Attachment
		serve    func(w http.ResponseWriter, r *http.Request)
		want     string
		wantErr  string
		requests int
	}{
		"served": {of("tr-1", "image/svg+xml", len(svg)), func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != served || r.FormValue("request_id") != "tr-1" || r.FormValue("path") != picture {
				t.Errorf("asked for %s, want %s of tr-1", r.URL, picture)
			}
			io.WriteString(w, svg)
		}, svg, "", 1},
		"of unknown size": {of("tr-1", "image/png", 0), func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "12")
		}, "12", "", 1},
		"cut off at first": {of("tr-1", "image/png", 4), func() http.HandlerFunc {
			n := 0
			return func(w http.ResponseWriter, r *http.Request) { n++; io.WriteString(w, "1234"[:n+1]) }
		}(), "1234", "", 3},
		"of another trace, which a copy refers to": {of("tr-9", "image/png", 4), func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("request_id") != "tr-9" {
				t.Errorf("asked for %s, want an attachment of tr-9", r.URL)
			}
			io.WriteString(w, "1234")
		}, "1234", "", 1},
		"of another trace, which is gone": {of("tr-9", "image/png", 4), func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("request_id") != "tr-1" {
				notThere(w)
				return
			}
			io.WriteString(w, "1234")
		}, "1234", "", 2},
		"lost": {of("tr-1", "image/png", 4), func(w http.ResponseWriter, r *http.Request) { notThere(w) }, "", ErrNoAttachment.Error(), 1},
		"by the public API alone": {of("tr-1", "image/png", 4), func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case served:
				http.NotFound(w, r)
			case artifacts:
				io.WriteString(w, "1234")
			default:
				info(w, "mlflow-artifacts://mlflow:5000/1/traces/tr-1/artifacts")
			}
		}, "1234", "", 3},
		"refused but for the public API": {of("tr-1", "image/png", 4), func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case served:
				w.WriteHeader(http.StatusForbidden)
			case artifacts:
				io.WriteString(w, "1234")
			default:
				info(w, "mlflow-artifacts:/1/traces/tr-1/artifacts")
			}
		}, "1234", "", 3},
		"in a store that only the server reads": {of("tr-1", "image/png", 4), func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == served {
				http.NotFound(w, r)
				return
			}
			info(w, "s3://bucket/1/tr-1")
		}, "", "have it or the proxy before it serve /ajax-api/2.0/mlflow/get-trace-artifact", 2},
		"a server older than attachments": {of("tr-1", "image/png", 0), func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case served:
				io.WriteString(w, `{"spans":[]}`)
			case artifacts:
				io.WriteString(w, "1234")
			default:
				info(w, "mlflow-artifacts:/1/traces/tr-1/artifacts")
			}
		}, "1234", "", 3},
		"a login page for everything": {of("tr-1", "image/png", 4), func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "artifact") {
				io.WriteString(w, "<html>log in</html>")
				return
			}
			info(w, "mlflow-artifacts:/1/traces/tr-1/artifacts")
		}, "", "19 bytes instead of 4", 7},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := serverClient(t, tt.serve)
				got, err := c.Attachment(t.Context(), trace("tr-1", "", 1), tt.a)
				if tt.wantErr == "" && (err != nil || string(got) != tt.want) {
					t.Errorf("%q, error %v, want %q", got, err, tt.want)
				}
				if tt.wantErr != "" {
					for _, part := range []string{tt.wantErr, picture, "tr-1"} {
						if err == nil || !strings.Contains(err.Error(), part) {
							t.Errorf("error %v, want one with %q", err, part)
						}
					}
				}
				if n := c.Stats().Requests; n != int64(tt.requests) {
					t.Errorf("%d requests, want %d", n, tt.requests)
				}
			})
		})
	}
}

// A workspace gives a signed address for the attachment's path; its answers are bytes of any kind.
func TestSignedAttachment(t *testing.T) {
	const bytes = "{\"spans\": no JSON \xff"
	a := mlflow.Attachment{ID: picture, TraceID: "tr-1", Type: "application/octet-stream", Size: int64(len(bytes))}
	for name, tt := range map[string]struct {
		storage http.HandlerFunc
		is      error
		asked   int
	}{
		"as stored": {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, bytes) }, nil, 1},
		"an ended address": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("n") == "1" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			io.WriteString(w, bytes)
		}, nil, 2},
		"lost": {http.NotFound, ErrNoAttachment, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			var asked []string
			c := databricksClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host == "localhost:9000" {
					if r.Header.Get("Authorization") != "" {
						t.Error("the storage got the workspace's token")
					}
					return inProcess{tt.storage}.RoundTrip(r)
				}
				return inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					asked = append(asked, r.URL.Path+"?"+r.URL.RawQuery)
					fmt.Fprintf(w, `{"credential_info":{"signed_uri":"http://localhost:9000/x?n=%d&sig=SIGNATURE","headers":[]}}`, len(asked))
				})}.RoundTrip(r)
			}))
			got, err := c.Attachment(t.Context(), trace("tr-1", "", 1), a)
			if !errors.Is(err, tt.is) || err == nil && string(got) != bytes {
				t.Errorf("%s: %q, error %v, want %q or error %v", name, got, err, bytes, tt.is)
			}
			if err != nil && strings.Contains(err.Error(), "SIGNATURE") {
				t.Errorf("%s: error %v, want one without the signature", name, err)
			}
			want := "/api/2.0/mlflow/traces/tr-1/credentials-for-data-download?path=attachments%2F" + picture
			if !slices.Equal(asked, slices.Repeat([]string{want}, tt.asked)) {
				t.Errorf("%s: asked for %q, want %d times %q", name, asked, tt.asked, want)
			}
		})
	}
}
