package warehouse

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/target"
)

// httpCauses are what HTTP statuses other than 200 mean, in the order in which they are looked for.
var httpCauses = []cause{
	{"too large", func(e *evidence) bool {
		return e.exchange.status == http.StatusRequestEntityTooLarge || e.bytes > 0 && !e.started() &&
			e.exchange.status != http.StatusTooManyRequests && readReport(e.exchange.message, "").meaningFor(e.bytes) == tooLarge
	}, func(e *evidence) failure {
		return failure{outcome: outcomeTooLarge, err: &target.TooLargeError{Table: e.table, Bytes: e.bytes, Err: errors.New(e.status())}}
	}},
	{"too many requests", func(e *evidence) bool {
		return e.exchange.status == http.StatusTooManyRequests && !e.started()
	}, func(e *evidence) failure {
		return failure{outcome: outcomeNotRun, err: e.answers(), after: e.exchange.retryAfter}
	}},
	{"unavailable", func(e *evidence) bool {
		return e.exchange.status == http.StatusServiceUnavailable && !e.started()
	}, func(e *evidence) failure {
		return failure{outcome: outcomeNotRun, err: e.answers(), after: e.exchange.retryAfter, stopped: true}
	}},
	{"token ended", func(e *evidence) bool { return e.exchange.tokenEnded }, func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: advice.With(
			e.faultf(fault.Credentials, "SQL warehouse %s says that the token has ended (%s), and there is no newer one", e.warehouse(), e.status()),
			"Log in again, or give a new token, and run again")}
	}},
	{"unauthorized", func(e *evidence) bool { return e.exchange.status == http.StatusUnauthorized }, func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: advice.With(
			e.faultf(fault.Credentials, "SQL warehouse %s does not accept the credentials (%s)", e.warehouse(), e.status()),
			"Log in again, or check the token")}
	}},
	// A wrong token is answered like this as well as a lack of rights.
	{"forbidden", func(e *evidence) bool { return e.exchange.status == http.StatusForbidden }, func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: advice.With(
			e.faultf(fault.Permission, "SQL warehouse %s may not be used with these credentials (%s)", e.warehouse(), e.status()),
			"Check the token, or ask for CAN USE on the warehouse")}
	}},
	{"not found", func(e *evidence) bool { return e.exchange.status == http.StatusNotFound }, func(e *evidence) failure {
		return failure{outcome: outcomeRefused,
			err: advice.With(e.faultf(fault.NotFound, "there is no SQL warehouse %s (%s)", e.warehouse(), e.status()), "Check --warehouse-id")}
	}},
	// A gateway may answer for a server that goes on working.
	{"while it may run", func(e *evidence) bool {
		return e.started() || e.exchange.status >= 500 && e.exchange.statement
	}, func(e *evidence) failure {
		return failure{outcome: outcomeUnknown, err: e.answers(), after: e.exchange.retryAfter, stopped: true}
	}},
	{"server error", func(e *evidence) bool { return e.exchange.status >= 500 }, func(e *evidence) failure {
		return failure{outcome: outcomeNotRun, err: e.answers(), after: e.exchange.retryAfter, stopped: true}
	}},
	{"other status", always, func(e *evidence) failure {
		message := ""
		if e.exchange.message != "" {
			message = ": " + e.exchange.message
		}
		return failure{outcome: outcomeRefused, err: advice.With(
			e.sayf("SQL warehouse %s refuses the request (%s)%s", e.warehouse(), e.status(), message),
			"Look at its query history")}
	}},
}

// status is the HTTP status for people.
func (e *evidence) status() string {
	return fmt.Sprintf("HTTP %d %s", e.exchange.status, http.StatusText(e.exchange.status))
}

// answers says which status the warehouse answers.
func (e *evidence) answers() error {
	return advice.With(e.faultf(fault.Unreachable, "SQL warehouse %s answers %s", e.warehouse(), e.status()), "Run again later")
}
