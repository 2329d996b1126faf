package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/budget"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/config"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/pairs"
)

// pairsOptions say on which pairs of a file a command works.
type pairsOptions struct {
	config, only string
	parallel     int
}

// defaultParallel is how many pairs are worked on at the same time. More of them do not read faster from one server, whose quotas they
// share; some are needed so that the server has something to do while others wait for a commit of their own.
const defaultParallel = 4

func (o *pairsOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "`file` of pairs of a source and a target, such as tracemig.yaml: work on each of them")
	f.StringVar(&o.only, "only", "",
		"with --config: only pairs of such a `name`, where * is any text without a slash; agents/* are the experiments of a pair agents")
	f.IntVar(&o.parallel, "parallel", defaultParallel, "with --config: pairs that are worked on at the same time, at most")
}

func (o *pairsOptions) which() *pairsOptions { return o }

// problem is what is wrong with the flags; nil for nothing.
func (o *pairsOptions) problem() error {
	switch {
	case o.only != "" && o.config == "":
		return usageError("--only chooses pairs of a file; name the file with --config")
	case o.parallel < 1:
		return usageError("--parallel must be 1 or more")
	}
	return nil
}

// together is what the pairs share that one process works on: quotas and connections of their sources, memory, logins, the terminal.
type together struct {
	servers    mlflowclient.Servers
	memory     *budget.Memory
	identities identities
	outlets    *outlets
	shown      shownTogether
}

// ofPairs are the options of a command that works on pairs: O is a pointer to them.
type ofPairs[O any] interface {
	commandOptions
	copied() O                                         // the same options, to be changed
	which() *pairsOptions                              // that the command works on
	ends() *pairOptions                                // the source and the target
	connector(a *app, log *slog.Logger) *connector     // opens them
	inMemory() (bytesInFlight int64, attachments bool) // what the command asks for
	outside() outletOptions                            // where it tells of itself besides
	within() time.Duration                             // how long it may take; 0 for no end
}

// onPairs does do for what the flags of the command c name: a source and a target, or pairs of a file. o are its options, and
// fresh adds its flags to another command.
func onPairs[O ofPairs[O]](a *app, c *cobra.Command, o O, fresh func(*cobra.Command) O, do func(*app, O) error) error {
	o.given(c)
	if err := o.which().problem(); err != nil {
		return err
	}
	if o.which().config == "" {
		return do(a, o)
	}
	return overPairs(a, c, o, fresh, do)
}

// task is what is to be done for one pair.
type task[O any] struct {
	name    string
	options O
	err     error // why nothing is to be done for it
}

// overPairs is onPairs for pairs of a file.
func overPairs[O ofPairs[O]](a *app, c *cobra.Command, common O, fresh func(*cobra.Command) O, do func(*app, O) error) error {
	own := common.which()
	file, err := readPairs(a, c, own.config, fresh)
	if err != nil {
		return err
	}
	if err := own.problem(); err != nil { // the file may say how many at a time
		return err
	}
	chosen, err := choose(own.only, file)
	if err != nil {
		return err
	}
	b := *a
	b.together = newTogether(&b, chosen)
	defer b.together.servers.Close()
	out, err := a.openOutlets(common.outside(), a.logOf(c))
	if err != nil {
		return err
	}
	b.together.outlets = out
	limited, release := b.withinTime(common.within(), func() {
		a.logOf(c).Info("the time of --max-duration is over: finishing what is in flight, and beginning no other pair")
	})
	defer release()
	o := &overview{app: limited, pairsOptions: own, command: c.Name(), log: a.logOf(c), began: time.Now()}
	o.json = c.Flag("output").Value.String() == "json"
	if f := c.Flag("max-age"); f != nil {
		o.maxAge = f.Value.String()
	}
	if f := c.Flag("dry-run"); f != nil {
		o.dryRun = f.Value.String() == "true"
	}
	tasks, err := expand(o, chosen, file)
	if err == nil {
		err = work(o, tasks, do)
	}
	return out.end(err, errors.Join(o.forget(out), o.tellPage(out, err), out.close()))
}

// work does do for all tasks, so many at a time. One that fails does not stop the others. A signal, or the end of the time, keeps
// those that have not begun from beginning.
func work[O ofPairs[O]](o *overview, tasks []task[O], do func(*app, O) error) error {
	o.rows = make([]pairRow, len(tasks))
	shown := &o.together.shown
	block := shown.start(o, len(tasks))
	var g errgroup.Group
	g.SetLimit(o.parallel)
	for i, t := range tasks {
		o.rows[i] = pairRow{Pair: t.name, Outcome: notBegun}
		g.Go(func() error {
			if o.stop.Err() != nil {
				return nil
			}
			shown.begun(t.name)
			o.one(&o.rows[i], t.options.ends(), func(a *app) error {
				if t.err != nil {
					return o.failed(a, t.options.ends(), t.err)
				}
				return do(a, t.options)
			})
			shown.done(t.name, o.rows[i].ExitCode == exitOK)
			return nil
		})
	}
	_ = g.Wait() // each task has its error
	block.Close()
	return o.end()
}

func newTogether[O ofPairs[O]](a *app, chosen []optionsOfPair[O]) *together {
	var bytes int64
	attachments := false
	for _, p := range chosen {
		n, reads := p.Options.inMemory()
		bytes, attachments = max(bytes, n), attachments || reads
	}
	if bytes > 0 {
		boundMemory(a.getenv, bytes)
	}
	return &together{memory: budget.NewMemory(bytes, attachments)}
}

