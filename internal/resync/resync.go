// Package resync works out what to write for a trace whose annotations the target has already, so that
// they show the source's present state. It is pure.
//
// A change at the source becomes a newer version of its row: the same annotation_id, a newer
// updated_at. What the source no longer has gets a version with deleted_at. Only rows whose newest
// version tracemig wrote are touched; one that was changed at the target stays as it is there.
//
// tracemig knows its own versions by themselves where it can (convert.Inferable), and the others by a
// list in the METADATA row (uctables.KeyVersions), which is written last.
//
// Rows that Databricks' own migration wrote, and nobody changed since, are brought to tracemig's form in
// the same way: see package official.
package resync

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/uctables"
)

// DeletedBy is deleted_by of rows that the source no longer has.
const DeletedBy = "tracemig"

// Options say what is known besides the rows.
type Options struct {
	NowMicros int64 // updated_at of new versions, microseconds since the Unix epoch
	Insert    bool  // the expected rows have not been written: what the target lacks is among the changes

	// LookedAt are MLflow runs whose traces the source has listed, so that the expected rows have their links.
	// Only a link to one of them may go: what is not known of the others is no word on their links.
	LookedAt map[string]bool
}

// Result is what to write, and what to leave.
type Result struct {
	Changes  []uctables.Replacement // METADATA last
	Deleted  int                    // of Changes
	Kept     int                    // annotations changed at the target, where the source has something else
	Official bool                   // Databricks' own migration wrote the trace, and tracemig has not taken it over yet

	Ahead []string // rows of tracemig's, by type and name, whose updated_at is yet to come: no edit of today would be seen
	Twice []string // tags of which readers find more than one row
}

// Plan compares the rows that convert gives for a trace with the newest versions in the target. Unless
// Options.Insert says otherwise, those rows have been written where their keys were missing. The error
// says that a row in the target can't be read.
func Plan(traceID string, expected []uctables.Annotation, stored []*uctables.Annotation, o Options) (Result, error) {
	p := planner{Options: o, traceID: traceID, have: map[string]*uctables.Annotation{}, versions: map[string]int64{}}
	for _, s := range stored {
		p.have[s.AnnotationID] = s
	}
	meta := p.have[uctables.MetadataID(traceID)]
	noted, err := provenance(meta)
	if err != nil {
		return Result{}, err
	}
	p.noted, p.migrated = noted.Versions, noted.Source != ""
	var want *uctables.Annotation // METADATA
	for i := range expected {
		if expected[i].Type == uctables.Metadata {
			want = &expected[i]
			p.requested = want.CreatedAtMicros
		}
	}
	if want != nil && meta != nil && noted.Source == "" {
		p.Official = official.Metadata(meta) && official.SourceExperiment(meta) == official.SourceExperiment(want)
	}
	p.inspect(expected, stored)
	p.annotations(expected, stored)
	p.gone(expected, stored)
	switch {
	case want == nil:
	case meta != nil:
		err = p.metadata(*want, meta, noted)
	case o.Insert:
		err = p.writeMetadata(*want, nil)
	}
	return p.Result, err
}

type planner struct {
	Options
	Result
	traceID   string
	requested int64 // the trace's request time
	have      map[string]*uctables.Annotation
	noted     map[string]int64
	migrated  bool             // tracemig wrote the METADATA row
	versions  map[string]int64 // to be noted
}

// inspect looks for rows that can't be as they should.
func (p *planner) inspect(expected []uctables.Annotation, stored []*uctables.Annotation) {
	latest := map[string]int64{} // updated_at at the source
	for i := range expected {
		latest[expected[i].AnnotationID] = expected[i].UpdatedAtMicros
	}
	live := map[string]int{}
	for _, s := range stored {
		mine := p.own(s) || s.Type == uctables.Metadata && p.migrated
		if mine && s.UpdatedAtMicros > max(p.NowMicros, latest[s.AnnotationID]) {
			p.Ahead = append(p.Ahead, string(s.Type)+" "+s.Name)
		}
		if s.Type != uctables.Tag || s.DeletedAtMicros != nil {
			continue
		}
		if live[s.Name]++; live[s.Name] == 2 {
			p.Twice = append(p.Twice, s.Name)
		}
	}
}

// annotations has the rows of the expected annotations follow, METADATA aside.
func (p *planner) annotations(expected []uctables.Annotation, stored []*uctables.Annotation) {
	others := p.tagsOfOthers(stored)
	for i := range expected {
		e := &expected[i]
		s := p.have[e.AnnotationID]
		switch {
		case e.Type == uctables.Metadata:
		case e.Type == uctables.Tag && others[e.Name]:
			// Of two live tags of one name readers see either: theirs stays.
			if s != nil && s.DeletedAtMicros == nil && p.own(s) {
				p.remove(s)
			} else if s != nil {
				p.note(s)
			}
			p.Kept++
		case s == nil:
			if p.Insert {
				p.insert(e)
			}
		case same(e, s) && s.DeletedAtMicros == nil && (!p.own(s) || s.CreatedAtMicros == e.CreatedAtMicros && s.UpdatedAtMicros >= e.UpdatedAtMicros):
			p.note(s)
		case p.own(s) || p.Official && official.Assessment(e, s):
			p.replace(*e, s)
		default:
			p.Kept++
		}
	}
}

