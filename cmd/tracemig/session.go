package main

import (
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/tracemig/tracemig/internal/attachments"
	"github.com/tracemig/tracemig/internal/budget"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/metrics"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// session is a source and a target that commands work on.
type session struct {
	*app
	opts       runOptions
	out        printer
	plainLog   *slog.Logger
	log        *slog.Logger // with the run's ID, where --log-format is json
	runID      string       // of the run that goes on, else of the next one
	source     source.Opened
	experiment string // ID
	named      string // the experiment
	target     target.Writer
	pair       checkpoint.Pair
	path       string // of the checkpoint
	outlets    *outlets
	told       metrics.Pair  // what the metrics are told of the pair
	ledger     target.Ledger // nil where none is kept
	runLinks   runlinks.Scope
	readFrom   string // see verify.Job

	attachments attachments.Policy
}

// withSession opens what the options name, and runs do, the command of that name.
func (a *app) withSession(o runOptions, command string, do func(*session, mlflowclient.Window) error) error {
	w, log, err := a.prepare(o)
	if err != nil {
		return err
	}
	out, err := a.openOutlets(o.outletOptions, log)
	if err != nil {
		return err
	}
	limited, release := a.withinTime(time.Duration(o.maxDuration), func() {
		log.Info("the time of --max-duration is over: finishing what is in flight")
	})
	defer release()
	s := &session{app: limited, opts: o, plainLog: log, outlets: out, told: a.named(&o.pairOptions)}
	s.out = observer{a.printer(&o), s}
	err = s.failed(w, limited.stopped(s.do(w, do)), a.interrupted())
	if !o.dryRun {
		s.told.Known = s.remembered()
		err = a.tell(out, s.told, command, err)
	}
	return out.end(err, out.close())
}

// do opens source and target, and runs f.
func (s *session) do(w mlflowclient.Window, f func(*session, mlflowclient.Window) error) error {
	s.nextRun()
	defer s.close()
	if err := s.open(); err != nil {
		return err
	}
	s.told.Info = &metrics.Info{Source: s.pair.Source, SourceName: s.named, Target: s.pair.Target, Version: version}
	return f(s, w)
}

// nextRun gives the next run its ID.
func (s *session) nextRun() {
	s.runID = uuid.Must(uuid.NewV7()).String()
	s.log = s.plainLog
	if s.opts.logFormat == "json" { // collectors mix the lines of many runs
		s.log = s.log.With("run_id", s.runID)
	}
}

func (s *session) open() error {
	o := &s.opts
	if s.together == nil {
		boundMemory(s.getenv, int64(o.bytesInFlight))
	}
	conn := o.connector(s.app, s.log)
	var err error
	if s.source, err = conn.source(s.stop, o.source); err != nil {
		return err
	}
	experiment, err := s.source.Experiment(s.stop, o.source)
	if err != nil {
		return err
	}
	s.experiment, s.named = experiment.ID, experiment.Name
	identity := o.identity(s.source.Identity(), experiment.ID)
	if err := s.otherWay(conn, experiment); err != nil {
		return err
	}
	s.out.reads(experiment.Name)
	if s.target, err = conn.target(s.stop, o.target); err != nil {
		return err
	}
	if s.attachments, err = o.attachmentPolicy(s.source, conn); err != nil {
		return err
	}
	s.pair = checkpoint.Pair{Source: identity, Target: s.target.String(), Shard: o.shard}
	s.runLinks = o.linksOf(conn)
	s.log.Info("the source is experiment", "experiment", experiment.ID, "name", experiment.Name, "server", s.source.Identity())
	s.log.Info("the target is the tables", "tables", s.target.String())
	if l, err := uctables.ParseLocation(s.target.String()); err == nil {
		if p, ok := official.ReadProgress(experiment.Tags, l); ok {
			s.log.Info("Databricks' own migration has moved traces of this experiment into these tables, "+p.String()+": a run takes them over",
				"experiment", experiment.ID)
		}
	}
	s.path, err = o.checkpointPath(s.app, s.pair)
	return err
}

func (s *session) close() {
	if s.target != nil {
		s.target.Close()
	}
	if s.source != nil {
		s.source.Close()
	}
}

// job is a run as the options describe it.
func (s *session) job(w mlflowclient.Window) migrate.Job {
	o := &s.opts
	return migrate.Job{
		Source: s.source, ExperimentID: s.experiment, SourceName: s.pair.Source, Target: s.target,
		Window: w, Read: o.read, RunLinks: s.runLinks, Resync: !o.noResync, ServiceName: o.serviceName,
		UpdateSpans: o.updateSpans, Settle: time.Duration(o.settle), Attachments: s.attachments,
		Fetchers: o.concurrency, BytesInFlight: int64(o.bytesInFlight), Memory: s.memory(), Limit: o.limit,
		CountFirst: s.terminal.Interactive() && o.limit == 0, Recorder: &migrate.Recorder{},
	}
}

// memory is what all runs of the process share; nil for one alone.
func (s *session) memory() *budget.Memory {
	if s.together == nil {
		return nil
	}
	return s.together.memory
}

// lock takes the checkpoint's lock and opens the checkpoint. release undoes both.
func (s *session) lock(runID string) (store *checkpoint.Store, release func(), err error) {
	if held, holder, err := checkpoint.Held(s.path); s.opts.lockWait > 0 && held && err == nil {
		s.log.Info("waiting for the run that has the checkpoint", "holder", holder.String(), "for", time.Duration(s.opts.lockWait))
	}
	lock, err := checkpoint.TakeLock(s.stop, s.path, time.Duration(s.opts.lockWait), checkpoint.ThisProcess(runID))
	if err != nil {
		return nil, nil, err
	}
	if store, err = checkpoint.Open(s.ctx, s.path, s.pair); err != nil {
		lock.Release()
		return nil, nil, err
	}
	return store, func() { store.Close(); lock.Release() }, nil
}
