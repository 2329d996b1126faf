package mlflow

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// DecodeOptions are the options of a decoder that reads MLflow's JSON. Users can make Python write lone surrogates and
// repeated keys, and one such text must not make a listing unreadable. Lone surrogates
// become U+FFFD; of a repeated key the last one counts.
var DecodeOptions = []jsontext.Options{
	jsontext.AllowInvalidUTF8(true),
	jsontext.AllowDuplicateNames(true),
}

// DecodeTraceInfo decodes one trace as the V3 and V4 REST APIs list it (TraceInfoV3 in MLflow's
// service.proto). Unknown fields are skipped. A trace without an ID or with an unreadable time is
// an error.
func DecodeTraceInfo(b []byte) (*TraceInfo, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b), DecodeOptions...)
	t, err := ReadTraceInfo(dec)
	if err != nil {
		return nil, err
	}
	if dec.PeekKind() != jsontext.KindInvalid {
		return nil, fmt.Errorf("decoding a trace: more text after the object")
	}
	return t, nil
}

// ReadTraceInfo reads the next value of dec as DecodeTraceInfo does. The result does not share dec's buffer.
func ReadTraceInfo(dec *jsontext.Decoder) (*TraceInfo, error) {
	t := &TraceInfo{}
	if k := dec.PeekKind(); k != jsontext.KindBeginObject {
		return nil, fmt.Errorf("decoding a trace: want an object, got %v", k)
	}
	if err := ReadObject(dec, func(name string) error { return t.readField(dec, name) }); err != nil {
		return nil, fmt.Errorf("decoding trace %q: %w", t.TraceID, err)
	}
	if t.TraceID == "" {
		return nil, fmt.Errorf("decoding a trace: it has no trace_id")
	}
	if t.RequestTime.IsZero() {
		return nil, fmt.Errorf("decoding trace %q: it has no request_time", t.TraceID)
	}
	return t, nil
}

func (t *TraceInfo) readField(dec *jsontext.Decoder, name string) error {
	switch name {
	case "trace_id":
		return readString(dec, &t.TraceID)
	case "trace_location":
		return readLocation(dec, &t.ExperimentID)
	case "request_time":
		return readTime(dec, &t.RequestTime)
	case "execution_duration":
		return readOptional(dec, &t.ExecutionDuration)
	case "state":
		return readString(dec, (*string)(&t.State))
	case "client_request_id":
		return readOptional(dec, &t.ClientRequestID)
	case "request_preview":
		return readOptional(dec, &t.RequestPreview)
	case "response_preview":
		return readOptional(dec, &t.ResponsePreview)
	case "trace_metadata":
		return readMap(dec, &t.Metadata)
	case "tags":
		return readMap(dec, &t.Tags)
	case "assessments":
		t.Assessments = nil
		return ReadArray(dec, func() error {
			a, err := readAssessment(dec)
			t.Assessments = append(t.Assessments, a)
			return err
		})
	}
	return dec.SkipValue()
}

// readLocation reads a trace_location, of which only the experiment is known.
func readLocation(dec *jsontext.Decoder, experimentID *string) error {
	return ReadObject(dec, func(name string) error {
		if name != "mlflow_experiment" {
			return dec.SkipValue()
		}
		return ReadObject(dec, func(name string) error {
			if name != "experiment_id" {
				return dec.SkipValue()
			}
			return readString(dec, experimentID)
		})
	})
}

func readAssessment(dec *jsontext.Decoder) (a Assessment, err error) {
	if err := ReadObject(dec, func(name string) error { return a.readField(dec, name) }); err != nil {
		return a, fmt.Errorf("assessment %q: %w", a.ID, err)
	}
	return a, nil
}

func (a *Assessment) readField(dec *jsontext.Decoder, name string) error {
	switch name {
	case "assessment_id":
		return readString(dec, &a.ID)
	case "assessment_name":
		return readString(dec, &a.Name)
	case "trace_id":
		return readString(dec, &a.TraceID)
	case "span_id":
		return readOptional(dec, &a.SpanID)
	case "source":
		return a.readSource(dec)
	case "create_time":
		return readTime(dec, &a.CreateTime)
	case "last_update_time":
		return readTime(dec, &a.LastUpdateTime)
	case "feedback":
		return readFeedback(dec, &a.Feedback)
	case "expectation":
		return readExpectation(dec, &a.Expectation)
	case "issue":
		return a.readIssue(dec)
	case "rationale":
		return readOptional(dec, &a.Rationale)
	case "metadata":
		return readMap(dec, &a.Metadata)
	case "overrides":
		return readOptional(dec, &a.Overrides)
	case "valid":
		return a.readValid(dec)
	}
	return dec.SkipValue()
}

func (a *Assessment) readSource(dec *jsontext.Decoder) error {
	return ReadObject(dec, func(name string) error {
		switch name {
		case "source_type":
			return readString(dec, &a.SourceType)
		case "source_id":
			return readString(dec, &a.SourceID)
		}
		return dec.SkipValue()
	})
}

