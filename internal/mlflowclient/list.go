package mlflowclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/mlflow"
)

// Window is a range of request times in milliseconds since the epoch; nil is no bound. The server
// applies it.
type Window struct {
	StartMs *int64 // inclusive
	EndMs   *int64 // exclusive
	// Unlistable is called once for everything that the source has and can't list. The listing then continues behind it, unless
	// Unlistable returns an error. Without Unlistable the listing ends with that *UnlistableError.
	Unlistable func(*UnlistableError) error
}

// ListTraces calls yield with every trace of the experiment within w, in the order of request times,
// each once, and stops at yield's first error, which it returns.
//
// A page token of the open-source server is an offset, so a trace that is added or deleted in the
// meantime shifts the pages behind it. The listing therefore goes by time: each request asks for the
// first page of what is not older than the last millisecond seen, of which it remembers the IDs.
// Only a millisecond that fills a page by itself is walked by tokens (walk). So a trace that is there during the whole
// listing is yielded once, and a trace that is added at a time already passed is found by the next listing. Memory is
// bounded by a page and the IDs of one millisecond.
func (c *Client) ListTraces(ctx context.Context, experimentID string, w Window, yield func(*mlflow.TraceInfo) error) error {
	c.lastListed.Store(&experimentID)
	return c.list(ctx, experimentID, "", w, yield)
}

// list is ListTraces with a further condition, or "".
func (c *Client) list(ctx context.Context, experimentID, clause string, w Window, yield func(*mlflow.TraceInfo) error) error {
	l := &lister{
		c: c, ctx: ctx, experimentID: experimentID, clause: clause, end: w.EndMs,
		yield: yield, unlistable: w.Unlistable, size: c.pageSize,
	}
	cursor := w.StartMs
	for done := false; !done; {
		var err error
		if cursor, done, err = l.step(cursor); err != nil {
			return l.explain(err)
		}
	}
	return nil
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
	callerFailed bool                // yield or unlistable has returned an error, which ends the listing
	seen         map[string]struct{} // the IDs that were yielded of the cursor's millisecond
	size         int                 // traces to ask for at once: fewer while the listing finds out which can't be listed
	troubles     int                 // how often the source was in trouble since the last page
	unnamed      int                 // times since the last trace at which something without a known ID could not be listed
	pageCame     bool                // a page of the present size has come; with the next one pages grow again
}

// explain adds to a request's error what it was for. A *ListingError says so itself, and errors of the caller's functions
// are returned as they are.
func (l *lister) explain(err error) error {
	_, explained := errors.AsType[*ListingError](err)
	if explained || l.callerFailed || l.ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("listing the traces of experiment %s: %w", l.experimentID, err)
}

// broken is the error of a server whose pages can't be followed.
func (l *lister) broken(format string, args ...any) error {
	return &ListingError{l.experimentID, fmt.Sprintf(format, args...)}
}

// step takes the first page of what is not older than cursor, and returns from where to go on.
func (l *lister) step(cursor *int64) (next *int64, done bool, err error) {
	size := l.size
	page, more, err := l.firstPage(cursor)
	if unanswerable(err) {
		next, err = l.narrow(cursor, err)
		return next, false, err
	}
	if err != nil || len(page) == 0 {
		return nil, true, err
	}
	l.widen()
	last, whole, err := l.takePage(page, cursor)
	if err != nil {
		return nil, false, err
	}
	if !more && len(page) < size {
		return nil, true, nil
	}
	if !whole {
		return &last, false, nil
	}
	err = l.walk(last)
	if unanswerable(err) {
		next, err = l.narrowWalk(last, err)
		if err == nil && *next == last {
			return next, false, nil
		}
	}
	l.seen = nil
	return new(last + 1), false, err
}

// takePage yields the traces of a page. It returns the millisecond of the last one, and whether all of them are of the
// cursor's millisecond.
func (l *lister) takePage(page []*mlflow.TraceInfo, cursor *int64) (last int64, whole bool, err error) {
	last = page[0].RequestTime.UnixMilli()
	if cursor != nil && last < *cursor {
		return 0, false, l.broken("the server returned a trace older than asked for")
	}
	if whole = cursor != nil && last == *cursor; !whole {
		l.seen = nil
	}
	for _, t := range page {
		ms := t.RequestTime.UnixMilli()
		if ms < last {
			return 0, false, l.broken("the server does not sort by time")
		}
		if ms > last {
			l.seen, last, whole = nil, ms, false
		}
		if err := l.take(t); err != nil {
			return 0, false, err
		}
	}
	return last, whole, nil
}

// take yields t unless that was done before.
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
	err := l.yield(t)
	l.callerFailed = err != nil
	return err
}

