package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/attachments"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// convert gives the rows that the target should have of a trace. Attachments are treated as the target says that they
// were. The bytes of those that were put into spans are read only where values are compared.
func (v *verification) convert(ctx context.Context, t *trace, in convert.Input) (convert.Result, error) {
	noted, err := t.noted()
	if err != nil {
		return convert.Result{}, err
	}
	for _, n := range noted {
		in.Attachments = append(in.Attachments, convert.Attachment{Attachment: n})
	}
	opt := convert.Options{Source: v.job.SourceName, ServiceName: v.job.ServiceName}
	res, err := convert.Convert(in, opt)
	if err != nil {
		return res, err
	}
	refs := t.countAttachments(noted, res.Attachments)
	if len(refs) == 0 || !v.job.Deep || v.job.Attachments.Source == nil {
		return res, nil
	}
	var weight int64
	for _, a := range t.attachments {
		if _, ok := refs[a.ID]; ok {
			weight += attachments.InSpan(a.Bytes)
		}
	}
	if err := v.attached.Acquire(ctx, weight); err != nil {
		return res, err
	}
	defer v.attached.Add(-weight)
	for i := range in.Attachments {
		a := &in.Attachments[i]
		if ref, ok := refs[a.ID]; ok {
			if a.Data, err = v.job.Attachments.Source.Attachment(ctx, t.info, ref); err != nil {
				return res, err
			}
			t.proven++ // It counts once the spans are found equal.
		}
	}
	return convert.Convert(in, opt)
}

// noted are the attachments that the METADATA row of the target lists.
func (t *trace) noted() (list []uctables.Attachment, err error) {
	if t.known.Detail == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(t.known.Detail), &list); err != nil {
		return nil, fmt.Errorf("%s of its METADATA row can't be read: %w", uctables.KeyAttachments, err)
	}
	return list, nil
}

// countAttachments notes in t where its attachments are: those that the target lists, and others that its spans refer
// to. It returns the references of those that were put into spans, by ID.
func (t *trace) countAttachments(noted []uctables.Attachment, found []mlflow.Attachment) map[string]mlflow.Attachment {
	decided, inlined := map[string]bool{}, map[string]mlflow.Attachment{}
	refs := make(map[string]mlflow.Attachment, len(found))
	for _, ref := range found {
		refs[ref.ID] = ref
	}
	for _, n := range noted {
		if decided[n.ID] = true; n.AtSource() {
			t.left++
			continue
		}
		t.attachments = append(t.attachments, n)
		if ref, ok := refs[n.ID]; ok && n.Inline {
			inlined[n.ID] = ref
			t.size += attachments.InSpan(n.Bytes) - n.Bytes
		}
	}
	for _, ref := range found {
		if !decided[ref.ID] {
			t.left++
		}
	}
	return inlined
}

// proveFiles checks the files to which attachments of traces were copied: their sizes, with deep all their bytes. What
// is wrong with a file is noted in its trace; the error is about the whole place of the files.
func (v *verification) proveFiles(ctx context.Context, traces []*trace) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(filesAtOnce)
	for _, t := range traces {
		if len(t.attachments) == 0 || v.job.Attachments.Files == nil {
			continue
		}
		g.Go(func() error {
			return v.proveFilesOf(ctx, t)
		})
	}
	return g.Wait()
}

// proveFilesOf checks the files of one trace and notes in it what is wrong with them.
func (v *verification) proveFilesOf(ctx context.Context, t *trace) error {
	var lost, differ []string
	for i := range t.attachments {
		a := &t.attachments[i]
		if a.Path == "" {
			continue
		}
		switch err := v.proveFile(ctx, a); {
		case errors.Is(err, attachments.ErrNotThere):
			lost = append(lost, a.Path)
		case errors.Is(err, errOtherFile):
			differ = append(differ, a.Path)
		case err != nil:
			return err
		default:
			t.proven++
		}
	}
	var problems []string
	if len(differ) > 0 {
		t.filesKind = Differ
		problems = append(problems, fmt.Sprintf("%s not as copied: %s", do(len(differ), "attachment", "is", "are"), some(differ)))
	}
	if len(lost) > 0 {
		t.filesKind = Incomplete
		problems = append(problems, fmt.Sprintf("%s no longer there: %s", do(len(lost), "attachment", "is", "are"), some(lost)))
	}
	t.filesDetail = strings.Join(problems, "; ")
	return nil
}

// filesAtOnce is the number of traces whose files are checked at the same time.
const filesAtOnce = 16

var errOtherFile = errors.New("another file")

func (v *verification) proveFile(ctx context.Context, a *uctables.Attachment) error {
	files := v.job.Attachments.Files
	size, err := files.Size(ctx, a.Path)
	if err == nil && size != a.Bytes {
		err = errOtherFile
	}
	if err != nil || !v.job.Deep {
		return err
	}
	sum, err := files.Sum(ctx, a.Path)
	if err == nil && sum != a.SHA256 {
		err = errOtherFile
	}
	return err
}

// withAttachments adds what is found of a trace's attachments to what is found of the trace, and counts them.
func (v *verification) withAttachments(t *trace, kind Kind, detail string) (Kind, string) {
	switch kind {
	case Pending, Missing, Newer, Open, Extra, Unreadable:
		return kind, detail // The target has nothing, or it is not known what it should have.
	}
	v.report.AttachmentsLeft += int64(t.left)
	if t.left > 0 {
		v.report.AttachmentTraces++
	}
	switch {
	case t.filesKind == "" && !kind.Wrong():
		v.report.AttachmentsProven += int64(t.proven)
	case t.filesKind == "":
	case kind.Wrong():
		detail += "; " + t.filesDetail
	default:
		kind, detail = t.filesKind, t.filesDetail
	}
	return kind, detail
}
