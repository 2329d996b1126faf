package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/retry"
)

// Window is a range of request times in milliseconds since the epoch; nil is no bound. The server
// applies it.
type Window struct {
	StartMs *int64 // inclusive
	EndMs   *int64 // exclusive
	// Unlistable hears of what the source can't list, once each, and the listing goes on behind it unless
	// an error comes back. Without it such a thing is the listing's error.
	Unlistable func(*UnlistableError) error
}

// ListTraces calls yield with every trace of the experiment within w, in the order of request times,
// each once, and stops at yield's first error, which it returns.
//
// A page token of the open-source server is an offset, so a trace that is added or deleted in the
// meantime shifts the pages behind it. The listing therefore goes by time: each request asks for the
// first page of what is not older than the last millisecond seen, of which it remembers the IDs.
// Only a millisecond that fills a page by itself is walked by tokens (walk). What is there during
// the whole listing is so yielded once; what is added to a time already passed is found by the next
// listing; memory is bounded by a page and the IDs of one millisecond.
func (c *Client) ListTraces(ctx context.Context, experimentID string, w Window, yield func(*mlflow.TraceInfo) error) error {
	c.listing.Store(&experimentID)
	return c.list(ctx, experimentID, "", w, yield)
}

var runIDs = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// ListRunTraces calls yield with the ID of every trace of the experiment within w that belongs to
// the run: traces that it made and traces that were linked to it later. What can't be listed is left out:
// the listing of the experiment tells of it.
func (c *Client) ListRunTraces(ctx context.Context, experimentID, runID string, w Window, yield func(traceID string) error) error {
	if !runIDs.MatchString(runID) {
		return fmt.Errorf("listing the traces of run %q: not a run ID", runID)
	}
	w.Unlistable = func(*UnlistableError) error { return nil }
	return c.list(ctx, experimentID, "attributes.run_id = '"+runID+"'", w, func(t *mlflow.TraceInfo) error {
		return yield(t.TraceID)
	})
}

func (c *Client) list(ctx context.Context, experimentID, clause string, w Window, yield func(*mlflow.TraceInfo) error) error {
	l := &lister{c: c, ctx: ctx, experimentID: experimentID, clause: clause, end: w.EndMs, yield: yield, unlistable: w.Unlistable, size: c.pageSize}
	cursor := w.StartMs
	for {
		size := l.size
		page, more, err := l.firstPage(cursor)
		if stuck(err) {
			if cursor, err = l.narrow(cursor, err); err != nil {
				return err
			}
			continue
		}
		if err != nil || len(page) == 0 {
			return err
		}
		l.widen()
		last := page[0].RequestTime.UnixMilli()
		if cursor != nil && last < *cursor {
			return l.broken("the server returned a trace older than asked for")
		}
		whole := cursor != nil && last == *cursor // the page lies within the cursor's millisecond
		if !whole {
			l.seen = nil
		}
		for _, t := range page {
			ms := t.RequestTime.UnixMilli()
			if ms < last {
				return l.broken("the server does not sort by time")
			}
			if ms > last {
				l.seen, last, whole = nil, ms, false
			}
			if err := l.take(t); err != nil {
				return err
			}
		}
		if !more && len(page) < size {
			return nil
		}
		if whole {
			err := l.walk(last)
			if stuck(err) {
				if cursor, err = l.narrowWalk(last, err); err == nil && *cursor == last {
					continue
				}
			}
			if err != nil {
				return err
			}
			last++
			l.seen = nil
		}
		cursor = &last
	}
}

// lister is the state of one listing.
type lister struct {
	c            *Client
	ctx          context.Context
	experimentID string
	clause       string // a further condition, or ""
	end          *int64
	yield        func(*mlflow.TraceInfo) error
	unlistable   func(*UnlistableError) error
	seen         map[string]struct{} // the IDs yielded of the millisecond at hand
	size         int                 // traces to ask for at once: fewer while it is found out which can't be listed
	troubles     int                 // how often it was in trouble since the last page
	unnamed      int                 // what could not be listed, and without an ID, since the last trace
	twice        bool                // the last page came, and so did the one before it
}

func (l *lister) broken(format string, args ...any) error {
	return &ListingError{l.experimentID, fmt.Sprintf(format, args...)}
}

