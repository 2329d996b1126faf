package convert

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// BetaDocument begins a document of spans from tables of the beta form, whose attributes are strings. It is an object with a
// member "spans", and goes on behind this text. Besides the fields of OTLP a span has there:
//   - resource: an object whose attributes are strings, of which the row gets all. service.name among them is the span's service;
//   - instrumentation_scope: an object with a name.
const BetaDocument = `{"` + uctables.SchemaVersionProperty + `":"` + uctables.BetaSchemaVersion + `",`

// isBeta says whether a document is of the beta form. In it every string attribute of a span is a JSON text or no JSON, also where
// the request ID has no quotes: the exporter has taken these off.
func isBeta(doc []byte) bool { return bytes.HasPrefix(doc, []byte(BetaDocument)) }

// origin is what the beta form keeps of where a span came from.
type origin struct {
	resource map[string]string
	scope    string
}

// readOrigin reads a field that only spans of the beta form have. ok is false for any other field.
func (c *converter) readOrigin(r *reader, key []byte) (ok bool, err error) {
	switch string(key) {
	case `"resource"`:
		var resource struct{ Attributes map[string]string }
		err = readInto(r, &resource)
		c.origins[len(c.rows)-1].resource = resource.Attributes
	case `"instrumentation_scope"`:
		var scope struct{ Name string }
		err = readInto(r, &scope)
		c.origins[len(c.rows)-1].scope = scope.Name
	default:
		return false, nil
	}
	return true, err
}

// readInto reads the next value into v.
func readInto(r *reader, v any) error {
	lit, err := r.value()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(lit, v); err != nil {
		return formError("a span's resource or scope: " + err.Error())
	}
	return nil
}

// setOrigins gives the rows of the beta form the service, the resource and the scope that each span has there. A service that was
// asked for stands for all of them, and ofTrace, the one that the trace tells, for spans that have none.
func (c *converter) setOrigins(ofTrace string) {
	for i := range c.rows {
		s, o := &c.rows[i], &c.origins[i]
		name := cmp.Or(c.opt.ServiceName, o.resource[mlflow.TagServiceName], ofTrace)
		resource := append(quote([]byte(`{"service.name":`), name), '}')
		for _, key := range slices.Sorted(maps.Keys(o.resource)) {
			if key != mlflow.TagServiceName {
				resource = append(quote(append(resource[:len(resource)-1], ','), strings.ReplaceAll(key, "\x00", "\uFFFD")), ':')
				resource = append(quote(resource, o.resource[key]), '}')
			}
		}
		scope := cmp.Or(o.scope, scopeName)
		s.ServiceName, s.ResourceAttributes, s.ScopeName = &name, resource, &scope
	}
}
