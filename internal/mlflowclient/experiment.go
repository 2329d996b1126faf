package mlflowclient

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// Experiment is what the source tells of an experiment.
type Experiment struct {
	ID               string
	Name             string // in Databricks the workspace path
	Tags             map[string]string
	ArtifactLocation string
	LifecycleStage   string // "active" or "deleted"
}

// Experiment finds an experiment by its ID, its name or its workspace path. It returns a
// *NotFoundError when there is none.
func (c *Client) Experiment(ctx context.Context, ref string) (Experiment, error) {
	const base = "/api/2.0/mlflow/experiments/"
	try := []struct {
		path, param, value string
	}{{base + "get-by-name", "experiment_name", ref}}
	if digits(ref) {
		// An ID first; but a name may consist of digits too.
		try = append(try[:0:0], struct{ path, param, value string }{base + "get", "experiment_id", ref}, try[0])
	} else if name, ok := strings.CutPrefix(ref, "/Workspace/"); ok && c.databricks {
		// The file browser shows paths with a prefix that experiment names do not have.
		try = append(try, struct{ path, param, value string }{base + "get-by-name", "experiment_name", "/" + name})
	}
	for _, t := range try {
		body, err := c.call(ctx, request{class: c.search, path: t.path, query: url.Values{t.param: {t.value}}})
		if isCode(err, 0, codeNotThere, "NOT_FOUND", "NODE_DOES_NOT_EXIST") {
			continue
		}
		if err != nil {
			return Experiment{}, fmt.Errorf("looking up experiment %q: %w", ref, err)
		}
		return decodeExperiment(body)
	}
	return Experiment{}, &NotFoundError{Ref: ref, Source: c.Identity()}
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func decodeExperiment(body []byte) (e Experiment, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), mlflow.DecodeOptions...)
	e.Tags = map[string]string{}
	err = mlflow.ReadObject(dec, func(name string) error {
		if name != "experiment" {
			return dec.SkipValue()
		}
		return mlflow.ReadObject(dec, func(name string) error {
			switch name {
			case "experiment_id":
				return readText(dec, &e.ID)
			case "name":
				return readText(dec, &e.Name)
			case "artifact_location":
				return readText(dec, &e.ArtifactLocation)
			case "lifecycle_stage":
				return readText(dec, &e.LifecycleStage)
			case "tags":
				return mlflow.ReadArray(dec, func() error {
					var k, v string
					err := mlflow.ReadObject(dec, func(name string) error {
						switch name {
						case "key":
							return readText(dec, &k)
						case "value":
							return readText(dec, &v)
						}
						return dec.SkipValue()
					})
					e.Tags[k] = v
					return err
				})
			}
			return dec.SkipValue()
		})
	})
	if err == nil && e.ID == "" {
		err = fmt.Errorf("the answer holds no experiment_id")
	}
	if err != nil {
		return Experiment{}, fmt.Errorf("reading an experiment: %w", err)
	}
	return e, nil
}

// readText reads a string; null and numbers are taken as text.
func readText(dec *jsontext.Decoder, to *string) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case jsontext.KindString, jsontext.KindNumber:
		*to = tok.String()
	case jsontext.KindNull:
		*to = ""
	default:
		return fmt.Errorf("want a string, got %v", tok.Kind())
	}
	return nil
}
