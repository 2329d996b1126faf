package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tracemig/tracemig/internal/manpage"
)

// newManCommand is for those who make packages: help does not list it.
func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man FOLDER",
		Short:  "Write the manual pages of all commands into a folder",
		Hidden: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("name the folder to write the manual pages into")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			day := date[:min(len(date), len("2006-01-02"))]
			return manpage.Book{Version: version, Date: day, Groups: shownFlags}.Write(args[0], c.Root())
		},
	}
}

// shownFlags are the flags of a command that help shows, in their groups.
func shownFlags(flags *pflag.FlagSet) (groups []manpage.FlagGroup) {
	inHelpOrder(flags).VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		title := titleOf(f.Name)
		if len(groups) == 0 || groups[len(groups)-1].Title != title {
			groups = append(groups, manpage.FlagGroup{Title: title})
		}
		last := &groups[len(groups)-1]
		last.Flags = append(last.Flags, f)
	})
	return groups
}
