package mlflowclient

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/mlflow"
)

// One trace can make every page that holds it fail: a server that can't write one of its values as JSON answers 500. The
// listing then asks for ever smaller pages until it knows which trace it is, reports that one, and continues behind it.

// UnlistableError says that the source has something in a range of request times that it can't list.
type UnlistableError struct {
	TraceID      string // empty where the source does not tell it
	FromMs, ToMs int64  // both ends of the range are in it, in milliseconds; 0 where only the ID is known
	Err          error  // what the source answers
}

func (e *UnlistableError) Error() string {
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00") }
	what := "what was requested"
	if e.TraceID != "" {
		what = "trace " + e.TraceID
	}
	switch {
	case e.FromMs != e.ToMs:
		what += " from " + at(e.FromMs) + " to " + at(e.ToMs)
	case e.TraceID == "":
		what += " at " + at(e.FromMs)
	case e.FromMs != 0:
		what += ", requested at " + at(e.FromMs) + ","
	}
	return advice.Join(fmt.Sprintf("the source has %s and can't list it: %v", what, e.Err), e.NextStep())
}

// NextStep says what to do at the source.
func (e *UnlistableError) NextStep() string {
	return "look at it there (a feedback or expectation of NaN, for one, can't be listed) and correct or delete it"
}

func (e *UnlistableError) Unwrap() error { return e.Err }

// unanswerable tells whether a failure may be due to one trace, so that pages without that trace can be had.
func unanswerable(err error) bool {
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.internal()
	}
	_, undecodable := errors.AsType[undecodableError](err)
	_, large := errors.AsType[*TooLargeError](err)
	return undecodable || large
}

// patience is short while the listing finds out what can't be listed.
func (l *lister) patience() patience {
	if l.size < l.c.pageSize {
		return patience{faults: 1}
	}
	return patience{twice: true}
}

// widen lets pages grow again, after two in a row that came.
func (l *lister) widen() {
	l.troubles = 0
	if l.size == l.c.pageSize {
		return
	}
	if l.pageCame {
		l.size = min(2*l.size, l.c.pageSize)
	}
	l.pageCame = !l.pageCame
}

// narrow is called when the first page from cursor failed with cause. It returns from where to go on.
func (l *lister) narrow(cursor *int64, cause error) (*int64, error) {
	l.pageCame = false
	if l.size == l.c.pageSize || l.size == 1 {
		if healthy, err := l.healthy(cause); !healthy || err != nil {
			return cursor, err
		}
	}
	if l.size > 1 {
		l.size /= 2
		return cursor, nil
	}
	ms, found, err := l.firstFailing(cursor)
	if err != nil {
		return nil, err
	}
	if !found { // It can be listed now.
		return cursor, l.trouble(cause)
	}
	if cursor == nil || *cursor != ms {
		l.seen = nil
	}
	if err := l.oneMillisecond(ms, cause); err != nil {
		return nil, err
	}
	l.seen = nil
	return new(ms + 1), nil
}

// narrowWalk is called when the walk of a millisecond failed with cause. It returns from where to go on: at the
// millisecond itself when the source was in trouble, else behind it.
func (l *lister) narrowWalk(ms int64, cause error) (*int64, error) {
	if healthy, err := l.healthy(cause); !healthy || err != nil {
		return &ms, err
	}
	return new(ms + 1), l.oneMillisecond(ms, cause)
}

// healthy tells whether the source answers a search that finds nothing. If it does, a failure is due to what was
// asked for. If not, healthy waits until it does.
func (l *lister) healthy(cause error) (bool, error) {
	findNothing := func(how patience) error {
		_, _, err := l.search([]string{"attributes.timestamp_ms < 0"}, "", 1, "ASC", how)
		return err
	}
	if findNothing(patience{faults: 1}) == nil {
		return true, nil
	}
	if err := findNothing(patience{}); err != nil {
		return false, err
	}
	return false, l.trouble(cause)
}

// maxTroubles is how often in a row, without a page in between, a source may fail and be healthy a moment later. After that
// the listing gives up.
const maxTroubles = 10

// trouble counts such failures.
func (l *lister) trouble(cause error) error {
	if l.troubles++; l.troubles > maxTroubles {
		return cause
	}
	return nil
}

// firstFailing finds the millisecond of the oldest trace from cursor on, which can't be listed. The source's older search
// says it, if that lists the trace. Otherwise a range that fails is looked for, and halved until it is a millisecond.
func (l *lister) firstFailing(cursor *int64) (ms int64, found bool, err error) {
	if stubs, _, err := l.stubs(l.notOlder(cursor), "", 1); err == nil && len(stubs) == 1 {
		return stubs[0].ms, true, nil
	}
	from := int64(0)
	if cursor != nil {
		from = *cursor
	}
	low, high, found, err := l.failingRange(from)
	if err != nil || !found {
		return 0, false, err
	}
	for high-low > 1 {
		middle := low + (high-low)/2
		switch result, err := l.probe(low, middle); {
		case err != nil || result == rangeListed:
			return 0, false, err
		case result == rangeFails:
			high = middle
		default:
			low = middle
		}
	}
	return low, true, nil
}

