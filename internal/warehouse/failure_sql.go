package warehouse

import (
	"errors"
	"strings"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/target"
)

// sqlFailure judges a statement that the server reports as failed. It does not pass the server's text on, since that quotes
// statements and rows.
func sqlFailure(e *evidence) failure {
	if judge, ok := sqlFailures[e.report.meaningFor(e.bytes)]; ok {
		return judge(e)
	}
	return otherSQLFailure(e)
}

// sqlFailures are the failures by what the server's report means.
var sqlFailures = map[meaning]func(*evidence) failure{
	conflict: func(e *evidence) failure {
		return failure{outcome: outcomeRaceLost,
			err: advice.With(e.sayf("another writer commits at the same time: %w", e.reported()),
				"Run again when it has ended")}
	},
	committed: func(e *evidence) failure {
		return failure{outcome: outcomeUnknown,
			err: advice.With(e.sayf("SQL warehouse %s failed after the commit: %w", e.warehouse(), e.reported()), "Run again")}
	},
	noTable: func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: advice.With(e.faultf(fault.TableMissing, "%w (%s)", errNoTable, e.report),
			"Create an experiment with this location, or, where there is no service, make the tables with tracemig run --create")}
	},
	noSchema: func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: advice.With(
			e.faultf(fault.NotFound, "the catalog or schema does not exist (%s)", e.report),
			"Check its name, or create it")}
	},
	noRight: func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: advice.With(
			e.faultf(fault.Permission, "you lack permissions: %w", e.reported()),
			"Have its owner run: "+strings.Join(e.w.grants(), "; "))}
	},
	badRow: func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: &target.RowError{Table: e.table, Err: e.reported()}}
	},
	tooLarge: func(e *evidence) failure {
		if e.bytes == 0 {
			return otherSQLFailure(e) // It has no rows that could be sent in smaller parts.
		}
		return failure{outcome: outcomeTooLarge, err: &target.TooLargeError{Table: e.table, Bytes: e.bytes, Err: e.reported()}}
	},
	outOfTime: func(e *evidence) failure {
		if e.bytes == 0 {
			return failure{outcome: outcomeRefused, err: advice.With(e.sayf("the statement ran out of time: %w", e.reported()),
				"Raise STATEMENT_TIMEOUT of SQL warehouse "+e.warehouse()+", or use a larger one")}
		}
		return failure{outcome: outcomeTooSlow, err: &target.TooLargeError{Table: e.table, Bytes: e.bytes, Slow: true, Err: e.reported()}}
	},
	noFile: func(e *evidence) failure {
		return failure{outcome: outcomeFileMissing, err: advice.With(
			e.sayf("SQL warehouse %s can't read a file: %w", e.warehouse(), e.reported()),
			"Look at its query history, then run again")}
	},
	writeFailed: func(e *evidence) failure {
		return failure{outcome: outcomeTaskFailed, unrecognized: true, err: advice.With(
			e.sayf("SQL warehouse %s could not write: %w", e.warehouse(), e.reported()),
			"Look at its query history, then run again")}
	},
	noSession: func(e *evidence) failure {
		return failure{outcome: e.uncertain(), stopped: true,
			err: advice.With(e.faultf(fault.Unreachable, "the session with SQL warehouse %s was closed by the server", e.warehouse()), "Run again")}
	},
	notReady: func(e *evidence) failure {
		return failure{outcome: outcomeNotRun, stopped: true, busy: true, err: advice.With(
			e.faultf(fault.Unreachable, "SQL warehouse %s is starting, or has no room for another statement", e.warehouse()),
			"Run again later, or use a larger one")}
	},
	transient: func(e *evidence) failure {
		return failure{outcome: e.uncertain(), stopped: true,
			err: advice.With(e.faultf(fault.Unreachable, "SQL warehouse %s is in trouble: %w", e.warehouse(), e.reported()), "Run again later")}
	},
	cancelled: func(e *evidence) failure {
		return failure{outcome: e.uncertain(), unrecognized: true, err: advice.With(
			e.sayf("somebody has cancelled the statement: %w", e.reported()),
			"Look at the query history of SQL warehouse "+e.warehouse()+", then run again")}
	},
	noSetting: func(e *evidence) failure { // also without query tags, see queryOnce
		return failure{outcome: outcomeRefused, err: advice.With(
			e.sayf("SQL warehouse %s refuses a setting: %w", e.warehouse(), e.reported()),
			"Look at the SQL configuration parameters that its administrator has set")}
	},
	noThrift: func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: advice.With(
			e.sayf("SQL warehouse %s is of a kind that tracemig can't use (%s)", e.warehouse(), e.report),
			"Name a serverless, pro or classic one")}
	},
}

// otherSQLFailure is the failure by a report of which nothing else is known.
func otherSQLFailure(e *evidence) failure {
	if e.report.nameless() {
		return failure{outcome: e.uncertain(), unrecognized: true, stopped: true, err: advice.With(
			e.sayf("SQL warehouse %s reports %w", e.warehouse(), e.reported()),
			"Look at its query history, then run again")}
	}
	return failure{outcome: outcomeRefused,
		err: advice.With(e.sayf("the statement failed with %w", e.reported()),
			"Look at the query history of SQL warehouse "+e.warehouse())}
}

// uncertain is the outcome where a report leaves open whether the statement took effect. What the server says while a session
// is opened is not about a statement.
func (e *evidence) uncertain() outcome {
	if e.exchange.statement {
		return outcomeUnknown
	}
	return outcomeNotRun
}

// reported is the part of the report that may be shown.
func (e *evidence) reported() error { return errors.New(e.report.String()) }
