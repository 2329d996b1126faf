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

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/fault"
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

	next string // what to do, where the status does not say
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
	return advice.Join(b.String(), e.NextStep())
}

// NextStep says what can be done about the status.
func (e *APIError) NextStep() string {
	refused := e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
	if refused && strings.HasPrefix(e.Path, signedPath) {
		return "a firewall of the storage may not let this machine in"
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return "check the credentials of the source"
	case http.StatusForbidden:
		return "check the credentials of the source, and that they may read the experiment"
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "run again later"
	}
	return e.next
}

// Fault is what the status tells. A server in trouble, or one that has had too many requests, was asked again until there was
// no more hope.
func (e *APIError) Fault() fault.Kind {
	switch {
	case strings.HasPrefix(e.Path, signedPath):
		return "" // StorageError tells what is the matter with the storage
	case databricks.RefusesToken(e.Status, e.Message):
		return fault.Credentials
	case e.Status == http.StatusForbidden:
		return fault.Permission
	case e.Code == codeNotThere:
		return fault.NotFound
	case e.Code == codeDamaged, e.Status == http.StatusNotImplemented:
		return ""
	case e.internal(), e.Status == http.StatusTooManyRequests, e.Status >= 500:
		return fault.Unreachable
	}
	return ""
}

// signedPath begins the Path of answers from signed addresses. The host follows it and the rest is left out,
// because it holds the signature.
const signedPath = "a signed address at "

// internal tells whether the server says that it failed by a fault of its own. It may be in trouble, or unable to answer
// this request.
func (e *APIError) internal() bool {
	return e.Status == http.StatusInternalServerError || e.Status == http.StatusOK && (e.Code == "" || e.Code == "INTERNAL_ERROR")
}

// same tells whether two answers have the same status, code and message.
func (e *APIError) same(o *APIError) bool {
	return e != nil && o != nil && e.Status == o.Status && e.Code == o.Code && e.Message == o.Message
}

// NotFoundError says that the source has no such experiment.
type NotFoundError struct {
	Ref    string // as the user gave it
	Source string // Client.Identity
}

func (e *NotFoundError) Error() string {
	return advice.Join(fmt.Sprintf("%s has no experiment %q that this identity can see", e.Source, e.Ref), e.NextStep())
}

// NextStep says how to name the experiment.
func (e *NotFoundError) NextStep() string {
	return "give its ID, or its full name (in Databricks the workspace path, such as /Users/me@example.com/agent)"
}

// Fault says that there is no such experiment.
func (e *NotFoundError) Fault() fault.Kind { return fault.NotFound }

// ListingError says that a server pages in a way that cannot be followed without losing traces.
type ListingError struct {
	ExperimentID string
	Reason       string
}

func (e *ListingError) Error() string {
	return advice.Join(fmt.Sprintf("listing the traces of experiment %s: %s", e.ExperimentID, e.Reason), e.NextStep())
}

// NextStep says what the error means for the traces, and what to do.
func (e *ListingError) NextStep() string {
	return "nothing is certain to be missing, but the listing was stopped: try again, or report the server's version"
}

// TooLargeError says that an answer is larger than Options.MaxTraceBytes once decompressed.
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string {
	return advice.Join(fmt.Sprintf("the answer is larger than %d bytes once decompressed, which is the most that is read of one trace or page",
		e.Limit), e.NextStep())
}

// NextStep says where to look.
func (e *TooLargeError) NextStep() string { return "look at it at the source" }

// CorruptError says that the stored spans of a trace cannot be read.
type CorruptError struct {
	TraceID string
	Reason  string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("the stored spans of trace %s are damaged at the source: %s", e.TraceID, e.Reason)
}

// withoutURL replaces a *url.Error, whose text repeats the whole address with its query, by its cause and where it happened.
func withoutURL(err error, method, where string) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return fmt.Errorf("%s %s: %w", method, where, err)
}

// isCode tells whether err is an answer with the status or one of the codes. A status of 0 matches none.
func isCode(err error, status int, codes ...string) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && (status != 0 && e.Status == status || slices.Contains(codes, e.Code))
}

// The error codes of MLflow that this package decides on.
const (
	codeNoEndpoint   = "ENDPOINT_NOT_FOUND"
	codeInvalidParam = "INVALID_PARAMETER_VALUE"
	codeNotThere     = "RESOURCE_DOES_NOT_EXIST"
	codeDamaged      = "INVALID_STATE" // with 500: a stored document that the server cannot read
)

// RefusesToken says whether err is an answer that refuses the token, perhaps for its age. Workspaces say so with several
// statuses. No other request with this token will be answered.
func RefusesToken(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && databricks.RefusesToken(e.Status, e.Message)
}

// answerError makes the error of an answer other than 2xx, marked with retry.Again where another try may succeed.
func answerError(resp *http.Response, method, where string, body []byte) error {
	e := &APIError{
		Status:    resp.StatusCode,
		Method:    method,
		Path:      where,
		RequestID: resp.Header.Get("X-Request-Id"),
	}
	e.Code, e.Message = errorBody(body)
	if e.Code == "" && e.Status == http.StatusNotFound {
		e.Code = codeNoEndpoint // MLflow's client takes a 404 without JSON for this, too.
	}
	switch {
	case bytes.Contains(body, []byte("--no-serve-artifacts")):
		e.Code, e.Message = codeNoEndpoint, "the server runs with --no-serve-artifacts"
		return e
	case e.Status/100 == 3:
		e.Message = "the server sends its clients elsewhere, which is not followed because credentials could leak"
		if to, err := resp.Location(); err == nil {
			e.next = fmt.Sprintf("if %s://%s is right, give that address", to.Scheme, to.Host)
		}
		return e
	case e.Code == codeDamaged, e.Status == http.StatusNotImplemented:
		// Another try would get the same answer.
	case e.Status == http.StatusTooManyRequests, e.Status >= 500:
		return retry.Again(e, retry.After(resp.Header, time.Now()))
	}
	return e
}

// errorBody reads {"error_code": …, "message": …}. Some answers have a number for a code, which only repeats the status.
// Answers that are no JSON come from a proxy and are not quoted, but for the code in the XML of an object store.
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

// shorten makes a server's message fit for an error: one line, not too long, and without signatures.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 500 {
		s = string(r[:500]) + "…"
	}
	return redactQueries(s)
}

// queries finds the query strings of addresses that a server repeats in its messages. They may hold signatures.
var queries = regexp.MustCompile(`(https?://[^\s?"']+)\?[^\s"']*`)

func redactQueries(s string) string { return queries.ReplaceAllString(s, "$1?…") }