// failingRange doubles a range after from until listing it fails. All between from and low is then empty.
func (l *lister) failingRange(from int64) (low, high int64, found bool, err error) {
	end := int64(math.MaxInt64 / 2)
	if l.end != nil {
		end = *l.end
	}
	low, high = from, from
	for step := int64(1); high < end && step <= math.MaxInt64/4; step *= 2 {
		high = min(from+step, end)
		switch result, err := l.probe(low, high); {
		case err != nil || result == rangeListed:
			return 0, 0, false, err
		case result == rangeFails:
			return low, high, true, nil
		}
		low = high
	}
	return 0, 0, false, nil
}

// probeResult is what became of the search for the oldest trace of a range.
type probeResult int

const (
	rangeEmpty probeResult = iota
	rangeListed
	rangeFails
)

// probe asks for the oldest trace of a range.
func (l *lister) probe(from, before int64) (probeResult, error) {
	page, _, err := l.search([]string{
		fmt.Sprintf("attributes.timestamp_ms >= %d", from), fmt.Sprintf("attributes.timestamp_ms < %d", before),
	}, "", 1, "ASC", patience{faults: 1})
	switch {
	case unanswerable(err):
		return rangeFails, nil
	case err != nil || len(page) == 0:
		return rangeEmpty, err
	}
	return rangeListed, nil
}

// oneMillisecond takes the traces of a millisecond of which one can't be listed, as far as they can be had, and reports
// the rest.
func (l *lister) oneMillisecond(ms int64, cause error) error {
	err := l.byID(ms)
	if errors.Is(err, errNoIDs) {
		return l.fromBothEnds(ms, cause)
	}
	return err
}

var errNoIDs = errors.New("the source does not list IDs by its older search")

// byID asks for each trace of the millisecond alone, by the IDs that the source's older search lists.
func (l *lister) byID(ms int64) error {
	tokens := map[string]bool{}
	for token := ""; ; {
		stubs, next, err := l.stubs([]string{atTime(ms)}, token, stubPage)
		if l.ctx.Err() != nil {
			return context.Cause(l.ctx)
		}
		if err != nil || token == "" && len(stubs) == 0 {
			return errNoIDs
		}
		for _, s := range stubs {
			if _, ok := l.seen[s.id]; ok {
				continue
			}
			if err := l.one(s.id, ms); err != nil {
				return err
			}
		}
		if next == "" || tokens[next] {
			return nil
		}
		tokens[next], token = true, next
	}
}

// one asks for a trace of the millisecond ms that a page does not show, and takes it or reports it.
func (l *lister) one(traceID string, ms int64) error {
	t, err := l.c.traceInfo(l.ctx, traceID, patience{twice: true})
	switch {
	case err == nil:
		return l.take(t)
	case unanswerable(err):
		return l.report(&UnlistableError{TraceID: traceID, FromMs: ms, ToMs: ms, Err: err})
	case isCode(err, http.StatusNotFound) && !routeRefused(err): // It was deleted in the meantime.
		return nil
	}
	return fmt.Errorf("asking for trace %s: %w", traceID, err)
}

// fromBothEnds takes the traces of a millisecond from the first one on and from the last one back, as far as pages can be
// had either way, and reports that something is between.
func (l *lister) fromBothEnds(ms int64, cause error) error {
	for _, order := range []string{"ASC", "DESC"} {
		page, err := l.longestPage(ms, order)
		if err != nil {
			return err
		}
		for _, t := range page {
			if err := l.take(t); err != nil {
				return err
			}
		}
	}
	if l.unnamed++; l.unnamed > maxUnnamed {
		return fmt.Errorf("at %d times in a row there are traces that the source can't list: %w", maxUnnamed, cause)
	}
	return l.report(&UnlistableError{FromMs: ms, ToMs: ms, Err: cause})
}

// maxUnnamed ends a listing that finds nothing but traces that can't be listed: finding each of them takes dozens of requests.
const maxUnnamed = 100

// longestPage is the longest page of a millisecond's traces that does not fail.
func (l *lister) longestPage(ms int64, order string) (page []*mlflow.TraceInfo, err error) {
	good, bad := 0, l.c.pageSize+1
	for size := 1; bad-good > 1; {
		p, _, err := l.search([]string{atTime(ms)}, "", size, order, patience{faults: 1})
		switch {
		case unanswerable(err):
			bad = size
		case err != nil:
			return nil, err
		case len(p) < size:
			return p, nil
		default:
			page, good = p, size
		}
		if size = min(2*size, l.c.pageSize); bad <= l.c.pageSize {
			size = good + (bad-good)/2
		}
	}
	return page, nil
}

// report tells the caller what can't be listed, once it is sure that the source is not in trouble.
func (l *lister) report(u *UnlistableError) error {
	if healthy, err := l.healthy(u.Err); err != nil {
		return err
	} else if !healthy {
		return u.Err
	}
	if l.unlistable == nil {
		return u
	}
	err := l.unlistable(u)
	l.callerFailed = err != nil
	return err
}
