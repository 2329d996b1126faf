package main

import (
	"path"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tracemig/tracemig/internal/attachments"
	"github.com/tracemig/tracemig/internal/uctables"
)

// The values of --attachments that don't name a folder.
const (
	attachmentsNone   = "none"
	attachmentsInline = "inline"
)

func (o *runOptions) addAttachmentFlags(c *cobra.Command) {
	c.Flags().StringVar(&o.attachments, "attachments", o.attachments,
		"what becomes of images and the like that MLflow keeps beside a trace: none leaves them at the source, inline puts them back into the "+
			"spans, a folder or /Volumes/… gets them as files")
}

func (o *runOptions) validateAttachments() error {
	switch {
	case o.attachments == "":
		return usageError("--attachments is empty; give none, inline, a folder, or a path in a volume")
	case strings.HasPrefix(o.attachments, "file:"), strings.HasPrefix(o.attachments, "dbfs:"), strings.Contains(o.attachments, "://"):
		return usageError("--attachments %q is an address; give a folder of this machine, such as ./attachments, or a path in a volume, such "+
			"as /Volumes/main/agents/attachments", o.attachments)
	case !utf8.ValidString(o.attachments):
		return usageError("--attachments: the folder's name is no UTF-8, and rows could not name it; give another")
	case !attachments.InVolume(o.attachments):
		return nil
	case path.Clean(o.attachments) != strings.TrimSuffix(o.attachments, "/"):
		return usageError("--attachments %q: write the path without . and ..", o.attachments)
	}
	parts := strings.SplitN(strings.TrimPrefix(o.attachments, "/"), "/", 5)
	if _, err := uctables.ParseVolume("/" + strings.Join(parts[:min(len(parts), 4)], "/")); err != nil {
		return usageError("--attachments: %v", err)
	}
	return nil
}

// attachmentPolicy is what the options say of attachments. The workspace that holds volumes is opened at the first use, which
// may come with any option: earlier runs may have put files there.
func (o *runOptions) attachmentPolicy(source attachments.Source, c *connector) (attachments.Policy, error) {
	a := attachments.Policy{Source: source, Files: &attachments.Files{Volumes: sync.OnceValues(c.files)}}
	var err error
	switch {
	case o.attachments == attachmentsNone:
	case o.attachments == attachmentsInline:
		a.Inline = true
	case attachments.InVolume(o.attachments):
		a.Folder = path.Clean(o.attachments)
	default:
		a.Folder, err = filepath.Abs(o.attachments) // METADATA rows name the files, and their readers work in other folders
	}
	return a, err
}
