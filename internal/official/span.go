package official

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// SameSpan says whether got is a span as the migration writes it, with everything of want that the migration keeps.
// In such a span the kind is MLflow's span type, the status code has no prefix, there are no links, and the
// attributes are without those that tracemig adds. Service and scope are not compared, because no source has them.
func SameSpan(want, got *uctables.Span) bool {
	if strings.HasPrefix(got.Kind, "SPAN_KIND_") || len(got.Links) > 0 || !sameStatus(want.StatusCode, got.StatusCode) ||
		!sameText(want.ParentSpanID, got.ParentSpanID) || !sameText(want.TraceState, got.TraceState) ||
		!slices.EqualFunc(want.Events, got.Events, sameEvent) {
		return false
	}
	w, g := *want, *got
	for _, s := range []*uctables.Span{&w, &g} {
		s.Kind, s.StatusCode, s.ParentSpanID, s.Attributes, s.Events, s.Links = "", nil, nil, nil, nil, nil
		s.ServiceName, s.ResourceAttributes, s.ScopeName = nil, nil, nil
		s.StatusMessage, s.TraceState = nil, nil
	}
	return sameText(want.StatusMessage, got.StatusMessage) && uctables.SameSpan(&w, &g) && sameValues(want.Attributes, got.Attributes)
}

func sameEvent(want, got uctables.Event) bool {
	return want.Name == got.Name && want.TimeUnixNano == got.TimeUnixNano && sameValues(want.Attributes, got.Attributes)
}

// sameStatus compares STATUS_CODE_OK with OK, and so on; unset is NULL or UNSET.
func sameStatus(want, got *string) bool {
	if want == nil {
		return got == nil || *got == "UNSET"
	}
	return got != nil && *want == "STATUS_CODE_"+*got
}

// sameText is true for equal texts. An absent and an empty text are equal.
func sameText(want, got *string) bool {
	empty := func(s *string) bool { return s == nil || *s == "" }
	return empty(want) && empty(got) || want != nil && got != nil && *want == *got
}

// sameValues compares two attribute objects. A value that is nested in want may be a JSON text in got.
func sameValues(want, got uctables.JSON) bool {
	w, okW := object(want)
	g, okG := object(got)
	return okW && okG && sameValue(w, g)
}

// object reads attributes. Absent ones are an empty object, and those that tracemig adds are left out.
func object(v uctables.JSON) (map[string]any, bool) {
	if v == nil {
		return map[string]any{}, true
	}
	decoded, ok := decode(v)
	o, isObject := decoded.(map[string]any)
	for key := range o {
		if strings.HasPrefix(key, uctables.OwnPrefix) {
			delete(o, key)
		}
	}
	return o, ok && isObject
}

func decode(text []byte) (v any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil, false
	}
	return v, !d.More()
}

// sameValue compares two decoded values. If want is no text, got may be its JSON text.
func sameValue(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			return sameObject(w, g)
		}
	case []any:
		if g, ok := got.([]any); ok {
			return slices.EqualFunc(w, g, sameValue)
		}
	case json.Number:
		if g, ok := got.(json.Number); ok {
			return sameNumber(w.String(), g.String())
		}
	case string:
		return want == got
	default:
		if want == got {
			return true
		}
	}
	if text, ok := got.(string); ok {
		v, isJSON := decode([]byte(text))
		return isJSON && sameValue(want, v)
	}
	return false
}

func sameObject(want, got map[string]any) bool {
	if len(want) != len(got) {
		return false
	}
	for key, value := range want {
		if other, ok := got[key]; !ok || !sameValue(value, other) {
			return false
		}
	}
	return true
}

// sameNumber is true for numbers that are equal, or the same double.
func sameNumber(a, b string) bool {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return a == b
	}
	if x.Cmp(y) == 0 {
		return true
	}
	f, _ := x.Float64()
	g, _ := y.Float64()
	return strings.ContainsAny(a+b, "eE") && f == g
}
