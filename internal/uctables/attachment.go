package uctables

// KeyAttachments is the key in column metadata of the METADATA row under which tracemig lists the trace's attachments and says
// where each is: an array of Attachment, sorted by ID. It is absent if the spans refer to none.
const KeyAttachments = "tracemig.attachments"

// Attachment says where the bytes are that a span of a trace refers to. With neither Path nor Inline they are only at the source,
// in the place that the reference in the span names.
type Attachment struct {
	ID     string `json:"id"`
	Type   string `json:"type"`            // content type
	Bytes  int64  `json:"bytes"`           // 0 if the source does not say and tracemig has not read them
	SHA256 string `json:"sha256,omitzero"` // hex; empty if tracemig has not read them
	Path   string `json:"path,omitzero"`   // the file that they were copied to
	Inline bool   `json:"inline,omitzero"` // they are in the spans, as base64, in the place of the reference
}

// AtSource says whether the bytes are only at the source.
func (a *Attachment) AtSource() bool { return a.Path == "" && !a.Inline }
