package uctables

// KeyAttachments is the key in a METADATA row's metadata column under which tracemig lists the trace's
// attachments and says where each is: an array of Attachment, by ID.
const KeyAttachments = "tracemig.attachments"

// Attachment says what became of bytes that the spans of a trace refer to. With neither Path nor Inline they
// are at the source alone, where the reference in the span says.
type Attachment struct {
	ID     string `json:"id"`
	Type   string `json:"type"`            // content type
	Bytes  int64  `json:"bytes"`           // 0 where the source does not say and nobody has read them
	SHA256 string `json:"sha256,omitzero"` // hex; of those that tracemig has read
	Path   string `json:"path,omitzero"`   // the file that they were copied to
	Inline bool   `json:"inline,omitzero"` // they stand in the spans, as base64, in the place of the reference
}

// AtSource says whether the bytes are at the source alone.
func (a *Attachment) AtSource() bool { return a.Path == "" && !a.Inline }
