package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/retry"
)

type location struct {
	Type       string `json:"type"`
	Experiment struct {
		ID string `json:"experiment_id"`
	} `json:"mlflow_experiment"`
}

type searchRequest struct {
	Locations   []location `json:"locations"`
	Filter      string     `json:"filter,omitempty"`
	MaxResults  int        `json:"max_results"`
	OrderBy     []string   `json:"order_by"`
	PageToken   string     `json:"page_token,omitempty"`
	WarehouseID string     `json:"sql_warehouse_id,omitempty"`
}

// searchTraces asks for one page. On Databricks it uses the long-running search, unless the workspace does not have it, or does
// not have it for experiments. MLflow's own client turns to the plain search after the same answers.
func (c *Client) searchTraces(ctx context.Context, req searchRequest, how patience) (page, error) {
	if c.databricks && !c.noLongSearch.Load() {
		p, err := c.longSearch(ctx, req, how)
		if !isCode(err, 0, codeNoEndpoint) && !notForExperiments(err) {
			return p, err
		}
		c.noLongSearch.Store(true)
	}
	body, err := json.Marshal(req)
	if err != nil {
		return page{}, err
	}
	var p page
	_, err = c.call(ctx, request{
		pacer: c.search, method: http.MethodPost, path: "/api/3.0/mlflow/traces/search", body: body, patience: how,
		check: func(b []byte) error {
			dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
			p = page{}
			return undecodable(p.read(dec))
		},
	})
	return p, err
}

// notForExperiments tells whether a workspace has the long-running search, but not for experiments yet.
func notForExperiments(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.Code == codeInvalidParam && strings.Contains(e.Message, "locations not yet supported")
}

const (
	longSearchPath = "/api/4.0/mlflow/traces/search"
	// pollTimeout ends the wait for a long-running search.
	pollTimeout = 15 * time.Minute
)

// longSearch starts a search and polls it until it is done. It starts the search again where that ends with an error that may
// pass.
func (c *Client) longSearch(ctx context.Context, req searchRequest, how patience) (page, error) {
	req.WarehouseID = c.warehouseID
	body, err := json.Marshal(req)
	if err != nil {
		return page{}, err
	}
	var op operation
	enough := how.counter()
	told := c.waits.Operation()
	defer told.Over()
	err = retry.Do(ctx, c.retry, func(ctx context.Context) (err error) {
		if op, err = c.runLongSearch(ctx, body, how); err != nil || op.failed == nil {
			return err
		}
		if enough(op.failed, op.failed.internal()) {
			return op.failed
		}
		switch op.failed.Code {
		case "", "INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED":
			return retry.Again(op.failed, 0)
		}
		return op.failed
	}, func(w retry.Wait) {
		c.retries.Add(1)
		told.Waits(waitsFor(w.Err), w)
		c.log.LogAttrs(ctx, levelRetry, "a long-running search failed and is tried again", attrErr(w.Err), attrWait(w.For))
	})
	return op.page, err
}

// runLongSearch starts a search once and polls it until it is done, or has failed.
func (c *Client) runLongSearch(ctx context.Context, body []byte, how patience) (op operation, err error) {
	decode := func(b []byte) error { op = operation{}; return undecodable(op.decode(b)) }
	if _, err := c.call(ctx, request{
		pacer: c.search, method: http.MethodPost, path: longSearchPath + "-long-running", body: body, patience: how, check: decode,
	}); err != nil {
		return op, err
	}
	deadline := time.Now().Add(pollTimeout)
	for wait := 100 * time.Millisecond; !op.done; wait = min(wait*3/2, 5*time.Second) {
		if op.name == "" {
			return op, errors.New("the long-running search has no name to poll")
		}
		if time.Now().After(deadline) {
			return op, advice.With(fmt.Errorf("the long-running search was not done after %v", pollTimeout),
				"a SQL warehouse that starts quicker may help")
		}
		if err := sleep(ctx, wait); err != nil {
			return op, err
		}
		name := op.name
		poll := request{pacer: c.search, path: longSearchPath + "/operations/" + url.PathEscape(name), check: decode}
		if _, err := c.call(ctx, poll); err != nil {
			return op, err
		}
		if op.name == "" {
			op.name = name
		}
	}
	return op, nil
}

