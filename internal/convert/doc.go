// Package convert makes one MLflow trace into the rows of the OTEL tables. It is pure: no network, no
// database, no clock; the same input gives the same rows, byte for byte, whichever of MLflow's span
// forms the source has it in: MLflow 2, 3.0 to 3.4, 3.5.0, 3.5.1 on (traces.json), or OTLP JSON (the REST
// API). Payloads stay JSON bytes from the source to the row, so that numbers come out as they went in.
//
// # Spans
//
// trace_id is the 32 hex digits of the MLflow trace ID where it has such (tr-<hex>, trace:/<location>/<hex>),
// else the OTEL trace ID of the first span, else derived from the MLflow ID. All rows of a trace have
// one. Root spans, those whose parent is absent, empty or zero, stand last; the others keep the source's
// order. An empty status message or trace state is NULL, for no form tells it from an absent one; so are
// an end time of 0 and a link's empty attributes. Absent attributes of a span or event are an empty object.
// kind is SPAN_KIND_INTERNAL unless the source names another. A link's tr-<hex> becomes the hex; other
// link IDs stay. Root spans get the attributes user.id and session.id from the trace's metadata, as MLflow's
// own exporter sets them, unless they have them. service_name is that of Options, else the source's tag
// service.name, else the root span's attribute of that name, else empty.
//
// References to attachments (mlflow.ParseAttachment) stay, and METADATA lists them, unless their bytes are given:
// then these stand in the place of the reference, in the form that MLflow's SDK took them out of.
//
// A string attribute of a span is a JSON text and becomes the value it stands for; one that is no JSON
// is that string. Attributes of events and links, and those in OTLP JSON, are values already, and so are
// those of spans of MLflow's TypeScript SDK, which are known by a request ID without quotes: "123" logged as a
// string is a string in the row, although MLflow's readers, which parse again, show the number.
//
// # Annotations
//
// TAG rows by key, assessments in the source's order, RUN_LINK rows by run ID, parts of values over the
// size limit, METADATA last. METADATA's value has all of its four keys, null where the source has nothing;
// trace_metadata names the source's experiment besides (uctables.SourceExperimentID). Its metadata column holds the
// provenance (uctables.Provenance) and what the source lists of a trace without a column for it: KeyState and
// so on, and in KeySourceTags the tags that say where the source keeps the trace, which get no TAG row. Times
// of METADATA, TAG and RUN_LINK are the trace's request time, the only one there is; created_by and updated_by
// are NULL.
//
// FEEDBACK and EXPECTATION rows belong to the trace; the assessment's fields without a column stand in
// metadata as strings, under the keys of uctables.AssessmentKeys, beside the user's own. created_by and
// updated_by are the source ID. An expectation that is a list or object is nested, and its serialization
// format noted; a serialized text that is no JSON is a string. An issue reference is a FEEDBACK whose value is
// the name.
//
// # What does not fit
//
// Nothing of it fails a trace; each case below is counted as a Note with its code. What cannot be read
// at all is an *Error, and so is a document none of whose spans is of the trace.
//
//	non_finite       NaN, Infinity and -Infinity become the strings of these names; the value around stays nested
//	inexact_number   a number that no VARIANT number equals becomes the string of its digits: an integer or plain
//	                 decimal of more than 38 digits (unless a double spells it), a number with an exponent
//	                 outside a double's range or with digits that a double does not have
//	lone_surrogate   half of a surrogate pair becomes U+FFFD *
//	invalid_utf8     bytes that are no UTF-8 become U+FFFD
//	duplicate_key    the last one stands, as in Python's json.loads *
//	nul_in_key       NUL in an object key becomes U+FFFD *
//	invalid_json     text that begins like JSON ({, [ or ") but is cut off or otherwise none is a string; other
//	                 text is a string without a note
//	too_deep         a value nested so deep that the column would exceed 256 levels becomes the string of its JSON text
//	long_key         a value with an object key over 32 KiB becomes the string of its JSON text; an attribute key
//	                 over 32 KiB becomes tracemig.long_key.<UUID> *
//	too_large        in a VARIANT that would exceed 15 MiB the largest values become a marker, and their JSON text
//	                 stands in parts in events named tracemig.overflow (attributes of, key, part, parts, text) or,
//	                 for annotations, in TAG rows named tracemig.overflow.<annotation_id of the part> with the text
//	                 as value and of, key, part, parts, annotation_id in metadata; without key the whole value
//	bad_id           an ID that is no OTEL one is replaced by one derived from it, a missing one by the span's place *
//	other_trace_id   a span whose trace ID is not that of the trace's first span gets the trace's one ID *
//	bad_time         a float is cut to an integer; a start that is none becomes the request time, an event's the
//	                 span's start, an end NULL *
//	bad_value        a field of another type than the format has: its JSON text where a string is wanted, else the
//	                 default *
//	unknown_field    a field that the format does not have *
//	duplicate_span   the same span twice gives one row; another span with its ID gets a derived ID
//	no_root          a trace without a root span: the rows are written, but readers' views do not show it
//	issue_reference  kept as FEEDBACK, see above
//	key_collision    the user's own metadata key is one that readers give a meaning: it becomes tracemig.raw.<key>
//	bad_assessment   without an ID: derived; one listed twice: one row; another with its ID: derived; without or with
//	                 more than one value: the row has what there is
//
// * The exact JSON text of the source is kept beside it, as a string, in attribute tracemig.raw.<key>
// (fields of a span: tracemig.raw.span.<field>; of an event or link: in its attributes; keys:
// tracemig.raw.<key>.key; of a value of an assessment: in its metadata). If that key is taken, .2, .3
// and so on follow. Python's json.loads of the text gives what MLflow shows.
//
// -0.0 is written -0.0E0, because a decimal has no sign of zero.
package convert