// take yields t unless it was.
func (l *lister) take(t *mlflow.TraceInfo) error {
	if _, ok := l.seen[t.TraceID]; ok {
		return nil
	}
	if l.seen == nil {
		l.seen = map[string]struct{}{}
	}
	l.seen[t.TraceID] = struct{}{}
	l.unnamed = 0
	if err := l.ctx.Err(); err != nil {
		return context.Cause(l.ctx)
	}
	return l.yield(t)
}

// firstPage returns the oldest traces not older than from, and whether the server has more. An empty
// page is the end: a server may send empty pages with a token to look further, which it follows.
func (l *lister) firstPage(from *int64) (page []*mlflow.TraceInfo, more bool, err error) {
	filter := l.from(from)
	token, tokens := "", map[string]bool{}
	for {
		page, token, err = l.page(filter, token, l.size)
		if err != nil || token == "" || len(page) > 0 {
			return page, token != "", err
		}
		if tokens[token] || len(tokens) == 10_000 {
			return nil, false, l.broken("the server repeats empty pages")
		}
		tokens[token] = true
	}
}

// walk takes every trace of one millisecond by page tokens. A token is an offset, so to know that no
// deletion has shifted traces over the border of two pages, each page begins before the end of
// the one before (the token for it comes from a shorter request) and must repeat a trace of it. A
// pass in which one does not is no proof. The walk ends with a pass that is one and brings nothing
// new.
func (l *lister) walk(ms int64) error {
	filter := []string{only(ms)}
	for pass, quiet := 0, 0; ; pass++ {
		if pass == 100 {
			return l.broken("the traces at %s change faster than they can be listed", time.UnixMilli(ms).UTC().Format(time.RFC3339Nano))
		}
		before, gapless := len(l.seen), true
		token, tokens := "", map[string]bool{}
		var previous []*mlflow.TraceInfo
		for {
			page, next, err := l.page(filter, token, l.c.pageSize)
			if err != nil {
				return err
			}
			if previous != nil && len(page) > 0 && !contains(previous, page[0].TraceID) {
				gapless = false
			}
			for _, t := range page {
				if t.RequestTime.UnixMilli() != ms {
					return l.broken("the server ignores the filter by time")
				}
				if err := l.take(t); err != nil {
					return err
				}
			}
			if next == "" {
				break
			}
			if len(page) > l.c.overlap {
				var short string
				if _, short, err = l.page(filter, token, len(page)-l.c.overlap); err != nil {
					return err
				}
				if short != "" {
					next = short
				} else {
					gapless = false // so many were deleted that the shorter page is now the last
				}
			}
			if tokens[next] {
				return l.broken("the server repeats its page tokens")
			}
			tokens[next] = true
			token, previous = next, page
		}
		if len(l.seen) > before {
			quiet = 0
			continue
		}
		// A server without a fixed order of equal times never gives the proof; that many passes which
		// bring nothing are then what can be had.
		if quiet++; gapless || quiet == 10 {
			return nil
		}
	}
}

func contains(page []*mlflow.TraceInfo, id string) bool {
	for _, t := range page {
		if t.TraceID == id {
			return true
		}
	}
	return false
}

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

// page asks for one page, oldest first.
func (l *lister) page(filter []string, token string, size int) ([]*mlflow.TraceInfo, string, error) {
	return l.search(filter, token, size, "ASC", l.patience())
}

func (l *lister) search(filter []string, token string, size int, order string, how patience) ([]*mlflow.TraceInfo, string, error) {
	if l.clause != "" {
		filter = append([]string{l.clause}, filter...)
	}
	req := searchRequest{
		Locations:  []location{{Type: "MLFLOW_EXPERIMENT"}},
		Filter:     strings.Join(filter, " AND "),
		MaxResults: size,
		OrderBy:    []string{"timestamp_ms " + order},
		PageToken:  token,
	}
	req.Locations[0].Experiment.ID = l.experimentID
	p, err := l.c.searchTraces(l.ctx, req, how)
	if err != nil {
		if isCode(err, 0, codeNoEndpoint) {
			err = fmt.Errorf("%w; the server has no V3 search of traces, so it is older than MLflow 3.2 (upgrade it) or the address lacks a path prefix", err)
		}
		return nil, "", fmt.Errorf("listing the traces of experiment %s: %w", l.experimentID, err)
	}
	return p.traces, p.token, nil
}

