package warehouse

import (
	"errors"

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
			err: e.sayf("another writer commits at the same time: %w. Run again when it has ended", e.reported())}
	},
	committed: func(e *evidence) failure {
		return failure{outcome: outcomeUnknown,
			err: e.sayf("SQL warehouse %s failed after the commit: %w. Run again", e.warehouse(), e.reported())}
	},
	noTable: func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: e.sayf("%w (%s). Create an experiment with this location, "+
			"or, where there is no service, run with --create", errNoTable, e.report)}
	},
	noSchema: func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: e.sayf("the catalog or schema does not exist (%s). Check its name, or create it", e.report)}
	},
	noRight: func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: e.sayf("you lack permissions: %w. Have its owner run: %s", e.reported(), e.grantsNeeded())}
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
			return failure{outcome: outcomeRefused, err: e.sayf("the statement ran out of time: %w. "+
				"Raise STATEMENT_TIMEOUT of SQL warehouse %s, or use a larger one", e.reported(), e.warehouse())}
		}
		return failure{outcome: outcomeTooSlow, err: &target.TooLargeError{Table: e.table, Bytes: e.bytes, Slow: true, Err: e.reported()}}
	},
	noFile: func(e *evidence) failure {
		return failure{outcome: outcomeFileMissing, err: e.sayf("SQL warehouse %s can't read a file: %w. "+
			"Look at its query history, then run again", e.warehouse(), e.reported())}
	},
	writeFailed: func(e *evidence) failure {
		return failure{outcome: outcomeTaskFailed, unrecognized: true, err: e.sayf("SQL warehouse %s could not write: %w. "+
			"Look at its query history, then run again", e.warehouse(), e.reported())}
	},
	noSession: func(e *evidence) failure {
		return failure{outcome: e.uncertain(), stopped: true,
			err: e.sayf("the session with SQL warehouse %s was closed by the server. Run again", e.warehouse())}
	},
	notReady: func(e *evidence) failure {
		return failure{outcome: outcomeNotRun, stopped: true, busy: true, err: e.sayf("SQL warehouse %s is starting, "+
			"or has no room for another statement. Run again later, or use a larger one", e.warehouse())}
	},
	transient: func(e *evidence) failure {
		return failure{outcome: e.uncertain(), stopped: true,
			err: e.sayf("SQL warehouse %s is in trouble: %w. Run again later", e.warehouse(), e.reported())}
	},
	cancelled: func(e *evidence) failure {
		return failure{outcome: e.uncertain(), unrecognized: true, err: e.sayf("somebody has cancelled the statement: %w. "+
			"Look at the query history of SQL warehouse %s, then run again", e.reported(), e.warehouse())}
	},
	noThrift: func(e *evidence) failure {
		return failure{outcome: outcomeRefused, err: e.sayf("SQL warehouse %s is of a kind that tracemig can't use (%s). "+
			"Name a serverless, pro or classic one", e.warehouse(), e.report)}
	},
}

// otherSQLFailure is the failure by a report of which nothing else is known.
func otherSQLFailure(e *evidence) failure {
	if e.report.nameless() {
		return failure{outcome: e.uncertain(), unrecognized: true, stopped: true, err: e.sayf("SQL warehouse %s reports %w. "+
			"Look at its query history, then run again", e.warehouse(), e.reported())}
	}
	return failure{outcome: outcomeRefused,
		err: e.sayf("the statement failed with %w. Look at the query history of SQL warehouse %s", e.reported(), e.warehouse())}
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
