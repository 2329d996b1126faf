package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// TraceInfo asks for what the source lists of one trace. An *APIError with the code RESOURCE_DOES_NOT_EXIST or NOT_FOUND
// means that the trace is gone, and an *UnlistableError that the source has it and can't list it.
func (c *Client) TraceInfo(ctx context.Context, traceID string) (*mlflow.TraceInfo, error) {
	t, err := c.lookUp(ctx, traceID)
	if _, named := errors.AsType[*UnlistableError](err); err != nil && !named {
		return nil, fmt.Errorf("asking for trace %s: %w", traceID, err)
	}
	return t, err
}

// lookUp is TraceInfo for callers whose own errors name the trace.
func (c *Client) lookUp(ctx context.Context, traceID string) (*mlflow.TraceInfo, error) {
	t, err := c.traceInfo(ctx, traceID, patience{twice: true})
	experimentID := c.lastListed.Load()
	if !unanswerable(err) || experimentID == nil {
		return t, err
	}
	l := &lister{c: c, ctx: ctx, experimentID: *experimentID}
	for healthy := false; unanswerable(err); t, err = c.traceInfo(ctx, traceID, patience{twice: true}) {
		if healthy {
			return nil, &UnlistableError{TraceID: traceID, Err: err}
		}
		var searchErr error
		if healthy, searchErr = l.healthy(err); searchErr != nil {
			return nil, searchErr
		}
	}
	return t, err
}

// traceInfo sends the request for one trace.
func (c *Client) traceInfo(ctx context.Context, traceID string, how patience) (*mlflow.TraceInfo, error) {
	var t *mlflow.TraceInfo
	path := "/api/3.0/mlflow/traces/" + url.PathEscape(traceID)
	_, err := c.call(ctx, request{pacer: c.search, path: path, patience: how, check: func(b []byte) error {
		t = nil
		dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
		return undecodable(mlflow.ReadObject(dec, func(name string) error {
			if name != "trace" {
				return dec.SkipValue()
			}
			return mlflow.ReadObject(dec, func(name string) (err error) {
				if name != "trace_info" {
					return dec.SkipValue()
				}
				t, err = mlflow.ReadTraceInfo(dec)
				return err
			})
		}))
	}})
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, errors.New("the answer holds no trace_info")
	case t.TraceID != traceID:
		return nil, fmt.Errorf("the server answered with another trace, %q", t.TraceID)
	}
	return t, nil
}
