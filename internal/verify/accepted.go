package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
)

// accepted returns those of some traces of which somebody has accepted that runs can't migrate them.
func (v *verification) accepted(ctx context.Context, traceIDs []string) (map[string]*checkpoint.AcceptedTrace, error) {
	if v.job.Accepted == nil {
		return nil, nil
	}
	return v.job.Accepted(ctx, traceIDs)
}

// markAccepted notes in traces that somebody has accepted that runs can't migrate them.
func (v *verification) markAccepted(ctx context.Context, traces []*trace) error {
	ids := make([]string, len(traces))
	for i, t := range traces {
		ids[i] = t.info.TraceID
	}
	accepted, err := v.accepted(ctx, ids)
	for _, t := range traces {
		t.accepted = accepted[t.info.TraceID]
	}
	return err
}

// findUnlistable reports the traces that the source has and can't list.
func (v *verification) findUnlistable(ctx context.Context) error {
	for _, u := range v.unlistable {
		accepted, err := v.accepted(ctx, []string{u.TraceID})
		if err != nil {
			return err
		}
		if u.FromMs != 0 {
			v.report.Seen.AtSource(time.UnixMilli(u.FromMs))
		}
		kind, detail := excuse(accepted[u.TraceID], Unreadable, u.Error())
		v.found(Finding{TraceID: u.TraceID, Kind: kind, Detail: detail})
	}
	return nil
}

// excuse is what is found of a trace of which somebody has accepted that runs can't migrate it. What follows from that is Accepted.
// Rows that are there twice or differ don't follow from it, nor the loss of a trace that was migrated.
func excuse(a *checkpoint.AcceptedTrace, kind Kind, detail string) (Kind, string) {
	if a == nil {
		return kind, detail
	}
	switch kind {
	case Unreadable, Changed:
	case Pending, Newer, Missing, Incomplete:
		if a.State == checkpoint.Migrated {
			return kind, detail
		}
	default:
		return kind, detail
	}
	if detail != "" {
		detail = ": " + detail
	}
	return Accepted, fmt.Sprintf("%s, which %s accepted at %s (%s)%s", kind, a.By, a.At.Format(time.RFC3339), a.Why, detail)
}
