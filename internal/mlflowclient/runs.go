package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// ListExperiments calls yield with the ID of every experiment that the caller may see, deleted ones
// included, and stops at yield's first error. Experiments may be repeated when others are made during the listing.
func (c *Client) ListExperiments(ctx context.Context, yield func(experimentID string) error) error {
	return search(ctx, c, paged[string]{
		what: "the experiments", path: experimentsPath,
		list: "experiments", read: textAt("experiment_id"),
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

const experimentsPath = "/api/2.0/mlflow/experiments/search"

// ListExperimentsNamed calls yield with every experiment that the caller may see, that is not deleted and whose name begins with
// prefix, in the order of their names, and stops at yield's first error. It may call yield with others too: the source may
// not tell capitals from small letters. Experiments may be repeated when others are made during the listing.
func (c *Client) ListExperimentsNamed(ctx context.Context, prefix string, yield func(Experiment) error) error {
	if err := c.checkWorkspace(ctx); err != nil {
		return err
	}
	filter := ""
	// A filter can't hold everything that a name may hold. A shorter one only brings more than is asked for.
	if asked, _, _ := strings.Cut(strings.Map(quotes, prefix), "'"); asked != "" {
		filter = "name LIKE '" + asked + "%'"
	}
	return search(ctx, c, paged[Experiment]{
		what: "the experiments", path: experimentsPath, list: "experiments",
		read: func(dec *jsontext.Decoder, found func(Experiment)) error {
			e, err := readExperiment(dec)
			if e.ID != "" {
				found(e)
			}
			return err
		},
		body: func(size int, token string) any {
			return struct {
				View       string   `json:"view_type"`
				Filter     string   `json:"filter,omitempty"`
				OrderBy    []string `json:"order_by"`
				MaxResults int      `json:"max_results"`
				PageToken  string   `json:"page_token,omitempty"`
			}{"ACTIVE_ONLY", filter, []string{"name ASC"}, size, token}
		},
		repeats: errors.New("listing the experiments: the server repeats its page tokens"),
	}, yield)
}

// quotes makes quotes of all characters that a text in a filter can't hold as they are.
func quotes(r rune) rune {
	if r == '"' || r == '\\' || r == '`' || r < ' ' {
		return '\''
	}
	return r
}

// ListRuns calls yield with the ID of every run of the experiment, deleted ones included, and stops at
// yield's first error. Runs may be repeated when they change during the listing.
func (c *Client) ListRuns(ctx context.Context, experimentID string, yield func(runID string) error) error {
	return search(ctx, c, paged[string]{
		what: "the runs of experiment " + experimentID, path: "/api/2.0/mlflow/runs/search",
		list: "runs", read: textAt("info", "run_id"),
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

// paged is a search in pages, of which something is read of each element.
type paged[T any] struct {
	what    string // is listed, for errors
	path    string
	list    string                                 // the name of the list in a page
	read    func(*jsontext.Decoder, func(T)) error // reads an element of the list, and tells what it has found
	body    func(size int, token string) any       // the request for a page of at most so many
	repeats error                                  // says that the server repeats its page tokens
}

// textAt reads the text of an element to which the names lead.
func textAt(names ...string) func(*jsontext.Decoder, func(string)) error {
	return func(dec *jsontext.Decoder, found func(string)) error { return readTextAt(dec, names, found) }
}

// How many elements a page is asked for. MLflow takes up to 50,000 runs and 1,000 experiments. The smaller size is for services
// that refuse the larger one.
const (
	fullPage  = 1000
	smallPage = 100
)

// search yields the elements of all pages.
func search[T any](ctx context.Context, c *Client, s paged[T], yield func(T) error) error {
	tokens, size := map[string]bool{}, fullPage
	for token := ""; ; {
		body, err := json.Marshal(s.body(size, token))
		if err != nil {
			return err
		}
		var elements []T
		_, err = c.call(ctx, request{pacer: c.runs, method: http.MethodPost, path: s.path, body: body, check: func(b []byte) error {
			elements, token = nil, ""
			return s.page(b, &elements, &token)
		}})
		if isCode(err, http.StatusBadRequest) && size > smallPage {
			size = smallPage
			continue
		}
		if err != nil {
			return fmt.Errorf("listing %s: %w", s.what, err)
		}
		for _, e := range elements {
			if err := yield(e); err != nil {
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

// page reads the elements of a page, and the token of the next one.
func (s *paged[T]) page(b []byte, elements *[]T, token *string) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
	return mlflow.ReadObject(dec, func(name string) error {
		switch name {
		case "next_page_token":
			return readText(dec, token)
		case s.list:
			return mlflow.ReadArray(dec, func() error {
				return s.read(dec, func(e T) { *elements = append(*elements, e) })
			})
		}
		return dec.SkipValue()
	})
}
