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

// unknownAttachment is the size assumed of an attachment whose reference does not tell.
const unknownAttachment = 1 << 20

// attachmentError says that an attachment could not be read from the source, so that the trace can't be migrated whole.
type attachmentError struct{ err error }

func (e *attachmentError) Error() string {
	return e.err.Error() + "; the trace is left to the next run. " +
		"Where the bytes are gone for good, --attachments none migrates it with its references alone"
}
func (e *attachmentError) Unwrap() error { return e.err }

func (e *attachmentError) reason() checkpoint.Reason {
	if errors.Is(e.err, mlflowclient.ErrNoAttachment) {
		return ReasonAttachmentLost
	}
	return ReasonAttachment
}

// attachmentsOf says what becomes of the attachments of one trace.
type attachmentsOf struct {
	list            []convert.Attachment // all that was decided on
	held            int64                // bytes reserved for those in the spans, until these are written
	left            int                  // at the source
	copied, inlined int                  // by this run
	bytes           int64                // of copied and inlined
}

// attach treats the attachments of a trace as the job says; id is the trace's ID at the target. The error is an
// *attachmentError where an attachment can't be read from the source, else one that ends the run.
func (r *run) attach(ctx context.Context, t listed, id string, refs []mlflow.Attachment) (a attachmentsOf, err error) {
	if len(refs) == 0 || r.job.Attachments.Source == nil {
		return attachmentsOf{left: len(refs)}, nil
	}
	defer func() {
		if err != nil {
			r.attachmentBytes.Add(-a.held)
		}
	}()
	noted, err := r.noted(ctx, t, id)
	if err != nil {
		return a, err
	}
	a.decide(&r.job.Attachments, t, id, noted, refs)
	byID := make(map[string]mlflow.Attachment, len(refs))
	for _, ref := range refs {
		byID[ref.ID] = ref
	}
	// Files come first, each in room of its own: a trace that held room for its spans meanwhile could wait for another that does
	// the same.
	if err := r.carryAll(ctx, t, &a, len(noted), byID, false); err != nil {
		return a, err
	}
	if err := r.reserve(ctx, &a, byID); err != nil {
		return a, err
	}
	return a, r.carryAll(ctx, t, &a, len(noted), byID, true)
}

// carryAll carries over those attachments of a trace that go into its spans, or the others. The first old ones of the list were
// decided on by an earlier run.
func (r *run) carryAll(ctx context.Context, t listed, a *attachmentsOf, old int, byID map[string]mlflow.Attachment, inline bool) error {
	for i := range a.list {
		if a.list[i].Inline != inline {
			continue
		}
		if err := r.carry(ctx, t, a, i, i < old, byID); err != nil {
			return err
		}
	}
	return nil
}

// decide lists what becomes of a trace's attachments. Those that an earlier run noted come first, and stay as noted.
func (a *attachmentsOf) decide(policy *attachments.Policy, t listed, id string, noted []uctables.Attachment, refs []mlflow.Attachment) {
	decided := make(map[string]bool, len(noted))
	for _, n := range noted {
		a.list = append(a.list, convert.Attachment{Attachment: n})
		decided[n.ID] = true
	}
	for _, ref := range refs {
		next := uctables.Attachment{ID: ref.ID, Type: ref.Type, Bytes: ref.Size}
		switch {
		case decided[ref.ID]:
			continue
		case policy.Inline && !t.official: // Databricks' own migration has written the spans, with the references.
			next.Inline = true
		case policy.Folder != "":
			next.Path = attachments.Place(policy.Folder, id, ref.ID)
		default: // It stays at the source, and package convert lists it so by itself.
			a.left++
			continue
		}
		a.list = append(a.list, convert.Attachment{Attachment: next})
	}
}

// carry does what was decided for attachment i of the list. old says that an earlier run decided it.
func (r *run) carry(ctx context.Context, t listed, a *attachmentsOf, i int, old bool, byID map[string]mlflow.Attachment) error {
	one := &a.list[i]
	ref, there := byID[one.ID]
	switch {
	case one.AtSource():
		a.left++
	case !there, old && one.Path != "" && t.known.Reason != ReasonRepair:
		// An earlier run has carried it over.
	case one.Inline:
		if err := r.inline(ctx, t, one, ref, a); err != nil {
			return err
		}
		if !old {
			a.inlined++
			a.bytes += one.Bytes
		}
	default:
		copied, err := r.copy(ctx, t, one, ref, old)
		if err != nil {
			return err
		}
		if copied {
			a.copied++
			a.bytes += one.Bytes
		}
	}
	return nil
}

// reserve waits until there is room for the bytes of all attachments that go into the trace's spans. Two traces that
// each held a part and waited for the rest would wait for ever.
func (r *run) reserve(ctx context.Context, of *attachmentsOf, byID map[string]mlflow.Attachment) error {
	var want int64
	for i := range of.list {
		if a := &of.list[i]; a.Inline {
			want += attachments.InSpan(sizeOfAttachment(byID[a.ID]))
		}
	}
	if want == 0 {
		return nil
	}
	if err := r.attachmentBytes.Acquire(ctx, want); err != nil {
		return err
	}
	of.held = want
	return nil
}

func sizeOfAttachment(ref mlflow.Attachment) int64 {
	if ref.Size == 0 {
		return unknownAttachment
	}
	return ref.Size
}

func (r *run) inline(ctx context.Context, t listed, a *convert.Attachment, ref mlflow.Attachment, of *attachmentsOf) error {
	data, err := r.readAttachment(ctx, t, ref)
	if err != nil {
		return err
	}
	more := attachments.InSpan(int64(len(data))) - attachments.InSpan(sizeOfAttachment(ref))
	of.held += more
	r.attachmentBytes.Add(more)
	a.Data = data
	if a.SHA256 == "" {
		a.Bytes, a.SHA256 = int64(len(data)), attachments.Digest(data)
	}
	return nil
}

// copy writes the file of an attachment. If an earlier run has written it (old) and it is unchanged, copy does
// nothing.
func (r *run) copy(ctx context.Context, t listed, a *convert.Attachment, ref mlflow.Attachment, old bool) (copied bool, err error) {
	files := r.job.Attachments.Files
	if old {
		if has, err := files.Has(ctx, a.Path, a.Bytes, a.SHA256); has || err != nil {
			return false, err
		}
	}
	held := sizeOfAttachment(ref)
	if err := r.attachmentBytes.Acquire(ctx, held); err != nil {
		return false, err
	}
	defer func() { r.attachmentBytes.Add(-held) }()
	data, err := r.readAttachment(ctx, t, ref)
	if err != nil {
		return false, err
	}
	r.attachmentBytes.Add(int64(len(data)) - held)
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

// noted are the attachments that earlier runs decided on, as the trace's METADATA row in the target says. If no run has
// written the trace, the target is not asked.
func (r *run) noted(ctx context.Context, t listed, id string) (list []uctables.Attachment, err error) {
	repair := t.known.Reason == ReasonRepair
	if !repair && t.known.State != checkpoint.Migrated && t.known.State != checkpoint.Skipped {
		return nil, nil
	}
	times := target.NoTimes
	if times.Include(t.RequestTime.UnixMicro()); repair {
		times = target.AllTimes // its rows may have wrong times
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
