package convert

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// noTime is the time of an event that has none, until the start of its span is known and takes its place.
const noTime = math.MinInt64

// readEvent reads one event into s.
func (c *converter) readEvent(r *reader, index int, s *uctables.Span, ofSpan rawFields) error {
	if r.next() != '{' {
		return c.badElement(r, element("events", index), ofSpan)
	}
	o := &c.subAttrs
	o.reset()
	raw := rawFields{o, "event."}
	notes := len(c.notes)
	var e uctables.Event
	var name, nanos, dropped []byte
	err := r.object(func(key []byte) (err error) {
		switch string(key) {
		case `"name"`:
			name, err = r.value()
		case `"time_unix_nano"`, `"timeUnixNano"`, `"timestamp"`:
			nanos, err = r.value()
		case `"dropped_attributes_count"`, `"droppedAttributesCount"`:
			dropped, err = r.value()
		default:
			err = c.subField(r, o, key, raw)
		}
		return err
	})
	if err != nil {
		return err
	}
	e.Name, _ = c.str(name, "name", raw)
	var ok bool
	if e.TimeUnixNano, ok = c.nanos(nanos, "time_unix_nano", raw); !ok {
		c.note(BadTime, "time_unix_nano", "none; the span's start stands instead")
		e.TimeUnixNano = noTime
	}
	e.DroppedAttributesCount = c.int32(dropped, "dropped_attributes_count", raw)
	var over []overflow
	e.Attributes, over = o.finish("attributes")
	s.Events = append(s.Events, e)
	c.locate("events", index, notes, over)
	return nil
}

// readLink reads one link into s.
func (c *converter) readLink(r *reader, index int, s *uctables.Span, ofSpan rawFields) error {
	if r.next() != '{' {
		return c.badElement(r, element("links", index), ofSpan)
	}
	o := &c.subAttrs
	o.reset()
	raw := rawFields{o, "link."}
	notes := len(c.notes)
	var l uctables.Link
	var traceID, spanID, state, dropped, flags []byte
	err := r.object(func(key []byte) (err error) {
		switch string(key) {
		case `"trace_id"`, `"traceId"`:
			traceID, err = r.value()
		case `"span_id"`, `"spanId"`:
			spanID, err = r.value()
		case `"trace_state"`, `"traceState"`:
			state, err = r.value()
		case `"dropped_attributes_count"`, `"droppedAttributesCount"`:
			dropped, err = r.value()
		case `"flags"`:
			flags, err = r.value()
		default:
			err = c.subField(r, o, key, raw)
		}
		return err
	})
	if err != nil {
		return err
	}
	l.TraceID, _ = c.str(traceID, "trace_id", raw)
	if id, exact := mlflow.ParseTraceID(l.TraceID); exact && !strings.HasPrefix(l.TraceID, "trace:/") && id != "" {
		l.TraceID = id
	}
	l.SpanID, _ = c.str(spanID, "span_id", raw)
	if id, exact := mlflow.ParseSpanID(l.SpanID); exact && id != "" {
		l.SpanID = id
	}
	c.doubtPadded(l.TraceID)
	c.doubtPadded(l.SpanID)
	text, _ := c.str(state, "trace_state", raw)
	l.TraceState = optional(text)
	l.DroppedAttributesCount = c.int32(dropped, "dropped_attributes_count", raw)
	l.Flags = c.int32(flags, "flags", raw)
	attrs, over := o.finish("attributes")
	if len(attrs) > len("{}") {
		l.Attributes = attrs
	}
	s.Links = append(s.Links, l)
	c.locate("links", index, notes, over)
	return nil
}

// subField reads the attributes of an event or link, or a field that the format does not have.
func (c *converter) subField(r *reader, o *object, key []byte, raw rawFields) error {
	kind := r.next()
	if string(key) == `"attributes"` && (kind == '{' || kind == '[') {
		return c.readAttributes(r, o, false)
	}
	lit, err := r.value()
	if err != nil {
		return err
	}
	name, _ := unquote(key)
	switch {
	case name != "attributes":
		c.badField(UnknownField, name, lit, raw, "kept beside the attributes")
	case kind != 'n':
		c.badField(BadValue, name, lit, raw, "kept beside the attributes")
	}
	return nil
}

// badElement keeps an element of events or links that is no object.
func (c *converter) badElement(r *reader, path string, ofSpan rawFields) error {
	lit, err := r.value()
	if err != nil {
		return err
	}
	c.badField(BadValue, path, lit, ofSpan, "no object; kept as attribute "+RawPrefix+"span."+path)
	return nil
}

// element names one element of a span's events or links.
func element(list string, index int) string { return list + "[" + strconv.Itoa(index) + "]" }

// locate adds the place of an event or link to the notes from index from on, and to the values that were taken out
// of it.
func (c *converter) locate(list string, index, from int, over []overflow) {
	for i := from; i < len(c.notes); i++ {
		c.notes[i].Key = strings.TrimSuffix(element(list, index)+"."+c.notes[i].Key, ".")
	}
	for _, ov := range over {
		ov.of = element(list, index) + "." + ov.of
		c.over = append(c.over, ov)
	}
}

// overflowEvents gives the events that hold, in parts, a value that was over the size limit. If the document may be
// overwritten, they take the value's place. A part takes a little more than its text did, so there is room for it once
// the first part has been read, which gets memory of its own.
func (c *converter) overflowEvents(ov *overflow, nanos int64) []uctables.Event {
	c.note(TooLarge, strings.TrimSuffix(ov.of+"."+ov.key, "."),
		fmt.Sprintf("%d bytes in %d events %s", ov.bytes, ov.parts, OverflowName))
	events := make([]uctables.Event, 0, ov.parts)
	place := ov.text.lit[:0]
	for chunk, read := range ov.text.chunks(chunkBytes) {
		attrs := append(append(c.text[:0], ov.describe(len(events)+1)...), `,"text":`...)
		c.text = append(quote(slices.Grow(attrs, len(chunk)+len(chunk)/4), chunk), '}')
		e := uctables.Event{TimeUnixNano: nanos, Name: OverflowName}
		if at := len(place); at+len(c.text) <= read && c.reuse() {
			place = append(place, c.text...)
			e.Attributes = uctables.JSON(place[at:len(place):len(place)])
		} else {
			e.Attributes = bytes.Clone(c.text)
		}
		events = append(events, e)
	}
	c.text = nil
	return events
}
