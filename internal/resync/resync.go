// Package resync works out what to write for a trace whose annotations the target has already, so that
// they show the source's present state. It is pure.
//
// A change at the source becomes a newer version of its row: the same annotation_id, a newer
// updated_at. What the source no longer has gets a version with deleted_at. Only rows whose newest
// version tracemig wrote are touched; one that was changed at the target stays as it is there.
//
// tracemig knows its own versions by themselves where it can (convert.Inferable), and the others by a
// list in the METADATA row (uctables.KeyVersions), which is written last.
package resync

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/uctables"
)

// DeletedBy is deleted_by of rows that the source no longer has.
const DeletedBy = "tracemig"

// Options say what is known besides the rows.
type Options struct {
	NowMicros int64 // updated_at of new versions, microseconds since the Unix epoch
	RunLinks  bool  // the expected rows have all run links there are, so that others may go
}

// Result is what to write, and what to leave.
type Result struct {
	Changes []uctables.Replacement // METADATA last
	Deleted int                    // of Changes
	Kept    int                    // annotations changed at the target, where the source has something else
}

// Plan compares the rows that convert gives for a trace with the newest versions in the target, to
// which those rows have been written already where their keys were missing. The error says that a
// row in the target can't be read.
func Plan(traceID string, expected []uctables.Annotation, stored []*uctables.Annotation, o Options) (Result, error) {
	p := planner{Options: o, traceID: traceID, have: map[string]*uctables.Annotation{}, versions: map[string]int64{}}
	var meta *uctables.Annotation
	for _, s := range stored {
		p.have[s.AnnotationID] = s
		if s.AnnotationID == convert.MetadataID(traceID) {
			meta = s
		}
	}
	noted, err := provenance(meta)
	if err != nil {
		return Result{}, err
	}
	p.noted = noted.Versions
	tags := map[string]int64{} // updated_at of the newest tag of each name that others have set
	for _, s := range stored {
		if s.Type == uctables.Tag && s.DeletedAtMicros == nil && !p.own(s) {
			tags[s.Name] = max(tags[s.Name], s.UpdatedAtMicros)
		}
	}

	wanted := map[string]bool{}
	for i := range expected {
		e := &expected[i]
		wanted[e.AnnotationID] = true
		s := p.have[e.AnnotationID]
		if s == nil || e.Type == uctables.Metadata {
			continue
		}
		theirs, also := tags[e.Name]
		switch {
		case same(e, s) && s.DeletedAtMicros == nil:
			p.note(s)
		case !p.own(s), e.Type == uctables.Tag && also && (theirs > s.UpdatedAtMicros || s.DeletedAtMicros != nil):
			p.Kept++
		default:
			p.replace(*e, s)
		}
	}
	for _, s := range stored {
		switch {
		case wanted[s.AnnotationID] || s.Type == uctables.Metadata || !p.own(s):
			continue
		case s.DeletedAtMicros != nil || s.Type == uctables.RunLink && !o.RunLinks:
			p.note(s)
			continue
		}
		gone, by := *s, DeletedBy
		gone.DeletedAtMicros, gone.DeletedBy = &o.NowMicros, &by
		p.replace(gone, s)
		p.Deleted++
	}

	for i := range expected {
		if e := &expected[i]; e.Type == uctables.Metadata && meta != nil {
			if err := p.metadata(*e, meta, noted); err != nil {
				return Result{}, err
			}
		}
	}
	return p.Result, nil
}

type planner struct {
	Options
	Result
	traceID  string
	have     map[string]*uctables.Annotation
	noted    map[string]int64
	versions map[string]int64 // to be noted
}

// own says whether tracemig wrote this version.
func (p *planner) own(s *uctables.Annotation) bool {
	at, ok := p.noted[s.AnnotationID]
	return ok && at == s.UpdatedAtMicros || convert.Inferable(s, p.traceID)
}

// note lists a version as tracemig's own.
func (p *planner) note(s *uctables.Annotation) {
	if !convert.Inferable(s, p.traceID) {
		p.versions[s.AnnotationID] = s.UpdatedAtMicros
	}
}

func (p *planner) replace(a uctables.Annotation, s *uctables.Annotation) {
	a.CreatedAtMicros = s.CreatedAtMicros
	a.UpdatedAtMicros = max(a.UpdatedAtMicros, s.UpdatedAtMicros+1, p.NowMicros)
	p.Changes = append(p.Changes, uctables.Replacement{Annotation: a, ReplacesMicros: s.UpdatedAtMicros, ReplacesCreatedMicros: s.CreatedAtMicros})
	p.note(&a)
}

// same says whether two versions hold the same, deletion and times aside.
func same(e, s *uctables.Annotation) bool {
	a, b := *e, *s
	a.CreatedAtMicros, b.CreatedAtMicros = 0, 0
	return uctables.SameAnnotation(&a, &b)
}

// noted is what a METADATA row's metadata holds beside what the source lists.
type noted struct {
	uctables.Provenance
	Versions map[string]int64
	all      map[string]any
}

func provenance(meta *uctables.Annotation) (n noted, err error) {
	if meta == nil || meta.Metadata == nil {
		return n, nil
	}
	if err := json.Unmarshal(meta.Metadata, &n.all); err != nil {
		return n, fmt.Errorf("metadata of annotation %s can't be read: %w", meta.AnnotationID, err)
	}
	n.Source, _ = n.all[uctables.KeySource].(string)
	n.SpansMissing, _ = n.all[uctables.KeySpansMissing].(string)
	spans, _ := n.all[uctables.KeySpans].(float64)
	n.Spans = int(spans)
	versions, _ := n.all[uctables.KeyVersions].([]any)
	n.Versions = make(map[string]int64, len(versions))
	for _, v := range versions {
		if pair, _ := v.([]any); len(pair) == 2 {
			id, _ := pair[0].(string)
			micros, _ := pair[1].(float64)
			n.Versions[id] = int64(micros)
		}
	}
	return n, nil
}

// metadata replaces the METADATA row if it or what is noted there changed.
func (p *planner) metadata(e uctables.Annotation, meta *uctables.Annotation, was noted) error {
	if was.Source == "" {
		p.Kept++ // another writer's, although with this ID
		return nil
	}
	is, err := provenance(&e)
	if err != nil {
		return err
	}
	if is.SpansMissing != "" && was.SpansMissing == "" {
		// The source has lost them since; the target has not.
		delete(is.all, uctables.KeySpansMissing)
		is.all[uctables.KeySpans] = was.all[uctables.KeySpans]
	}
	// One experiment may be known by several addresses: the one that it was migrated from stays.
	is.all[uctables.KeySource] = was.all[uctables.KeySource]
	for _, n := range []noted{is, was} {
		delete(n.all, uctables.KeyVersions)
	}
	if same(&e, meta) && meta.DeletedAtMicros == nil && reflect.DeepEqual(is.all, was.all) && maps.Equal(p.versions, was.Versions) {
		return nil
	}
	if len(p.versions) > 0 {
		var pairs []any
		for _, id := range slices.Sorted(maps.Keys(p.versions)) {
			pairs = append(pairs, []any{id, p.versions[id]})
		}
		is.all[uctables.KeyVersions] = pairs
	}
	if e.Metadata, err = json.Marshal(is.all, json.Deterministic(true)); err != nil {
		return err
	}
	p.replace(e, meta)
	return nil
}
