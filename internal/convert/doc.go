// Package convert makes one MLflow trace into the rows of the OTEL tables. It is pure: it uses no network, no
// database and no clock, and the same input gives the same rows, byte for byte, in whichever of MLflow's span
// forms the source has the trace: that of MLflow 2, 3.0 to 3.4, 3.5.0, 3.5.1 and later (traces.json), or OTLP JSON
// (the REST API). Payloads stay JSON bytes from the source to the row, so that numbers stay as they were spelled.
//
// The way of a trace: document.go reads the spans document, span.go, event.go and attributes.go (for OTLP JSON also
// otlp.go) its spans, annotation.go what the source lists of the trace. object.go builds the JSON objects of the rows,
// from values that quick.go, or for the few unusual ones value.go and parser.go, make fit a VARIANT.
//
// # Spans
//
// trace_id is the 32 hex digits of the MLflow trace ID if it has them (tr-<hex>, trace:/<location>/<hex>),
// else the OTEL trace ID of the first span, else derived from the MLflow ID. All rows of a trace have the same
// one. Root spans, which are those whose parent is absent, empty or zero, come last; the others keep the source's
// order. An empty status message or trace state is NULL, because no form tells it from an absent one. NULL
// too are an end time of 0 and a link's empty attributes. Absent attributes of a span or event are an empty object.
// kind is SPAN_KIND_INTERNAL unless the source names another one. Of a link's trace ID tr-<hex> the row has the hex;
// other link IDs stay. Root spans get the attributes user.id and session.id from the trace's metadata, as MLflow's
// own exporter sets them, unless they have them. service_name is that of Options, else the source's tag
// service.name, else the root span's attribute of that name, else empty.
//
// References to attachments (mlflow.ParseAttachment) stay, and METADATA lists them. If the bytes of an attachment are
// given, they replace the reference, in the form that MLflow's SDK took them out of.
//
// A string attribute of a span is a JSON text, and becomes the value that it stands for; if it is no JSON, it stays
// that string. Attributes of events and links, and those in OTLP JSON, are values already. So are those in spans of
// MLflow's TypeScript SDK, which are recognized by a request ID without quotes: a string "123" that was logged there
// is a string in the row, although MLflow's readers, which parse it again, show the number.
//
// # Annotations
//
// The rows are TAG rows by key, assessments in the source's order, RUN_LINK rows by run ID, parts of values over the
// size limit, and METADATA last. METADATA's value always has its four keys, with null for what the source does not
// have; trace_metadata also names the source's experiment (uctables.SourceExperimentID). Its metadata column holds the
// provenance (uctables.Provenance) and the fields of a trace that have no column: KeyState and
// so on, and in KeySourceTags the tags that say where the source keeps the trace, which get no TAG row. The times
// of METADATA, TAG and RUN_LINK are the trace's request time, because the source lists no other; created_by and
// updated_by are NULL.
//
// FEEDBACK and EXPECTATION rows belong to the trace. An assessment's fields without a column are strings in
// metadata, under the keys of uctables.AssessmentKeys, beside the user's own. created_by and
// updated_by are the source ID. An expectation that is a list or object is nested, and metadata has its serialization
// format; a serialized text that is no JSON is a string. An issue reference is a FEEDBACK whose value is
// the name.
//
// # What does not fit
//
// No bad value fails a trace: each case below gives a Note with its code. Only a document that cannot be read at all,
// or that has no span of the trace, is an *Error.
//
//	non_finite       NaN, Infinity and -Infinity become the strings of these names; the value around stays nested
//	inexact_number   a number that no VARIANT number equals becomes the string of its digits: an integer or plain
//	                 decimal of more than 38 digits (unless a double spells it), a number with an exponent
//	                 outside a double's range or with digits that a double does not have
//	lone_surrogate   half of a surrogate pair becomes U+FFFD *
//	invalid_utf8     bytes that are no UTF-8 become U+FFFD
//	duplicate_key    the last one stands, as in Python's json.loads *
//	nul_in_key       NUL in an object key becomes U+FFFD *
//	invalid_json     text that begins like JSON ({, [ or ") but is none, for example because it is cut off, is a
//	                 string; text that does not begin so is a string without a note
//	too_deep         a value nested so deep that the column would exceed 256 levels becomes the string of its JSON text
//	long_key         a value with an object key over 32 KiB becomes the string of its JSON text; an attribute key
//	                 over 32 KiB becomes tracemig.long_key.<UUID> *
//	too_large        in a VARIANT that would exceed 15 MiB a marker replaces each of the largest values. Their JSON text
//	                 is kept in parts: in events named tracemig.overflow (attributes of, key, part, parts, text) or,
//	                 for annotations, in TAG rows named tracemig.overflow.<annotation_id of the part> with the text
//	                 as value and of, key, part, parts, annotation_id in metadata. No key means the whole value
//	bad_id           an ID that is no OTEL one is replaced by one derived from it, a missing one by one derived
//	                 from the span's place *
//	other_trace_id   a span whose trace ID is not that of the trace's first span gets the trace ID of all rows *
//	bad_time         a float is cut to an integer; a value that is no time becomes, as a start, the request time, as
//	                 an event's time, the span's start, and as an end, NULL *
//	bad_value        a field of another type than the format has becomes its JSON text where a string is wanted,
//	                 and the default elsewhere *
//	unknown_field    a field that the format does not have gets no place of its own *
//	duplicate_span   the same span twice gives one row; another span with its ID gets a derived ID
//	no_root          the rows of a trace without a root span are written, but readers' views do not show it
//	issue_reference  kept as FEEDBACK, see above
//	key_collision    a metadata key of the user's to which readers give a meaning becomes tracemig.raw.<key>
//	bad_assessment   an assessment without an ID, or with the ID of another one, gets a derived ID; one that is listed
//	                 twice gives one row; one without a value, or with several, gives a row with what it has
//
// * The exact JSON text of the source is kept as a string in the attribute tracemig.raw.<key>. For a field of a span
// that is tracemig.raw.span.<field>, for a key tracemig.raw.<key>.key. Texts of an event or link are in its own
// attributes, those of an assessment in its metadata. If the key is taken, it gets the suffix .2, .3
// and so on. Python's json.loads of the text gives what MLflow shows.
//
// -0.0 is written -0.0E0, because a decimal has no sign of zero.
package convert
