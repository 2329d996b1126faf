package databricks

import (
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"

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

// unauthenticated says whether the workspace refuses the credentials, and not what they are used for.
func unauthenticated(err error) bool {
	return errors.Is(err, apierr.ErrUnauthenticated) || err != nil && EndedToken(err.Error())
}
