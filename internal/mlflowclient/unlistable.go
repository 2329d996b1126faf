package mlflowclient

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// One trace can make every page that holds it fail: a server that can't put one of its values into JSON
// answers 500. Such a page is asked for in smaller ones, until it is known which trace it is; that one
// is told of and left out.

// UnlistableError says that the source has something in a range of request times, in milliseconds and
// with both ends in it, that it can't list.
type UnlistableError struct {
	TraceID      string // empty where the source does not tell it
	FromMs, ToMs int64  // 0 where only the ID is known
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
	return fmt.Sprintf("the source has %s and can't list it: %v; look at it there (a feedback or expectation of NaN, for one, can't be listed) and correct or delete it", what, e.Err)
}

func (e *UnlistableError) Unwrap() error { return e.Err }

// patience is short while it is found out what can't be listed.
func (l *lister) patience() patience {
	if l.size < l.c.pageSize {
		return patience{faults: 1}
	}
	return patience{twice: true}
}

// stuck tells of a failure that smaller pages may not meet.
func stuck(err error) bool {
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.internal()
	}
	_, undecodable := errors.AsType[undecodableError](err)
	_, large := errors.AsType[*TooLargeError](err)
	return undecodable || large
}

// widen lets pages grow again after two in a row that came.
func (l *lister) widen() {
	l.troubles = 0
	if l.size == l.c.pageSize {
		return
	}
	if l.twice {
		l.size = min(2*l.size, l.c.pageSize)
	}
	l.twice = !l.twice
}

