package convert

import (
	"bytes"
	"cmp"
	"encoding/base64"

	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Attachment is one of whose bytes it is decided what becomes of them.
type Attachment struct {
	uctables.Attachment
	// Data are the bytes of an Inline one, which then stand in the spans. Without them the reference stays.
	Data []byte
}

// lookForAttachments prepares the search in the spans document, which costs a document without any
// references one look for their mark.
func (c *converter) lookForAttachments() {
	if !bytes.Contains(c.doc, []byte(mlflow.AttachmentMark)) {
		return
	}
	c.found = map[string]mlflow.Attachment{}
	c.given = make(map[string]*Attachment, len(c.in.Attachments))
	for i := range c.in.Attachments {
		c.given[c.in.Attachments[i].ID] = &c.in.Attachments[i]
	}
}

// listAttachments gives what METADATA lists: the attachments that were given, and those found beside them,
// which stay at the source.
func (c *converter) listAttachments() []uctables.Attachment {
	list := make([]uctables.Attachment, 0, len(c.in.Attachments)+len(c.found))
	for _, a := range c.in.Attachments {
		list = append(list, a.Attachment)
	}
	for id, a := range c.found {
		if c.given[id] == nil {
			list = append(list, uctables.Attachment{ID: id, Type: a.Type, Bytes: a.Size})
		}
	}
	slices.SortFunc(list, func(a, b uctables.Attachment) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// appendAttachments appends the list as JSON.
func appendAttachments(dst []byte, list []uctables.Attachment) []byte {
	text, _ := json.Marshal(list, jsontext.AllowInvalidUTF8(true)) // plain texts and numbers
	return append(dst, text...)
}

// foundAttachments are those that the spans refer to, by ID.
func (c *converter) foundAttachments() []mlflow.Attachment {
	return slices.SortedFunc(maps.Values(c.found), func(a, b mlflow.Attachment) int { return cmp.Compare(a.ID, b.ID) })
}

// endValue ends the member whose value, compact JSON, begins at o.buf[at], and puts the bytes of inline
// attachments into it.
func (c *converter) endValue(o *object, at int, lit []byte, text bool) {
	if c.found != nil && bytes.Contains(o.buf[at:], []byte(mlflow.AttachmentMark)) && c.fillAttachments(o, at) {
		lit, text = nil, false // What stood there at the source is not what is to be kept.
	}
	o.end(lit, text)
}

// container is an object or array around a position in compact JSON.
type container struct {
	text  []byte // from its bracket on
	key   []byte // literal of the key that was read last; nil in an array
	array bool
}

// fillAttachments looks through the JSON from o.buf[at] on for strings that are references, and replaces those of
// inline attachments. It says whether it has replaced any.
func (c *converter) fillAttachments(o *object, at int) bool {
	src := o.buf[at:]
	var out []byte
	copied := 0 // of src into out
	var around []container
	for i := 0; i < len(src); {
		switch src[i] {
		case '{', '[':
			around = append(around, container{text: src[i:], array: src[i] == '['})
			i++
		case '}', ']':
			around = around[:len(around)-1]
			i++
		case '"':
			end := stringEnd(src, i)
			lit := src[i:end]
			if end < len(src) && src[end] == ':' {
				around[len(around)-1].key = lit
			} else if data := c.reference(lit); data != nil {
				out = append(append(out, src[copied:i]...), '"')
				if !wasBase64(around, data.Type) {
					prefix := quote(nil, "data:"+data.Type+";base64,")
					out = append(out, prefix[1:len(prefix)-1]...)
				}
				out = append(base64.StdEncoding.AppendEncode(out, data.Data), '"')
				copied = end
			}
			i = end
		default:
			i++
		}
	}
	if copied == 0 {
		return false
	}
	out = append(out, src[copied:]...)
	o.buf = append(o.buf[:at], out...)
	return true
}

// reference notes the attachment that a string literal refers to, if it does, and gives it if its bytes are to
// stand there.
func (c *converter) reference(lit []byte) *Attachment {
	if !bytes.HasPrefix(lit, []byte(`"`+mlflow.AttachmentMark)) {
		return nil
	}
	text, _ := unquote(lit)
	a, ok := mlflow.ParseAttachment(text)
	if !ok {
		return nil
	}
	c.found[a.ID] = a
	if g := c.given[a.ID]; g != nil && g.Inline && g.Data != nil {
		return g
	}
	return nil
}

// wasBase64 says whether MLflow's SDK has made a reference of plain base64 rather than of a data: URI. The
// objects around tell: these are the forms in which model providers take and give images and audio (method
// _try_convert_structured_content of its span.py).
func wasBase64(around []container, contentType string) bool {
	up := func(n int) *container {
		if i := len(around) - 1 - n; i >= 0 && !around[i].array {
			return &around[i]
		}
		return &container{}
	}
	in, over := up(0), up(1)
	is := func(prefix string, c *container, key, unless string) bool {
		return contentType == prefix+cmp.Or(c.member(key), unless)
	}
	switch string(in.key) {
	case `"b64_json"`:
		return contentType == "image/png"
	case `"result"`:
		return in.member("type") == "image_generation_call" && is("image/", in, "output_format", "png")
	case `"bytes"`:
		return string(over.key) == `"source"` && string(up(2).key) == `"image"` && is("image/", over, "format", "png")
	case `"data"`:
		switch string(over.key) {
		case `"input_audio"`:
			mp3 := in.member("format") == "mp3" && contentType == "audio/mpeg"
			return over.member("type") == "input_audio" && (mp3 || is("audio/", in, "format", "wav"))
		case `"source"`:
			return over.member("type") == "image" && in.member("type") == "base64" && is("", in, "media_type", "image/png")
		case `"audio"`:
			return contentType == "audio/wav"
		case `"inline_data"`:
			return is("", in, "mime_type", "application/octet-stream")
		}
	}
	return false
}

// member is the text of a string member of an object; "" if there is none.
func (c *container) member(key string) string {
	depth, want := 0, `"`+key+`"`
	for i := 0; i < len(c.text); {
		switch c.text[i] {
		case '{', '[':
			depth++
			i++
		case '}', ']':
			if depth--; depth == 0 {
				return ""
			}
			i++
		case '"':
			end := stringEnd(c.text, i)
			if depth == 1 && string(c.text[i:end]) == want && end+1 < len(c.text) && c.text[end] == ':' && c.text[end+1] == '"' {
				text, _ := unquote(c.text[end+1 : stringEnd(c.text, end+1)])
				return text
			}
			i = end
		default:
			i++
		}
	}
	return ""
}
