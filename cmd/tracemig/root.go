package main

import (
	"github.com/spf13/cobra"
)

const exitStatus = `EXIT STATUS
  0    all done
  1    failed: nothing more could be done, see the message
  2    wrong usage
  3    done, but some traces failed, or rows are there twice: see the summary
  4    something wrong was found: see the report of check, verify, repair or rehearse;
       or a pair is stale (status --max-age)
  5    stopped at --max-duration or --limit: the next run goes on
  11   locked: another run works with the same checkpoint
  12   no credentials, or not the permissions that it takes
  13   the source, the workspace or the SQL warehouse can't be reached
  130  interrupted: run the same command again to go on`

func newRootCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "tracemig",
		Short: "Move GenAI traces from MLflow experiments into OTEL tables",
		Long: `tracemig moves the traces of an MLflow experiment, with their spans, assessments, tags,
metadata and run links, into the OTEL tables of a Unity Catalog trace location, or
into local Delta tables of the same form. The source is never modified; running the
same command again moves only what is new.

` + exitStatus,
		Args:              commandsOnly,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true}, // there is a command of our own
		Version:           thisBuild().String(),
	}
	c.SetOut(a.stdout)
	c.SetErr(a.terminal)
	c.SetFlagErrorFunc(flagError)
	c.SetHelpCommand(newHelpCommand())
	c.SetUsageFunc(func(c *cobra.Command) error { return printUsage(c.OutOrStdout(), c) })
	c.PersistentFlags().String("pprof", "", "folder for a CPU and a heap profile")
	_ = c.PersistentFlags().MarkHidden("pprof")
	c.AddCommand(newRunCommand(a), newVerifyCommand(a), newRepairCommand(a), newCheckCommand(a), newRehearseCommand(a), newStatusCommand(a),
		newAcceptCommand(a), newRemoveCommand(a), newSQLCommand(a), newTargetCommand(a), newCheckpointCommand(a), newConfigCommand(a),
		newDemoCommand(a), newCompletionCommand(a), newManCommand(), newVersionCommand(a))
	c.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	a.addCompletions(c)
	return c
}
