package warehouse

import (
	"regexp"
	"slices"
	"strings"
)

// meaning is what an error of the server says about the statement that failed with it.
type meaning int

const (
	unknownMeaning meaning = iota
	permanent              // it had no effect, and would fail again
	conflict               // another writer's commit came first
	committed              // it took effect; what the server does after a commit failed
	noTable
	noSchema
	noRight
	badRow      // a row holds what can't be stored
	tooLarge    // it asks for more than the server takes at once
	exhausted   // the server had not enough memory, perhaps because the statement was large
	outOfTime   // it ran out of time
	noFile      // a file that it reads is not there
	writeFailed // a task failed while writing, perhaps for what a row holds
	noSession   // the session is gone, and perhaps the statement with it
	notReady    // it did not run: the warehouse starts, or has no room for it
	transient   // trouble that passes, in which it may have taken effect
	cancelled   // somebody has ended it
	noThrift    // the warehouse does not speak this protocol
	noSetting   // it did not run: a setting that was sent with it is not known, or not allowed
)

// condition says what those errors mean that have one of its names, or else one of its states, or else its words.
type condition struct {
	means meaning
	// names are names of error conditions. Each stands for its sub-conditions too, and one that ends in _* for all that begin so.
	names []string
	// states are SQLSTATEs, or classes of them (two characters). They count where no condition has the name.
	states []string
	// words are looked for where no condition has the name or the state, since a message may quote rows.
	words  *regexp.Regexp
	source string // where this is documented or reported
}

// Where the conditions are documented.
const (
	ofSpark      = "apache/spark error-conditions.json"
	ofDelta      = "delta-io/delta delta-error-classes.json"
	ofDatabricks = "docs.databricks.com/en/error-messages/error-classes.html"
	ofStates     = "docs.databricks.com/en/error-messages/sqlstates.html"
)

// conditions are in the order in which they are looked through. testdata/conditions.tsv lists all that are documented.
var conditions = []condition{
	{
		means:  conflict,
		names:  []string{"DELTA_CONCURRENT_*", "DELTA_METADATA_CHANGED", "DELTA_PROTOCOL_CHANGED", "DELTA_MAX_COMMIT_RETRIES_EXCEEDED"},
		states: []string{"40"}, source: ofDelta,
	},
	// The only settings that are sent are query tags.
	{
		means: noSetting, names: []string{"CONFIG_NOT_AVAILABLE", "SQL_CONF_NOT_FOUND", "INVALID_CONF_VALUE", "CANNOT_MODIFY_CONFIG"},
		states: []string{"42K0I", "46110"},
		words:  regexp.MustCompile(`(?i)\bquery_tags\b[^.]{0,80}\bnot (available|supported|allowed|known|recognized)`),
		source: ofDatabricks + "; " + ofSpark + "; rill pull request 9852 quotes what a workspace without query tags says",
	},
	// Their states, 2DKD0 and XXKDS, are of other classes.
	{means: committed, names: []string{"DELTA_POST_COMMIT_HOOK_FAILED", "DELTA_INVALID_COMMITTED_VERSION"}, source: ofDelta},
	{
		means: noTable, names: []string{"TABLE_OR_VIEW_NOT_FOUND", "DELTA_TABLE_NOT_FOUND"}, states: []string{"42P01"},
		source: ofSpark + ", " + ofDelta,
	},
	{
		means: noSchema, names: []string{"SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND", "NO_SUCH_CATALOG_EXCEPTION"},
		source: ofSpark + ", " + ofDatabricks,
	},
	{
		means: noRight, names: []string{"INSUFFICIENT_PERMISSIONS", "PERMISSION_DENIED", "UNAUTHORIZED_ACCESS"}, states: []string{"42501"},
		words:  regexp.MustCompile(`PERMISSION_DENIED`),
		source: ofDatabricks + "; Unity Catalog's errors have no brackets",
	},
	// It stands before the class of its state, 58: when a task fails, a row may be the cause.
	{
		means: writeFailed, names: []string{"TASK_WRITE_FAILED"}, states: []string{"58030"},
		words: regexp.MustCompile(`Job aborted`), source: ofSpark,
	},
	{
		means: badRow,
		names: []string{
			"MALFORMED_RECORD_IN_PARSING", "MALFORMED_VARIANT", "VARIANT_SIZE_LIMIT", "VARIANT_CONSTRUCTOR_SIZE_LIMIT", "VARIANT_DUPLICATE_KEY",
			"USER_RAISED_EXCEPTION", "DATETIME_OVERFLOW", "CAST_OVERFLOW", "CAST_INVALID_INPUT",
			"DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
		},
		states: []string{"22", "23"}, source: ofSpark + ", " + ofDelta,
	},
	{
		means: exhausted, names: []string{"RESOURCE_EXHAUSTED"}, words: regexp.MustCompile(`OutOfMemoryError|RESOURCE_EXHAUSTED`),
		source: ofDatabricks + "; gRPC's name for too large a message",
	},
	{
		means: tooLarge, names: []string{"COLLECTION_SIZE_LIMIT_EXCEEDED", "KRYO_BUFFER_OVERFLOW"}, states: []string{"54"},
		words: regexp.MustCompile(`(?i)(request|statement|query|parameter|message|body)[^.]{0,80}(too large|too long|exceed|larger than)` +
			`|RequestSize\b.*Limit\b`),
		source: ofStates + "; " + ofSpark + "; the front door's words as clients of model serving quote them",
	},
	{
		means: outOfTime, names: []string{"QUERY_EXECUTION_TIMEOUT_EXCEEDED", "STATEMENT_TIMEOUT"}, states: []string{"57KD0"},
		words:  regexp.MustCompile(`(?i)TIMEDOUT_STATE|cancelled due to timeout|query (execution )?timed out`),
		source: "docs.databricks.com/en/sql/language-manual/parameters/statement_timeout.html",
	},
	{means: noFile, names: []string{"PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA", "FAILED_READ_FILE", "FILE_NOT_EXIST"}, source: ofSpark},
	{
		means: noSession, names: []string{"INVALID_HANDLE"},
		words: regexp.MustCompile(`(?i)Invalid SessionHandle|Session handle.*(not been initialized|already closed)` +
			`|Session \[[^\]]*\] is closed|thrift: invalid handle|no SparkSession is attached`),
		source: ofSpark + "; databricks-sql-python issue 400, databricks-sql-go issue 77, lightdash issue 27953, sqlframe issue 429",
	},
	// A server that is busy has not begun with the statement.
	{
		means: notReady, states: []string{"08KD1"},
		words: regexp.MustCompile(`(?i)Couldn't create directory /local_disk0|not ready to accept connections|max(imum)? capacity|at capacity` +
			`|queue (is )?full|background threadpool cannot accept|ClusterNotReadyException|warehouse [^.]{0,80}(is stopped|is starting)`),
		source: ofStates + "; lightdash pull request 28654, databricks-sdk-go apierr",
	},
	{means: noThrift, states: []string{"KP001"}, words: regexp.MustCompile(`not supported for Thrift`), source: "databricks-jdbc's tests"},
	{
		means: cancelled, names: []string{"OPERATION_CANCELED"}, states: []string{"HY008"},
		words: regexp.MustCompile(`CANCELED_STATE|CLOSED_STATE`), source: ofSpark,
	},
	// The classes are those of connections, of resources, of an operator's interventions, and of system errors.
	{means: transient, names: []string{"UNABLE_TO_ACQUIRE_MEMORY"}, states: []string{"08", "53", "57", "58"}, source: ofStates},
	{
		means: permanent, names: []string{"DELTA_DUPLICATE_ACTIONS_FOUND", "DELTA_DELETION_VECTOR_MISSING_NUM_RECORDS"},
		source: ofDelta,
	},
	// Older releases name only Delta's exception classes.
	{
		means: conflict, states: []string{"2D521"},
		words:  regexp.MustCompile(`\b(Concurrent(Append|Write|DeleteRead|DeleteDelete|Transaction)|MetadataChanged|ProtocolChanged)Exception\b`),
		source: ofDelta,
	},
}