// firstPage returns the oldest traces not older than from, and whether the server has more. It follows the tokens of empty
// pages, which a server may send while it looks further. An empty page without a token is the end.
func (l *lister) firstPage(from *int64) (page []*mlflow.TraceInfo, more bool, err error) {
	filter := l.notOlder(from)
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

const (
	// maxPasses ends the walk of a millisecond in which each pass finds something new.
	maxPasses = 100
	// quietPasses is how many passes in a row without a new trace end a walk whose pages never prove to be without a gap: a server
	// without a fixed order of equal times can't give that proof.
	quietPasses = 10
)

// walk takes every trace of one millisecond by page tokens. A deletion may shift traces over the border of two pages, so
// it ends only with a pass without a gap (walkOnce) that finds nothing new.
func (l *lister) walk(ms int64) error {
	for pass, quiet := 0, 0; pass < maxPasses; pass++ {
		before := len(l.seen)
		gapless, err := l.walkOnce(ms)
		if err != nil {
			return err
		}
		if len(l.seen) > before {
			quiet = 0
		} else if quiet++; gapless || quiet == quietPasses {
			return nil
		}
	}
	return l.broken("the traces at %s change faster than they can be listed", time.UnixMilli(ms).UTC().Format(time.RFC3339Nano))
}

// walkOnce takes the pages of one millisecond once. A page token is an offset. Each page therefore begins before the
// end of the one before, and must repeat a trace of it: only then no trace was shifted over the border of the two.
func (l *lister) walkOnce(ms int64) (gapless bool, err error) {
	gapless = true
	filter := []string{atTime(ms)}
	token, tokens := "", map[string]bool{}
	var previous []*mlflow.TraceInfo
	for {
		page, next, err := l.page(filter, token, l.c.pageSize)
		if err != nil {
			return false, err
		}
		if previous != nil && (len(page) == 0 || !contains(previous, page[0].TraceID)) {
			gapless = false
		}
		for _, t := range page {
			if t.RequestTime.UnixMilli() != ms {
				return false, l.broken("the server ignores the filter by time")
			}
			if err := l.take(t); err != nil {
				return false, err
			}
		}
		if next == "" {
			return gapless, nil
		}
		overlapping, err := l.overlappingToken(filter, token, len(page))
		if err != nil {
			return false, err
		}
		if overlapping != "" {
			next = overlapping
		} else if len(page) > l.c.overlap {
			gapless = false // So many traces were deleted that the shorter page is now the last.
		}
		if tokens[next] {
			return false, l.broken("the server repeats its page tokens")
		}
		tokens[next] = true
		token, previous = next, page
	}
}

// overlappingToken is the token of the page that begins before the end of the page of n traces at token. It comes with
// a page that is shorter by the overlap. It is "" when n is too small for an overlap, or the shorter page is the last.
func (l *lister) overlappingToken(filter []string, token string, n int) (string, error) {
	if n <= l.c.overlap {
		return "", nil
	}
	_, next, err := l.page(filter, token, n-l.c.overlap)
	return next, err
}

func contains(page []*mlflow.TraceInfo, id string) bool {
	return slices.ContainsFunc(page, func(t *mlflow.TraceInfo) bool { return t.TraceID == id })
}

// atTime is the filter for one millisecond.
func atTime(ms int64) string { return fmt.Sprintf("attributes.timestamp_ms = %d", ms) }

// notOlder is the filter for what is not older than cursor.
func (l *lister) notOlder(cursor *int64) (filter []string) {
	if cursor != nil {
		filter = append(filter, fmt.Sprintf("attributes.timestamp_ms >= %d", *cursor))
	}
	if l.end != nil {
		filter = append(filter, fmt.Sprintf("attributes.timestamp_ms < %d", *l.end))
	}
	return filter
}

// page asks for one page, oldest first.
func (l *lister) page(filter []string, token string, size int) ([]*mlflow.TraceInfo, string, error) {
	return l.search(filter, token, size, "ASC", l.patience())
}

// search asks for one page of the listing's traces that also match filter.
func (l *lister) search(filter []string, token string, size int, order string, how patience) ([]*mlflow.TraceInfo, string, error) {
	req := searchRequest{
		Locations:  []location{{Type: "MLFLOW_EXPERIMENT"}},
		Filter:     l.conditions(filter),
		MaxResults: size,
		OrderBy:    []string{"timestamp_ms " + order},
		PageToken:  token,
	}
	req.Locations[0].Experiment.ID = l.experimentID
	p, err := l.c.searchTraces(l.ctx, req, how)
	if isCode(err, 0, codeNoEndpoint) {
		err = advice.With(err,
			"the server has no V3 search of traces, so it is older than MLflow 3.2 (upgrade it) or the address lacks a path prefix")
	}
	if err != nil {
		return nil, "", err
	}
	return p.traces, p.token, nil
}

// conditions joins a filter with the listing's own condition.
func (l *lister) conditions(filter []string) string {
	if l.clause != "" {
		filter = append([]string{l.clause}, filter...)
	}
	return strings.Join(filter, " AND ")
}
