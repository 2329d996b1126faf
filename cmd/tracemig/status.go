package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
)

type statusOptions struct {
	pairOptions
	pairsOptions
	list   string
	idMap  bool
	links  bool
	maxAge string
	output string
}

func newStatusCommand(a *app) *cobra.Command {
	var o *statusOptions
	c := &cobra.Command{
		Use:   "status [--source EXPERIMENT --target TARGET | --checkpoint FILE]",
		Short: "Show what was migrated, by which runs, and what was not and why",
		Long: `Show what the checkpoint of a source and target knows: its runs, its traces by state and reason,
and up to which request time the source is covered. A run whose process is gone without having
noted its end is shown as killed. Nothing is written.

With --checkpoint alone no server is asked. Without any flag there is a table with a line for each
checkpoint of the default folder: the traces by state, how long ago the last successful run was, how
the last run ended, and what to look at. A checkpoint that is gone is told from the target's tables,
which know the migrated and skipped traces, not the runs nor what was deferred or failed.

With --max-age the exit code is 4 where the last successful run is older, or there never was one: a
run that looked at its whole window and failed with no trace that is not accepted.

With --list and --map there is one line a trace: CSV has a header, JSON lines have a "type". With
--links the address of a trace at the target is known where --target is an experiment, or the one
experiment that is bound to the location can be found.`,
		Example: `  tracemig status
  tracemig status --source /Shared/support-agent --target main.agents.support
  tracemig status --max-age 26h
  tracemig status --checkpoint ./checkpoint.db --list failed -o json
  tracemig status --source /Shared/support-agent --target main.agents.support --map -o csv > ids.csv
  tracemig status --source /Shared/support-agent --target /Shared/support-uc --map --links -o csv`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.config != "" && o.listing() {
				return usageError("--list and --map are for one source and target; name them in the place of --config")
			}
			return onPairs(a, c, o, newStatusOptions, (*app).status)
		},
	}
	o = newStatusOptions(c)
	return c
}

// newStatusOptions adds the flags of status to c.
func newStatusOptions(c *cobra.Command) *statusOptions {
	o := &statusOptions{output: "text"}
	o.pairOptions.addFlags(c)
	o.pairsOptions.addFlags(c)
	f := c.Flags()
	f.StringVar(&o.list, "list", "", "list the traces that are migrated, skipped, deferred, failed or accepted")
	f.BoolVar(&o.idMap, "map", false, "list old and new ID of every trace that is in the target")
	f.BoolVar(&o.links, "links", false,
		"with --map: also the address of each in the UI of the source and of the target, when it was requested, and its experiment")
	f.StringVar(&o.maxAge, "max-age", "",
		"end with 4 where the last successful run ended longer ago than this `age`, such as 26h or 2d, and name what is stale")
	f.StringVarP(&o.output, "output", "o", o.output, "text or json; csv too with --list and --map")
	return o
}

// all says whether the flags name no pair, which means all checkpoints of the default folder.
func (o *statusOptions) all() bool { return o.source == "" && o.target == "" && o.checkpoint == "" }

func (o *statusOptions) copied() *statusOptions {
	c := *o
	return &c
}

// given has nothing to complete.
func (o *statusOptions) given(*cobra.Command) {}

// problems are all that is wrong with the options, before any server is asked.
func (o *statusOptions) problems(*app) []error {
	all := brokenRules(o, statusRules)
	if o.all() || o.checkpoint != "" && o.source == "" && o.target == "" {
		return all
	}
	return append(all, o.pairOptions.problems()...)
}

// listing says whether traces are to be listed.
func (o *statusOptions) listing() bool { return o.list != "" || o.idMap }

func (a *app) status(o *statusOptions) error {
	if err := firstOf(o.problems(a)); err != nil {
		return err
	}
	var fresh time.Time
	if o.maxAge != "" {
		fresh, _ = ago(o.maxAge, time.Now())
	}
	if o.all() {
		return a.statusOfAll(o, fresh)
	}
	conn := o.connector(a, a.logger("text", 0))
	path, pair, err := a.pair(o.pairOptions, conn)
	if errors.Is(err, fs.ErrNotExist) {
		return advice.With(err, "Check the path, or name --source and --target to be told from the target's tables")
	}
	if err != nil {
		return err
	}
	if a.row != nil {
		return a.statusOfOne(path, pair, o.output, fresh)
	}
	s, err := checkpoint.OpenReadOnly(a.stop, path)
	fromTarget := errors.Is(err, fs.ErrNotExist)
	if fromTarget {
		conn.log.Info("there is no checkpoint; reading the target's tables", "checkpoint", path)
		if shards := checkpoint.Shards(a.stop, a.getenv, pair); len(shards) > 0 {
			conn.log.Info("what was deferred or failed stands in the checkpoints of shards; add --shard", "shards", strings.Join(shards, " "))
		}
		s, err = a.temporary(o.target, conn, pair)
	}
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.BelongsTo(pair); err != nil {
		return err
	}
	switch {
	case o.list != "":
		return a.listTraces(s, checkpoint.State(o.list), o.output)
	case o.idMap:
		return a.mapIDs(o, conn, s)
	}
	show := a.statusAsText
	if o.output == "json" {
		show = a.statusAsJSON
	}
	st, err := show(s, path, fromTarget, fresh)
	if err != nil {
		return err
	}
	return foundStale([]pairStatus{st}, o.maxAge)
}

