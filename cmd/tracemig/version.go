package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// make build sets all three: -ldflags "-X main.version=v1.2.3 -X main.commit=7b67d89… -X main.date=2026-11-27T05:31:19Z". After go
// install and go build they are empty, and init takes what the Go command has written into the binary.
var version, commit, date string

func init() {
	info, _ := debug.ReadBuildInfo() // nil where it is not known
	version = cmp.Or(version, moduleVersion(info))
	commit = cmp.Or(commit, vcsCommit(info))
	date = cmp.Or(date, vcsTime(info))
}

// moduleVersion is the version of the module that go install was asked for, and "dev" where it is not known.
func moduleVersion(info *debug.BuildInfo) string {
	if info == nil || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}

// vcsCommit is the commit that the binary was built from, marked if the work tree had changes, and empty where it is not known.
func vcsCommit(info *debug.BuildInfo) string {
	if info == nil {
		return ""
	}
	var revision, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + modified
}

// vcsTime is when the commit was made that the binary was built from, and empty where it is not known.
func vcsTime(info *debug.BuildInfo) string {
	if info == nil {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			return s.Value
		}
	}
	return ""
}

// build is what tracemig version tells.
type build struct {
	Type     string `json:"type"`
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"` // that it was built from; ends in -dirty where files were changed
	Date     string `json:"date,omitempty"`   // when that commit was made
	Go       string `json:"go"`               // version of Go
	Platform string `json:"platform"`         // operating system and processor
}

func thisBuild() build {
	return build{"version", version, commit, date, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
}

// String is the build in one line, with the first twelve digits of the commit and its day.
func (b build) String() string {
	from := "unknown commit"
	if b.Commit != "" {
		revision, dirty := strings.CutSuffix(b.Commit, "-dirty")
		from = revision[:min(12, len(revision))]
		if dirty {
			from += "-dirty"
		}
	}
	if day, _, ok := strings.Cut(b.Date, "T"); ok {
		from += ", " + day
	}
	return fmt.Sprintf("%s (%s) %s %s", b.Version, from, b.Go, b.Platform)
}

func newVersionCommand(a *app) *cobra.Command {
	output := "text"
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit, the Go version and the platform",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			switch output {
			case "text":
				_, err := fmt.Fprintln(a.stdout, "tracemig", thisBuild())
				return err
			case "json":
				return jsonPrinter{a.stdout}.line(thisBuild())
			}
			return usageError("--output %q is neither text nor json", output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", output, "text or json")
	return c
}
