package official

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// SameSpan says whether got is a span as the migration writes it, and holds of want what the migration keeps.
// Its kind is the span's type and its status code has no prefix; it has no links, and what tracemig notes
// beside the attributes is not there. Service and scope are not compared: they are the source's nowhere.
func SameSpan(want, got *uctables.Span) bool {
	if strings.HasPrefix(got.Kind, "SPAN_KIND_") || !sameStatus(want.StatusCode, got.StatusCode) || !sameText(want.ParentSpanID, got.ParentSpanID) || !sameText(want.TraceState, got.TraceState) ||
		len(want.Events) != len(got.Events) || len(got.Links) > 0 {
		return false
	}
	for i := range want.Events {
		w, g := &want.Events[i], &got.Events[i]
		if w.Name != g.Name || w.TimeUnixNano != g.TimeUnixNano || !sameValues(w.Attributes, g.Attributes) {
			return false
		}
	}
	w, g := *want, *got
	for _, s := range []*uctables.Span{&w, &g} {
		s.Kind, s.StatusCode, s.ParentSpanID, s.Attributes, s.Events, s.Links = "", nil, nil, nil, nil, nil
		s.ServiceName, s.ResourceAttributes, s.ScopeName = nil, nil, nil
		s.StatusMessage, s.TraceState = nil, nil
	}
	return sameText(want.StatusMessage, got.StatusMessage) && uctables.SameSpan(&w, &g) && sameValues(want.Attributes, got.Attributes)
}

// sameStatus compares STATUS_CODE_OK with OK, and so on; unset is NULL or UNSET.
func sameStatus(want, got *string) bool {
	if want == nil {
		return got == nil || *got == "UNSET"
	}
	return got != nil && *want == "STATUS_CODE_"+*got
}

// sameText is true for the same text, and for an absent and an empty one.
func sameText(want, got *string) bool {
	empty := func(s *string) bool { return s == nil || *s == "" }
	return empty(want) && empty(got) || want != nil && got != nil && *want == *got
}

// sameValues compares two attribute objects. What is nested in want may be a JSON text in got.
func sameValues(want, got uctables.JSON) bool {
	w, okW := object(want)
	g, okG := object(got)
	return okW && okG && sameValue(w, g)
}

// object reads attributes; absent ones are an empty object. What tracemig notes beside them is left out.
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

func sameValue(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			for key, value := range w {
				if other, there := g[key]; !there || !sameValue(value, other) {
					return false
				}
			}
			return len(w) == len(g)
		}
	case []any:
		if g, ok := got.([]any); ok {
			for i := range min(len(w), len(g)) {
				if !sameValue(w[i], g[i]) {
					return false
				}
			}
			return len(w) == len(g)
		}
	case json.Number:
		if g, ok := got.(json.Number); ok {
			return sameNumber(w.String(), g.String())
		}
	default:
		if want == got {
			return true
		}
	}
	// What is nested here may be a text there.
	if s, ok := got.(string); ok {
		if _, both := want.(string); !both {
			v, isJSON := decode([]byte(s))
			return isJSON && sameValue(want, v)
		}
	}
	return false
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
