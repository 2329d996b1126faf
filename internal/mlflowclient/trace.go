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

// TraceInfo asks for what the source lists of one trace. An *APIError with the code
// RESOURCE_DOES_NOT_EXIST or NOT_FOUND means that it is gone, an *UnlistableError that the source has it
// and can't tell what it is.
func (c *Client) TraceInfo(ctx context.Context, traceID string) (*mlflow.TraceInfo, error) {
	t, err := c.traceInfo(ctx, traceID, patience{twice: true})
	experimentID := c.lastListed.Load()
	if !stuck(err) || experimentID == nil {
		return t, err
	}
	l := &lister{c: c, ctx: ctx, experimentID: *experimentID}
	for sound := false; stuck(err); t, err = c.traceInfo(ctx, traceID, patience{twice: true}) {
		if sound {
			return nil, &UnlistableError{TraceID: traceID, Err: err}
		}
		var serr error
		if sound, serr = l.sound(err); serr != nil {
			return nil, serr
		}
	}
	return t, err
}

func (c *Client) traceInfo(ctx context.Context, traceID string, how patience) (*mlflow.TraceInfo, error) {
	var t *mlflow.TraceInfo
	_, err := c.call(ctx, request{pacer: c.search, path: "/api/3.0/mlflow/traces/" + url.PathEscape(traceID), patience: how, check: func(b []byte) error {
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
	if err == nil && t == nil {
		err = errors.New("the answer holds no trace_info")
	}
	if err == nil && t.TraceID != traceID {
		err = fmt.Errorf("the server answered with another trace, %q", t.TraceID)
	}
	if err != nil {
		return nil, fmt.Errorf("asking for trace %s: %w", traceID, err)
	}
	return t, nil
}