func (a *Assessment) readIssue(dec *jsontext.Decoder) error {
	return ReadObject(dec, func(name string) error {
		if name != "issue_name" {
			return dec.SkipValue()
		}
		return readOptional(dec, &a.Issue)
	})
}

func (a *Assessment) readValid(dec *jsontext.Decoder) error {
	a.Valid = nil
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case jsontext.KindTrue, jsontext.KindFalse:
		v := tok.Bool()
		a.Valid = &v
		return nil
	case jsontext.KindNull:
		return nil
	}
	return fmt.Errorf("valid: want true or false, got %v", tok.Kind())
}

func readFeedback(dec *jsontext.Decoder, to **Feedback) error {
	if dec.PeekKind() == jsontext.KindNull {
		return dec.SkipValue()
	}
	f := &Feedback{}
	*to = f
	return ReadObject(dec, func(name string) error {
		switch name {
		case "value":
			return readValue(dec, &f.Value)
		case "error":
			return readAssessmentError(dec, &f.Error)
		}
		return dec.SkipValue()
	})
}

func readExpectation(dec *jsontext.Decoder, to **Expectation) error {
	if dec.PeekKind() == jsontext.KindNull {
		return dec.SkipValue()
	}
	e := &Expectation{}
	*to = e
	return ReadObject(dec, func(name string) error {
		switch name {
		case "value":
			return readValue(dec, &e.Value)
		case "serialized_value":
			return readSerialized(dec, &e.Serialized)
		}
		return dec.SkipValue()
	})
}

func readAssessmentError(dec *jsontext.Decoder, to **AssessmentError) error {
	if dec.PeekKind() == jsontext.KindNull {
		return dec.SkipValue()
	}
	e := &AssessmentError{}
	*to = e
	return ReadObject(dec, func(name string) error {
		switch name {
		case "error_code":
			return readOptional(dec, &e.Code)
		case "error_message":
			return readOptional(dec, &e.Message)
		case "stack_trace":
			return readOptional(dec, &e.StackTrace)
		}
		return dec.SkipValue()
	})
}

func readSerialized(dec *jsontext.Decoder, to **SerializedValue) error {
	if dec.PeekKind() == jsontext.KindNull {
		return dec.SkipValue()
	}
	s := &SerializedValue{}
	*to = s
	return ReadObject(dec, func(name string) error {
		switch name {
		case "serialization_format":
			return readString(dec, &s.Format)
		case "value":
			return readString(dec, &s.Value)
		}
		return dec.SkipValue()
	})
}

// ReadObject reads the next value of dec, which is an object or null, and calls member with each
// name in turn; member must consume the value that follows.
func ReadObject(dec *jsontext.Decoder, member func(name string) error) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() == jsontext.KindNull {
		return nil
	}
	if tok.Kind() != jsontext.KindBeginObject {
		return fmt.Errorf("want an object, got %v", tok.Kind())
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		tok, err := dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		if err := member(name); err != nil {
			return err
		}
	}
	_, err = dec.ReadToken()
	return err
}

// ReadArray reads the next value of dec, which is an array or null, and calls element for each
// element; element must consume it.
func ReadArray(dec *jsontext.Decoder, element func() error) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() == jsontext.KindNull {
		return nil
	}
	if tok.Kind() != jsontext.KindBeginArray {
		return fmt.Errorf("want an array, got %v", tok.Kind())
	}
	for dec.PeekKind() != jsontext.KindEndArray {
		if err := element(); err != nil {
			return err
		}
	}
	_, err = dec.ReadToken()
	return err
}

func readOptional(dec *jsontext.Decoder, to **string) error {
	*to = nil
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case jsontext.KindNull:
		return nil
	case jsontext.KindString, jsontext.KindNumber:
		s := tok.String()
		*to = &s
		return nil
	}
	return fmt.Errorf("want a string, got %v", tok.Kind())
}

func readString(dec *jsontext.Decoder, to *string) error {
	var s *string
	if err := readOptional(dec, &s); err != nil {
		return err
	}
	*to = ""
	if s != nil {
		*to = *s
	}
	return nil
}

func readTime(dec *jsontext.Decoder, to *time.Time) error {
	var s *string
	if err := readOptional(dec, &s); err != nil || s == nil {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, *s)
	if err != nil {
		return fmt.Errorf("%q is not an RFC 3339 time", *s)
	}
	*to = t.UTC()
	return nil
}

func readMap(dec *jsontext.Decoder, to *map[string]string) error {
	*to = nil
	if dec.PeekKind() == jsontext.KindNull {
		return dec.SkipValue()
	}
	m := map[string]string{}
	*to = m
	return ReadObject(dec, func(name string) error {
		var v string
		if err := readString(dec, &v); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		m[name] = v
		return nil
	})
}

func readValue(dec *jsontext.Decoder, to *jsontext.Value) error {
	v, err := dec.ReadValue()
	*to = v.Clone()
	return err
}
