package main

import (
	"github.com/spf13/cobra"
)

// shells are those for which there are completions, and what writes them.
var shells = []struct {
	name  string
	write func(root *cobra.Command, to *results) error
}{
	{"bash", func(root *cobra.Command, to *results) error { return root.GenBashCompletionV2(to, true) }},
	{"zsh", func(root *cobra.Command, to *results) error { return root.GenZshCompletion(to) }},
	{"fish", func(root *cobra.Command, to *results) error { return root.GenFishCompletion(to, true) }},
	{"powershell", func(root *cobra.Command, to *results) error { return root.GenPowerShellCompletionWithDesc(to) }},
}

func newCompletionCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print what has a shell complete commands, flags and their values",
		Long: `Print a script that has a shell complete tracemig's commands, its flags, and their values: profiles
of .databrickscfg, experiments, SQL warehouses, catalogs and schemas, as the flags typed so far lead
to them. Who is asked has two seconds to answer. Nothing is written, and no warehouse is started.

For this session, and for all later ones:
  bash        source <(tracemig completion bash)
              tracemig completion bash > ~/.local/share/bash-completion/completions/tracemig
  zsh         source <(tracemig completion zsh)
              tracemig completion zsh > "${fpath[1]}/_tracemig"
  fish        tracemig completion fish | source
              tracemig completion fish > ~/.config/fish/completions/tracemig.fish
  powershell  tracemig completion powershell | Out-String | Invoke-Expression
              tracemig completion powershell >> $PROFILE

bash needs its package bash-completion; zsh needs "autoload -U compinit; compinit" in ~/.zshrc.`,
		DisableFlagsInUseLine: true,
	}
	for _, s := range shells {
		c.ValidArgs = append(c.ValidArgs, s.name)
	}
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError("name one shell: bash, zsh, fish or powershell")
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		for _, s := range shells {
			if s.name == args[0] {
				return s.write(c.Root(), a.stdout)
			}
		}
		return usageError("there are no completions for %q; name bash, zsh, fish or powershell", args[0])
	}
	return c
}
