package mlflowdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source"
)

// filesAtOnce is how many files one call reads at the same time: a store takes much longer to answer than to send.
const filesAtOnce = 16

// elsewhere reads the spans of traces that do not have them in the database into out, which is by index as traces is.
func (s *Source) elsewhere(ctx context.Context, read mlflowclient.Read, traces map[int]*mlflow.TraceInfo, out []mlflowclient.Spans) {
	var g errgroup.Group
	g.SetLimit(filesAtOnce)
	for i, t := range traces {
		g.Go(func() error {
			out[i] = s.fileSpans(ctx, read, t)
			return nil
		})
	}
	_ = g.Wait() // Each trace has its own error.
}

// fileSpans reads the spans of a trace that has them in a file, by itself or through the server.
func (s *Source) fileSpans(ctx context.Context, read mlflowclient.Read, t *mlflow.TraceInfo) mlflowclient.Spans {
	tag, name := mlflow.TagArtifactLocation, "traces.json"
	archive := t.Tags[mlflow.TagSpansLocation] == mlflow.SpansInArchive
	if archive {
		tag, name = mlflow.TagArchiveLocation, archiveFile
	}
	location, ok := t.Tags[tag]
	if !ok {
		return mlflowclient.Spans{Err: &mlflowclient.CorruptError{TraceID: t.TraceID, Reason: "no tag " + tag + " says where they are"}}
	}
	body, err := s.file(ctx, location, name)
	switch {
	case errors.Is(err, ErrElsewhere) && s.opts.Server != nil:
		return s.opts.Server.FetchSpans(ctx, read, []*mlflow.TraceInfo{t})[0]
	case errors.Is(err, ErrElsewhere) && !advises(err):
		return mlflowclient.Spans{Missing: mlflowclient.MissingElsewhere}
	case errors.Is(err, ErrElsewhere):
		return mlflowclient.Spans{Missing: mlflowclient.MissingElsewhere, Err: fmt.Errorf("reading the spans of trace %s: %w", t.TraceID, err)}
	case errors.Is(err, fs.ErrNotExist):
		return s.lost(ctx, t, archive)
	case err == nil && archive:
		if body, err = archived(body); err != nil {
			err = &mlflowclient.CorruptError{TraceID: t.TraceID, Reason: err.Error()}
		}
	}
	return mlflowclient.Assess(t, mlflowclient.Spans{JSON: body, Err: err})
}

// lost is the result for a trace whose file is not there.
func (s *Source) lost(ctx context.Context, t *mlflow.TraceInfo, archive bool) mlflowclient.Spans {
	switch _, err := s.TraceInfo(ctx, t.TraceID); {
	case source.Gone(err):
		return mlflowclient.Spans{Missing: mlflowclient.MissingDeleted}
	case err != nil:
		return mlflowclient.Assess(t, mlflowclient.Spans{Err: err})
	case archive: // The server has such a trace without spans.
		return mlflowclient.Spans{Missing: mlflowclient.MissingOf(t, 0)}
	}
	return mlflowclient.Assess(t, mlflowclient.Spans{Missing: mlflowclient.MissingLost})
}

// file reads a file below a location.
func (s *Source) file(ctx context.Context, location, name string) ([]byte, error) {
	if s.opts.Files == nil {
		return nil, ErrElsewhere
	}
	body, err := s.opts.Files.Read(ctx, location, name)
	s.bytes.Add(int64(len(body)))
	return body, err
}

// advises says whether err tells more than that a location is of a kind that can't be read.
func advises(err error) bool {
	_, ok := errors.AsType[advice.Adviser](err)
	return ok
}

// Attachment reads the bytes of an attachment that trace t refers to. They are beside the trace that the reference names, or, where
// that one is gone, beside t.
func (s *Source) Attachment(ctx context.Context, t *mlflow.TraceInfo, a mlflow.Attachment) ([]byte, error) {
	named := t
	var err error
	if a.TraceID != t.TraceID {
		if named, err = s.TraceInfo(ctx, a.TraceID); source.Gone(err) {
			named, err = t, nil
		}
	}
	var body []byte
	if err == nil {
		body, err = s.attachment(ctx, named, a)
	}
	if errors.Is(err, fs.ErrNotExist) && named != t {
		body, err = s.attachment(ctx, t, a)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = mlflowclient.ErrNoAttachment
	case errors.Is(err, ErrElsewhere) && s.opts.Server != nil:
		return s.opts.Server.Attachment(ctx, t, a)
	case errors.Is(err, ErrElsewhere) && !advises(err):
		err = advice.With(err, "Name the artifact store with --artifacts-destination, or the MLflow server with --server")
	}
	if err != nil {
		return nil, fmt.Errorf("attachment %s of trace %s: %w", a.ID, t.TraceID, err)
	}
	return body, nil
}

// attachment reads an attachment that lies beside a trace.
func (s *Source) attachment(ctx context.Context, t *mlflow.TraceInfo, a mlflow.Attachment) ([]byte, error) {
	body, err := s.file(ctx, t.Tags[mlflow.TagArtifactLocation], "attachments/"+a.ID)
	if n := int64(len(body)); err == nil && a.Size != 0 && n != a.Size {
		return nil, advice.With(fmt.Errorf("its file has %d bytes instead of %d", n, a.Size), "look at it at the source")
	}
	return body, err
}
