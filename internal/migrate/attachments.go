package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tracemig/tracemig/internal/attachments"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// AttachmentSource reads attachments; *mlflowclient.Client is one.
type AttachmentSource interface {
	Attachment(ctx context.Context, t *mlflow.TraceInfo, a mlflow.Attachment) ([]byte, error)
}

// Attachments says what becomes of the attachments that traces refer to. The zero value leaves them at the
// source, unread.
//
// It decides once for each: what an earlier run noted of one in the trace's METADATA row stays as it is.
type Attachments struct {
	Source AttachmentSource
	Files  *attachments.Files
	Inline bool   // put them into the spans in the place of the references
	Folder string // copy them to files in it; "" for not
}

// reads says whether a run reads the attachments of new traces.
func (a *Attachments) reads() bool { return a.Inline || a.Folder != "" }

// unknownAttachment is the size assumed of an attachment whose reference does not tell.
const unknownAttachment = 1 << 20

// AttachmentShare is which part of the bytes in flight is set aside for attachments. Traces that are read
// already wait for their attachments' turn, so it must not be the part that they hold themselves.
const AttachmentShare = 4

// attachmentError says that the source does not give an attachment, so that the trace can't be migrated whole.
type attachmentError struct{ err error }

func (e *attachmentError) Error() string {
	return e.err.Error() + "; the trace is left to the next run. Where the bytes are gone for good, --attachments none migrates it with its references alone"
}
func (e *attachmentError) Unwrap() error { return e.err }

func (e *attachmentError) reason() string {
	if errors.Is(e.err, mlflowclient.ErrNoAttachment) {
		return ReasonAttachmentLost
	}
	return ReasonAttachment
}

// kept is what becomes of a trace's attachments.
type kept struct {
	list            []convert.Attachment // all that was decided on
	held            int64                // bytes reserved for those in the spans, until these are written
	left            int                  // at the source
	copied, inlined int                  // by this run
	bytes           int64                // of copied and inlined
}

// keep does with the attachments of a trace, known as id at the target, what the job says. The error is an
// *attachmentError where the source is at fault, else one that ends the run.
func (r *run) keep(ctx context.Context, t listed, id string, refs []mlflow.Attachment) (k kept, err error) {
	job := &r.job.Attachments
	if len(refs) == 0 || job.Source == nil {
		return kept{left: len(refs)}, nil
	}
	defer func() {
		if err != nil {
			r.attached.Add(-k.held)
		}
	}()
	noted, err := r.noted(ctx, t, id)
	if err != nil {
		return k, err
	}
	decided := make(map[string]bool, len(noted))
	for _, n := range noted {
		k.list = append(k.list, convert.Attachment{Attachment: n})
		decided[n.ID] = true
	}
	byID := make(map[string]mlflow.Attachment, len(refs))
	for _, ref := range refs {
		byID[ref.ID] = ref
		a := uctables.Attachment{ID: ref.ID, Type: ref.Type, Bytes: ref.Size}
		switch {
		case decided[ref.ID]:
			continue
		case job.Inline && !t.official: // else the spans, with the references, are there
			a.Inline = true
		case job.Folder != "":
			a.Path = attachments.Place(job.Folder, id, ref.ID)
		default: // It stays at the source, and package convert lists it so by itself.
			k.left++
			continue
		}
		k.list = append(k.list, convert.Attachment{Attachment: a})
	}
	if err := r.reserve(ctx, &k, byID); err != nil {
		return k, err
	}
	for i := range k.list {
		a := &k.list[i]
		ref, there := byID[a.ID]
		old := i < len(noted)
		switch {
		case a.AtSource():
			k.left++
		case !there, old && a.Path != "" && t.known.Reason != ReasonRepair:
			// An earlier run has seen to it.
		case a.Inline:
			if err = r.inline(ctx, t, a, ref, &k); err == nil && !old {
				k.inlined++
				k.bytes += a.Bytes
			}
		default:
			var copied bool
			if copied, err = r.copy(ctx, t, a, ref, old); copied {
				k.copied++
				k.bytes += a.Bytes
			}
		}
		if err != nil {
			return k, err
		}
	}
	return k, nil
}

