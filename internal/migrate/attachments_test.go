package migrate

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/attachments"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/uctables"
)

// album is a source of attachments.
type album struct {
	mu    sync.Mutex
	bytes map[string][]byte // by ID
	fails map[string]error
	reads int
	slow  time.Duration
	busy  int64 // bytes of reads under way, and the most there were
	most  int64
}

func (a *album) Attachment(ctx context.Context, t *mlflow.TraceInfo, ref mlflow.Attachment) ([]byte, error) {
	a.mu.Lock()
	a.reads++
	data, err := a.bytes[ref.ID], a.fails[ref.ID]
	a.busy += int64(len(data))
	a.most = max(a.most, a.busy)
	a.mu.Unlock()
	time.Sleep(a.slow)
	a.mu.Lock()
	a.busy -= int64(len(data))
	a.mu.Unlock()
	return slices.Clone(data), err
}

func attachmentID(trace, n int) string {
	return fmt.Sprintf("00000000-0000-4000-8000-%08d%04d", trace, n)
}

// attach adds an ended trace of one span to which attachments of the given sizes belong.
func (a *album) attach(e *memsource.Experiment, trace int, sizes ...int) {
	e.Add(trace, "root")
	var refs []string
	for n, size := range sizes {
		id := attachmentID(trace, n)
		if a.bytes == nil {
			a.bytes = map[string][]byte{}
		}
		a.bytes[id] = bytes.Repeat([]byte{byte(trace), byte(n)}, size)[:size]
		refs = append(refs, fmt.Sprintf("mlflow-attachment://%s?content_type=image%%2Fpng&trace_id=%s&size=%d", id, traceID(trace), size))
	}
	inner, _ := json.Marshal(refs)
	text, _ := json.Marshal(string(inner))
	s := e.Spans[traceID(trace)]
	s.JSON = bytes.Replace(s.JSON, []byte(`"attributes":{`), []byte(`"attributes":{"images":`+string(text)+`,`), 1)
	e.Spans[traceID(trace)] = s
}

// images are the images of a trace's root span in the target: references or data: URIs.
func (m *memory) images(t testing.TB, trace int) []string {
	t.Helper()
	spans := m.Spans()
	i := slices.IndexFunc(spans, func(s uctables.Span) bool {
		return s.TraceID == targetID(trace) && s.SpanID == "0000000000000001"
	})
	if i < 0 {
		return nil
	}
	var attrs struct{ Images []string }
	if err := json.Unmarshal(spans[i].Attributes, &attrs); err != nil {
		t.Fatal(err)
	}
	return attrs.Images
}

func (m *memory) listed(t testing.TB, trace int) []uctables.Attachment {
	t.Helper()
	for _, a := range m.Newest() {
		if a.AnnotationID == uctables.MetadataID(targetID(trace)) {
			list, err := attachmentsIn(a.Metadata)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
	}
	return nil
}

func dataURI(b []byte) string { return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b) }

func TestAttachmentsStayAtSource(t *testing.T) {
	src, m, pictures := &memsource.Experiment{}, newMemory(), &album{}
	src.Add(0, "root")
	pictures.attach(src, 1, 10, 20)
	m.want = map[string]int{targetID(0): 1, targetID(1): 1}
	var reports []TraceReport
	j := job(src, m, newCheckpoint(t))
	j.Attachments.Source = pictures
	j.OnTrace = func(r TraceReport) { reports = append(reports, r) }
	s := mustRun(t, j)
	if s.AttachmentsLeft != 2 || s.AttachmentTraces != 1 || s.Migrated != 2 || pictures.reads != 0 {
		t.Errorf("%d reads, %+v", pictures.reads, s)
	}
	if len(reports) != 1 || reports[0].TraceID != traceID(1) || reports[0].Attachments != 2 || reports[0].State != checkpoint.Migrated {
		t.Errorf("reports %+v", reports)
	}
	want := []uctables.Attachment{
		{ID: attachmentID(1, 0), Type: "image/png", Bytes: 10},
		{ID: attachmentID(1, 1), Type: "image/png", Bytes: 20},
	}
	if d := cmp.Diff(want, m.listed(t, 1)); d != "" {
		t.Errorf("listed (-want +got):\n%s", d)
	}
}

