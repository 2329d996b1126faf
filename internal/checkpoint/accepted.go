package checkpoint

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// Acceptance says that somebody knows that a trace can't be migrated, and for which reason. It ends when the trace is migrated
// or skipped after all. While the trace fails for another reason it does not hold.
type Acceptance struct {
	For Reason    `json:"for"` // what the trace fails for
	Why string    `json:"why"` // in the words of who accepted it
	By  string    `json:"by"`  // user@host
	At  time.Time `json:"at"`  // when
}

// AcceptedTrace is a trace with its acceptance. Its state is Accepted while the acceptance holds, and Migrated where the target
// has the trace as an earlier run wrote it and what fails is to follow the source.
type AcceptedTrace struct {
	Record
	Acceptance
}

// Accept stores acceptances in one transaction, in place of earlier ones of the same traces. Of each record the ID alone counts.
func (s *Store) Accept(ctx context.Context, accepted []AcceptedTrace) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, a := range accepted {
			if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO accepted (trace_id, accepted_for, why, by, at_ms) VALUES (?,?,?,?,?)",
				a.TraceID, a.For, a.Why, a.By, a.At.UnixMilli()); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "UPDATE traces SET state = 'accepted' WHERE state = 'failed' AND reason = ? AND trace_id = ?",
				a.For, a.TraceID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Withdraw ends the acceptances of some traces in one transaction: from then on they have failed again.
func (s *Store) Withdraw(ctx context.Context, traceIDs []string) error {
	return s.onTraces(ctx, traceIDs,
		"DELETE FROM accepted WHERE trace_id IN (SELECT value FROM json_each(?))",
		"UPDATE traces SET state = 'failed' WHERE state = 'accepted' AND trace_id IN (SELECT value FROM json_each(?))")
}

// Acceptances returns the acceptances of some traces, by trace ID, whether they hold or not.
func (s *Store) Acceptances(ctx context.Context, traceIDs []string) (map[string]*Acceptance, error) {
	m := map[string]*Acceptance{}
	return m, s.among(ctx, traceIDs, func(rows *sql.Rows) error {
		a, err := scanAccepted(rows)
		m[a.TraceID] = &a.Acceptance
		return err
	}, selectAccepted+" WHERE a.trace_id IN (SELECT value FROM json_each(?))")
}

// Holding returns those of some traces whose acceptances hold, by trace ID: the last run that looked at them failed for the
// reason that was accepted.
func (s *Store) Holding(ctx context.Context, traceIDs []string) (map[string]*AcceptedTrace, error) {
	m := map[string]*AcceptedTrace{}
	return m, s.among(ctx, traceIDs, func(rows *sql.Rows) error {
		a, err := scanAccepted(rows)
		m[a.TraceID] = &a
		return err
	}, selectAccepted+` WHERE (t.state = 'accepted' OR t.state = 'migrated' AND t.reason = a.accepted_for)
		AND a.trace_id IN (SELECT value FROM json_each(?))`)
}

// EachAccepted yields all traces that have an acceptance, whether it holds or not, in the order of their IDs.
func (s *Store) EachAccepted(ctx context.Context, yield func(AcceptedTrace) error) error {
	after := ""
	for {
		var as []AcceptedTrace
		err := s.each(ctx, func(rows *sql.Rows) error {
			a, err := scanAccepted(rows)
			as = append(as, a)
			return err
		}, selectAccepted+" WHERE a.trace_id > ? ORDER BY a.trace_id LIMIT ?", after, page)
		if err != nil {
			return err
		}
		for _, a := range as {
			if err := yield(a); err != nil {
				return err
			}
		}
		if len(as) < page {
			return nil
		}
		after = as[page-1].TraceID
	}
}

// selectAccepted reads acceptances with their traces. Of tables that were replaced the trace may be forgotten.
const selectAccepted = `
	SELECT a.trace_id, a.accepted_for, a.why, a.by, a.at_ms, coalesce(t.target_trace_id, ''), coalesce(t.request_time_ms, 0),
		coalesce(t.state, ''), coalesce(t.reason, ''), coalesce(t.detail, ''), coalesce(t.run_id, '')
	FROM accepted a LEFT JOIN traces t USING (trace_id)`

func scanAccepted(rows *sql.Rows) (a AcceptedTrace, err error) {
	var at int64
	err = rows.Scan(&a.TraceID, &a.For, &a.Why, &a.By, &at, &a.TargetTraceID, &a.RequestTimeMs, &a.State, &a.Reason, &a.Detail, &a.RunID)
	a.At = time.UnixMilli(at).UTC()
	return a, err
}

// UpdateFailed records why a migrated trace can't follow what changed at the source. It stays Migrated, as it was.
func (s *Store) UpdateFailed(ctx context.Context, r Record) error {
	_, err := s.db.ExecContext(ctx, "UPDATE traces SET reason = ?, detail = ? WHERE state = 'migrated' AND trace_id = ?",
		r.Reason, r.Detail, r.TraceID)
	return s.wrap(err)
}

// endAcceptances ends the acceptances of records that need none any more.
func endAcceptances(ctx context.Context, tx *sql.Tx, rs []Record) error {
	var any bool // Nearly always there is none, and the IDs need not be looked up.
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM accepted)").Scan(&any); err != nil || !any {
		return err
	}
	var ids []string
	for _, r := range rs {
		if r.State == Migrated || r.State == Skipped || r.State == Elsewhere {
			ids = append(ids, r.TraceID)
		}
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM accepted WHERE trace_id IN (SELECT value FROM json_each(?))", string(list))
	return err
}