// reserve waits until there is room for the bytes of all the attachments that go into the spans: of one trace
// that waits for another's none would ever be written.
func (r *run) reserve(ctx context.Context, k *kept, byID map[string]mlflow.Attachment) error {
	var want int64
	for i := range k.list {
		if a := &k.list[i]; a.Inline {
			want += InSpan(sizeOfAttachment(byID[a.ID]))
		}
	}
	if want == 0 {
		return nil
	}
	if err := r.attached.Acquire(ctx, want); err != nil {
		return err
	}
	k.held = want
	return nil
}

// InSpan is what n bytes weigh as they are and as base64.
func InSpan(n int64) int64 { return n + (n+2)/3*4 }

func sizeOfAttachment(ref mlflow.Attachment) int64 {
	if ref.Size == 0 {
		return unknownAttachment
	}
	return ref.Size
}

func (r *run) inline(ctx context.Context, t listed, a *convert.Attachment, ref mlflow.Attachment, k *kept) error {
	data, err := r.readAttachment(ctx, t, ref)
	if err != nil {
		return err
	}
	more := InSpan(int64(len(data))) - InSpan(sizeOfAttachment(ref))
	k.held += more
	r.attached.Add(more)
	a.Data = data
	if a.SHA256 == "" {
		a.Bytes, a.SHA256 = int64(len(data)), attachments.Digest(data)
	}
	return nil
}

// copy writes the file of an attachment. Of one that an earlier run has written (old) it first looks whether
// the file is as it was, and then does nothing.
func (r *run) copy(ctx context.Context, t listed, a *convert.Attachment, ref mlflow.Attachment, old bool) (copied bool, err error) {
	files := r.job.Attachments.Files
	if old {
		if has, err := files.Has(ctx, a.Path, a.Bytes, a.SHA256); has || err != nil {
			return false, err
		}
	}
	held := sizeOfAttachment(ref)
	if err := r.attached.Acquire(ctx, held); err != nil {
		return false, err
	}
	defer func() { r.attached.Add(-held) }()
	data, err := r.readAttachment(ctx, t, ref)
	if err != nil {
		return false, err
	}
	r.attached.Add(int64(len(data)) - held)
	held = int64(len(data))
	digest := attachments.Digest(data)
	if _, err := files.Put(ctx, a.Path, data, digest); err != nil {
		return false, err
	}
	a.Bytes, a.SHA256 = held, digest
	return true, nil
}

func (r *run) readAttachment(ctx context.Context, t listed, ref mlflow.Attachment) ([]byte, error) {
	data, err := r.job.Attachments.Source.Attachment(ctx, t.TraceInfo, ref)
	switch {
	case err == nil:
		return data, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case r.broken(ctx, t.TraceInfo, err):
		return nil, err
	}
	return nil, &attachmentError{err}
}

// noted are the attachments that earlier runs have decided on, as the target has it. A trace that none has
// written is not asked for.
func (r *run) noted(ctx context.Context, t listed, id string) (list []uctables.Attachment, err error) {
	repair := t.known.Reason == ReasonRepair
	if !repair && t.known.State != checkpoint.Migrated && t.known.State != checkpoint.Skipped {
		return nil, nil
	}
	times := target.NoTimes
	if times.Include(t.RequestTime.UnixMicro()); repair {
		times = target.AllTimes // its rows may lie at wrong times
	}
	err = r.job.Target.ReadAnnotations(ctx, []string{id}, times, func(a *uctables.Annotation) error {
		if a.AnnotationID == uctables.MetadataID(id) && a.DeletedAtMicros == nil {
			list, err = attachmentsIn(a.Metadata)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what %s has of trace %s: %w", r.job.Target, t.TraceID, err)
	}
	return list, nil
}

// attachmentsIn reads the list of attachments in the metadata column of a METADATA row.
func attachmentsIn(metadata []byte) ([]uctables.Attachment, error) {
	if metadata == nil {
		return nil, nil
	}
	var m struct {
		List []uctables.Attachment `json:"tracemig.attachments"`
	}
	if err := json.Unmarshal(metadata, &m); err != nil {
		return nil, fmt.Errorf("%s of a METADATA row can't be read: %w", uctables.KeyAttachments, err)
	}
	return m.List, nil
}
