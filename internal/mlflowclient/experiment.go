package mlflowclient

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/mlflow"
)

// Experiment is what the source says of an experiment.
type Experiment struct {
	ID               string
	Name             string // in Databricks the workspace path
	Tags             map[string]string
	ArtifactLocation string
	LifecycleStage   string // "active" or "deleted"
	// TraceLocation is where Unity Catalog keeps the traces that are logged to the experiment now: catalog.schema.prefix or, in the
	// beta form, catalog.schema. It is empty for an experiment that keeps its traces itself.
	TraceLocation string
}

// Experiment finds an experiment by its ID, its name or its workspace path. It returns a
// *NotFoundError when there is none.
func (c *Client) Experiment(ctx context.Context, ref string) (Experiment, error) {
	if err := c.checkWorkspace(ctx); err != nil {
		return Experiment{}, err
	}
	const base = "/api/2.0/mlflow/experiments/"
	try := []struct {
		path, param, value string
	}{{base + "get-by-name", "experiment_name", ref}}
	if digits(ref) {
		// It is taken for an ID first. A name may consist of digits, too.
		try = append(try[:0:0], struct{ path, param, value string }{base + "get", "experiment_id", ref}, try[0])
	} else if name, ok := strings.CutPrefix(ref, "/Workspace/"); ok && c.databricks {
		// Databricks' file browser shows paths with a prefix that names of experiments don't have.
		try = append(try, struct{ path, param, value string }{base + "get-by-name", "experiment_name", "/" + name})
	}
	for _, t := range try {
		body, err := c.call(ctx, request{pacer: c.search, path: t.path, query: url.Values{t.param: {t.value}}})
		if isCode(err, 0, codeNotThere, "NOT_FOUND", "NODE_DOES_NOT_EXIST") {
			continue
		}
		if isCode(err, 0, codeNoEndpoint) && !c.databricks {
			err = advice.With(err, "check the path of the source's address: MLflow's API is not below it")
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
	err = mlflow.ReadObject(dec, func(name string) (err error) {
		if name != "experiment" {
			return dec.SkipValue()
		}
		e, err = readExperiment(dec)
		return err
	})
	if err == nil && e.ID == "" {
		err = fmt.Errorf("the answer holds no experiment_id")
	}
	if err != nil {
		return Experiment{}, fmt.Errorf("reading an experiment: %w", err)
	}
	return e, nil
}

// readExperiment reads an experiment as it stands in answers.
func readExperiment(dec *jsontext.Decoder) (e Experiment, err error) {
	e.Tags = map[string]string{}
	err = mlflow.ReadObject(dec, func(name string) error {
		switch name {
		case "experiment_id":
			return readText(dec, &e.ID)
		case "name":
			return readText(dec, &e.Name)
		case "artifact_location":
			return readText(dec, &e.ArtifactLocation)
		case "lifecycle_stage":
			return readText(dec, &e.LifecycleStage)
		case "trace_location":
			return readTraceLocation(dec, &e.TraceLocation)
		case "tags":
			return mlflow.ReadArray(dec, func() error { return readTag(dec, e.Tags) })
		}
		return dec.SkipValue()
	})
	e.TraceLocation = cmp.Or(e.TraceLocation, e.Tags[mlflow.TagTraceDestination])
	return e, err
}

// readTag reads a tag into tags.
func readTag(dec *jsontext.Decoder, tags map[string]string) error {
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
	tags[k] = v
	return err
}

// readTraceLocation reads the typed location that newer workspaces give for an experiment. It leaves to as it is unless
// the location is one of tables in Unity Catalog.
func readTraceLocation(dec *jsontext.Decoder, to *string) error {
	if dec.PeekKind() != jsontext.KindBeginObject {
		return dec.SkipValue()
	}
	return mlflow.ReadObject(dec, func(name string) error {
		if name != "uc_trace_location" || dec.PeekKind() != jsontext.KindBeginObject {
			return dec.SkipValue()
		}
		var catalog, schema, prefix, effective string
		err := mlflow.ReadObject(dec, func(name string) error {
			switch name {
			case "catalog":
				return readText(dec, &catalog)
			case "schema":
				return readText(dec, &schema)
			case "table_prefix":
				return readText(dec, &prefix)
			case "effective_table_prefix":
				return readText(dec, &effective)
			}
			return dec.SkipValue()
		})
		if *to = catalog + "." + schema; cmp.Or(effective, prefix) != "" {
			*to += "." + cmp.Or(effective, prefix)
		}
		return err
	})
}
