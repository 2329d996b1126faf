package mlflowclient

import (
	"bytes"
	"context"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/mlflow"
)

// An MLflow server with workspaces (3.10 and newer) tells them apart by a header. A request without the header is one to the
// default workspace.
const (
	workspaceHeader  = "X-MLFLOW-WORKSPACE"
	defaultWorkspace = "default"
)

// checkWorkspace makes sure that the server has workspaces, if one was named. An older server ignores the header, and would
// answer with another experiment of the same name.
func (c *Client) checkWorkspace(ctx context.Context) error {
	c.workspaceMu.Lock()
	defer c.workspaceMu.Unlock()
	if c.workspace == "" || c.hasWorkspaces {
		return nil
	}
	var err error
	// The second is the name that the first of these versions had for the same answer.
	for _, path := range []string{"/api/3.0/mlflow/server-info", "/api/3.0/mlflow/server-features"} {
		_, err = c.call(ctx, request{pacer: c.search, path: path, check: func(b []byte) error {
			dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
			return mlflow.ReadObject(dec, func(name string) error {
				if name != "workspaces_enabled" {
					return dec.SkipValue()
				}
				tok, err := dec.ReadToken()
				c.hasWorkspaces = err == nil && tok.Kind() == jsontext.KindTrue
				return err
			})
		}})
		if !isCode(err, 0, codeNoEndpoint) {
			break
		}
	}
	switch {
	case c.hasWorkspaces:
		return nil
	case err == nil || isCode(err, 0, codeNoEndpoint):
		return advice.With(fmt.Errorf("the workspace %q can't be used: %s has no workspaces", c.workspace, c.base),
			"unset MLFLOW_WORKSPACE and leave out --workspace, or have the server started with --enable-workspaces")
	}
	return fmt.Errorf("asking whether the server has workspaces: %w", err)
}
