package mlflowdb

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
)

type noFiles struct{ err error }

func (f noFiles) Read(context.Context, string, string) ([]byte, error) { return nil, f.err }

type fakeServer struct{}

func (fakeServer) FetchSpans(_ context.Context, read mlflowclient.Read, infos []*mlflow.TraceInfo) []mlflowclient.Spans {
	return []mlflowclient.Spans{{JSON: fmt.Appendf(nil, "%s of %s", read, infos[0].TraceID)}}
}

func (fakeServer) Attachment(context.Context, *mlflow.TraceInfo, mlflow.Attachment) ([]byte, error) {
	return []byte("bytes"), nil
}

// What can't be read from here is asked of the server. Without one, nothing is taken for lost, and the reason is told.
func TestElsewhere(t *testing.T) {
	denied := advice.With(fmt.Errorf("denied: %w", ErrElsewhere), "ask")
	broken := errors.New("broken")
	info := &mlflow.TraceInfo{TraceID: "tr-1", Tags: map[string]string{mlflow.TagArtifactLocation: "hdfs://h/1/traces/tr-1/artifacts"}}
	for name, c := range map[string]struct {
		files  Files
		server Server
		spans  string // what comes of the server
		miss   string
		err    error // that the error is, if there is one
	}{
		"no files":          {nil, nil, "", mlflowclient.MissingElsewhere, nil},
		"another store":     {noFiles{ErrElsewhere}, nil, "", mlflowclient.MissingElsewhere, nil},
		"denied":            {noFiles{denied}, nil, "", mlflowclient.MissingElsewhere, ErrElsewhere},
		"broken":            {noFiles{broken}, nil, "", "", broken},
		"no files, server":  {nil, fakeServer{}, "exact of tr-1", "", nil},
		"denied, server":    {noFiles{denied}, fakeServer{}, "exact of tr-1", "", nil},
		"broken and server": {noFiles{broken}, fakeServer{}, "", "", broken},
	} {
		s := &Source{opts: Options{Files: c.files, Server: c.server}}
		out := make([]mlflowclient.Spans, 1)
		s.elsewhere(t.Context(), mlflowclient.Exact, map[int]*mlflow.TraceInfo{0: info}, out)
		got := out[0]
		if string(got.JSON) != c.spans || got.Missing != c.miss || !errors.Is(got.Err, c.err) {
			t.Errorf("%s: spans %q, missing %q, error %v", name, got.JSON, got.Missing, got.Err)
		}
		body, err := s.Attachment(t.Context(), info, mlflow.Attachment{ID: "x", TraceID: "tr-1"})
		served := c.spans != ""
		if served != (string(body) == "bytes") || served == (err != nil) || errors.Is(err, mlflowclient.ErrNoAttachment) {
			t.Errorf("%s: an attachment: %q, %v", name, body, err)
		}
	}
}
