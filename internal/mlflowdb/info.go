package mlflowdb

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/jsonscan"
	"github.com/tracemig/tracemig/internal/mlflow"
)

// This file makes of rows what the server lists of them: in MLflow 3, TraceInfo.to_proto and Assessment.to_proto, as JSON.

// The columns of trace_info. Newer stores hold what was a tag and three metadata entries in columns of their own.
const (
	infoColumns = "t.request_id, t.experiment_id, t.timestamp_ms, t.execution_time_ms, t.status, t.client_request_id, t.request_preview, " +
		"t.response_preview"
	promotedColumns = ", t.trace_name, t.session_id, t.input_tokens, t.output_tokens, t.total_tokens, t.cache_read_input_tokens, " +
		"t.cache_creation_input_tokens, t.cache_creation_input_tokens_above_1hr, t.input_cost, t.output_cost, t.total_cost"
)

// The keys of what is promoted, and of the objects that the server makes of the columns, in its order.
const (
	keyTraceName  = "mlflow.traceName"
	keyTokenUsage = "mlflow.trace.tokenUsage"
	keyCost       = "mlflow.trace.cost"
)

var (
	tokenKeys = []string{"input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
		"cache_creation_input_tokens_above_1hr"}
	costKeys = []string{"input_cost", "output_cost", "total_cost"}
)

// infoRow is a row of trace_info.
type infoRow struct {
	id                                     string
	experiment, ms                         int64
	duration                               sql.NullInt64
	status                                 string
	clientID, requestPreview, replyPreview sql.NullString
	name, session                          sql.NullString
	tokens                                 [6]sql.NullInt64
	costs                                  [3]sql.NullFloat64
}

// into are the places of a row's columns.
func (r *infoRow) into(promoted bool) []any {
	to := []any{&r.id, &r.experiment, &r.ms, &r.duration, &r.status, &r.clientID, &r.requestPreview, &r.replyPreview}
	if promoted {
		to = append(to, &r.name, &r.session)
		for i := range r.tokens {
			to = append(to, &r.tokens[i])
		}
		for i := range r.costs {
			to = append(to, &r.costs[i])
		}
	}
	return to
}

// info is what the row says of a trace. Tags, metadata and assessments of other tables are still to be added.
func (r *infoRow) info() *mlflow.TraceInfo {
	t := &mlflow.TraceInfo{
		TraceID: r.id, ExperimentID: strconv.FormatInt(r.experiment, 10), RequestTime: time.UnixMilli(r.ms).UTC(), State: state(r.status),
		ClientRequestID: pointer(r.clientID), RequestPreview: pointer(r.requestPreview), ResponsePreview: pointer(r.replyPreview),
	}
	if r.duration.Valid {
		d := duration(r.duration.Int64)
		t.ExecutionDuration = &d
	}
	if r.name.Valid {
		setTag(t, keyTraceName, r.name.String)
	}
	if r.session.Valid {
		setMetadata(t, mlflow.MetadataSession, r.session.String)
	}
	var tokens, costs object
	for i, n := range r.tokens {
		if n.Valid {
			tokens.add(tokenKeys[i], strconv.FormatInt(n.Int64, 10))
		}
	}
	for i, n := range r.costs {
		if n.Valid {
			costs.add(costKeys[i], pythonFloat(n.Float64))
		}
	}
	if tokens != "" {
		setMetadata(t, keyTokenUsage, tokens.text())
	}
	if costs != "" {
		setMetadata(t, keyCost, costs.text())
	}
	return t
}

// object is the text of a JSON object as Python writes it, without its braces.
type object string

func (o *object) add(key, value string) {
	if *o != "" {
		*o += ", "
	}
	*o += object(strconv.Quote(key) + ": " + value)
}

func (o object) text() string { return "{" + string(o) + "}" }

// promoted says whether a metadata key's value stands in columns, in stores that have them.
func promoted(key string) bool {
	return key == mlflow.MetadataSession || key == keyTokenUsage || key == keyCost
}

// state is the state of a trace. MLflow 2 wrote the last of them by another name.
func state(status string) mlflow.State {
	if status == "TRACE_STATUS_UNSPECIFIED" {
		return mlflow.StateUnspecified
	}
	return mlflow.State(status)
}

func pointer(s sql.NullString) *string {
	if !s.Valid {
		return nil
	}
	return &s.String
}

// text is the value of a tag or of metadata. The server makes a text of what is no value, as Python does.
func text(s sql.NullString) string {
	if !s.Valid {
		return "None"
	}
	return s.String
}

func setTag(t *mlflow.TraceInfo, key, value string) {
	if t.Tags == nil {
		t.Tags = map[string]string{}
	}
	t.Tags[key] = value
}

func setMetadata(t *mlflow.TraceInfo, key, value string) {
	if t.Metadata == nil {
		t.Metadata = map[string]string{}
	}
	t.Metadata[key] = value
}

// duration is a number of milliseconds as protobuf writes a Duration in JSON.
func duration(ms int64) string {
	sign, abs := "", uint64(ms)
	if ms < 0 {
		sign, abs = "-", -abs
	}
	if abs%1000 == 0 {
		return sign + strconv.FormatUint(abs/1000, 10) + "s"
	}
	return fmt.Sprintf("%s%d.%03ds", sign, abs/1000, abs%1000)
}

