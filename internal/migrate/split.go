package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/tracemig/tracemig/internal/target"
)

// commits writes the rows of units in as few commits as the limits allow: whole units together, a unit over the
// limits alone and in parts. When the target refuses a commit it halves the units, and then the one unit's rows,
// until the refused row is found.
type commits[T any] struct {
	limits target.Limits
	rowsOf func(*unit) []T
	size   func(*T) int64
	name   func(*T) string // of a row, for errors
	write  func(context.Context, []T) error
	// probe is set where a part of a unit's rows must not be written before all are known to be good: the
	// rest of a trace with a refused span would lie in the table for nobody. It takes rows without writing them.
	probe func(context.Context, []T) error
}

// writeAll writes the rows of the units that have not failed. Its error is one that no split cures.
func (c *commits[T]) writeAll(ctx context.Context, units []*unit) error {
	var good []*unit
	rows := 0
	for _, u := range units {
		if u.failed == nil {
			good = append(good, u)
			rows += len(c.rowsOf(u))
		}
	}
	all := make([]T, 0, rows) // Rows are large values, and growing the slice would copy them several times.
	for _, u := range good {
		all = append(all, c.rowsOf(u)...)
	}
	switch {
	case len(all) == 0:
		return nil
	case c.fitting(all) == len(all):
		err := c.write(ctx, all)
		if !splittable(err) {
			return err
		}
		if len(good) == 1 {
			return c.writeHalves(ctx, good[0], all, err)
		}
	case len(good) == 1:
		return c.writePortions(ctx, good[0], all)
	}
	half := len(good) / 2
	if err := c.writeAll(ctx, good[:half]); err != nil {
		return err
	}
	return c.writeAll(ctx, good[half:])
}

// fitting is how many of the first rows, at least one, fit into a commit.
func (c *commits[T]) fitting(rows []T) (n int) {
	var bytes int64
	for n < min(len(rows), c.limits.Rows) {
		if bytes += c.size(&rows[n]); n > 0 && bytes > c.limits.Bytes {
			break
		}
		n++
	}
	return n
}

// writePortions writes the rows of one unit in as many commits as they need, in order, until one is refused.
func (c *commits[T]) writePortions(ctx context.Context, u *unit, rows []T) error {
	for len(rows) > 0 && u.failed == nil {
		n := c.fitting(rows)
		err := c.write(ctx, rows[:n])
		if splittable(err) {
			err = c.writeHalves(ctx, u, rows[:n], err)
		}
		if err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// writeHalves deals with rows of one unit that the target refused with cause: too large a commit is
// written in halves, in order; a refused row is looked for, and fails the unit.
func (c *commits[T]) writeHalves(ctx context.Context, u *unit, rows []T, cause error) error {
	if len(rows) == 1 {
		u.fail(fmt.Errorf("%s: %w", c.name(&rows[0]), cause))
		return nil
	}
	_, refused := errors.AsType[*target.RowError](cause)
	try, probing := c.write, refused && c.probe != nil
	if probing {
		try = c.probe
	}
	half := len(rows) / 2
	found := false
	for _, part := range [][]T{rows[:half], rows[half:]} {
		err := try(ctx, part)
		if splittable(err) {
			found = true
			err = c.writeHalves(ctx, u, part, err)
		}
		if err != nil {
			return err
		}
		if u.failed != nil {
			return nil
		}
	}
	if probing && !found {
		// The target would take each half alone, and still refused the whole: the row can't be found.
		u.fail(cause)
	}
	return nil
}

// splittable says whether a smaller commit may be taken where this one was refused.
func splittable(err error) bool {
	if _, ok := errors.AsType[*target.RowError](err); ok {
		return true
	}
	_, ok := errors.AsType[*target.TooLargeError](err)
	return ok
}
