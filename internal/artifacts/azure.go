package artifacts

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/tracemig/tracemig/internal/mlflowdb"
)

// azureCredentials says where those of Azure come from.
const azureCredentials = "AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCESS_KEY for wasbs, AZURE_STORAGE_SAS_TOKEN for abfss, " +
	"or what DefaultAzureCredential finds, such as az login"

// azureContainer is a container of Azure Blob Storage, or a file system of a data lake, which is one too.
type azureContainer struct {
	name   string
	client *azblob.Client
	told   atomic.Bool // the store has answered
}

var azureHost = regexp.MustCompile(`^([^@]+)@([^.]+)\.(blob|dfs)\.(.+)$`)

// openAzure finds credentials as MLflow does, which are others for wasbs than for abfss.
func openAzure(_ context.Context, host string, getenv func(string) string) (bucket, error) {
	m := azureHost.FindStringSubmatch(host)
	if m == nil {
		return nil, mlflowdb.ErrElsewhere
	}
	account, lake := m[2], m[3] == "dfs"
	address := "https://" + account + ".blob." + m[4] + "/"
	opts := &azblob.ClientOptions{ClientOptions: policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}} // Package retry repeats.
	client, err := azureClient(address, account, lake, getenv, opts)
	if err != nil {
		return nil, noCredentials(err, azureCredentials)
	}
	return &azureContainer{name: m[1], client: client}, nil
}

func azureClient(
	address, account string, lake bool, getenv func(string) string, opts *azblob.ClientOptions,
) (*azblob.Client, error) {
	text, key, token := getenv("AZURE_STORAGE_CONNECTION_STRING"), getenv("AZURE_STORAGE_ACCESS_KEY"), getenv("AZURE_STORAGE_SAS_TOKEN")
	switch {
	case !lake && text != "":
		client, err := azblob.NewClientFromConnectionString(text, opts)
		if err != nil {
			err = errors.New("AZURE_STORAGE_CONNECTION_STRING can't be read") // Its own words may repeat a part.
		}
		return client, err
	case !lake && key != "":
		credential, err := azblob.NewSharedKeyCredential(account, key)
		if err != nil {
			return nil, errors.New("AZURE_STORAGE_ACCESS_KEY can't be read")
		}
		return azblob.NewClientWithSharedKeyCredential(address, credential, opts)
	case lake && token != "":
		return azblob.NewClientWithNoCredential(address+"?"+strings.TrimPrefix(token, "?"), opts)
	}
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, err
	}
	return azblob.NewClient(address, credential, opts)
}

func (b *azureContainer) get(ctx context.Context, folder, name string) (io.ReadCloser, int64, error) {
	out, err := b.client.DownloadStream(ctx, b.name, join(folder, name), nil)
	if err != nil {
		return nil, 0, err
	}
	b.told.Store(true)
	size := int64(-1)
	if out.ContentLength != nil {
		size = *out.ContentLength
	}
	return out.Body, size, nil
}

func (b *azureContainer) holds(ctx context.Context, folder string) (bool, error) {
	prefix, one := join(folder, ""), int32(1)
	page, err := b.client.NewListBlobsFlatPager(b.name, &azblob.ListBlobsFlatOptions{Prefix: &prefix, MaxResults: &one}).NextPage(ctx)
	return err == nil && page.Segment != nil && len(page.Segment.BlobItems) > 0, err
}

func (b *azureContainer) judge(err error) error {
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return fs.ErrNotExist
	}
	if answer, ok := errors.AsType[*azcore.ResponseError](err); ok {
		b.told.Store(true)
		return refusal{answer.StatusCode, answer.ErrorCode, ""}.judge(azureCredentials)
	}
	if failed, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok {
		return noCredentials(failed, azureCredentials)
	}
	if strings.Contains(err.Error(), "DefaultAzureCredential") {
		return noCredentials(err, azureCredentials)
	}
	return connection(err, b.told.Load())
}
