package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/repair"
)

func newCheckpointCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "checkpoint",
		Short: "Find, rebuild or free the checkpoint of a source and target",
		Long: `The checkpoint is a file that remembers what was migrated, so that a run reads and writes only what
is new. It only saves work: the target decides what is there.`,
		Args: commandsOnly,
		RunE: func(c *cobra.Command, _ []string) error { return usageError("say what to do: path, rebuild or unlock") },
	}
	var lockWait duration
	add := func(do func(pairOptions) error, c2 *cobra.Command) *cobra.Command {
		var o pairOptions
		c2.Args = noArguments
		c2.RunE = func(*cobra.Command, []string) error { return do(o) }
		o.addFlags(c2)
		c.AddCommand(c2)
		return c2
	}
	add(a.checkpointPath, &cobra.Command{
		Use:   "path --source EXPERIMENT --target TARGET",
		Short: "Print where the checkpoint is, or would be",
	})
	rebuild := func(o pairOptions) error { return a.rebuildCheckpoint(o, time.Duration(lockWait)) }
	add(rebuild, &cobra.Command{
		Use:   "rebuild [--source EXPERIMENT --target TARGET | --checkpoint FILE]",
		Short: "Fill the checkpoint anew from the target",
		Long: `Forget what the checkpoint knows of the target and fill it from the target's tables, under the lock
of a run. A run does that by itself when the file is gone or the tables were made anew; it is needed
only where rows were deleted from the tables, or others were put into their place, since.

Runs, and traces that wait for a later run (deferred, failed), are remembered.`,
	}).Flags().Var(&lockWait, "lock-wait", lockWaitHelp)
	add(a.unlockCheckpoint, &cobra.Command{
		Use:   "unlock [--source EXPERIMENT --target TARGET | --checkpoint FILE]",
		Short: "Say who holds the checkpoint, and clear up after one that was killed",
		Long: `Say who holds the checkpoint. The operating system ends a lock with its process, so a run that was
killed is in nobody's way; the note of who it was is removed. The lock of a run that goes on is
never broken.`,
	})
	return c
}

// path is the file of the checkpoint that the flags name.
func (a *app) path(o pairOptions) (string, error) {
	if o.checkpoint != "" {
		return o.checkpoint, checkCheckpoint(o.checkpoint)
	}
	path, _, err := a.pair(o, o.connector(a, a.terminal.Logger("text", 0)))
	return path, err
}

func (a *app) checkpointPath(o pairOptions) error {
	path, err := a.path(o)
	if err == nil {
		_, err = fmt.Fprintln(a.stdout, path)
	}
	return err
}

func (a *app) rebuildCheckpoint(o pairOptions, lockWait time.Duration) error {
	conn := o.connector(a, a.terminal.Logger("text", 0))
	path, pair, err := a.pair(o, conn)
	if errors.Is(err, fs.ErrNotExist) {
		return advice.With(err, "Name the --source and --target that it is for")
	}
	if err != nil {
		return err
	}
	tables, err := conn.target(a.stop, pair.Target)
	if err != nil {
		return err
	}
	defer tables.Close()
	traces, err := repair.Rebuild(a.ctx, a.stop, path, lockWait, pair, tables, uuid.Must(uuid.NewV7()).String())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s migrated and %s skipped traces found in %s, %s wait for a later run\n", path,
		group(traces[checkpoint.Migrated]), group(traces[checkpoint.Skipped]), tables,
		group(traces[checkpoint.Deferred]+traces[checkpoint.Failed]))
	return err
}

func (a *app) unlockCheckpoint(o pairOptions) error {
	path, err := a.path(o)
	if err != nil {
		return err
	}
	killed, err := checkpoint.ClearLock(a.stop, path, checkpoint.ThisProcess("unlock"))
	if locked, ok := errors.AsType[*checkpoint.LockedError](err); ok {
		return advice.With(fault.With(fmt.Errorf("checkpoint %s is in use by %s", path, locked.Holder), fault.Locked),
			"A lock ends with its process: wait for it, or stop it. If its machine is gone and a file server keeps the lock, "+
				"give runs another file with --checkpoint: it is filled from the target")
	}
	if err != nil {
		return err
	}
	if killed.PID == 0 {
		_, err = fmt.Fprintf(a.stdout, "%s is free\n", path)
	} else {
		_, err = fmt.Fprintf(a.stdout, "%s is free: %s ended without giving it back. Its note is removed\n", path, killed)
	}
	return err
}
