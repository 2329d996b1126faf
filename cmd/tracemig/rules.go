package main

import (
	"slices"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/warehouse"
)

// A rule refuses values of flags, or flags that don't go together.
type rule[O any] struct {
	broken func(O) bool
	says   string         // the error; with %q for value where that is not nil
	value  func(O) string // the value that the error quotes; nil for none
}

// brokenRules are the errors of the rules that o breaks.
func brokenRules[O any](o O, rules []rule[O]) (all []error) {
	for _, r := range rules {
		switch {
		case !r.broken(o):
		case r.value != nil:
			all = append(all, usageError(r.says, r.value(o)))
		default:
			all = append(all, usageError("%s", r.says))
		}
	}
	return all
}

// runRules are the rules for run, and for the commands that have some of its flags.
var runRules = []rule[*runOptions]{
	{
		broken: func(o *runOptions) bool { return !slices.Contains(enumerations["output"], o.output) },
		says:   "--output %q is neither text nor json",
		value:  func(o *runOptions) string { return o.output },
	},
	{
		broken: func(o *runOptions) bool { return !slices.Contains(enumerations["log-format"], o.logFormat) },
		says:   "--log-format %q is neither text nor json",
		value:  func(o *runOptions) string { return o.logFormat },
	},
	{
		broken: func(o *runOptions) bool { return o.hasStartMs && o.startTime != "" },
		says:   "--start-time-ms and --start-time both say when to start; give one of them",
	},
	{
		broken: func(o *runOptions) bool { return o.concurrency < 1 },
		says:   "--concurrency must be 1 or more",
	},
	{
		broken: func(o *runOptions) bool { return o.bytesInFlight < 1<<20 },
		says:   "--bytes-in-flight must be at least 1MiB",
	},
	{
		broken: func(o *runOptions) bool {
			return o.statementBytes != 0 && o.statementBytes < warehouse.LeastStatementBytes
		},
		says: "--statement-bytes must be at least 64KiB",
	},
	{
		broken: func(o *runOptions) bool { return o.statementBytes != 0 && o.local() },
		says:   "--statement-bytes is for tables in Unity Catalog; local ones are written without statements",
	},
	{
		broken: func(o *runOptions) bool { return o.ledgerTable != "" && o.local() },
		says:   "--ledger-table is written through the target's SQL warehouse, and a file: target has none; tracemig status shows its runs",
	},
	{
		broken: func(o *runOptions) bool { return o.sample < 0 },
		says:   "--sample can't be negative",
	},
	{
		broken: func(o *runOptions) bool { return o.stage != "" && !slices.Contains(enumerations["stage"], o.stage) },
		says:   "--stage %q: the one value is auto",
		value:  func(o *runOptions) string { return o.stage },
	},
	{
		broken: func(o *runOptions) bool { return o.stage != "" && o.stagingVolume != "" },
		says:   "--stage and --staging-volume both say where to put files; give one of them",
	},
	{
		broken: func(o *runOptions) bool { return (o.stage != "" || o.stagingVolume != "") && o.local() },
		says:   "--stage and --staging-volume are for tables in Unity Catalog; local ones are written as they are",
	},
	{
		broken: func(o *runOptions) bool { return o.clustering && !o.local() },
		says:   "--clustering is for file: targets; tables in Unity Catalog are always clustered",
	},
	{
		broken: func(o *runOptions) bool { return o.sample > 0 && o.files.extra != "" },
		says:   "--extra lists what a comparison of all traces finds; leave --sample out",
	},
	{
		broken: func(o *runOptions) bool { return o.createViews && o.local() },
		says:   "--create-views is for tables in Unity Catalog; local ones have no views",
	},
	{
		broken: func(o *runOptions) bool { return (o.verify || o.repair) && o.dryRun },
		says:   "--dry-run writes nothing to verify or repair; run tracemig verify",
	},
	{
		broken: func(o *runOptions) bool { return o.limit != 0 && o.dryRun },
		says:   "--limit bounds what is moved, and --dry-run moves nothing; leave one of them out",
	},
	{
		broken: func(o *runOptions) bool { return o.limit < 0 },
		says:   "--limit can't be negative",
	},
	{
		broken: func(o *runOptions) bool { return o.maxDuration < 0 },
		says:   "--max-duration can't be negative",
	},
	{
		broken: func(o *runOptions) bool { return o.settle < 0 },
		says:   "--settle can't be negative",
	},
	{
		broken: func(o *runOptions) bool { return o.lockWait < 0 },
		says:   "--lock-wait can't be negative",
	},
}

// listedStates are the values of status --list.
var listedStates = []checkpoint.State{checkpoint.Migrated, checkpoint.Skipped, checkpoint.Deferred, checkpoint.Failed, checkpoint.Accepted}

// statusRules are the rules for status.
var statusRules = []rule[*statusOptions]{
	{
		broken: func(o *statusOptions) bool { return !slices.Contains([]string{"text", "json", "csv"}, o.output) },
		says:   "--output %q is none of text, json, csv",
		value:  func(o *statusOptions) string { return o.output },
	},
	{
		broken: func(o *statusOptions) bool { return o.output == "csv" && !o.listing() },
		says:   "--output csv is for --list and --map",
	},
	{
		broken: func(o *statusOptions) bool { return o.list != "" && o.idMap },
		says:   "--list and --map both say what to list; give one of them",
	},
	{
		broken: func(o *statusOptions) bool { return o.links && !o.idMap },
		says:   "--links adds addresses to --map; give both",
	},
	{
		broken: func(o *statusOptions) bool {
			return o.list != "" && !slices.Contains(listedStates, checkpoint.State(o.list))
		},
		says:  "--list %q is none of migrated, skipped, deferred, failed, accepted",
		value: func(o *statusOptions) string { return o.list },
	},
	{
		broken: func(o *statusOptions) bool { return o.listing() && o.all() },
		says:   "--list and --map are for one source and target; name them, or their --checkpoint",
	},
	{
		broken: func(o *statusOptions) bool { return o.listing() && o.maxAge != "" },
		says:   "--max-age is for runs, and --list and --map list traces; give one of them",
	},
	{
		broken: func(o *statusOptions) bool {
			now := time.Now()
			fresh, ok := ago(o.maxAge, now)
			return o.maxAge != "" && (!ok || !fresh.Before(now))
		},
		says:  "--max-age %q is no age above 0; write 26h or 2d",
		value: func(o *statusOptions) string { return o.maxAge },
	},
	{
		broken: func(o *statusOptions) bool { return o.shard.Count > 0 && o.all() },
		says:   "--shard is for one source and target; name them, or leave it out for all checkpoints",
	},
}
