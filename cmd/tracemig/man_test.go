package main

import (
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestManPages holds that each command has a page that names its flags, and that groff has nothing to say against it.
func TestManPages(t *testing.T) {
	root := newRootCommand(&app{stdout: newResults(io.Discard), getenv: func(string) string { return "" }})
	folder := filepath.Join(t.TempDir(), "man")
	root.SetArgs([]string{"man", folder})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	var pages []string
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		path := filepath.Join(folder, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
		pages = append(pages, path)
		page := readDoc(t, path)
		for _, g := range shownFlags(c.Flags()) {
			for _, f := range g.Flags {
				if want := `\fB\-\-` + strings.ReplaceAll(f.Name, "-", `\-`) + `\fR`; !strings.Contains(page, want) {
					t.Errorf("the page of %s does not name --%s", c.CommandPath(), f.Name)
				}
			}
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				look(sub)
			}
		}
	}
	look(root)
	if found, _ := filepath.Glob(filepath.Join(folder, "*")); len(found) != len(pages) {
		t.Errorf("there are %d pages, want %d: %v", len(found), len(pages), found)
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed")
	}
	c := exec.Command(groff, append([]string{"-man", "-Tutf8", "-P-cbou", "-ww"}, pages...)...)
	var warnings bytes.Buffer
	c.Stderr = &warnings
	out, err := c.Output()
	if err != nil || warnings.Len() > 0 {
		t.Errorf("groff: %v\n%s", err, &warnings)
	}
	for _, want := range []string{"EXIT STATUS\n", `tracemig completion bash`, `"${fpath[1]}/_tracemig"`, "tr-1b2c\n", "can't be reached"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the rendered pages do not have %q", want)
		}
	}
}
