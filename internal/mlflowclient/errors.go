package mlflowclient

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
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
