package artifacts

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	storage "google.golang.org/api/storage/v1"
)

// gcsCredentials says where those of Google come from.
const gcsCredentials = "GOOGLE_APPLICATION_CREDENTIALS, those of gcloud, or the machine's account"

// gcsBucket is a bucket of Google Cloud Storage.
type gcsBucket struct {
	name    string
	service *storage.Service
	told    atomic.Bool // the store has answered
}

// openGCS finds credentials as Google's own libraries do. Like MLflow, it goes on without any, since a bucket may be public.
func openGCS(ctx context.Context, name string, getenv func(string) string) (bucket, error) {
	opts := []option.ClientOption{option.WithScopes(storage.DevstorageReadOnlyScope)}
	if host := getenv("STORAGE_EMULATOR_HOST"); host != "" {
		if !strings.Contains(host, "://") {
			host = "http://" + host
		}
		opts = []option.ClientOption{option.WithEndpoint(strings.TrimSuffix(host, "/") + "/storage/v1/"), option.WithoutAuthentication()}
	}
	ctx = context.WithoutCancel(ctx) // Tokens are fetched with it later.
	service, err := storage.NewService(ctx, opts...)
	if err != nil && strings.Contains(err.Error(), "could not find default credentials") {
		service, err = storage.NewService(ctx, option.WithoutAuthentication())
	}
	if err != nil {
		return nil, noCredentials(err, gcsCredentials)
	}
	return &gcsBucket{name: name, service: service}, nil
}

func (b *gcsBucket) get(ctx context.Context, folder, name string) (io.ReadCloser, int64, error) {
	resp, err := b.service.Objects.Get(b.name, join(folder, name)).Context(ctx).Download()
	if err != nil {
		return nil, 0, err
	}
	b.told.Store(true)
	return resp.Body, resp.ContentLength, nil
}

func (b *gcsBucket) holds(ctx context.Context, folder string) (bool, error) {
	list, err := b.service.Objects.List(b.name).Prefix(join(folder, "")).MaxResults(1).Fields("items/name").Context(ctx).Do()
	return err == nil && len(list.Items) > 0, err
}

// judge reads an error of the library. For a bucket that is not there, the status is that of an object that is not there.
func (b *gcsBucket) judge(err error) error {
	api, ok := errors.AsType[*googleapi.Error](err)
	if !ok {
		return connection(err, b.told.Load())
	}
	b.told.Store(true)
	text := api.Message
	if text == "" {
		text = api.Body
	}
	if api.Code == http.StatusNotFound && strings.HasPrefix(text, "No such object") {
		return fs.ErrNotExist
	}
	return refusal{api.Code, http.StatusText(api.Code), text}.judge(gcsCredentials)
}
