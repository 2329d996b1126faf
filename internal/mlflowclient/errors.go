package mlflowclient

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/retry"
)

// APIError is an answer other than 2xx, or the error of a long-running search. Its text holds no
// credential and no query string.
type APIError struct {
	Status    int    // HTTP status; 200 for the error of a long-running search
	Code      string // MLflow's error_code, such as RESOURCE_DOES_NOT_EXIST; "" when the answer had none
	Message   string // the server's words, shortened
	Method    string
	Path      string // without query
	RequestID string // for a report to the service's operator; may be empty
}

func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d", e.Method, e.Path, e.Status)
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + strings.TrimRight(e.Message, ". "))
	}
	if e.RequestID != "" {
		b.WriteString(" (request " + e.RequestID + ")")
	}
	switch status := e.Status; {
	case strings.HasPrefix(e.Path, signedAddress) && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		b.WriteString("; a firewall of the storage may not let this machine in")
	case status == http.StatusUnauthorized:
		b.WriteString("; check the credentials of the source")
	case status == http.StatusForbidden:
		b.WriteString("; check the credentials of the source, and that they may read the experiment")
	case slices.Contains([]int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, status):
		b.WriteString("; run again later")
	}
	return b.String()
}

// signedAddress is what a path begins with that is not the source's own: the address itself holds a signature.
const signedAddress = "a signed address at "

// internal tells of a fault that the server takes for its own: it may be in trouble, or stumble over what
// was asked for.
func (e *APIError) internal() bool {
	return e.Status == http.StatusInternalServerError || e.Status == http.StatusOK && (e.Code == "" || e.Code == "INTERNAL_ERROR")
}

// same tells whether two answers say the same.
func (e *APIError) same(o *APIError) bool {
	return e != nil && o != nil && e.Status == o.Status && e.Code == o.Code && e.Message == o.Message
}

// NotFoundError says that the source has no such experiment.
type NotFoundError struct {
	Ref    string // as the user gave it
	Source string // Client.Identity
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("%s has no experiment %q that this identity can see; give its ID, or its full name (in Databricks the workspace path, such as /Users/me@example.com/agent)", e.Source, e.Ref)
}

// ListingError says that a server pages in a way that cannot be followed without losing traces.
type ListingError struct {
	ExperimentID string
	Reason       string
}

func (e *ListingError) Error() string {
	return fmt.Sprintf("listing the traces of experiment %s: %s; nothing is certain to be missing, but the listing was stopped: try again, or report the server's version", e.ExperimentID, e.Reason)
}

// TooLargeError says that an answer is larger than Options.MaxTraceBytes once decompressed.
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than %d bytes once decompressed, which is the most that is read of one trace or page; look at it at the source", e.Limit)
}

// CorruptError says that the stored spans of a trace cannot be read.
type CorruptError struct {
	TraceID string
	Reason  string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("the stored spans of trace %s are damaged at the source: %s", e.TraceID, e.Reason)
}

// withoutURL replaces a *url.Error, whose text repeats the whole address, by what went wrong and where.
func withoutURL(err error, method, where string) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return fmt.Errorf("%s %s: %w", method, where, err)
}

func isCode(err error, status int, codes ...string) bool {
	e, ok := errors.AsType[*APIError](err)
	if !ok {
		return false
	}
	if status != 0 && e.Status == status {
		return true
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

// The error codes of MLflow that this package decides on.
const (
	codeNoEndpoint   = "ENDPOINT_NOT_FOUND"
	codeInvalidParam = "INVALID_PARAMETER_VALUE"
	codeNotThere     = "RESOURCE_DOES_NOT_EXIST"
	codeDamaged      = "INVALID_STATE" // with 500: a stored document that the server cannot read
)

// RefusesToken says whether an answer refuses a token, perhaps for its age, which workspaces tell by several statuses:
// no other request will be answered.
func RefusesToken(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && databricks.RefusesToken(e.Status, e.Message)
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

// storageCode finds the code in the XML of an object store.
var storageCode = regexp.MustCompile(`<Error>[^<]*<Code>(\w{1,64})</Code>`)

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 500 {
		s = string(r[:500]) + "…"
	}
	return redactQueries(s)
}

// queries finds the query strings of addresses that a server repeats in its messages, which may be
// signatures.
var queries = regexp.MustCompile(`(https?://[^\s?"']+)\?[^\s"']*`)

func redactQueries(s string) string { return queries.ReplaceAllString(s, "$1?…") }