// reported is an error as the server reports it.
type reported struct {
	names []string // of conditions, in the order of the message
	state string   // SQLSTATE
	text  string
}

var (
	// A message names its condition in brackets, and most name the SQLSTATE.
	inBrackets = regexp.MustCompile(`\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]`)
	sqlState   = regexp.MustCompile(`SQLSTATE: ([0-9A-Z]{5})`)
)

// readReport reads a message of the server. state is the SQLSTATE that came beside it, or empty.
func readReport(text, state string) reported {
	r := reported{state: state, text: text}
	if m := sqlState.FindStringSubmatch(text); state == "" && m != nil {
		r.state = m[1]
	}
	for _, m := range inBrackets.FindAllStringSubmatch(text, 20) {
		r.names = append(r.names, m[1])
	}
	return r
}

// nameless says whether the report has neither a name nor a state.
func (r reported) nameless() bool { return r.state == "" && len(r.names) == 0 }

// String is the part of the report that may be shown: its text quotes statements and rows.
func (r reported) String() string {
	s := "an error without a name"
	if len(r.names) > 0 {
		s = r.names[0]
	}
	if r.state != "" {
		s += " (SQLSTATE " + r.state + ")"
	}
	return s
}

// meaning judges by the first name, since later ones may be quoted from a row. Only where the first one says that a task
// failed, a later one may say that a row is the cause.
func (r reported) meaning() meaning {
	means := r.byName(0)
	if means == writeFailed {
		for i := range r.names {
			if m := r.byName(i); m == badRow {
				return m
			}
		}
	}
	if means != unknownMeaning {
		return means
	}
	for _, by := range []func(*condition) bool{
		func(c *condition) bool {
			return r.state != "" && slices.ContainsFunc(c.states, func(s string) bool { return len(s) == 5 && s == r.state })
		},
		func(c *condition) bool {
			return r.state != "" && slices.ContainsFunc(c.states, func(s string) bool { return len(s) == 2 && strings.HasPrefix(r.state, s) })
		},
		func(c *condition) bool { return c.words != nil && c.words.MatchString(r.text) },
	} {
		if i := slices.IndexFunc(conditions, func(c condition) bool { return by(&c) }); i >= 0 {
			return conditions[i].means
		}
	}
	return unknownMeaning
}

// meaningFor is the meaning for a statement with so many bytes of rows: where the server had not enough memory, the statement
// is too large only if it is large at all.
func (r reported) meaningFor(bytes int64) meaning {
	switch means := r.meaning(); {
	case means != exhausted:
		return means
	case bytes > LeastStatementBytes:
		return tooLarge
	}
	return transient
}

// byName is what name i says, whatever the state. A condition and its sub-conditions say the same.
func (r reported) byName(i int) meaning {
	if i >= len(r.names) {
		return unknownMeaning
	}
	for _, c := range conditions {
		if slices.ContainsFunc(c.names, func(want string) bool {
			if all, ok := strings.CutSuffix(want, "*"); ok {
				return strings.HasPrefix(r.names[i], all)
			}
			return r.names[i] == want || strings.HasPrefix(r.names[i], want+".")
		}) {
			return c.means
		}
	}
	return unknownMeaning
}