// Files are there before the METADATA row that lists them, whatever happens in between, and are written once.
func TestAttachmentsAreCopiedBeforeMetadata(t *testing.T) {
	src, m, pictures, folder := &memsource.Experiment{}, newMemory(), &album{}, filepath.Join(t.TempDir(), "files")
	for n := range 6 {
		pictures.attach(src, n, 5, 3000*n+1)
		m.want[targetID(n)] = 1
	}
	m.onCommit = func() {
		for n := range 6 {
			for _, a := range m.listed(t, n) {
				got, err := os.ReadFile(a.Path)
				if err != nil || !bytes.Equal(got, pictures.bytes[a.ID]) || a.Bytes != int64(len(got)) ||
					a.SHA256 != attachments.Digest(got) || a.Path != filepath.Join(folder, targetID(n), a.ID) {
					t.Errorf("a METADATA row lists %+v: %d bytes, %v", a, len(got), err)
				}
			}
		}
	}
	c := newCheckpoint(t)
	run := func() (Summary, error) {
		j := job(src, m, c)
		j.Attachments = attachments.Policy{Source: pictures, Files: &attachments.Files{}, Folder: folder}
		return Run(context.Background(), context.Background(), j)
	}
	m.limits.Rows = 4 // several commits
	for _, crash := range []int{1, 1, 2} {
		m.crashAt = m.commits + crash
		if _, err := run(); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	}
	m.crashAt = 0
	written := map[string]time.Time{}
	eachFile(t, folder, func(name string, info os.FileInfo) { written[name] = info.ModTime() })
	s, err := run()
	if err != nil || s.Migrated+s.Present != 6 || s.AttachmentsLeft != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	files := 0
	eachFile(t, folder, func(name string, info os.FileInfo) {
		files++
		if at, ok := written[name]; ok && !at.Equal(info.ModTime()) {
			t.Errorf("%s was written again", name)
		}
	})
	if files != 12 || len(m.wrong) > 0 {
		t.Errorf("%d files, %q", files, m.wrong)
	}
	for n := range 6 {
		if len(m.listed(t, n)) != 2 || !strings.HasPrefix(m.images(t, n)[0], mlflow.AttachmentMark) {
			t.Errorf("trace %d: %+v, %q", n, m.listed(t, n), m.images(t, n))
		}
	}
}

