package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// ListExperiments calls yield with the ID of every experiment that the caller may see, deleted ones
// included, and stops at yield's first error. Experiments may be repeated when others are made during the listing.
func (c *Client) ListExperiments(ctx context.Context, yield func(experimentID string) error) error {
	return c.searchIDs(ctx, idSearch{
		what: "the experiments", path: "/api/2.0/mlflow/experiments/search",
		list: "experiments", id: []string{"experiment_id"},
		body: func(size int, token string) any {
			return struct {
				View       string `json:"view_type"`
				MaxResults int    `json:"max_results"`
				PageToken  string `json:"page_token,omitempty"`
			}{"ALL", size, token}
		},
		repeats: errors.New("listing the experiments: the server repeats its page tokens"),
	}, yield)
}

// ListRuns calls yield with the ID of every run of the experiment, deleted ones included, and stops at
// yield's first error. Runs may be repeated when they change during the listing.
func (c *Client) ListRuns(ctx context.Context, experimentID string, yield func(runID string) error) error {
	return c.searchIDs(ctx, idSearch{
		what: "the runs of experiment " + experimentID, path: "/api/2.0/mlflow/runs/search",
		list: "runs", id: []string{"info", "run_id"},
		body: func(size int, token string) any {
			return struct {
				ExperimentIDs []string `json:"experiment_ids"`
				View          string   `json:"run_view_type"`
				MaxResults    int      `json:"max_results"`
				OrderBy       []string `json:"order_by"`
				PageToken     string   `json:"page_token,omitempty"`
			}{[]string{experimentID}, "ALL", size, []string{"attributes.start_time ASC"}, token}
		},
		repeats: &ListingError{experimentID, "the server repeats the page tokens of its runs"},
	}, yield)
}

// runIDs matches what may be put into a filter as a run's ID.
var runIDs = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// ListRunTraces calls yield with the ID of every trace of the experiment within w that belongs to the run: traces that it
// made and traces that were linked to it later. What can't be listed is left out, because the listing of the
// experiment reports it.
func (c *Client) ListRunTraces(ctx context.Context, experimentID, runID string, w Window, yield func(traceID string) error) error {
	if !runIDs.MatchString(runID) {
		return fmt.Errorf("listing the traces of run %q: not a run ID", runID)
	}
	w.Unlistable = func(*UnlistableError) error { return nil }
	return c.list(ctx, experimentID, "attributes.run_id = '"+runID+"'", w, func(t *mlflow.TraceInfo) error {
		return yield(t.TraceID)
	})
}

// idSearch is a search of which only the IDs are read.
type idSearch struct {
	what    string // is listed, for errors
	path    string
	list    string                           // the name of the list in a page
	id      []string                         // the names that lead to the ID in an element of the list
	body    func(size int, token string) any // the request for a page of at most so many
	repeats error                            // says that the server repeats its page tokens
}

// How many IDs a page is asked for. MLflow takes up to 50,000 runs and 1,000 experiments. The smaller size is for services
// that refuse the larger one.
const (
	idPageSize      = 1000
	smallIDPageSize = 100
)

// searchIDs yields the IDs of all pages.
func (c *Client) searchIDs(ctx context.Context, s idSearch, yield func(id string) error) error {
	tokens, size := map[string]bool{}, idPageSize
	for token := ""; ; {
		body, err := json.Marshal(s.body(size, token))
		if err != nil {
			return err
		}
		var ids []string
		_, err = c.call(ctx, request{pacer: c.runs, method: http.MethodPost, path: s.path, body: body, check: func(b []byte) error {
			ids, token = nil, ""
			return s.read(b, &ids, &token)
		}})
		if isCode(err, http.StatusBadRequest) && size > smallIDPageSize {
			size = smallIDPageSize
			continue
		}
		if err != nil {
			return fmt.Errorf("listing %s: %w", s.what, err)
		}
		for _, id := range ids {
			if err := yield(id); err != nil {
				return err
			}
		}
		if token == "" {
			return nil
		}
		if tokens[token] {
			return s.repeats
		}
		tokens[token] = true
	}
}

// read reads the IDs of a page, and the token of the next one.
func (s *idSearch) read(b []byte, ids *[]string, token *string) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
	return mlflow.ReadObject(dec, func(name string) error {
		switch name {
		case "next_page_token":
			return readText(dec, token)
		case s.list:
			return mlflow.ReadArray(dec, func() error {
				return readTextAt(dec, s.id, func(id string) { *ids = append(*ids, id) })
			})
		}
		return dec.SkipValue()
	})
}
