package mlflowclient

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
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
	c.lastListed.Store(&experimentID)
	return c.list(ctx, experimentID, "", w, yield)
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