// mapIDs lists old and new IDs, with addresses where they are asked for.
func (a *app) mapIDs(o *statusOptions, conn *connector, s *checkpoint.Store) error {
	if !o.links {
		return a.listIDs(s, o.output, nil)
	}
	l, err := a.links(o, conn, s)
	if err != nil {
		return err
	}
	return a.listIDs(s, o.output, l)
}

// temporary makes a temporary checkpoint and fills it from the target's tables.
func (a *app) temporary(ref string, conn *connector, pair checkpoint.Pair) (*checkpoint.Store, error) {
	target, err := conn.target(a.stop, ref)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	s, err := checkpoint.Open(a.stop, "", pair)
	if err != nil {
		return nil, err
	}
	if err := migrate.Rebuild(a.stop, s, target, pair.Source); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// statusOfAll prints a line for each checkpoint of the default folder. Its error tells of those that can't be read, and of those
// that are stale; the others are printed all the same.
func (a *app) statusOfAll(o *statusOptions, fresh time.Time) error {
	dir, paths, err := checkpoint.InDefaultDir(a.getenv)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		if o.maxAge != "" {
			return &exitError{exitFound, advice.With(fmt.Errorf("there are no checkpoints in %s, so no run of this user here is known", dir),
				"Name one with --checkpoint, or a --source and --target")}
		}
		a.terminal.Logger("text", 0).Info("there are no checkpoints; name one with --checkpoint, or a --source and --target", "folder", dir)
		return nil
	}
	var all []pairStatus
	var failed []error
	for _, path := range paths {
		st, err := a.statusOf(path, fresh)
		switch {
		case a.stop.Err() != nil:
			return a.stop.Err()
		case err != nil:
			failed = append(failed, err)
		default:
			all = append(all, st)
		}
	}
	slices.SortFunc(all, func(a, b pairStatus) int {
		return cmp.Or(strings.Compare(a.name(), b.name()), strings.Compare(a.Target, b.Target), strings.Compare(a.Checkpoint, b.Checkpoint))
	})
	if err := a.printAll(o, all); err != nil {
		return err
	}
	if len(failed) > 0 {
		return errors.Join(append(failed, staleError(all, o.maxAge))...)
	}
	return foundStale(all, o.maxAge)
}

// printAll prints a line for each of several pairs.
func (a *app) printAll(o *statusOptions, all []pairStatus) error {
	if o.output != "json" {
		if len(all) == 0 {
			return nil
		}
		return statusTable{a.stdout.width(), a.stdout.color, time.Now()}.print(a.stdout, all)
	}
	for i := range all {
		if err := (jsonPrinter{a.stdout}).line(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

// statusOfOne notes the status of one of several pairs, which are printed together, and prints its line of JSON. Of one without a
// checkpoint the target is not asked.
func (a *app) statusOfOne(path string, pair checkpoint.Pair, output string, fresh time.Time) error {
	st, err := a.statusOf(path, fresh)
	if errors.Is(err, fs.ErrNotExist) {
		st, err = pairStatus{
			Type: "status", Source: pair.Source, Target: pair.Target, Shard: pair.Shard, Checkpoint: path,
			Traces: map[checkpoint.State]int64{}, Reasons: []reasonCount{},
		}, nil
		st.judge(fresh)
	}
	if err != nil {
		return err
	}
	st.pair = a.row.Pair
	a.row.status = &st
	if output == "json" {
		return jsonPrinter{a.stdout}.line(st)
	}
	return nil
}

// statusOf is the status of the checkpoint at path, with its last run.
func (a *app) statusOf(path string, fresh time.Time) (pairStatus, error) {
	s, err := checkpoint.OpenReadOnly(a.stop, path)
	if err != nil {
		return pairStatus{}, err
	}
	defer s.Close()
	var last *runStatus
	st, err := a.pairStatus(s, path, false, func(r runStatus) error {
		if last == nil {
			last = &r
		}
		return nil
	})
	st.LastRun = last
	st.judge(fresh)
	return st, err
}
