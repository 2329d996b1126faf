package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/attachments"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/verify"
)

func TestAttachmentsFlag(t *testing.T) {
	for flag, want := range map[string]attachments.Policy{
		"none":                     {},
		"inline":                   {Inline: true},
		"/Volumes/c/s/v":           {Folder: "/Volumes/c/s/v"},
		"/Volumes/c/s/v/a/b/":      {Folder: "/Volumes/c/s/v/a/b"},
		"./files":                  {Folder: "files"},
		"/somewhere/Volumes/a/b/c": {Folder: "/somewhere/Volumes/a/b/c"},
	} {
		o := runOptions{attachments: flag}
		if err := o.validateAttachments(); err != nil {
			t.Errorf("%s: error %v, want none", flag, err)
		}
		got, err := o.attachmentPolicy(nil, &connector{})
		if want.Folder != "" {
			want.Folder, _ = filepath.Abs(want.Folder)
		}
		if err != nil || got.Inline != want.Inline || got.Folder != want.Folder || got.Files == nil {
			t.Errorf("%s: %+v, error %v, want %+v with Files", flag, got, err, want)
		}
	}
	for _, flag := range []string{
		"", "file:./x", "dbfs:/x", "s3://bucket/x", "/Volumes", "/Volumes/c/s", "/Volumes/c/s/v/../x", "/Volumes/c/s/v;x/a", "a\xff",
	} {
		o := runOptions{attachments: flag}
		if err := o.validateAttachments(); err == nil {
			t.Errorf("%q is taken, want an error", flag)
		}
	}
}

// The summary says that attachments stay at the source, of which traces, and what to do about it.
func TestAttachmentsInWords(t *testing.T) {
	var out strings.Builder
	p := newTextPrinter(newResults(&out))
	p.trace(migrate.TraceReport{TraceID: "tr-1", State: "migrated", Attachments: 2})
	p.summary(migrate.Summary{AttachmentsLeft: 1234, AttachmentTraces: 56}, ending{})
	for _, want := range []string{
		"1,234 of 56 traces  tr-1", "their bytes stay at the source and would be lost with it", "--attachments FOLDER",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the summary does not say %q:\n%s", want, &out)
		}
	}
	out.Reset()
	p.summary(migrate.Summary{AttachmentsCopied: 3, AttachmentBytes: 1500}, ending{})
	if got := out.String(); !strings.Contains(got, "3, 1.5 kB, copied to files") || strings.Contains(got, "left") {
		t.Errorf("the summary says, want what was copied and nothing left:\n%s", got)
	}
	out.Reset()
	p.report(verify.Report{AttachmentsProven: 7, AttachmentsLeft: 8, AttachmentTraces: 2}, ending{})
	for _, want := range []string{"proven     7", "8 of 2 traces: their bytes are at the source alone"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, &out)
		}
	}
}
