package databricks

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/httpclient"

	"github.com/tracemig/tracemig/internal/retry"
)

// Files puts files into the volumes of a workspace and takes them out again. Its methods retry by
// themselves; their errors are those of a Workspace.
type Files struct {
	c       *client.DatabricksClient
	policy  retry.Policy
	waiting func(err error, wait time.Duration)
}

// NewFiles is the files of the workspace that cfg reaches. waiting, which may be nil, hears of every
// wait before another try.
func NewFiles(cfg *config.Config, policy retry.Policy, waiting func(err error, wait time.Duration)) (*Files, error) {
	c, err := client.New(cfg)
	return &Files{c, policy, waiting}, err
}

// HasVolume says whether there is a volume (catalog.schema.volume) that the identity may see.
func (f *Files) HasVolume(ctx context.Context, fullName string) (bool, error) {
	err := f.do(ctx, http.MethodGet, "/api/2.1/unity-catalog/volumes/"+url.PathEscape(fullName), nil, nil, nil)
	if errors.Is(err, ErrNotThere) {
		return false, nil
	}
	return err == nil, err
}

// CreateVolume makes a managed volume; that it is there already is no error.
func (f *Files) CreateVolume(ctx context.Context, catalog, schema, name string) error {
	err := f.do(ctx, http.MethodPost, "/api/2.1/unity-catalog/volumes", nil, map[string]string{
		"catalog_name": catalog, "schema_name": schema, "name": name, "volume_type": "MANAGED",
		"comment": "Files that tracemig loads into trace tables. They are removed after they were loaded.",
	}, nil)
	if err == nil {
		return nil
	}
	if there, _ := f.HasVolume(ctx, catalog+"."+schema+"."+name); there {
		return nil // another run was quicker
	}
	return err
}

// Entry is a file or a folder in a volume.
type Entry struct {
	Name       string `json:"name"`
	Folder     bool   `json:"is_directory"`
	ModifiedMs int64  `json:"last_modified"` // milliseconds since the Unix epoch; folders may have none
}

// List is what a folder (/Volumes/…) holds, ErrNotThere when it does not exist.
func (f *Files) List(ctx context.Context, folder string) ([]Entry, error) {
	var all []Entry
	for token := ""; ; {
		var page struct {
			Contents []Entry `json:"contents"`
			Next     string  `json:"next_page_token"`
		}
		// The SDK makes the query of a GET from its data.
		if err := f.do(ctx, http.MethodGet, folders(folder), nil, map[string]string{"page_token": token}, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Contents...)
		if token = page.Next; token == "" {
			return all, nil
		}
	}
}

// MakeFolder makes a folder and those around it, inside of a volume.
func (f *Files) MakeFolder(ctx context.Context, folder string) error {
	return f.do(ctx, http.MethodPut, folders(folder), nil, nil, nil)
}

// Put writes a file, in place of an earlier one of its name.
func (f *Files) Put(ctx context.Context, path string, data []byte) error {
	return f.do(ctx, http.MethodPut, files(path), map[string]any{"overwrite": true}, data, nil)
}

// Remove removes a folder with the named files in it. What is not there is no error.
func (f *Files) Remove(ctx context.Context, folder string, names ...string) error {
	for _, name := range names {
		if err := f.do(ctx, http.MethodDelete, files(folder+"/"+name), nil, nil, nil); err != nil && !errors.Is(err, ErrNotThere) {
			return err
		}
	}
	if err := f.do(ctx, http.MethodDelete, folders(folder), nil, nil, nil); err != nil && !errors.Is(err, ErrNotThere) {
		return err
	}
	return nil
}

func files(path string) string {
	return "/api/2.0/fs/files" + httpclient.EncodeMultiSegmentPathParameter(path)
}

func folders(path string) string {
	return "/api/2.0/fs/directories" + httpclient.EncodeMultiSegmentPathParameter(path)
}

// do sends one request until it is answered. All of them may be sent twice.
func (f *Files) do(ctx context.Context, method, path string, query map[string]any, data, into any) error {
	return retry.Do(ctx, f.policy, func(ctx context.Context) error {
		body, headers := data, map[string]string{}
		if content, ok := data.([]byte); ok {
			body, headers["Content-Type"] = bytes.NewReader(content), "application/octet-stream"
		}
		err := send(ctx, f.c, method, path, headers, query, body, into)
		var api *apierr.APIError
		if errors.As(err, &api) && api.StatusCode == http.StatusTooManyRequests {
			var after time.Duration
			if api.ResponseWrapper != nil && api.ResponseWrapper.Response != nil {
				after = retry.After(api.ResponseWrapper.Response.Header, time.Now())
			}
			return retry.Again(err, after)
		}
		if passes(err) {
			return retry.Again(err, 0)
		}
		return err
	}, f.waiting)
}
