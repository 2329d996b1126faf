package convert

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/jsonscan"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Attachment is an attachment for whose bytes it has been decided where they are to be.
type Attachment struct {
	uctables.Attachment
	// Data are the bytes of an Inline attachment. They replace its reference in the spans; without them the
	// reference stays.
	Data []byte
}

// lookForAttachments prepares the search for references in the spans document. For a document without any it costs
// one search for the end of the mark with which they begin: it begins with a hyphen, which is rarer than an m, and so
// bytes.Contains has fewer places to look at.
func (c *converter) lookForAttachments() {
	const rare = len("mlflow")
	if !bytes.Contains(c.doc, []byte(mlflow.AttachmentMark[rare:])) || !bytes.Contains(c.doc, []byte(mlflow.AttachmentMark)) {
		return
	}
	c.found = map[string]mlflow.Attachment{}
	c.given = make(map[string]*Attachment, len(c.in.Attachments))
	for i := range c.in.Attachments {
		c.given[c.in.Attachments[i].ID] = &c.in.Attachments[i]
	}
}

// listAttachments gives what METADATA lists: the attachments of the input, and those that were found besides, which
// stay at the source.
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
	text, _ := json.Marshal(list, jsontext.AllowInvalidUTF8(true)) // texts and numbers, which give no error
	return append(dst, text...)
}

// foundAttachments are those that the spans refer to, by ID.
func (c *converter) foundAttachments() []mlflow.Attachment {
	return slices.SortedFunc(maps.Values(c.found), func(a, b mlflow.Attachment) int { return cmp.Compare(a.ID, b.ID) })
}

// endValue ends the member that was begun last, and puts the bytes of inline attachments into its value. from is as in
// object.end.
func (c *converter) endValue(o *object, from source) {
	at := o.last().val
	if c.found != nil && bytes.Contains(o.buf[at:], []byte(mlflow.AttachmentMark)) && c.fillAttachments(o, at) {
		from = source{} // The value with the bytes in it is what is to be kept, not the references of the source.
	}
	o.end(from)
}

// container is an object or array around a position in compact JSON.
type container struct {
	text  []byte // from its bracket on
	key   []byte // literal of the key that was read last; nil in an array
	array bool
}

// fillAttachments looks for references among the strings of the JSON from o.buf[at] on, and replaces those of
// inline attachments by their bytes. It says whether it has replaced any.
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
			end, _ := jsonscan.SkipString(src, i)
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

// reference adds the attachment that a string literal refers to, if it refers to one, to those that were found. It
// gives the attachment if its bytes are to replace the literal.
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
// objects around the reference tell: these are the forms in which model providers take and give images and
// audio (method _try_convert_structured_content of MLflow's span.py).
func wasBase64(around []container, contentType string) bool {
	in, over := enclosing(around, 0), enclosing(around, 1)
	switch string(in.key) {
	case `"b64_json"`:
		return contentType == "image/png"
	case `"result"`:
		return in.member("type") == "image_generation_call" && in.saysType("image/", "output_format", "png", contentType)
	case `"bytes"`:
		return string(over.key) == `"source"` && string(enclosing(around, 2).key) == `"image"` &&
			over.saysType("image/", "format", "png", contentType)
	case `"data"`:
		return dataWasBase64(in, over, contentType)
	}
	return false
}

// dataWasBase64 is wasBase64 for a reference that is the member "data" of in. over is the object around in.
func dataWasBase64(in, over *container, contentType string) bool {
	switch string(over.key) {
	case `"input_audio"`:
		mp3 := in.member("format") == "mp3" && contentType == "audio/mpeg"
		return over.member("type") == "input_audio" && (mp3 || in.saysType("audio/", "format", "wav", contentType))
	case `"source"`:
		return over.member("type") == "image" && in.member("type") == "base64" &&
			in.saysType("", "media_type", "image/png", contentType)
	case `"audio"`:
		return contentType == "audio/wav"
	case `"inline_data"`:
		return in.saysType("", "mime_type", "application/octet-stream", contentType)
	}
	return false
}

// enclosing is the n-th object from the innermost of around, which is number 0; an empty one if that is an array, or
// if there are fewer.
func enclosing(around []container, n int) *container {
	if i := len(around) - 1 - n; i >= 0 && !around[i].array {
		return &around[i]
	}
	return &container{}
}

// saysType says whether the member of this key, or otherwise if there is none, makes contentType when it
// stands after the prefix.
func (c *container) saysType(prefix, key, otherwise, contentType string) bool {
	return contentType == prefix+cmp.Or(c.member(key), otherwise)
}

// member is the text of a string member of an object; "" if there is none.
func (c *container) member(key string) (text string) {
	want := `"` + key + `"`
	// The text is compact JSON, in which a key occurs once, or empty. Only that is an error, and has no member.
	_, _ = jsonscan.Members(c.text, func(name, value []byte) error {
		if string(name) == want && value[0] == '"' {
			text, _ = unquote(value)
		}
		return nil
	})
	return text
}