func eachFile(t *testing.T, folder string, see func(string, os.FileInfo)) {
	t.Helper()
	if err := filepath.Walk(folder, func(name string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			see(name, info)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// A trace with an attachment that can't be read fails, with nothing of it visible, and is tried again.
func TestUnreadableAttachment(t *testing.T) {
	for name, how := range map[string]func(t *testing.T) attachments.Policy{
		"inline": func(*testing.T) attachments.Policy { return attachments.Policy{Inline: true} },
		"folder": func(t *testing.T) attachments.Policy {
			return attachments.Policy{Folder: t.TempDir(), Files: &attachments.Files{}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
			pictures := &album{fails: map[string]error{
				attachmentID(1, 1): fmt.Errorf("attachment x: %w", mlflowclient.ErrNoAttachment),
				attachmentID(2, 0): errors.New("500"),
			}}
			for n := range 3 {
				pictures.attach(src, n, 5, 6)
				m.want[targetID(n)] = 1
			}
			run := func() (Summary, []TraceReport) {
				var reports []TraceReport
				j := job(src, m, c)
				j.Attachments = how(t)
				j.Attachments.Source = pictures
				j.OnTrace = func(r TraceReport) { reports = append(reports, r) }
				return mustRun(t, j), reports
			}
			s, reports := run()
			if s.Outcome != report.Partial || s.Migrated != 1 ||
				s.FailedReasons[ReasonAttachmentLost] != 1 || s.FailedReasons[ReasonAttachment] != 1 {
				t.Errorf("%+v", s)
			}
			if len(reports) != 2 || !strings.Contains(reports[0].Detail, "--attachments none") {
				t.Errorf("%+v", reports)
			}
			if len(m.Spans()) != 1 || m.listed(t, 1) != nil || m.listed(t, 2) != nil {
				t.Errorf("%d spans, %+v, %+v", len(m.Spans()), m.listed(t, 1), m.listed(t, 2))
			}
			pictures.fails = nil
			if s, _ := run(); s.Migrated != 2 || s.Present != 1 || s.Outcome != report.Done {
				t.Errorf("later %+v", s)
			}
		})
	}
}

func TestAttachmentsInline(t *testing.T) {
	src, m, pictures := &memsource.Experiment{}, newMemory(), &album{}
	pictures.attach(src, 0, 5, 4000)
	m.want[targetID(0)] = 1
	j := job(src, m, newCheckpoint(t))
	j.Attachments = attachments.Policy{Source: pictures, Inline: true}
	s := mustRun(t, j)
	if s.AttachmentsInlined != 2 || s.AttachmentBytes != 4005 || s.AttachmentsLeft != 0 {
		t.Errorf("%+v", s)
	}
	want := []string{dataURI(pictures.bytes[attachmentID(0, 0)]), dataURI(pictures.bytes[attachmentID(0, 1)])}
	if d := cmp.Diff(want, m.images(t, 0)); d != "" {
		t.Errorf("images (-want +got):\n%s", d)
	}
	if list := m.listed(t, 0); len(list) != 2 || !list[0].Inline || list[1].SHA256 != attachments.Digest(pictures.bytes[attachmentID(0, 1)]) {
		t.Errorf("listed %+v", list)
	}
}

// Whatever a later run is told, migrated traces stay as they are, when they change at the source and when they are
// repaired.
func TestAttachmentsStayDecided(t *testing.T) {
	hows := map[string]func(t *testing.T) attachments.Policy{
		"none":   func(*testing.T) attachments.Policy { return attachments.Policy{} },
		"inline": func(*testing.T) attachments.Policy { return attachments.Policy{Inline: true} },
		"folder": func(t *testing.T) attachments.Policy { return attachments.Policy{Folder: t.TempDir()} },
	}
	for _, first := range slices.Sorted(maps.Keys(hows)) {
		for _, second := range slices.Sorted(maps.Keys(hows)) {
			t.Run(first+" then "+second, func(t *testing.T) {
				src, m, pictures, c := &memsource.Experiment{}, newMemory(), &album{}, newCheckpoint(t)
				pictures.attach(src, 0, 5)
				m.want[targetID(0)] = 1
				run := func(how string) Summary {
					t.Helper()
					j := job(src, m, c)
					j.Resync = true
					j.Attachments = hows[how](t)
					j.Attachments.Source, j.Attachments.Files = pictures, &attachments.Files{}
					return mustRun(t, j)
				}
				run(first)
				list, images := m.listed(t, 0), m.images(t, 0)
				same := func(when string) {
					t.Helper()
					if d := cmp.Diff(list, m.listed(t, 0)); d != "" {
						t.Errorf("%s: listed (-want +got):\n%s", when, d)
					}
					if d := cmp.Diff(images, m.images(t, 0)); d != "" {
						t.Errorf("%s: images (-want +got):\n%s", when, d)
					}
				}
				src.Traces[0].Tags["k"] = "changed"
				if s := run(second); s.Updated != 1 {
					t.Errorf("%+v", s)
				}
				same("changed at the source")
				// The spans are lost at the target, and the file.
				m.DeleteSpans()
				if first == "folder" {
					if err := os.Remove(list[0].Path); err != nil {
						t.Fatal(err)
					}
				}
				if err := Reopen(context.Background(), c, traceID(0)); err != nil {
					t.Fatal(err)
				}
				if s := run(second); s.Migrated != 1 || s.AttachmentsCopied != map[bool]int64{true: 1}[first == "folder"] {
					t.Errorf("%+v", s)
				}
				same("repaired")
				if first == "folder" {
					if got, err := os.ReadFile(list[0].Path); err != nil || !bytes.Equal(got, pictures.bytes[attachmentID(0, 0)]) {
						t.Errorf("%q, %v", got, err)
					}
				}
				// And once nothing is known of them any more.
				c = newCheckpoint(t)
				if s := run(second); s.Present != 1 {
					t.Errorf("%+v", s)
				}
				same("with a new checkpoint")
			})
		}
	}
}

// What an interrupted run has decided on, but nobody can see, a later one decides anew.
func TestAttachmentsOfInterruptedRun(t *testing.T) {
	src, m, pictures, c := &memsource.Experiment{}, newMemory(), &album{}, newCheckpoint(t)
	pictures.attach(src, 0, 5)
	m.want[targetID(0)] = 1
	m.crashAt = 1 // after the annotations
	j := job(src, m, c)
	j.Attachments = attachments.Policy{Source: pictures, Files: &attachments.Files{}, Folder: t.TempDir()}
	if _, err := Run(context.Background(), context.Background(), j); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	j = job(src, m, c)
	j.Attachments = attachments.Policy{Source: pictures, Inline: true}
	mustRun(t, j)
	if list := m.listed(t, 0); len(list) != 1 || !list[0].Inline || list[0].Path != "" || !strings.HasPrefix(m.images(t, 0)[0], "data:") {
		t.Errorf("%+v, %q", list, m.images(t, 0))
	}
}

// Attachments are read as far as there is room for them, and traces with more than that still get through.
func TestAttachmentsAreBounded(t *testing.T) {
	for name, how := range map[string]attachments.Policy{
		"inline": {Inline: true},
		"folder": {Folder: t.TempDir(), Files: &attachments.Files{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, m, pictures := &memsource.Experiment{Group: 3}, newMemory(), &album{slow: time.Millisecond}
				const size = 60 << 10
				for n := range 40 {
					pictures.attach(src, n, size, size)
					m.want[targetID(n)] = 1
				}
				pictures.attach(src, 40, 900<<10) // more than there is room for
				m.want[targetID(40)] = 1
				m.limits.Bytes = 16 << 20
				j := job(src, m, newCheckpoint(t))
				j.Fetchers, j.Attachments = 16, how
				j.Attachments.Source = pictures
				began := time.Now() // of the bubble's clock, which moves only while all of the run waits
				if s := mustRun(t, j); s.Migrated != 41 {
					t.Fatalf("%+v", s)
				}
				if took := time.Since(began); took >= flushAfter {
					t.Errorf("it waited %v, want less than %v: half-full batches are written when readers wait for their bytes", took, flushAfter)
				}
				if room := j.BytesInFlight / 4; pictures.most > max(room, 900<<10)+room {
					t.Errorf("%d bytes were read at the same time; there is room for %d", pictures.most, room)
				}
			})
		})
	}
}
