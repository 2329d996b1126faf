package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// TestCommandReference holds docs/commands.md against the commands: make commands writes it.
func TestCommandReference(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "commands.md")
	want := commandReference(newRootCommand(&app{stdout: newResults(io.Discard), getenv: func(string) string { return "" }}))
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/commands.md is not what the commands say (make commands writes it): -want +got\n%s", diff)
	}
}

func commandReference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\n" +
		"Written by make commands from what `--help` prints; a test compares them. [flags.md](flags.md) tells more of the flags of\n" +
		"`tracemig run`, [environment.md](environment.md) which variables count.\n")
	describeCommand(&b, root)
	return b.String()
}

func describeCommand(b *strings.Builder, c *cobra.Command) {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(b, "\n## %s\n\n```text\n%s\n\n%s\n", c.CommandPath(), strings.TrimSpace(text), c.UseLine())
	if c.HasExample() {
		fmt.Fprintf(b, "\nExamples:\n%s\n", strings.TrimRight(c.Example, "\n"))
	}
	if c.HasAvailableLocalFlags() {
		b.WriteString(flagUsages(c.LocalFlags()))
	}
	b.WriteString("```\n")
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			describeCommand(b, sub)
		}
	}
}