// tagsOfOthers are the names of tags that others have set, or deleted, under an annotation_id of their own.
func (p *planner) tagsOfOthers(stored []*uctables.Annotation) map[string]bool {
	names := map[string]bool{}
	for _, s := range stored {
		switch {
		case s.Type != uctables.Tag || s.AnnotationID == uctables.TagID(p.traceID, s.Name) || p.own(s) || official.Tag(s, p.requested):
		case s.DeletedAtMicros == nil || official.HasTagID(s):
			names[s.Name] = true
		}
	}
	return names
}

// gone deletes what the source no longer has, and the rows that others have taken the place of.
func (p *planner) gone(expected []uctables.Annotation, stored []*uctables.Annotation) {
	wanted := map[string]bool{}
	for i := range expected {
		wanted[expected[i].AnnotationID] = true
	}
	for _, s := range stored {
		switch {
		case wanted[s.AnnotationID] || s.Type == uctables.Metadata:
		case official.Tag(s, p.requested):
			p.remove(s)
		case !p.own(s):
		case s.DeletedAtMicros != nil || s.Type == uctables.RunLink && !p.LookedAt[linkedRun(s)]:
			p.note(s)
		default:
			p.remove(s)
			p.Deleted++
		}
	}
}

// LinkedRuns are the MLflow runs that the RUN_LINK rows among some annotations name, which Options.LookedAt
// should tell of.
func LinkedRuns(annotations []*uctables.Annotation) []string {
	var runs []string
	for _, a := range annotations {
		if a.Type == uctables.RunLink {
			runs = append(runs, linkedRun(a))
		}
	}
	return runs
}

func linkedRun(a *uctables.Annotation) (runID string) {
	if json.Unmarshal(a.Value, &runID) != nil {
		return ""
	}
	return runID
}

// own says whether tracemig wrote this version.
func (p *planner) own(s *uctables.Annotation) bool {
	at, ok := p.noted[s.AnnotationID]
	return ok && at == s.UpdatedAtMicros || s.DeletedBy != nil && *s.DeletedBy == DeletedBy || convert.Inferable(s, p.traceID, p.requested)
}

// note lists a version as tracemig's own, if it was.
func (p *planner) note(s *uctables.Annotation) {
	if !convert.Inferable(s, p.traceID, p.requested) {
		p.versions[s.AnnotationID] = s.UpdatedAtMicros
	}
}

// insert writes a row of which the target has no version.
func (p *planner) insert(e *uctables.Annotation) {
	p.Changes = append(p.Changes, uctables.Replacement{Annotation: *e, ReplacesMicros: uctables.NoVersion, ReplacesCreatedMicros: e.CreatedAtMicros})
	p.note(e)
}

// replace writes a newer version of s. Readers show updated_at of an assessment as its last update, so it is
// as near to the source's as it can be; of other rows it says when they followed.
func (p *planner) replace(a uctables.Annotation, s *uctables.Annotation) {
	assessment := a.Type == uctables.Feedback || a.Type == uctables.Expectation
	if !assessment {
		a.UpdatedAtMicros = max(a.UpdatedAtMicros, p.NowMicros)
	}
	a.UpdatedAtMicros = max(a.UpdatedAtMicros, s.UpdatedAtMicros+1)
	p.Changes = append(p.Changes, uctables.Replacement{Annotation: a, ReplacesMicros: s.UpdatedAtMicros, ReplacesCreatedMicros: s.CreatedAtMicros})
	p.note(&a)
}

// remove writes a version of s that deletes it.
func (p *planner) remove(s *uctables.Annotation) {
	gone, at, by := *s, p.NowMicros, DeletedBy
	gone.DeletedAtMicros, gone.DeletedBy = &at, &by
	p.replace(gone, s)
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
	if p.Official {
		return p.writeMetadata(e, meta)
	}
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
		if list, ok := was.all[uctables.KeyAttachments]; ok {
			is.all[uctables.KeyAttachments] = list
		}
	}
	// One experiment may be known by several addresses: the one that it was migrated from stays.
	is.all[uctables.KeySource] = was.all[uctables.KeySource]
	for _, n := range []noted{is, was} {
		delete(n.all, uctables.KeyVersions)
	}
	if same(&e, meta) && meta.DeletedAtMicros == nil && meta.CreatedAtMicros == e.CreatedAtMicros &&
		reflect.DeepEqual(is.all, was.all) && maps.Equal(p.versions, was.Versions) {
		return nil
	}
	if e.Metadata, err = p.withVersions(is.all); err != nil {
		return err
	}
	p.replace(e, meta)
	return nil
}

// writeMetadata writes a METADATA row as convert made it, but for the versions that are noted: in the
// place of meta, or with nil where there is none.
func (p *planner) writeMetadata(e uctables.Annotation, meta *uctables.Annotation) error {
	is, err := provenance(&e)
	if err != nil {
		return err
	}
	delete(is.all, uctables.KeyVersions)
	if e.Metadata, err = p.withVersions(is.all); err != nil {
		return err
	}
	if meta == nil {
		p.insert(&e)
	} else {
		p.replace(e, meta)
	}
	return nil
}

// withVersions is a METADATA row's metadata with the versions noted in it.
func (p *planner) withVersions(all map[string]any) (uctables.JSON, error) {
	if len(p.versions) > 0 {
		var pairs []any
		for _, id := range slices.Sorted(maps.Keys(p.versions)) {
			pairs = append(pairs, []any{id, p.versions[id]})
		}
		all[uctables.KeyVersions] = pairs
	}
	return json.Marshal(all, json.Deterministic(true))
}
