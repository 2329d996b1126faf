// Package manpage writes manual pages from the commands themselves, so that they say what --help says.
package manpage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Book is what the pages of all commands have in common.
type Book struct {
	Version string                             // of the program, in the foot of each page
	Date    string                             // in the foot of each page, such as 2026-11-27; may be empty
	Groups  func(f *pflag.FlagSet) []FlagGroup // the flags of a command as its help parts them
}

// FlagGroup is some flags of a command under a title.
type FlagGroup struct {
	Title string
	Flags []*pflag.Flag
}

// Write writes a page for a command, and one for each command below it that help lists, into a folder.
func (b Book) Write(folder string, c *cobra.Command) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, name(c)+".1"), b.page(c), 0o644); err != nil { //nolint:gosec // a page is for everyone
		return err
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			if err := b.Write(folder, sub); err != nil {
				return err
			}
		}
	}
	return nil
}

// name is the name of a command's page.
func name(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// section matches the first line of a part of a description that is a section of its own, such as EXIT STATUS.
var section = regexp.MustCompile(`^[A-Z][A-Z ]+$`)

func (b Book) page(c *cobra.Command) []byte {
	var p page
	fmt.Fprintf(&p, ".TH %q 1 %q %q \"User Commands\"\n", strings.ToUpper(name(c)), b.Date, c.Root().Name()+" "+b.Version)
	p.WriteString(".nh\n.ad l\n") // neither hyphens nor gaps: both would change what a reader copies
	p.title("SH", "NAME")
	fmt.Fprintf(&p, "%s \\- %s\n", escape(name(c)), escape(c.Short))
	p.title("SH", "SYNOPSIS")
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&p, "\\fB%s\\fR COMMAND\n", escape(c.CommandPath()))
	} else {
		usage := strings.TrimPrefix(c.UseLine(), c.CommandPath())
		fmt.Fprintf(&p, "\\fB%s\\fR%s\n", escape(c.CommandPath()), escape(usage))
	}
	p.title("SH", "DESCRIPTION")
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	var later []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if first, _, _ := strings.Cut(paragraph, "\n"); section.MatchString(first) {
			later = append(later, paragraph)
			continue
		}
		p.paragraph(paragraph)
	}
	p.flags(b.Groups(c.Flags()))
	if c.HasExample() {
		p.title("SH", "EXAMPLES")
		p.verbatim(strings.TrimRight(c.Example, "\n"))
	}
	for _, paragraph := range later {
		first, rest, _ := strings.Cut(paragraph, "\n")
		p.title("SH", first)
		p.paragraph(rest)
	}
	p.seeAlso(c)
	return p.Bytes()
}

// page is a manual page in the language of man(7).
type page struct{ bytes.Buffer }

func (p *page) title(macro, text string) { fmt.Fprintf(p, ".%s %q\n", macro, text) }

// paragraph writes lines as a filled paragraph, but those that are indented as they are.
func (p *page) paragraph(text string) {
	var block []string
	end := func() {
		if len(block) > 0 {
			p.verbatim(strings.Join(block, "\n"))
			block = nil
		}
	}
	p.WriteString(".PP\n")
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			block = append(block, line)
			continue
		}
		end()
		p.WriteString(escape(line) + "\n")
	}
	end()
}

// verbatim writes lines that stay as they are.
func (p *page) verbatim(text string) {
	p.WriteString(".PP\n.nf\n")
	for line := range strings.SplitSeq(text, "\n") {
		p.WriteString(escape(line) + "\n")
	}
	p.WriteString(".fi\n")
}

func (p *page) flags(groups []FlagGroup) {
	if len(groups) > 0 {
		p.title("SH", "OPTIONS")
	}
	for _, g := range groups {
		p.title("SS", g.Title)
		for _, f := range g.Flags {
			value, usage := pflag.UnquoteUsage(f)
			p.WriteString(".TP\n")
			if f.Shorthand != "" {
				fmt.Fprintf(p, "\\fB\\-%s\\fR, ", f.Shorthand)
			}
			fmt.Fprintf(p, "\\fB\\-\\-%s\\fR", escape(f.Name))
			if value != "" {
				fmt.Fprintf(p, " \\fI%s\\fR", escape(value))
			}
			p.WriteString("\n" + escape(usage+defaultOf(f)) + "\n")
		}
	}
}

// defaultOf is what help says of a flag's value where it is not given.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "0", "0s", "false", "[]":
		return ""
	}
	return " (default " + f.DefValue + ")"
}

// seeAlso names the pages of the command above, and of those below.
func (p *page) seeAlso(c *cobra.Command) {
	var pages []string
	if c.HasParent() {
		pages = append(pages, name(c.Parent()))
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			pages = append(pages, name(sub))
		}
	}
	for i, page := range pages {
		pages[i] = "\\fB" + escape(page) + "\\fR(1)"
	}
	p.title("SH", "SEE ALSO")
	p.WriteString(strings.Join(pages, ",\n") + "\n")
}

var escapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", "\\(ga", "^", `\(ha`, "~", `\(ti`, "…", `\[u2026]`)

// escape is a text of which roff takes no character for something else.
func escape(text string) string {
	text = escapes.Replace(text)
	if strings.HasPrefix(text, ".") {
		return `\&` + text
	}
	return text
}
