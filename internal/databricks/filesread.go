package databricks

import (
	"context"
	"io"
	"net/http"
)

// Size is how many bytes a file has, ErrNotThere when it does not exist.
func (f *Files) Size(ctx context.Context, path string) (int64, error) {
	var head struct {
		Length int64 `json:"-" url:"-" header:"content-length,omitempty"`
	}
	err := f.do(ctx, http.MethodHead, files(path), nil, nil, &head)
	return head.Length, err
}

// Open reads a file from its beginning; the caller closes it. ErrNotThere when it does not exist.
func (f *Files) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	var body struct {
		Contents io.ReadCloser `json:"-" url:"-"`
	}
	err := f.do(ctx, http.MethodGet, files(path), nil, nil, &body)
	return body.Contents, err
}