// narrow is called with what the first page from cursor failed with. It returns from where to go on.
func (l *lister) narrow(cursor *int64, cause error) (*int64, error) {
	l.twice = false
	if l.size == l.c.pageSize || l.size == 1 {
		if sound, err := l.sound(cause); !sound || err != nil {
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
	if !found { // It is listed again.
		return cursor, l.trouble(cause)
	}
	l.seen = keepAt(l.seen, cursor, ms)
	if err := l.oneMillisecond(ms, cause); err != nil {
		return nil, err
	}
	l.seen = nil
	return new(ms + 1), nil
}

// narrowWalk is called with what the walk of a millisecond failed with. It returns from where to go on:
// at the millisecond itself, when the source was in trouble.
func (l *lister) narrowWalk(ms int64, cause error) (*int64, error) {
	if sound, err := l.sound(cause); !sound || err != nil {
		return &ms, err
	}
	return new(ms + 1), l.oneMillisecond(ms, cause)
}

// keepAt is what was seen of the cursor's millisecond, if that is the one at hand.
func keepAt(seen map[string]struct{}, cursor *int64, ms int64) map[string]struct{} {
	if cursor != nil && *cursor == ms {
		return seen
	}
	return nil
}

// sound tells whether the source is well, so that a failure is about what was asked for: whether it
// answers a search that finds nothing. Where it does not, sound waits until it does.
func (l *lister) sound(cause error) (bool, error) {
	nothing := func(how patience) error {
		_, _, err := l.search([]string{"attributes.timestamp_ms < 0"}, "", 1, "ASC", how)
		return err
	}
	if nothing(patience{faults: 1}) == nil {
		return true, nil
	}
	if err := nothing(patience{}); err != nil {
		return false, err
	}
	return false, l.trouble(cause)
}

// trouble counts how often a source that failed was well a moment later, without a page in between.
// Whoever goes on for ever like that can't be listed.
func (l *lister) trouble(cause error) error {
	if l.troubles++; l.troubles > 10 {
		return cause
	}
	return nil
}

// firstFailing finds the millisecond of the oldest trace from cursor on, which can't be listed. Where
// the source's older form of the search lists it, that tells. Else it is found by asking for ever
// longer ranges until one fails, and then for halves.
func (l *lister) firstFailing(cursor *int64) (ms int64, found bool, err error) {
	if stubs, _, err := l.stubs(l.from(cursor), "", 1); err == nil && len(stubs) == 1 {
		return stubs[0].ms, true, nil
	}
	from := int64(0)
	if cursor != nil {
		from = *cursor
	}
	end := int64(math.MaxInt64 / 2)
	if l.end != nil {
		end = *l.end
	}
	// All before low is empty, and something at or after low and before high fails.
	low, high := from, from
	for step := int64(1); ; step *= 2 {
		if high >= end || step > math.MaxInt64/4 {
			return 0, false, nil
		}
		high = min(from+step, end)
		failed, empty, err := l.probe(low, high)
		if err != nil || !failed && !empty {
			return 0, false, err
		}
		if failed {
			break
		}
		low = high
	}
	for high-low > 1 {
		middle := low + (high-low)/2
		failed, empty, err := l.probe(low, middle)
		switch {
		case err != nil || !failed && !empty:
			return 0, false, err
		case failed:
			high = middle
		default:
			low = middle
		}
	}
	return low, true, nil
}

// probe asks for the oldest trace of a range.
func (l *lister) probe(from, before int64) (failed, empty bool, err error) {
	page, _, err := l.search([]string{
		fmt.Sprintf("attributes.timestamp_ms >= %d", from), fmt.Sprintf("attributes.timestamp_ms < %d", before),
	}, "", 1, "ASC", patience{faults: 1})
	if stuck(err) {
		return true, false, nil
	}
	return false, len(page) == 0, err
}

// oneMillisecond takes what can be had of a millisecond in which a trace can't be listed, and tells of
// the rest.
func (l *lister) oneMillisecond(ms int64, cause error) error {
	err := l.byID(ms)
	if errors.Is(err, errNoIDs) {
		return l.fromBothEnds(ms, cause)
	}
	return err
}

var errNoIDs = errors.New("the source does not list IDs by its older search")

// byID asks for each trace of the millisecond alone, by the IDs that the source's older search tells.
func (l *lister) byID(ms int64) error {
	tokens := map[string]bool{}
	for token := ""; ; {
		stubs, next, err := l.stubs([]string{only(ms)}, token, stubPage)
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
			t, err := l.c.traceInfo(l.ctx, s.id, patience{twice: true})
			switch {
			case err == nil:
				err = l.take(t)
			case stuck(err):
				err = l.tell(&UnlistableError{TraceID: s.id, FromMs: ms, ToMs: ms, Err: err})
			case isCode(err, http.StatusNotFound) && !routeRefused(err): // deleted since
				err = nil
			}
			if err != nil {
				return err
			}
		}
		if next == "" || tokens[next] {
			return nil
		}
		tokens[next], token = true, next
	}
}

// fromBothEnds takes the traces of a millisecond from the first on and from the last back, as far as
// either way goes, and tells that something is between.
func (l *lister) fromBothEnds(ms int64, cause error) error {
	for _, order := range []string{"ASC", "DESC"} {
		page, err := l.longest(ms, order)
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
		return fmt.Errorf("listing the traces of experiment %s: at %d times in a row there are traces that the source can't list: %w", l.experimentID, maxUnnamed, cause)
	}
	return l.tell(&UnlistableError{FromMs: ms, ToMs: ms, Err: cause})
}

// maxUnnamed ends a listing in which only such traces come as can't be listed, where finding each takes
// dozens of requests.
const maxUnnamed = 100

// longest is the longest page of a millisecond's traces that can be had.
func (l *lister) longest(ms int64, order string) (page []*mlflow.TraceInfo, err error) {
	good, bad := 0, l.c.pageSize+1
	for size := 1; bad-good > 1; {
		p, _, err := l.search([]string{only(ms)}, "", size, order, patience{faults: 1})
		switch {
		case stuck(err):
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

// tell reports what can't be listed, once it is sure that the source is not in trouble.
func (l *lister) tell(u *UnlistableError) error {
	if sound, err := l.sound(u.Err); err != nil {
		return err
	} else if !sound {
		return u.Err
	}
	if l.unlistable == nil {
		return fmt.Errorf("listing the traces of experiment %s: %w", l.experimentID, u)
	}
	return l.unlistable(u)
}

func only(ms int64) string { return fmt.Sprintf("attributes.timestamp_ms = %d", ms) }

// from is the filter for what is not older than cursor.
func (l *lister) from(cursor *int64) (filter []string) {
	if cursor != nil {
		filter = append(filter, fmt.Sprintf("attributes.timestamp_ms >= %d", *cursor))
	}
	if l.end != nil {
		filter = append(filter, fmt.Sprintf("attributes.timestamp_ms < %d", *l.end))
	}
	return filter
}
