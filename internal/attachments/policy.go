package attachments

import (
	"context"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// Source reads attachments; *mlflowclient.Client is one.
type Source interface {
	Attachment(ctx context.Context, t *mlflow.TraceInfo, a mlflow.Attachment) ([]byte, error)
}

// Policy says what becomes of the attachments that traces refer to. The zero value leaves them at the source,
// unread.
//
// It decides once for each attachment: what an earlier run noted of one in the trace's METADATA row stays as it is.
type Policy struct {
	Source Source
	Files  *Files
	Inline bool   // put them into the spans in the place of the references
	Folder string // copy them to files in it; "" for not
}

// Reads says whether a run reads the attachments of new traces.
func (p *Policy) Reads() bool { return p.Inline || p.Folder != "" }

// InSpan is the weight of n bytes while they are put into a span: as they are and as base64.
func InSpan(n int64) int64 { return n + (n+2)/3*4 }
