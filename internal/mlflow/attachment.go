package mlflow

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// AttachmentMark begins every reference to an attachment. A text that does not contain it contains no reference.
const AttachmentMark = "mlflow-attachment:"

// Attachment is what a reference in a span says about bytes, such as an image or a recording, that MLflow's SDK has
// stored beside the trace: mlflow-attachment://<ID>?content_type=…&trace_id=…&size=….
type Attachment struct {
	ID      string // a UUID
	TraceID string // of the trace beside which the bytes are stored; in a copied trace, that of the original
	Type    string // content type
	Size    int64  // in bytes; 0 where the reference does not say
}

var attachmentID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// ParseAttachment reads a reference as MLflow's own client does. ok is false for any other text, and for a reference
// whose ID no server would accept.
func ParseAttachment(text string) (a Attachment, ok bool) {
	if !strings.HasPrefix(text, AttachmentMark) {
		return a, false
	}
	u, err := url.Parse(text)
	if err != nil {
		return a, false
	}
	q := u.Query()
	a = Attachment{ID: strings.ToLower(u.Hostname()), TraceID: q.Get("trace_id"), Type: q.Get("content_type")}
	if n, err := strconv.ParseInt(q.Get("size"), 10, 64); err == nil && n > 0 {
		a.Size = n
	}
	return a, attachmentID.MatchString(a.ID) && a.TraceID != "" && a.Type != ""
}
