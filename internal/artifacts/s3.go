package artifacts

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// s3Credentials says where those of S3 come from.
const s3Credentials = "AWS_* in the environment, a profile in ~/.aws, or the machine's role"

// s3Bucket is a bucket of S3, or of a store that speaks its language.
type s3Bucket struct {
	name  string
	owner *string // who must own it, or nil
	mu    sync.Mutex
	s3    *s3.Client
	told  bool // the store has answered
}

// openS3 finds region and credentials as boto3 does. The endpoint and how far it is trusted are MLflow's own settings.
func openS3(ctx context.Context, name string, getenv func(string) string) (bucket, error) {
	client := awshttp.NewBuildableClient()
	if on(getenv("MLFLOW_S3_IGNORE_TLS")) {
		client = client.WithTransportOptions(func(t *http.Transport) {
			if t.TLSClientConfig == nil {
				t.TLSClientConfig = &tls.Config{}
			}
			t.TLSClientConfig.InsecureSkipVerify = true //nolint:gosec // The user has asked for it.
		})
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client), config.WithLogger(logging.Nop{}),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} })) // Package retry repeats.
	if err != nil {
		return nil, noCredentials(err, s3Credentials)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, noCredentials(err, s3Credentials)
	}
	cfg.Region = cmp.Or(cfg.Region, "us-east-1") // as boto3; the bucket's own is learned from its answer
	b := &s3Bucket{name: name, s3: s3.NewFromConfig(cfg, func(o *s3.Options) {
		style := getenv("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE")
		if endpoint := getenv("MLFLOW_S3_ENDPOINT_URL"); endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
		o.UsePathStyle = style == "path" || o.BaseEndpoint != nil && style != "virtual"
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired // Other stores send none.
	})}
	if owner := getenv("MLFLOW_S3_EXPECTED_BUCKET_OWNER"); owner != "" {
		b.owner = &owner
	}
	return b, nil
}

// on reads a variable as MLflow reads its switches.
func on(value string) bool { return value == "1" || strings.EqualFold(value, "true") }

func (b *s3Bucket) get(ctx context.Context, folder, name string) (io.ReadCloser, int64, error) {
	in := &s3.GetObjectInput{Bucket: &b.name, Key: aws.String(join(folder, name)), ExpectedBucketOwner: b.owner}
	out, err := inRegion(b, func(c *s3.Client) (*s3.GetObjectOutput, error) { return c.GetObject(ctx, in) })
	if err != nil {
		return nil, 0, err
	}
	size := int64(-1)
	if out.ContentLength != nil {
		size = *out.ContentLength
	}
	return out.Body, size, nil
}

func (b *s3Bucket) holds(ctx context.Context, folder string) (bool, error) {
	in := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: aws.String(join(folder, "")), MaxKeys: aws.Int32(1), ExpectedBucketOwner: b.owner}
	out, err := inRegion(b, func(c *s3.Client) (*s3.ListObjectsV2Output, error) { return c.ListObjectsV2(ctx, in) })
	return err == nil && len(out.Contents) > 0, err
}

// inRegion calls f, and again in the region of the bucket if the answer says that it is another one.
func inRegion[T any](b *s3Bucket, f func(*s3.Client) (T, error)) (T, error) {
	b.mu.Lock()
	client := b.s3
	b.mu.Unlock()
	out, err := f(client)
	answer, answered := answerOf(err)
	b.mu.Lock()
	b.told = b.told || err == nil || answered
	b.mu.Unlock()
	if !answered {
		return out, err
	}
	region := answer.Response.Header.Get("X-Amz-Bucket-Region")
	if region == "" || region == client.Options().Region {
		return out, err
	}
	client = s3.New(client.Options(), func(o *s3.Options) { o.Region = region })
	b.mu.Lock()
	b.s3 = client
	b.mu.Unlock()
	return f(client)
}

// answerOf is the answer in an error of the SDK, which has one without a response for a request that could not be sent.
func answerOf(err error) (*smithyhttp.ResponseError, bool) {
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	return answer, ok && answer.Response != nil && answer.Response.Response != nil && answer.HTTPStatusCode() > 0
}

// judge reads an error of the SDK. S3 answers 403 for a key that is not there to those who may not list the bucket.
func (b *s3Bucket) judge(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	api, named := errors.AsType[smithy.APIError](err)
	answer, answered := answerOf(err)
	switch {
	case named && api.ErrorCode() == "NoSuchKey":
		return fs.ErrNotExist
	case named && answered:
		return refusal{answer.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage()}.judge(s3Credentials)
	case answered && answer.HTTPStatusCode() != http.StatusOK:
		return refusal{answer.HTTPStatusCode(), answer.Err.Error(), ""}.judge(s3Credentials)
	}
	return connection(err, b.told)
}
