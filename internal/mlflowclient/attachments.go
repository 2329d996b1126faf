package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/mlflow"
)

// ErrNoAttachment says that the source does not have an attachment that a span refers to. That happens because MLflow's SDK
// writes the reference first, and goes on when it can't store the bytes.
var ErrNoAttachment = errors.New("the source does not have it: its bytes were never stored, or have been removed since")

// Attachment gets the bytes of an attachment that trace t refers to.
//
// They are among the artifacts of the trace that the reference names. In a copy of a trace that is the one that was copied.
// Where that one is gone, they may be among those of t. A workspace hands out a signed address for them. An open-source
// server serves them like the spans (get-trace-artifact with a path) or, behind a proxy that passes only the public API, as
// any artifact.
func (c *Client) Attachment(ctx context.Context, t *mlflow.TraceInfo, a mlflow.Attachment) ([]byte, error) {
	get := c.servedAttachment
	if c.databricks {
		get = c.signedAttachment
	}
	body, err := get(ctx, a.TraceID, nil, a)
	gone := errors.Is(err, ErrNoAttachment) || isCode(err, http.StatusNotFound) || isCode(err, http.StatusBadRequest)
	if gone && a.TraceID != t.TraceID {
		body, err = get(ctx, t.TraceID, t, a)
	}
	if isCode(err, http.StatusNotFound) && !isCode(err, 0, codeNoEndpoint) {
		err = ErrNoAttachment
	}
	if err != nil {
		return nil, fmt.Errorf("attachment %s of trace %s: %w", a.ID, t.TraceID, err)
	}
	return body, nil
}

// artifact is the path of an attachment among the artifacts of its trace.
func artifact(a mlflow.Attachment) string { return "attachments/" + a.ID }

// otherBytes says that the answer is something else than the attachment.
type otherBytes struct{ got, want int64 }

func (e *otherBytes) Error() string {
	if e.want == 0 {
		return "the server answers with the spans of the trace instead; it is older than attachments, " +
			"ask its operator for a newer version"
	}
	return fmt.Sprintf("the source answers with %d bytes instead of %d, three times; look at it at the source, "+
		"and whether a proxy stands before it", e.got, e.want)
}

// isAttachment makes a check that an answer is the attachment, as far as that can be known. It asks twice more for one that may
// have been cut off. Servers that don't know attachments answer with the trace's spans.
func isAttachment(a mlflow.Attachment) func([]byte) error {
	short := 0
	return func(b []byte) error {
		spans := bytes.HasPrefix(bytes.TrimLeft(b, " \r\n\t"), []byte(`{"spans"`))
		switch n := int64(len(b)); {
		case a.Size == 0 && spans && !strings.Contains(a.Type, "json"):
			return &otherBytes{}
		case a.Size == 0 || n == a.Size:
			return nil
		case short < 2:
			short++
			return io.ErrUnexpectedEOF
		default:
			return &otherBytes{n, a.Size}
		}
	}
}

// errNotServed stands for the answer of a server that is known not to have the route.
var errNotServed error = &APIError{
	Status: http.StatusNotFound, Code: codeNoEndpoint, Method: http.MethodGet, Path: path.Base(traceArtifactRoute),
}

// servedAttachment asks an open-source server. t is the trace with that ID, or nil where the caller does not have it.
func (c *Client) servedAttachment(ctx context.Context, traceID string, t *mlflow.TraceInfo, a mlflow.Attachment) ([]byte, error) {
	var body []byte
	err := errNotServed
	if !c.storedRefused() {
		body, err = c.call(ctx, request{
			pacer: c.download, path: traceArtifactRoute, query: url.Values{"request_id": {traceID}, "path": {a.ID}},
			root: c.ways.stored.refusal() != nil, bytes: true, check: isAttachment(a), patience: patience{faults: downloadFaults},
		})
	}
	_, other := errors.AsType[*otherBytes](err)
	if !other && !isCode(err, http.StatusMethodNotAllowed, codeNoEndpoint) && !isCode(err, http.StatusForbidden) {
		return body, err
	}
	if t == nil {
		var lookUpErr error
		if t, lookUpErr = c.TraceInfo(ctx, traceID); lookUpErr != nil {
			return nil, lookUpErr
		}
	}
	root, ok := strings.CutPrefix(t.Tags[mlflow.TagArtifactLocation], "mlflow-artifacts:")
	if !ok {
		return nil, advice.With(err, "its file lies in other storage, which only the server reads: "+
			"have it or the proxy before it serve "+traceArtifactRoute)
	}
	if u, err := url.Parse(root); err == nil {
		root = u.Path // Some locations have the server's own name before the path.
	}
	at := (&url.URL{Path: path.Join(artifactsRoute, root, artifact(a))}).EscapedPath()
	return c.call(ctx, request{
		pacer: c.download, path: at, bytes: true, check: isAttachment(a), patience: patience{faults: downloadFaults},
	})
}

// signedAttachment downloads from the signed address that a workspace gives for an attachment.
func (c *Client) signedAttachment(ctx context.Context, traceID string, _ *mlflow.TraceInfo, a mlflow.Attachment) ([]byte, error) {
	body, _, err := c.signedDownload(ctx, traceID, artifact(a), isAttachment(a))
	if errors.Is(err, errNotStored) {
		return nil, ErrNoAttachment
	}
	return body, err
}
