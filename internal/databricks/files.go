package databricks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/httpclient"

	"github.com/tracemig/tracemig/internal/retry"
)

// Files writes, reads and removes files in the volumes of a workspace. Its methods retry by themselves. Their errors are those
// of a Workspace.
type Files struct {
	c       *client.DatabricksClient
	policy  retry.Policy
	waiting func(err error, wait time.Duration)

	Waits *retry.Waits // is told of requests that wait for another try; may be nil
}

// NewFiles is the files of the workspace that cfg names. waiting, which may be nil, is called before every wait for another
// try.
func NewFiles(cfg *config.Config, policy retry.Policy, waiting func(err error, wait time.Duration)) (*Files, error) {
	c, err := client.New(cfg)
	return &Files{c: c, policy: policy, waiting: waiting}, err
}

// HasVolume says whether there is a volume (catalog.schema.volume) that the identity may see.
func (f *Files) HasVolume(ctx context.Context, fullName string) (bool, error) {
	err := f.do(ctx, http.MethodGet, "/api/2.1/unity-catalog/volumes/"+url.PathEscape(fullName), nil, nil, nil)
	if errors.Is(err, ErrNotThere) {
		return false, nil
	}
	return err == nil, err
}

// CreateVolume makes a managed volume. That it exists already is not an error.
func (f *Files) CreateVolume(ctx context.Context, catalog, schema, name string) error {
	err := f.do(ctx, http.MethodPost, "/api/2.1/unity-catalog/volumes", nil, map[string]string{
		"catalog_name": catalog, "schema_name": schema, "name": name, "volume_type": "MANAGED",
		"comment": "Files that tracemig loads into trace tables. They are removed after they were loaded.",
	}, nil)
	if err == nil {
		return nil
	}
	if there, _ := f.HasVolume(ctx, catalog+"."+schema+"."+name); there {
		return nil // another run has made it
	}
	return err
}

// Entry is a file or a folder in a volume.
type Entry struct {
	Name       string `json:"name"`
	Folder     bool   `json:"is_directory"`
	ModifiedMs int64  `json:"last_modified"` // milliseconds since the Unix epoch; folders may have none
}

// List is the entries of a folder (/Volumes/…). The error is ErrNotThere when it does not exist.
func (f *Files) List(ctx context.Context, folder string) ([]Entry, error) {
	var all []Entry
	for token := ""; ; {
		var page struct {
			Contents []Entry `json:"contents"`
			Next     string  `json:"next_page_token"`
		}
		// The SDK makes the query of a GET from its data.
		if err := f.do(ctx, http.MethodGet, folderPath(folder), nil, map[string]string{"page_token": token}, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Contents...)
		if token = page.Next; token == "" {
			return all, nil
		}
	}
}

// MakeFolder makes a folder of a volume, and those that it is in.
func (f *Files) MakeFolder(ctx context.Context, folder string) error {
	return f.do(ctx, http.MethodPut, folderPath(folder), nil, nil, nil)
}

// Size is how many bytes a file has. The error is ErrNotThere when it does not exist.
func (f *Files) Size(ctx context.Context, path string) (int64, error) {
	var head struct {
		Length int64 `json:"-" url:"-" header:"content-length,omitempty"`
	}
	err := f.do(ctx, http.MethodHead, filePath(path), nil, nil, &head)
	return head.Length, err
}

// Open reads a file from its beginning; the caller closes it. The error is ErrNotThere when it does not exist.
func (f *Files) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	var body struct {
		Contents io.ReadCloser `json:"-" url:"-"`
	}
	err := f.do(ctx, http.MethodGet, filePath(path), nil, nil, &body)
	return body.Contents, err
}

// Put writes a file, in place of an earlier one with its name.
func (f *Files) Put(ctx context.Context, path string, data []byte) error {
	return f.do(ctx, http.MethodPut, filePath(path), map[string]any{"overwrite": true}, data, nil)
}

// Remove removes a folder with the named files in it. That any of them does not exist is not an error.
func (f *Files) Remove(ctx context.Context, folder string, names ...string) error {
	for _, name := range names {
		if err := f.do(ctx, http.MethodDelete, filePath(folder+"/"+name), nil, nil, nil); err != nil && !errors.Is(err, ErrNotThere) {
			return err
		}
	}
	if err := f.do(ctx, http.MethodDelete, folderPath(folder), nil, nil, nil); err != nil && !errors.Is(err, ErrNotThere) {
		return err
	}
	return nil
}

// filePath is the path of the REST API for a file.
func filePath(path string) string {
	return "/api/2.0/fs/files" + httpclient.EncodeMultiSegmentPathParameter(path)
}

// folderPath is the path of the REST API for a folder.
func folderPath(path string) string {
	return "/api/2.0/fs/directories" + httpclient.EncodeMultiSegmentPathParameter(path)
}

// do sends one request until it is answered. All requests of Files may be sent twice.
func (f *Files) do(ctx context.Context, method, path string, query map[string]any, data, into any) error {
	told := f.Waits.Operation()
	defer told.Over()
	return retry.Do(ctx, f.policy, func(ctx context.Context) error {
		body, headers := data, map[string]string{}
		if content, ok := data.([]byte); ok {
			body, headers["Content-Type"] = bytes.NewReader(content), "application/octet-stream"
		}
		err := send(ctx, f.c, method, path, headers, query, body, into)
		if api, ok := errors.AsType[*apierr.APIError](err); ok && api.StatusCode == http.StatusTooManyRequests {
			var after time.Duration
			if api.ResponseWrapper != nil && api.ResponseWrapper.Response != nil {
				after = retry.After(api.ResponseWrapper.Response.Header, time.Now())
			}
			return retry.Again(err, after)
		}
		if isTransient(err) {
			return retry.Again(err, 0)
		}
		return err
	}, func(w retry.Wait) {
		told.Waits(fmt.Sprintf("the workspace asks for another try at a file (%v)", w.Err), w)
		if f.waiting != nil {
			f.waiting(w.Err, w.For)
		}
	})
}
