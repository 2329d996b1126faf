package beta

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// traceRow is a row of the listing.
type traceRow struct {
	id            string
	requestMillis int64
	spans         int
	rooted        bool          // a root span is there
	nanos         sql.NullInt64 // from the start to the end of the root span
	code          string        // of the root span's status
	logs          string        // JSON array of logRow; empty for none
}

// logRow is a row of the table of logs. It says one thing about a trace.
type logRow struct {
	Event      string            `json:"event_name"`
	SpanID     string            `json:"span_id"`
	Time       int64             `json:"time_unix_nano"`
	Attributes map[string]string `json:"attributes"`
	Body       string            `json:"body"`

	text string // the row as JSON, by which rows of one time are ordered
}

// info is what the tables say of a trace. Its request time is the start of its root span.
func (s *Source) info(t *traceRow) (*mlflow.TraceInfo, error) {
	info := &mlflow.TraceInfo{
		TraceID: s.traceID(t.id), RequestTime: time.UnixMilli(t.requestMillis).UTC(), State: state(t), Spans: t.spans,
	}
	if t.rooted && t.nanos.Valid && t.nanos.Int64 >= 0 {
		d := fmt.Sprintf("%d.%09ds", t.nanos.Int64/1e9, t.nanos.Int64%1e9)
		info.ExecutionDuration = &d
	}
	rows, err := readLogs(t.logs)
	if err != nil {
		return nil, fmt.Errorf("%s: trace %s: its rows in the table of logs: %w", s.location.SchemaName(), t.id, err)
	}
	for _, l := range newest(rows) {
		l.addTo(info)
	}
	slices.SortFunc(info.Assessments, func(a, b mlflow.Assessment) int { return strings.Compare(a.ID, b.ID) })
	slices.Sort(info.Runs)
	return info, nil
}

// state is the state of a trace, as the service's view derives it from the root span. A trace without one is still going on, or
// its root span was lost.
func state(t *traceRow) mlflow.State {
	if !t.rooted {
		return mlflow.StateInProgress
	}
	switch code := strings.TrimPrefix(t.code, "STATUS_CODE_"); code {
	case "", "UNSET", "OK":
		return mlflow.StateOK
	case "ERROR":
		return mlflow.StateError
	default:
		return mlflow.State(code)
	}
}

// readLogs reads the rows of a trace. Older rows have their fields in the body.
func readLogs(text string) ([]*logRow, error) {
	if text == "" {
		return nil, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, err
	}
	rows := make([]*logRow, len(raw))
	for i, lit := range raw {
		rows[i] = &logRow{text: string(lit)}
		if err := json.Unmarshal(lit, rows[i]); err != nil {
			return nil, err
		}
		if rows[i].key() == "" && rows[i].Body != "" {
			var body map[string]json.RawMessage
			if json.Unmarshal([]byte(rows[i].Body), &body) == nil {
				rows[i].Attributes = map[string]string{}
				flatten(rows[i].Attributes, "", body)
			}
		}
	}
	return rows, nil
}

// nested are the fields of a body whose members are fields of their own: {"feedback": {"value": …}} is feedback.value.
var nested = []string{
	"source", "feedback", "feedback.error", "feedback.value", "expectation", "expectation.value", "expectation.serialized_value", "metadata",
}

// flatten adds the members of a body as the attributes of newer rows have them.
func flatten(to map[string]string, prefix string, body map[string]json.RawMessage) {
	for _, name := range slices.Sorted(maps.Keys(body)) {
		lit := string(body[name])
		var members map[string]json.RawMessage
		if slices.Contains(nested, prefix+name) && json.Unmarshal([]byte(lit), &members) == nil && isFields(prefix+name, members) {
			flatten(to, prefix+name+".", members)
			continue
		}
		var s string
		switch {
		case lit == "null":
			continue
		case json.Unmarshal([]byte(lit), &s) == nil:
			lit = s
		}
		to[prefix+name] = lit
	}
}

// isFields says whether the members of a nested object are fields. Those of a value are only if it is one of the typed form.
func isFields(name string, members map[string]json.RawMessage) bool {
	return members != nil && (!strings.HasSuffix(name, ".value") || len(members) == 1 && members["typed"] != nil)
}

// key names what a row is about: rows with the same key are versions of one thing. It is empty for a row that says nothing.
func (l *logRow) key() string {
	switch l.Event {
	case "genai.trace.metadata":
		if len(l.Attributes) > 0 {
			return l.Event
		}
		return ""
	case "genai.trace.tag":
		return keyOf(l, "key")
	case "genai.assessments.snapshot":
		return keyOf(l, "assessment_id")
	case "genai.run.link":
		return keyOf(l, "run_id")
	}
	return ""
}

func keyOf(l *logRow, field string) string {
	if v, ok := l.Attributes[field]; ok && v != "" {
		return l.Event + "\x00" + v
	}
	return ""
}

