package mlflowclient

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

func TestExperiment(t *testing.T) {
	c := databricksClient(t, inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RawQuery {
		case "experiment_id=7", "experiment_name=%2FUsers%2Fme%2Fagent", "experiment_name=8":
			io.WriteString(w, `{"experiment":{"experiment_id":"7","name":"/Users/me/agent","artifact_location":"dbfs:/x",`+
				`"lifecycle_stage":"active","tags":[{"key":"a","value":"b"},{"key":"c"}]}}`)
		default:
			http.Error(w, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no"}`, http.StatusNotFound)
		}
	})})
	for _, ref := range []string{"7", "/Users/me/agent", "/Workspace/Users/me/agent", "8"} {
		e, err := c.Experiment(t.Context(), ref)
		if err != nil || e.ID != "7" || e.Name != "/Users/me/agent" || e.Tags["a"] != "b" || e.LifecycleStage != "active" {
			t.Errorf("%s: %+v, error %v, want experiment 7 with its name, stage and tags", ref, e, err)
		}
	}
	_, err := c.Experiment(t.Context(), "nope")
	if e, ok := errors.AsType[*NotFoundError](err); !ok || e.Ref != "nope" {
		t.Errorf("got %v, want a *NotFoundError", err)
	}
}
