package artifacts

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/retry"
)

// noEnvironment takes away what this machine may have of credentials and settings.
func noEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "MLFLOW_S3_ENDPOINT_URL", "MLFLOW_S3_IGNORE_TLS", "MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE",
		"MLFLOW_S3_EXPECTED_BUCKET_OWNER", "GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST", "AZURE_STORAGE_CONNECTION_STRING",
		"AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_SAS_TOKEN", "HTTP_PROXY", "HTTPS_PROXY"} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("HOME", none)
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
}

const folderOfOne = "p/1/traces/tr-1/artifacts"

// store is a fake of an object store that has the one file traces.json in folderOfOne of the bucket "b".
type store struct {
	bucket string // the address of bucket b
	other  string // that of a bucket that is not there
	front  *front
}

// front answers in place of the store while it has something to say.
type front struct {
	http.Handler
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int32
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	if h := f.answer.Load(); h != nil {
		(*h)(w, r)
		return
	}
	f.Handler.ServeHTTP(w, r)
}

func (f *front) say(h http.HandlerFunc) { f.answer.Store(&h) }

func serve(t *testing.T, h http.Handler) (*front, string) {
	t.Helper()
	f := &front{Handler: h}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server.URL
}

const document = `{"spans":[1]}`

func s3Store(t *testing.T) store {
	backend := s3mem.New()
	if err := backend.CreateBucket("b"); err != nil {
		t.Fatal(err)
	}
	if _, err := backend.PutObject("b", folderOfOne+"/traces.json", nil, strings.NewReader(document), int64(len(document)), nil); err != nil {
		t.Fatal(err)
	}
	f, url := serve(t, gofakes3.New(backend).Server())
	t.Setenv("MLFLOW_S3_ENDPOINT_URL", url)
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
	return store{"s3://b", "s3://other", f}
}

// gcsStore answers as the JSON API of Google Cloud Storage is documented to.
func gcsStore(t *testing.T) store {
	f, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		object, isObject := strings.CutPrefix(r.URL.Path, "/storage/v1/b/b/o/")
		switch {
		case !strings.HasPrefix(r.URL.Path, "/storage/v1/b/b/"):
			http.Error(w, `{"error":{"code":404,"message":"The specified bucket does not exist.","errors":[{"reason":"notFound"}]}}`, 404)
		case !isObject && strings.HasPrefix(folderOfOne, r.URL.Query().Get("prefix")):
			fmt.Fprint(w, `{"items":[{"name":"x"}]}`)
		case !isObject:
			fmt.Fprint(w, `{}`)
		case object == folderOfOne+"/traces.json" && r.URL.Query().Get("alt") == "media":
			fmt.Fprint(w, document)
		default:
			http.Error(w, "No such object: b/"+object, 404)
		}
	}))
	t.Setenv("STORAGE_EMULATOR_HOST", url)
	return store{"gs://b", "gs://other", f}
}

// azureStore answers as Azure's Blob service is documented to.
func azureStore(t *testing.T) store {
	refuse := func(w http.ResponseWriter, code string) {
		w.Header().Set("X-Ms-Error-Code", code)
		w.WriteHeader(404)
	}
	f, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		blob, ok := strings.CutPrefix(r.URL.Path, "/account/b")
		switch {
		case !ok:
			refuse(w, "ContainerNotFound")
		case r.URL.Query().Get("comp") == "list" && strings.HasPrefix(folderOfOne, r.URL.Query().Get("prefix")):
			fmt.Fprint(w, `<EnumerationResults><Blobs><Blob><Name>x</Name></Blob></Blobs></EnumerationResults>`)
		case r.URL.Query().Get("comp") == "list":
			fmt.Fprint(w, `<EnumerationResults><Blobs></Blobs></EnumerationResults>`)
		case blob == "/"+folderOfOne+"/traces.json":
			fmt.Fprint(w, document)
		default:
			refuse(w, "BlobNotFound")
		}
	}))
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "DefaultEndpointsProtocol=http;AccountName=account;AccountKey="+
		base64.StdEncoding.EncodeToString([]byte("topsecret"))+";BlobEndpoint="+url+"/account")
	return store{"wasbs://b@account.blob.core.windows.net", "wasbs://other@account.blob.core.windows.net", f}
}

var quick = retry.Policy{Initial: time.Millisecond, Max: time.Millisecond, Budget: 50 * time.Millisecond}

