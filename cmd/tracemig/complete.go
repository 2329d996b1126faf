package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tracemig/tracemig/internal/complete"
	"github.com/tracemig/tracemig/internal/cookbook"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/terminal"
)

// someWords are some values of flags that have others too.
var someWords = map[string][]string{
	"attachments": {attachmentsNone, attachmentsInline},
	"engine":      {string(cookbook.Databricks), string(cookbook.Spark), string(cookbook.DuckDB)},
	"target":      {complete.Files},
}

// fileFlags name files or folders.
var fileFlags = []string{
	"attachments", "checkpoint", "missing-on-target", "differ", "extra", "config", "from", "traces", "summary-file", "metrics-file", "report",
	"pprof", "artifacts-destination",
}

// lookUps find values of flags in a workspace, on a server or in files.
var lookUps = map[string]func(*completer, context.Context) []complete.Choice{
	"profile":        (*completer).profiles,
	"source-profile": (*completer).profiles,
	"target-profile": (*completer).profiles,
	"tracking-uri":   (*completer).trackingURIs,
	"source":         (*completer).sources,
	"target":         (*completer).targets,
	"warehouse-id":   (*completer).warehouses,
}

// addCompletions has shells complete the values of flags of c and the commands below it.
func (a *app) addCompletions(c *cobra.Command) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		// Its error says that the flag is there no more, or has completions already.
		_ = c.RegisterFlagCompletionFunc(f.Name, func(c *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return a.complete(c, f.Name, typed)
		})
	})
	for _, sub := range c.Commands() {
		a.addCompletions(sub)
	}
}

// complete finds what a value of a flag may become.
func (a *app) complete(c *cobra.Command, flag, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	words := slices.Concat(enumerations[flag], someWords[flag])
	switch {
	case flag == "list":
		for _, s := range listedStates {
			words = append(words, string(s))
		}
	case flag == "output" && c.Flag("list") != nil:
		words = append(words, "csv")
	case flag == "target" && !strings.Contains(c.Flag(flag).Usage, complete.Files):
		words = nil // a command that takes no tables on this machine
	}
	choices := complete.Words(typed, words...)
	if find := lookUps[flag]; find != nil {
		to := a.completer(c, typed)
		choices = append(choices, complete.Within(a.stop, func(ctx context.Context) []complete.Choice { return find(to, ctx) })...)
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	if slices.Contains(fileFlags, flag) && len(choices) == 0 {
		directive = cobra.ShellCompDirectiveDefault
	}
	var all []cobra.Completion
	for _, choice := range choices {
		if strings.ContainsFunc(choice.Word, unicode.IsControl) {
			continue // a name that a shell could not be given, and that could do anything to a terminal
		}
		all = append(all, cobra.CompletionWithDesc(choice.Word, string(terminal.Printable([]byte(choice.About)))))
		if choice.Open {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
	}
	return all, directive
}

// completer completes a word as the flags lead to it that stand before the word.
type completer struct {
	conn   *connector
	getenv func(string) string
	typed  string
}

func (a *app) completer(c *cobra.Command, typed string) *completer {
	_ = a.setFromEnvironment(c.Flags()) // a value that is wrong there is told by the command itself
	value := func(flag string) string {
		if f := c.Flag(flag); f != nil {
			return f.Value.String()
		}
		return ""
	}
	o := pairOptions{
		trackingURI: value("tracking-uri"), workspace: value("workspace"), insecureHTTP: value("insecure-http") == "true",
		profile: value("profile"), sourceProfile: value("source-profile"), targetProfile: value("target-profile"), host: value("host"),
	}
	return &completer{o.connector(a, slog.New(slog.DiscardHandler)), a.getenv, typed}
}

func (c *completer) profiles(context.Context) (all []complete.Choice) {
	for _, p := range databricks.Profiles(c.getenv) {
		if strings.HasPrefix(p.Name, c.typed) {
			all = append(all, complete.Choice{Word: p.Name, About: p.Host})
		}
	}
	return all
}

func (c *completer) trackingURIs(context.Context) []complete.Choice {
	uris := []string{"databricks", "sqlite:///", "postgresql://", "mysql://"}
	for _, p := range databricks.Profiles(c.getenv) {
		uris = append(uris, "databricks://"+p.Name)
	}
	return complete.Words(c.typed, uris...)
}

func (c *completer) sources(ctx context.Context) []complete.Choice {
	src, err := c.conn.directory(ctx)
	if err != nil {
		return nil
	}
	defer src.Close()
	return c.experiments(ctx, src, func(e mlflowclient.Experiment) (string, bool) { return "experiment " + e.ID, true })
}

// experiments are up to a hundred of those whose names begin with what was typed. about says what to tell of one, and whether to
// offer it.
func (c *completer) experiments(ctx context.Context, src directory, about func(mlflowclient.Experiment) (string, bool),
) (all []complete.Choice) {
	enough := errors.New("enough")
	_ = src.ListExperimentsNamed(ctx, c.typed, func(e mlflowclient.Experiment) error {
		if text, ok := about(e); ok && strings.HasPrefix(e.Name, c.typed) {
			all = append(all, complete.Choice{Word: e.Name, About: text})
		}
		if len(all) == 100 {
			return enough
		}
		return nil
	})
	return all
}

// targets are files, trace locations, or experiments that are bound to one.
func (c *completer) targets(ctx context.Context) []complete.Choice {
	switch {
	case strings.HasPrefix(c.typed, complete.Files):
		return complete.Folder(c.typed)
	case strings.HasPrefix(c.typed, "/"):
		return c.boundExperiments(ctx)
	}
	ws, err := c.conn.workspace()
	if err != nil {
		return nil
	}
	return complete.Location(ctx, ws, c.typed)
}

func (c *completer) boundExperiments(ctx context.Context) []complete.Choice {
	cfg, err := c.conn.ofTarget()
	if err != nil {
		return nil
	}
	client, err := mlflowclient.NewDatabricks(cfg, mlflowclient.Options{UserAgent: userAgent()})
	if err != nil {
		return nil
	}
	defer client.Close()
	return c.experiments(ctx, client, func(e mlflowclient.Experiment) (string, bool) {
		return e.TraceLocation, strings.Count(e.TraceLocation, ".") == 2 // one of the beta form has no prefix, and is no target
	})
}

func (c *completer) warehouses(ctx context.Context) (all []complete.Choice) {
	ws, err := c.conn.workspace()
	if err != nil {
		return nil
	}
	found, _ := ws.Warehouses(ctx)
	for _, w := range found {
		if strings.HasPrefix(w.ID, c.typed) {
			all = append(all, complete.Choice{Word: w.ID, About: cmp.Or(w.Name, "without a name") + ", " + strings.ToLower(w.State)})
		}
	}
	return all
}