// logOf is the log that the flags of c ask for.
func (a *app) logOf(c *cobra.Command) *slog.Logger {
	format, level := "text", slog.LevelInfo
	if f := c.Flag("log-format"); f != nil {
		format = f.Value.String()
	}
	if f := c.Flag("log-level"); f != nil {
		_ = level.UnmarshalText([]byte(f.Value.String())) // what is wrong with it, the options of each pair say
	}
	return a.logger(format, level)
}

// choose gives the pairs that --only names, or some of whose experiments it may name.
func choose[O any](only string, file []optionsOfPair[O]) (chosen []optionsOfPair[O], err error) {
	if only == "" {
		return file, nil
	}
	var names []string
	of, _, _ := strings.Cut(only, "/")
	for _, p := range file {
		names = append(names, p.Name)
		if config.Matches(only, p.Name) || of != only && config.Matches(of, p.Name) && config.IsPattern(p.Flags.Lookup("source").Value.String()) {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 {
		return nil, usageError("--only %q names none of the pairs: there are %s", only, strings.Join(names, ", "))
	}
	return chosen, nil
}

// expand finds what there is to do: one task for a pair, or for each experiment of a pair whose source is a pattern.
func expand[O ofPairs[O]](o *overview, chosen, file []optionsOfPair[O]) ([]task[O], error) {
	memory, err := openPatterns(o)
	if err != nil {
		return nil, err
	}
	listings := make([]listing, len(chosen))
	var g errgroup.Group
	g.SetLimit(o.parallel)
	for i, p := range chosen {
		if config.IsPattern(p.Options.ends().source) {
			g.Go(func() error {
				listings[i] = list(o, p.Name, p.Options)
				return nil
			})
		}
	}
	_ = g.Wait() // each listing has its error
	var all []pairs.Pair
	for i := range listings {
		all = append(all, listings[i].pairs...)
	}
	pairs.KeepApart(all)
	var tasks []task[O]
	for i, p := range chosen {
		l := &listings[i]
		if l.err != nil || l.source == "" {
			tasks = append(tasks, task[O]{p.Name, p.Options, l.err})
			continue
		}
		whole := o.only == "" || config.Matches(o.only, p.Name)
		if whole {
			o.vanished(p.Name, l.source, memory.Vanished(p.Name, l.server, l.source, l.experiments))
			memory.Note(p.Name, l.server, l.source, l.experiments)
		}
		for _, one := range all[:len(l.pairs)] {
			if whole || config.Matches(o.only, one.Name) {
				options := p.Options.copied()
				options.ends().source, options.ends().target = one.Experiment.ID, one.Target
				tasks = append(tasks, task[O]{one.Name, options, one.Err})
			}
		}
		all = all[len(l.pairs):]
	}
	if len(tasks) == 0 {
		return nil, usageError("--only %q names none of the experiments that there are", o.only)
	}
	remember(o, memory, file)
	return tasks, nil
}

// listing are the experiments of a pair whose source is a pattern.
type listing struct {
	server, source string
	experiments    []pairs.Experiment
	pairs          []pairs.Pair
	err            error
}

// list asks the source of a pair for the experiments of its pattern.
func list[O ofPairs[O]](o *overview, name string, options O) (l listing) {
	conn := options.connector(o.app, o.log.With("pair", name))
	l.source = options.ends().source
	if rest, ok := strings.CutPrefix(l.source, "/Workspace/"); ok && conn.inDatabricks() {
		l.source = "/" + rest // Databricks' file browser shows paths with a prefix that names of experiments don't have
	}
	client, err := conn.directory(o.stop)
	if err != nil {
		return listing{err: err}
	}
	defer client.Close()
	l.server = cmp.Or(options.ends().sourceName, client.Identity())
	fixed, _, _ := strings.Cut(l.source, "*")
	var found []pairs.Experiment
	err = client.ListExperimentsNamed(o.stop, fixed, func(e mlflowclient.Experiment) error {
		found = append(found, pairs.Experiment{ID: e.ID, Name: e.Name})
		return nil
	})
	if err != nil {
		return listing{err: err}
	}
	l.experiments = pairs.Matching(l.source, found)
	l.pairs = pairs.Expand(name, l.source, options.ends().target, l.experiments)
	if len(l.pairs) == 0 {
		return listing{err: advice.With(fmt.Errorf("no experiment at %s has a name like %s", client.Identity(), l.source),
			"Check the pattern, in which * is any text without a slash, and whether this identity may see the experiments")}
	}
	return l
}

// openPatterns opens what is remembered of the file's patterns.
func openPatterns(o *overview) (*pairs.Memory, error) {
	folder, err := checkpoint.DefaultDir(o.getenv)
	if err != nil {
		return nil, err
	}
	memory, err := pairs.OpenMemory(folder, o.config)
	if memory != nil && err != nil {
		o.log.Warn(err.Error())
		err = nil
	}
	return memory, err
}

// reports says whether what vanished is reported for good. Only a run does: what another command tells, the next run tells once more,
// where somebody looks every night.
func (o *overview) reports() bool { return o.command == "run" && !o.dryRun }

// remember keeps what the patterns stand for.
func remember[O any](o *overview, memory *pairs.Memory, file []optionsOfPair[O]) {
	if !o.reports() {
		return
	}
	var patterns []string
	for _, p := range file {
		patterns = append(patterns, p.Name)
	}
	if err := memory.Save(patterns); err != nil {
		o.log.Warn(err.Error())
	}
}
