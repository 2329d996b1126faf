package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/mlflow"
)

// signedSpans downloads traces.json of a Databricks trace from its signed address.
func (c *Client) signedSpans(ctx context.Context, t *mlflow.TraceInfo) Spans {
	if t.Tags[mlflow.TagSpansLocation] == mlflow.SpansInArchive {
		return Spans{Missing: MissingArchived} // MLflow's client can't read these, either.
	}
	body, addressed, err := c.signedDownload(ctx, t.TraceID, "", endsEarly())
	switch {
	case !addressed && routeRefused(err) && c.ways.signed.refuse(err):
		return c.noWay(t)
	case !addressed:
		return c.absent(ctx, t, err)
	case errors.Is(err, errNotStored):
		return Spans{Missing: MissingLost}
	case err != nil:
		return Spans{Err: err}
	}
	return Spans{JSON: body}
}

// errNotStored says that the object store does not have what an address was signed for.
var errNotStored = errors.New("the object store does not have it")

// addressTries is how many addresses are asked for when the store refuses them. An address may end before its turn comes.
// When three in a row are refused, that is another fault.
const addressTries = 3

// signedDownload downloads an artifact of a trace, "" for its spans, from an address that the workspace signs for it. When it
// gave no address, addressed is false and err is its answer.
func (c *Client) signedDownload(
	ctx context.Context, traceID, artifact string, check func([]byte) error,
) (body []byte, addressed bool, err error) {
	for tries := 1; ; tries++ {
		signed, err := c.signedAddress(ctx, traceID, artifact)
		if err != nil {
			return nil, false, err
		}
		c.ways.signed.works.Store(true)
		body, err := c.signedGet(ctx, signed, check)
		switch {
		case isCode(err, http.StatusNotFound) && !isCode(err, 0, "NoSuchBucket", "ContainerNotFound", "FilesystemNotFound"):
			return nil, true, errNotStored
		case !isCode(err, http.StatusUnauthorized) && !isCode(err, http.StatusForbidden), tries >= addressTries && c.storageWorked.Load():
			return body, true, err
		}
		c.retries.Add(1)
	}
}

// StorageError says that the object store behind a workspace lets this machine read nothing. That is not about one trace.
type StorageError struct {
	Host string
	Err  error
}

func (e *StorageError) Error() string {
	return advice.Join(fmt.Sprintf("the storage behind the workspace is not reachable from here (%s): %v", e.Host, e.Err), e.NextStep())
}

// NextStep says how to reach the storage.
func (e *StorageError) NextStep() string {
	return "run inside its network, or have its firewall let this machine in"
}

// Fault says that the storage is not reachable.
func (e *StorageError) Fault() fault.Kind { return fault.Unreachable }

// A storage that has answered nothing yet is taken for unreachable after storageTries failures. They follow each other
// within storageWait, whatever the retry policy says, because many traces wait for the answer.
const (
	storageTries = 10
	storageWait  = time.Second
)

// storageError notes whether an attempt to download from host worked. Its error is err, or a *StorageError once there were
// too many failures.
func (c *Client) storageError(host string, err error) error {
	e, answered := errors.AsType[*APIError](err)
	refused := answered && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized)
	switch _, redirected := errors.AsType[*redirect](err); {
	case redirected:
	case err == nil || answered && !refused:
		c.storageWorked.Store(true)
	case !c.storageWorked.Load() && c.storageFailed.Add(1) >= storageTries:
		return &StorageError{host, errors.New(err.Error())} // As a text err does not ask for another try.
	}
	return err
}

// signedAddress is where an object store hands out a file, and the headers that the request for it must have.
type signedAddress struct {
	uri     string
	headers [][2]string
}

// signedAddress asks for the signed address of a trace's spans, or of another of its artifacts.
func (c *Client) signedAddress(ctx context.Context, traceID, artifact string) (signed signedAddress, err error) {
	path := "/api/2.0/mlflow/traces/" + url.PathEscape(traceID) + "/credentials-for-data-download"
	var query url.Values
	if artifact != "" {
		query = url.Values{"path": {artifact}}
	}
	_, err = c.call(ctx, request{
		pacer: c.download, path: path, query: query, patience: patience{faults: downloadFaults},
		check: func(b []byte) (err error) {
			signed, err = decodeSignedAddress(b)
			return err
		},
	})
	if err == nil && signed.uri == "" {
		err = errors.New("the workspace gave no signed address")
	}
	return signed, err
}

// decodeSignedAddress reads {"credential_info": {"signed_uri": …, "headers": [{"name": …, "value": …}]}}.
func decodeSignedAddress(b []byte) (signed signedAddress, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
	err = mlflow.ReadObject(dec, func(name string) error {
		if name != "credential_info" {
			return dec.SkipValue()
		}
		return mlflow.ReadObject(dec, func(name string) error {
			switch name {
			case "signed_uri":
				return readText(dec, &signed.uri)
			case "headers":
				return mlflow.ReadArray(dec, func() error {
					var h [2]string
					err := mlflow.ReadObject(dec, func(name string) error {
						switch name {
						case "name":
							return readText(dec, &h[0])
						case "value":
							return readText(dec, &h[1])
						}
						return dec.SkipValue()
					})
					signed.headers = append(signed.headers, h)
					return err
				})
			}
			return dec.SkipValue()
		})
	})
	return signed, err
}

// signedGet downloads from a signed address, with its headers and none of the API's: object stores refuse a second
// authentication, and must not see the workspace's token. check is that of a request.
func (c *Client) signedGet(ctx context.Context, signed signedAddress, check func([]byte) error) ([]byte, error) {
	var body []byte
	err := c.withRetries(ctx, request{pacer: c.signed, patience: patience{faults: downloadFaults}}, func(ctx context.Context) error {
		at, err := url.Parse(signed.uri)
		if err != nil {
			return errors.New("the workspace gave a signed address that is none")
		}
		headers := signed.headers
		for range maxRedirects + 1 {
			if !private(at) {
				return fmt.Errorf("refusing to download from %s without https", at.Host)
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
			if err != nil {
				return errors.New("the workspace gave a signed address that is none")
			}
			req.Header.Set("User-Agent", c.userAgent)
			for _, h := range headers {
				req.Header.Set(h[0], h[1])
			}
			body, err = c.attempt(c.signed, c.storage, req)
			err = c.storageError(at.Host, err)
			if r, ok := errors.AsType[*redirect](err); ok {
				if at.Scheme == "https" && r.to.Scheme != "https" {
					return fmt.Errorf("refusing to follow a redirect from %s to %s without https", at.Host, r.to.Host)
				}
				if r.to.Scheme != at.Scheme || r.to.Host != at.Host {
					headers = nil // They are for the host that they were signed for.
				}
				at = r.to
				continue
			}
			if err != nil {
				return err
			}
			return checkBody(check, body)
		}
		return fmt.Errorf("too many redirects from a signed address at %s", at.Host)
	})
	return body, err
}

// maxRedirects is how often an object store may send the client on.
const maxRedirects = 5

// redirect is the answer of an object store that sends its clients on.
type redirect struct{ to *url.URL }

func (r *redirect) Error() string { return "redirected to " + r.to.Host }