func TestObjectStores(t *testing.T) {
	for name, start := range map[string]func(*testing.T) store{"s3": s3Store, "gcs": gcsStore, "azure": azureStore} {
		t.Run(name, func(t *testing.T) {
			noEnvironment(t)
			st := start(t)
			s := newStore(t, Options{Destination: st.bucket + "/p", Getenv: os.Getenv, Retry: quick})
			for _, location := range []string{st.bucket + "/" + folderOfOne, "mlflow-artifacts:/1/traces/tr-1/artifacts"} {
				if body, err := s.Read(t.Context(), location, "traces.json"); err != nil || string(body) != document {
					t.Errorf("%s: %q, %v", location, body, err)
				}
			}
			_, err := s.Read(t.Context(), st.bucket+"/p/1/traces/tr-2/artifacts", "traces.json")
			if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, mlflowdb.ErrElsewhere) {
				t.Errorf("a file that is not there: %v", err)
			}
			for _, location := range []string{st.bucket + "/q/1/traces/tr-2/artifacts", st.other + "/" + folderOfOne} {
				_, err := s.Read(t.Context(), location, "traces.json")
				checkElsewhere(t, location, err, fault.NotFound)
			}
			st.faults(t, s)
		})
	}
}

// checkElsewhere makes sure that err says that nothing is known of the file, what to do, and no secret.
func checkElsewhere(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if !errors.Is(err, mlflowdb.ErrElsewhere) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want an error that is ErrElsewhere", what, err)
		return
	}
	e, ok := errors.AsType[*Error](err)
	if _, next := advice.Split(err); !ok || e.Fault() != kind || !strings.Contains(next, "--server") {
		t.Errorf("%s: %v (next step %q), want one of kind %s with --server as a next step", what, err, next, kind)
	}
	if strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: the error has a secret or several lines: %q", what, err)
	}
}

// faults makes sure that a denied file is not taken for one that is not there, and that only what may pass is tried again.
func (st store) faults(t *testing.T, s *Store) {
	read := func() ([]byte, error) { return s.Read(t.Context(), st.bucket+"/"+folderOfOne, "traces.json") }
	status := func(code int, header, body string) {
		st.front.say(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ms-Error-Code", header)
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		})
	}
	denied := `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`
	status(403, "AuthorizationFailure", denied)
	before := st.front.asked.Load()
	_, err := read()
	checkElsewhere(t, "denied", err, fault.Permission)
	if n := st.front.asked.Load() - before; n != 1 {
		t.Errorf("a denied file was asked for %d times, want once", n)
	}
	status(404, "", "<html>a proxy's page</html>")
	_, err = read()
	checkElsewhere(t, "a proxy", err, fault.NotFound)

	status(503, "ServerBusy", "")
	before = st.front.asked.Load()
	_, err = read()
	checkElsewhere(t, "busy", err, fault.Unreachable)
	if n := st.front.asked.Load() - before; n < 2 {
		t.Errorf("a busy store was asked %d times, want more", n)
	}
	var cut atomic.Int32
	st.front.say(func(w http.ResponseWriter, r *http.Request) {
		if cut.Add(1) > 2 {
			st.front.Handler.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Length", "100") // More than is sent: the connection breaks.
		fmt.Fprint(w, `{"spans":`)
	})
	if body, err := read(); err != nil || string(body) != document {
		t.Errorf("after answers that were cut off: %q, %v", body, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	st.front.say(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if _, err := s.Read(ctx, st.bucket+"/"+folderOfOne, "traces.json"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A bucket lies in another region than the one that is set, or none is.
func TestS3Region(t *testing.T) {
	noEnvironment(t)
	st := s3Store(t)
	st.front.say(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/s3/") {
			st.front.Handler.ServeHTTP(w, r)
			return
		}
		w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
		w.WriteHeader(301)
		fmt.Fprint(w, `<Error><Code>PermanentRedirect</Code></Error>`)
	})
	s := newStore(t, Options{Getenv: os.Getenv, Retry: quick})
	for range 2 {
		if body, err := s.Read(t.Context(), st.bucket+"/"+folderOfOne, "traces.json"); err != nil || string(body) != document {
			t.Errorf("%q, %v", body, err)
		}
	}
	if n := st.front.asked.Load(); n != 3 {
		t.Errorf("%d requests, want 3: the region is learned once", n)
	}
}

func TestNoCredentials(t *testing.T) {
	noEnvironment(t)
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=topsecret")
	s := newStore(t, Options{Getenv: os.Getenv, Retry: quick})
	for _, location := range []string{"s3://b/x", "wasbs://b@account.blob.core.windows.net/x"} {
		_, err := s.Read(t.Context(), location, "traces.json")
		checkElsewhere(t, location, err, fault.Credentials)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
	t.Setenv("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:1")
	_, err := newStore(t, Options{Getenv: os.Getenv}).Read(t.Context(), "s3://b/x", "traces.json") // not tried for minutes
	checkElsewhere(t, "a wrong endpoint", err, fault.Unreachable)
}