// page is an answer of either search.
type page struct {
	traces []*mlflow.TraceInfo
	token  string
}

func (p *page) read(dec *jsontext.Decoder) error {
	return mlflow.ReadObject(dec, func(name string) error {
		switch name {
		case "traces", "trace_infos":
			return mlflow.ReadArray(dec, func() error {
				t, err := mlflow.ReadTraceInfo(dec)
				p.traces = append(p.traces, t)
				return err
			})
		case "next_page_token":
			return readText(dec, &p.token)
		}
		return dec.SkipValue()
	})
}

// operation is an answer of the long-running search, and of a poll of it.
type operation struct {
	name   string
	done   bool
	failed *APIError
	page   page
}

func (o *operation) decode(b []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
	return mlflow.ReadObject(dec, func(name string) error {
		switch name {
		case "name":
			return readText(dec, &o.name)
		case "done":
			tok, err := dec.ReadToken()
			o.done = err == nil && tok.Kind() == jsontext.KindTrue
			return err
		case "response":
			return o.page.read(dec)
		case "error":
			if dec.PeekKind() == jsontext.KindNull {
				return dec.SkipValue()
			}
			v, err := dec.ReadValue()
			if err != nil {
				return err
			}
			o.failed = &APIError{Status: http.StatusOK, Method: http.MethodGet, Path: "the long-running search of traces"}
			o.failed.Code, o.failed.Message = errorBody(v)
			return nil
		}
		return dec.SkipValue()
	})
}

// stub is what the older search is asked for of a trace.
type stub struct {
	id string
	ms int64
}

const stubPage = 100

// stubs searches by the API of MLflow 2, which newer servers still have. It leaves assessments out, and so lists traces
// whose assessments can't be listed.
func (l *lister) stubs(filter []string, token string, size int) (found []stub, next string, err error) {
	query := url.Values{
		"experiment_ids": {l.experimentID}, "filter": {l.conditions(filter)},
		"max_results": {strconv.Itoa(size)}, "order_by": {"timestamp_ms ASC"},
	}
	if token != "" {
		query.Set("page_token", token)
	}
	_, err = l.c.call(l.ctx, request{
		pacer: l.c.search, path: "/api/2.0/mlflow/traces", query: query, patience: patience{faults: 2},
		check: func(b []byte) (err error) {
			found, next, err = readStubs(b)
			return err
		},
	})
	return found, next, err
}

func readStubs(b []byte) (found []stub, next string, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
	err = mlflow.ReadObject(dec, func(name string) error {
		switch name {
		case "next_page_token":
			return readText(dec, &next)
		case "traces":
			return mlflow.ReadArray(dec, func() error {
				s, err := readStub(dec)
				found = append(found, s)
				return err
			})
		}
		return dec.SkipValue()
	})
	return found, next, err
}

func readStub(dec *jsontext.Decoder) (s stub, err error) {
	err = mlflow.ReadObject(dec, func(name string) error {
		switch name {
		case "request_id":
			return readText(dec, &s.id)
		case "timestamp_ms":
			var text string
			if err := readText(dec, &text); err != nil {
				return err
			}
			var err error
			s.ms, err = strconv.ParseInt(text, 10, 64)
			return err
		}
		return dec.SkipValue()
	})
	return s, err
}

// undecodableError says that an answer can't be read. Another try would bring the same answer.
type undecodableError struct{ error }

func (e undecodableError) Unwrap() error { return e.error }

func undecodable(err error) error {
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return undecodableError{err}
}