// pythonFloat is a number as Python writes it (repr): the shortest digits that tell it from every other one.
func pythonFloat(f float64) string {
	s := strconv.FormatFloat(f, 'e', -1, 64)
	_, exponent, ok := strings.Cut(s, "e")
	if n, err := strconv.Atoi(exponent); !ok || err != nil || n < -4 || n >= 16 {
		return s
	}
	if s = strconv.FormatFloat(f, 'f', -1, 64); !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// assessmentColumns are the columns of an assessment.
const assessmentColumns = "a.assessment_id, a.trace_id, a.name, a.assessment_type, a.value, a.error, a.created_timestamp, " +
	"a.last_updated_timestamp, a.source_type, a.source_id, a.span_id, a.rationale, a.overrides, a.valid, a.assessment_metadata"

// assessmentRow is a row of assessments.
type assessmentRow struct {
	id, trace, name, kind, value, sourceType                string
	failure, sourceID, span, rationale, overrides, metadata sql.NullString
	created, updated                                        int64
	valid                                                   bool
}

func (r *assessmentRow) into() []any {
	return []any{
		&r.id, &r.trace, &r.name, &r.kind, &r.value, &r.failure, &r.created, &r.updated, &r.sourceType, &r.sourceID, &r.span, &r.rationale,
		&r.overrides, &r.valid, &r.metadata,
	}
}

// assessment is what the row says. An error says what of it can't be read.
func (r *assessmentRow) assessment() (mlflow.Assessment, error) {
	valid := r.valid
	a := mlflow.Assessment{
		ID: r.id, Name: r.name, TraceID: r.trace, SpanID: pointer(r.span), SourceType: sourceType(r.sourceType), SourceID: r.sourceID.String,
		CreateTime: time.UnixMilli(r.created).UTC(), LastUpdateTime: time.UnixMilli(r.updated).UTC(), Rationale: pointer(r.rationale),
		Valid: &valid,
	}
	if r.overrides.String != "" {
		a.Overrides = &r.overrides.String
	}
	var err error
	if a.Metadata, err = stringMap(r.metadata.String); err != nil {
		return a, r.unreadable("assessment_metadata", err)
	}
	if _, err := jsonscan.SkipValue([]byte(r.value), jsonscan.SkipSpace([]byte(r.value), 0)); err != nil {
		return a, r.unreadable("value", err)
	}
	switch r.kind {
	case "feedback":
		a.Feedback = &mlflow.Feedback{Value: doubles(r.value)}
		if r.failure.Valid {
			if a.Feedback.Error, err = assessmentError(r.failure.String); err != nil {
				return a, r.unreadable("error", err)
			}
		}
	case "expectation":
		a.Expectation = expectation(r.value)
	case "issue":
		var issue struct {
			Name string `json:"issue_name"`
		}
		if err := json.Unmarshal([]byte(r.value), &issue); err != nil {
			return a, r.unreadable("value", err)
		}
		a.Issue = &issue.Name
	default:
		return a, fmt.Errorf("assessment %s is of the type %q, which is not known", r.id, r.kind)
	}
	return a, nil
}

func (r *assessmentRow) unreadable(column string, err error) error {
	return fmt.Errorf("the column %s of assessment %s can't be read: %w", column, r.id, err)
}

// sourceType is the type of an assessment's source. The server lists an old name of one as the new one.
func sourceType(s string) string {
	if s = strings.ToUpper(s); s == "AI_JUDGE" {
		return "LLM_JUDGE"
	}
	return s
}

// assessmentError reads the error of a feedback. What is empty is listed as absent.
func assessmentError(doc string) (*mlflow.AssessmentError, error) {
	var e struct {
		Code    *string `json:"error_code"`
		Message string  `json:"error_message"`
		Stack   string  `json:"stack_trace"`
	}
	if err := json.Unmarshal([]byte(doc), &e); err != nil {
		return nil, err
	}
	out := &mlflow.AssessmentError{Code: e.Code}
	if e.Message != "" {
		out.Message = &e.Message
	}
	if e.Stack != "" {
		out.StackTrace = &e.Stack
	}
	return out, nil
}

// expectation is an expected value. The server lists a list or an object as its text.
func expectation(doc string) *mlflow.Expectation {
	if i := jsonscan.SkipSpace([]byte(doc), 0); doc[i] == '[' || doc[i] == '{' {
		return &mlflow.Expectation{Serialized: &mlflow.SerializedValue{Format: "JSON_FORMAT", Value: doc}}
	}
	return &mlflow.Expectation{Value: doubles(doc)}
}

// stringMap reads the metadata of an assessment; "" is none. The server lists every value as a text.
func stringMap(doc string) (map[string]string, error) {
	if doc == "" {
		return nil, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(doc), &members); err != nil || len(members) == 0 {
		return nil, err
	}
	m := make(map[string]string, len(members))
	for key, value := range members {
		m[key] = pythonText(value)
	}
	return m, nil
}

// pythonText is a JSON value as Python's str writes it. Lists and objects, which MLflow does not write there, stay JSON.
func pythonText(value json.RawMessage) string {
	switch string(value) {
	case "null":
		return "None"
	case "true":
		return "True"
	case "false":
		return "False"
	}
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	return string(value)
}

// exactInts is up to which size doubles hold every integer.
const exactInts = 1 << 53

// doubles writes the numbers of a JSON value as the server lists them: an integer becomes a double, 3 is listed as 3.0. Where a
// double does not hold an integer it stays as it is, while the server lists another one.
func doubles(doc string) jsontext.Value {
	b := []byte(doc)
	var out []byte
	done := 0
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			i, _ = jsonscan.SkipString(b, i)
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(b) && bytes.IndexByte([]byte("0123456789+-.eE"), b[end]) >= 0 {
				end++
			}
			if n, err := strconv.ParseInt(string(b[i:end]), 10, 64); err == nil && n >= -exactInts && n <= exactInts {
				out = append(append(out, b[done:i]...), pythonFloat(float64(n))...)
				done = end
			}
			i = end
		default:
			i++
		}
	}
	return append(out, b[done:]...)
}