// searchTraces asks for one page: on Databricks by the long-running search, unless the workspace does
// not know it or does not know it for experiments (where MLflow's own client too turns to the plain
// one, and for the same answers).
func (c *Client) searchTraces(ctx context.Context, req searchRequest, how patience) (page, error) {
	if c.databricks && !c.noLongSearch.Load() {
		p, err := c.longSearch(ctx, req, how)
		e, ok := errors.AsType[*APIError](err)
		known := ok && (e.Code == codeNoEndpoint || e.Code == codeInvalidParam && strings.Contains(e.Message, "locations not yet supported"))
		if !known {
			return p, err
		}
		c.noLongSearch.Store(true)
	}
	body, err := json.Marshal(req)
	if err != nil {
		return page{}, err
	}
	var p page
	_, err = c.call(ctx, request{pacer: c.search, method: http.MethodPost, path: "/api/3.0/mlflow/traces/search", body: body, patience: how, check: func(b []byte) error {
		dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
		p = page{}
		return undecodable(p.read(dec))
	}})
	return p, err
}

// pollTimeout ends the wait for a long-running search.
const pollTimeout = 15 * time.Minute

// longSearch starts a search and polls it until it is done. A search that ends with an error which
// the service takes for its own is started again.
func (c *Client) longSearch(ctx context.Context, req searchRequest, how patience) (page, error) {
	const base = "/api/4.0/mlflow/traces/search"
	req.WarehouseID = c.warehouseID
	body, err := json.Marshal(req)
	if err != nil {
		return page{}, err
	}
	var op operation
	decode := func(b []byte) error { op = operation{}; return undecodable(op.decode(b)) }
	enough := how.counter()
	err = retry.Do(ctx, c.retry, func(ctx context.Context) error {
		_, err := c.call(ctx, request{pacer: c.search, method: http.MethodPost, path: base + "-long-running", body: body, patience: how, check: decode})
		if err != nil {
			return err
		}
		deadline := time.Now().Add(pollTimeout)
		for wait := 100 * time.Millisecond; !op.done; wait = min(wait*3/2, 5*time.Second) {
			if op.name == "" {
				return errors.New("the long-running search has no name to poll")
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("the long-running search was not done after %v; a SQL warehouse that starts quicker may help", pollTimeout)
			}
			if err := sleep(ctx, wait); err != nil {
				return err
			}
			name := op.name
			if _, err := c.call(ctx, request{pacer: c.search, path: base + "/operations/" + url.PathEscape(name), check: decode}); err != nil {
				return err
			}
			if op.name == "" {
				op.name = name
			}
		}
		if op.failed == nil {
			return nil
		}
		if enough(op.failed, op.failed.internal()) {
			return op.failed
		}
		switch op.failed.Code {
		case "", "INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED":
			return retry.Again(op.failed, 0)
		}
		return op.failed
	}, func(err error, wait time.Duration) {
		c.retries.Add(1)
		c.log.LogAttrs(ctx, levelRetry, "long-running search failed, trying again", attrErr(err), attrWait(wait))
	})
	return op.page, err
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

// operation is an answer of the long-running search and of its polls.
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

// TraceInfo asks for what the source lists of one trace. An *APIError with the code
// RESOURCE_DOES_NOT_EXIST or NOT_FOUND means that it is gone, an *UnlistableError that the source has it
// and can't tell what it is.
func (c *Client) TraceInfo(ctx context.Context, traceID string) (*mlflow.TraceInfo, error) {
	t, err := c.traceInfo(ctx, traceID, patience{twice: true})
	experimentID := c.listing.Load()
	if !stuck(err) || experimentID == nil {
		return t, err
	}
	l := &lister{c: c, ctx: ctx, experimentID: *experimentID}
	for sound := false; stuck(err); t, err = c.traceInfo(ctx, traceID, patience{twice: true}) {
		if sound {
			return nil, &UnlistableError{TraceID: traceID, Err: err}
		}
		var serr error
		if sound, serr = l.sound(err); serr != nil {
			return nil, serr
		}
	}
	return t, err
}

func (c *Client) traceInfo(ctx context.Context, traceID string, how patience) (*mlflow.TraceInfo, error) {
	var t *mlflow.TraceInfo
	_, err := c.call(ctx, request{pacer: c.search, path: "/api/3.0/mlflow/traces/" + url.PathEscape(traceID), patience: how, check: func(b []byte) error {
		t = nil
		dec := jsontext.NewDecoder(bytes.NewBuffer(b), mlflow.DecodeOptions...)
		return undecodable(mlflow.ReadObject(dec, func(name string) error {
			if name != "trace" {
				return dec.SkipValue()
			}
			return mlflow.ReadObject(dec, func(name string) (err error) {
				if name != "trace_info" {
					return dec.SkipValue()
				}
				t, err = mlflow.ReadTraceInfo(dec)
				return err
			})
		}))
	}})
	if err == nil && t == nil {
		err = errors.New("the answer holds no trace_info")
	}
	if err == nil && t.TraceID != traceID {
		err = fmt.Errorf("the server answered with another trace, %q", t.TraceID)
	}
	if err != nil {
		return nil, fmt.Errorf("asking for trace %s: %w", traceID, err)
	}
	return t, nil
}

// ListExperiments calls yield with the ID of every experiment that the caller may see, deleted ones
// included, and stops at yield's first error. Experiments may be repeated when some are made meanwhile.
func (c *Client) ListExperiments(ctx context.Context, yield func(experimentID string) error) error {
	return c.searchIDs(ctx, idSearch{
		what: "the experiments", path: "/api/2.0/mlflow/experiments/search", list: "experiments", id: []string{"experiment_id"},
		body: func(most int, token string) any {
			return struct {
				View       string `json:"view_type"`
				MaxResults int    `json:"max_results"`
				PageToken  string `json:"page_token,omitempty"`
			}{"ALL", most, token}
		},
		repeats: errors.New("listing the experiments: the server repeats its page tokens"),
	}, yield)
}

// ListRuns calls yield with the ID of every run of the experiment, deleted ones included, and stops at
// yield's first error. Runs may be repeated when they change during the listing.
func (c *Client) ListRuns(ctx context.Context, experimentID string, yield func(runID string) error) error {
	return c.searchIDs(ctx, idSearch{
		what: "the runs of experiment " + experimentID, path: "/api/2.0/mlflow/runs/search", list: "runs", id: []string{"info", "run_id"},
		body: func(most int, token string) any {
			return struct {
				ExperimentIDs []string `json:"experiment_ids"`
				View          string   `json:"run_view_type"`
				MaxResults    int      `json:"max_results"`
				OrderBy       []string `json:"order_by"`
				PageToken     string   `json:"page_token,omitempty"`
			}{[]string{experimentID}, "ALL", most, []string{"attributes.start_time ASC"}, token}
		},
		repeats: &ListingError{experimentID, "the server repeats the page tokens of its runs"},
	}, yield)
}

// idSearch is a search that answers in pages, of whose members only the IDs are wanted.
type idSearch struct {
	what    string // is listed, for errors
	path    string
	list    string                           // which member of a page holds the list
	id      []string                         // where in a member of the list the ID is
	body    func(most int, token string) any // the question for a page of at most so many
	repeats error                            // says that the server repeats its page tokens
}

// How many IDs a page is asked for. MLflow takes up to 50,000 runs and 1,000 experiments; a service may take less.
const (
	idsOfPage    = 1000
	fewIDsOfPage = 100
)

func (c *Client) searchIDs(ctx context.Context, s idSearch, yield func(id string) error) error {
	tokens, most := map[string]bool{}, idsOfPage
	for token := ""; ; {
		body, err := json.Marshal(s.body(most, token))
		if err != nil {
			return err
		}
		var ids []string
		_, err = c.call(ctx, request{pacer: c.runs, method: http.MethodPost, path: s.path, body: body, check: func(b []byte) error {
			ids, token = nil, ""
			return s.read(b, &ids, &token)
		}})
		if isCode(err, http.StatusBadRequest) && most > fewIDsOfPage {
			most = fewIDsOfPage
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

// readTextAt reads the text that stands in an object below the given names, if it is there.
func readTextAt(dec *jsontext.Decoder, names []string, found func(string)) error {
	if len(names) == 0 {
		var text string
		err := readText(dec, &text)
		found(text)
		return err
	}
	return mlflow.ReadObject(dec, func(name string) error {
		if name != names[0] {
			return dec.SkipValue()
		}
		return readTextAt(dec, names[1:], found)
	})
}