// newest are the newest rows of each key, without those that say that the thing was deleted.
func newest(rows []*logRow) (live []*logRow) {
	latest := map[string]*logRow{}
	for _, l := range rows {
		if key := l.key(); key != "" {
			if old := latest[key]; old == nil || cmp.Or(cmp.Compare(l.Time, old.Time), strings.Compare(l.text, old.text)) > 0 {
				latest[key] = l
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(latest)) {
		if l := latest[key]; l.Attributes["deleted"] != "true" {
			live = append(live, l)
		}
	}
	return live
}

// addTo adds what a row says to a trace.
func (l *logRow) addTo(info *mlflow.TraceInfo) {
	switch l.Event {
	case "genai.trace.metadata":
		info.ClientRequestID = l.optional("client_request_id")
		info.Metadata = stringMap(l.Attributes["trace_metadata"])
	case "genai.trace.tag":
		if info.Tags == nil {
			info.Tags = map[string]string{}
		}
		info.Tags[l.Attributes["key"]] = l.Attributes["value"]
	case "genai.run.link":
		info.Runs = append(info.Runs, l.Attributes["run_id"])
	case "genai.assessments.snapshot":
		info.Assessments = append(info.Assessments, l.assessment(info.TraceID))
	}
}

func (l *logRow) optional(field string) *string {
	if v, ok := l.Attributes[field]; ok {
		return &v
	}
	return nil
}

// stringMap reads a JSON object of strings. Other values stay as their JSON text, and a text that is no object is kept under the
// field's own name.
func stringMap(text string) map[string]string {
	if text == "" {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		return map[string]string{"trace_metadata": text}
	}
	m := make(map[string]string, len(members))
	for k, lit := range members {
		var s string
		if json.Unmarshal(lit, &s) != nil {
			s = string(lit)
		}
		m[k] = s
	}
	return m
}

// assessment is the assessment of a snapshot.
func (l *logRow) assessment(traceID string) mlflow.Assessment {
	field := l.Attributes
	a := mlflow.Assessment{
		ID: field["assessment_id"], Name: field["assessment_name"], TraceID: traceID,
		SourceID: field["source.source_id"], SourceType: field["source.source_type"],
		CreateTime: millis(field["create_time"]), LastUpdateTime: millis(field["last_update_time"]),
		Rationale: l.optional("rationale"), Overrides: l.optional("overrides"),
	}
	if l.SpanID != "" {
		a.SpanID = &l.SpanID
	}
	if v, err := strconv.ParseBool(field["valid"]); err == nil {
		a.Valid = &v
	}
	for key, value := range field {
		if name, ok := strings.CutPrefix(key, "metadata."); ok {
			if a.Metadata == nil {
				a.Metadata = map[string]string{}
			}
			a.Metadata[name] = value
		}
	}
	switch kind := strings.ToLower(field["kind"]); {
	case kind == "expectation", kind == "" && l.hasAny("expectation."):
		a.Expectation = l.expectation()
	default:
		a.Feedback = l.feedback()
	}
	return a
}

func (l *logRow) hasAny(prefix string) bool {
	for key := range l.Attributes {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

func (l *logRow) feedback() *mlflow.Feedback {
	f := &mlflow.Feedback{Value: l.value("feedback.value")}
	if l.hasAny("feedback.error.") {
		f.Error = &mlflow.AssessmentError{
			Code: l.optional("feedback.error.error_code"), Message: l.optional("feedback.error.error_message"),
			StackTrace: l.optional("feedback.error.stack_trace"),
		}
	}
	return f
}

// expectation is an expectation's value: the typed one comes first, then the serialized and the plain one.
func (l *logRow) expectation() *mlflow.Expectation {
	const serialized = "expectation.serialized_value."
	_, typed := l.Attributes["expectation.value.typed"]
	if text, ok := l.Attributes[serialized+"value"]; ok && !typed {
		return &mlflow.Expectation{Serialized: &mlflow.SerializedValue{Format: l.Attributes[serialized+"serialization_format"], Value: text}}
	}
	return &mlflow.Expectation{Value: l.value("expectation.value")}
}

// value is a value: the typed one if there is one, else the plain one. nil is none.
func (l *logRow) value(field string) jsontext.Value {
	if text, ok := l.Attributes[field+".typed"]; ok {
		var typed struct {
			Type   string  `json:"valueType"`
			String *string `json:"valueString"`
		}
		if json.Unmarshal([]byte(text), &typed) != nil {
			return jsonOr(text)
		}
		switch {
		case typed.Type == "EMPTY":
			return nil
		case typed.Type == "NULL" || typed.String == nil:
			return jsontext.Value("null")
		case typed.Type == "STRING":
			return quoted(*typed.String)
		}
		return jsonOr(*typed.String)
	}
	if text, ok := l.Attributes[field]; ok {
		return jsonOr(text)
	}
	return nil
}

// jsonOr is text if it is a JSON value, else the string.
func jsonOr(text string) jsontext.Value {
	if json.Valid([]byte(text)) {
		return jsontext.Value(text)
	}
	return quoted(text)
}

func quoted(s string) jsontext.Value {
	v, _ := jsontext.AppendQuote(nil, s) // its error is for text that is no UTF-8, which becomes U+FFFD
	return v
}

// millis is a time in milliseconds since the Unix epoch; the zero time for a text that is none.
func millis(text string) time.Time {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
