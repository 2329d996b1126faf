package databricks

import (
	"errors"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/retry"
)

// transientPolicy is for errors after which the SDK does not try again by itself: it does so after 429, 503 and some errors
// of the network.
var transientPolicy = retry.Policy{Initial: retry.Default.Initial, Max: 5 * time.Second, Budget: time.Minute}

// isTransient says whether another try may help.
func isTransient(err error) bool {
	if api, ok := errors.AsType[*apierr.APIError](err); ok {
		return api.StatusCode >= 500
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// faulty says of what kind an error of the SDK is. cfg is what it logged in with: the SDK's error does not tell whether the
// login failed, before anything was asked.
func faulty(cfg *config.Config, err error) error {
	api, ok := errors.AsType[*apierr.APIError](err)
	switch {
	case err == nil, fault.Of(err) == fault.Unreachable:
		return err
	case unauthenticated(err):
		return fault.With(err, fault.Credentials)
	case errors.Is(err, apierr.ErrPermissionDenied):
		return fault.With(err, fault.Permission)
	case errors.Is(err, apierr.ErrNotFound):
		return fault.With(err, fault.NotFound)
	case isTransient(err), ok && api.StatusCode == http.StatusTooManyRequests:
		return fault.With(err, fault.Unreachable)
	case !ok && !loggedIn(cfg):
		return fault.With(err, fault.Credentials)
	}
	return err
}

// loggedIn says whether cfg gets a token, which it does without asking anyone where it has one.
func loggedIn(cfg *config.Config) bool {
	r, err := http.NewRequest(http.MethodGet, cfg.Host, nil)
	return err == nil && cfg.Authenticate(r) == nil
}

// unauthenticated says whether the workspace refuses the credentials, and not what they are used for.
func unauthenticated(err error) bool {
	return errors.Is(err, apierr.ErrUnauthenticated) || err != nil && EndedToken(err.Error())
}
