// Package resync compares the annotations that a trace should have with those that the target has, and says
// which rows to write so that the target shows the source's present state. It is pure.
//
// A change at the source becomes a newer version of its row: the same annotation_id with a later
// updated_at. An annotation that the source no longer has gets a version with deleted_at. Only rows whose
// newest version tracemig wrote are touched; a row that somebody changed at the target stays as it is.
//
// Which versions are tracemig's own shows in two ways. Some rows show it by themselves (convert.Inferable).
// All others are listed in the METADATA row (uctables.KeyVersions), which is written last.
//
// Rows that Databricks' own migration wrote, and that nobody changed since, are brought to tracemig's form in
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

// Options say what is known besides the rows.
type Options struct {
	NowMicros int64 // updated_at of new versions, microseconds since the Unix epoch
	Insert    bool  // the expected rows have not been written: rows that the target lacks are among the changes

	// LookedAt are the MLflow runs whose traces the source has listed, so that the expected rows include their
	// links. Only links to these runs may be deleted: that a link to another run is not expected does not
	// mean that the source has deleted it.
	LookedAt map[string]bool
}

// Difference is what to write of a trace's annotations, and what to leave.
type Difference struct {
	Changes  []uctables.Replacement // METADATA last
	Deleted  int                    // how many of Changes delete an annotation that the source no longer has
	Kept     int                    // annotations that were changed at the target, where the source has something else
	Official bool                   // Databricks' own migration wrote the trace, and tracemig has not taken it over yet

	// Ahead are rows of tracemig's, by type and name, whose updated_at is in the future: it would hide an edit
	// that is made today.
	Ahead []string
	Twice []string // names of tags of which readers find more than one row
}

// Compare compares the rows that convert gives for a trace with the newest versions in the target. Unless
// Options.Insert says otherwise, it takes for granted that the expected rows have been written wherever their keys
// were missing. The error says that a row in the target can't be read.
func Compare(traceID string, expected []uctables.Annotation, stored []*uctables.Annotation, o Options) (Difference, error) {
	c := comparer{Options: o, traceID: traceID, have: map[string]*uctables.Annotation{}, versions: map[string]int64{}}
	for _, s := range stored {
		c.have[s.AnnotationID] = s
	}
	meta := c.have[uctables.MetadataID(traceID)]
	was, err := readProvenance(meta)
	if err != nil {
		return Difference{}, err
	}
	c.listed, c.migrated = was.Versions, was.Source != ""
	var want *uctables.Annotation // METADATA
	for i := range expected {
		if expected[i].Type == uctables.Metadata {
			want = &expected[i]
			c.requested = want.CreatedAtMicros
		}
	}
	if want != nil && meta != nil && was.Source == "" {
		c.Official = official.Metadata(meta) && official.SourceExperiment(meta) == official.SourceExperiment(want)
	}
	c.inspect(expected, stored)
	c.compareExpected(expected, stored)
	c.deleteUnexpected(expected, stored)
	switch {
	case want == nil:
	case meta != nil:
		err = c.compareMetadata(*want, meta, was)
	case o.Insert:
		err = c.writeMetadata(*want, nil)
	}
	return c.Difference, err
}

// comparer holds the state of one Compare.
type comparer struct {
	Options
	Difference
	traceID   string
	requested int64 // the trace's request time
	have      map[string]*uctables.Annotation
	listed    map[string]int64 // tracemig's own versions as the stored METADATA row lists them
	migrated  bool             // tracemig wrote the stored METADATA row
	versions  map[string]int64 // tracemig's own versions as METADATA has to list them from now on
}

// inspect looks for rows that are not as they should be: ahead of time, or several of one tag.
func (c *comparer) inspect(expected []uctables.Annotation, stored []*uctables.Annotation) {
	latest := map[string]int64{} // updated_at at the source
	for i := range expected {
		latest[expected[i].AnnotationID] = expected[i].UpdatedAtMicros
	}
	live := map[string]int{}
	for _, s := range stored {
		mine := c.own(s) || s.Type == uctables.Metadata && c.migrated
		if mine && s.UpdatedAtMicros > max(c.NowMicros, latest[s.AnnotationID]) {
			c.Ahead = append(c.Ahead, string(s.Type)+" "+s.Name)
		}
		if s.Type != uctables.Tag || s.DeletedAtMicros != nil {
			continue
		}
		if live[s.Name]++; live[s.Name] == 2 {
			c.Twice = append(c.Twice, s.Name)
		}
	}
}

// compareExpected compares every expected annotation but METADATA with its stored row.
func (c *comparer) compareExpected(expected []uctables.Annotation, stored []*uctables.Annotation) {
	others := c.tagsOfOthers(stored)
	for i := range expected {
		e := &expected[i]
		switch s := c.have[e.AnnotationID]; {
		case e.Type == uctables.Metadata:
		case e.Type == uctables.Tag && others[e.Name]:
			c.yield(s)
		default:
			c.compareRow(e, s)
		}
	}
}

// yield leaves a tag to the row that somebody else has written for it under another annotation_id. If there
// were two live rows of one name, readers would show either. s is tracemig's row of the tag, or nil.
func (c *comparer) yield(s *uctables.Annotation) {
	switch {
	case s == nil || !c.own(s): // What others wrote is theirs under this ID too.
	case s.DeletedAtMicros == nil:
		c.remove(s)
	default:
		c.record(s)
	}
	c.Kept++
}

// compareRow compares an expected annotation with its stored row, which is nil if there is none.
func (c *comparer) compareRow(e, s *uctables.Annotation) {
	switch {
	case s == nil:
		if c.Insert {
			c.insert(e)
		}
	case c.upToDate(e, s):
		c.record(s)
	case c.own(s) || c.Official && official.Assessment(e, s):
		c.replace(*e, s)
	default:
		c.Kept++
	}
}

// upToDate says whether the stored row s says what the expected one does.
func (c *comparer) upToDate(e, s *uctables.Annotation) bool {
	if s.DeletedAtMicros != nil || !sameContent(e, s) {
		return false
	}
	return !c.own(s) || s.CreatedAtMicros == e.CreatedAtMicros && s.UpdatedAtMicros >= e.UpdatedAtMicros
}

// tagsOfOthers are the names of tags that somebody else has set, or deleted, under another annotation_id than
// tracemig's.
func (c *comparer) tagsOfOthers(stored []*uctables.Annotation) map[string]bool {
	names := map[string]bool{}
	for _, s := range stored {
		switch {
		case s.Type != uctables.Tag || s.AnnotationID == uctables.TagID(c.traceID, s.Name):
		case c.own(s) || official.Tag(s, c.requested):
		case s.DeletedAtMicros == nil || official.HasTagID(s):
			names[s.Name] = true
		}
	}
	return names
}

// deleteUnexpected deletes the rows that the source no longer has, and the official migration's tags, in
// whose place tracemig's own stand.
func (c *comparer) deleteUnexpected(expected []uctables.Annotation, stored []*uctables.Annotation) {
	wanted := map[string]bool{}
	for i := range expected {
		wanted[expected[i].AnnotationID] = true
	}
	for _, s := range stored {
		switch {
		case wanted[s.AnnotationID] || s.Type == uctables.Metadata:
		case official.Tag(s, c.requested):
			c.remove(s)
		case !c.own(s):
		case s.DeletedAtMicros != nil || s.Type == uctables.RunLink && !c.LookedAt[linkedRun(s)]:
			c.record(s)
		default:
			c.remove(s)
			c.Deleted++
		}
	}
}

// LinkedRuns are the MLflow runs that the RUN_LINK rows among some annotations name. Options.LookedAt should
// cover them.
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
func (c *comparer) own(s *uctables.Annotation) bool {
	at, listed := c.listed[s.AnnotationID]
	return wrote(s, c.traceID, c.requested, listed && at == s.UpdatedAtMicros)
}

// record has METADATA list a version as tracemig's own, unless the version shows that by itself.
func (c *comparer) record(s *uctables.Annotation) {
	if !convert.Inferable(s, c.traceID, c.requested) {
		c.versions[s.AnnotationID] = s.UpdatedAtMicros
	}
}

// insert writes a row of which the target has no version.
func (c *comparer) insert(e *uctables.Annotation) {
	c.Changes = append(c.Changes, uctables.Replacement{
		Annotation: *e, ReplacesMicros: uctables.NoVersion, ReplacesCreatedMicros: e.CreatedAtMicros,
	})
	c.record(e)
}

// replace writes a newer version of s. Readers show updated_at of an assessment as its last update, so there it is as
// near to the source's time as possible; of other rows it is the time of this run.
func (c *comparer) replace(a uctables.Annotation, s *uctables.Annotation) {
	assessment := a.Type == uctables.Feedback || a.Type == uctables.Expectation
	if !assessment {
		a.UpdatedAtMicros = max(a.UpdatedAtMicros, c.NowMicros)
	}
	a.UpdatedAtMicros = max(a.UpdatedAtMicros, s.UpdatedAtMicros+1)
	c.Changes = append(c.Changes, uctables.Replacement{
		Annotation: a, ReplacesMicros: s.UpdatedAtMicros, ReplacesCreatedMicros: s.CreatedAtMicros,
	})
	c.record(&a)
}

// remove writes a version of s that deletes it.
func (c *comparer) remove(s *uctables.Annotation) {
	deleted, at, by := *s, c.NowMicros, uctables.DeletedBy
	deleted.DeletedAtMicros, deleted.DeletedBy = &at, &by
	c.replace(deleted, s)
}

// sameContent says whether two versions hold the same, apart from deletion and times.
func sameContent(e, s *uctables.Annotation) bool {
	a, b := *e, *s
	a.CreatedAtMicros, b.CreatedAtMicros = 0, 0
	return uctables.SameAnnotation(&a, &b)
}

// provenance is the metadata column of a METADATA row.
type provenance struct {
	uctables.Provenance
	Versions map[string]int64
	all      map[string]any
}

func readProvenance(meta *uctables.Annotation) (p provenance, err error) {
	if meta == nil || meta.Metadata == nil {
		return p, nil
	}
	if err := json.Unmarshal(meta.Metadata, &p.all); err != nil {
		return p, fmt.Errorf("metadata of annotation %s can't be read: %w", meta.AnnotationID, err)
	}
	p.Source, _ = p.all[uctables.KeySource].(string)
	p.SpansMissing, _ = p.all[uctables.KeySpansMissing].(string)
	spans, _ := p.all[uctables.KeySpans].(float64)
	p.Spans = int(spans)
	versions, _ := p.all[uctables.KeyVersions].([]any)
	p.Versions = make(map[string]int64, len(versions))
	for _, v := range versions {
		if pair, _ := v.([]any); len(pair) == 2 {
			id, _ := pair[0].(string)
			micros, _ := pair[1].(float64)
			p.Versions[id] = int64(micros)
		}
	}
	return p, nil
}

// compareMetadata replaces the METADATA row if the row itself, or what its metadata column says, has changed.
func (c *comparer) compareMetadata(e uctables.Annotation, meta *uctables.Annotation, was provenance) error {
	if c.Official {
		return c.writeMetadata(e, meta)
	}
	if was.Source == "" {
		c.Kept++ // another writer's row under this ID
		return nil
	}
	is, err := readProvenance(&e)
	if err != nil {
		return err
	}
	if is.SpansMissing != "" && was.SpansMissing == "" {
		// The source has lost the spans since they were migrated; the target still has them.
		delete(is.all, uctables.KeySpansMissing)
		is.all[uctables.KeySpans] = was.all[uctables.KeySpans]
		if list, ok := was.all[uctables.KeyAttachments]; ok {
			is.all[uctables.KeyAttachments] = list
		}
	}
	// One experiment may have several addresses: the one that the trace was migrated from stays.
	is.all[uctables.KeySource] = was.all[uctables.KeySource]
	for _, p := range []provenance{is, was} {
		delete(p.all, uctables.KeyVersions)
	}
	if sameContent(&e, meta) && meta.DeletedAtMicros == nil && meta.CreatedAtMicros == e.CreatedAtMicros &&
		reflect.DeepEqual(is.all, was.all) && maps.Equal(c.versions, was.Versions) {
		return nil
	}
	if e.Metadata, err = c.withVersions(is.all); err != nil {
		return err
	}
	c.replace(e, meta)
	return nil
}

// writeMetadata writes a METADATA row as convert made it, except for the versions that it lists. The row
// replaces meta, or is a new one if meta is nil.
func (c *comparer) writeMetadata(e uctables.Annotation, meta *uctables.Annotation) error {
	is, err := readProvenance(&e)
	if err != nil {
		return err
	}
	delete(is.all, uctables.KeyVersions)
	if e.Metadata, err = c.withVersions(is.all); err != nil {
		return err
	}
	if meta == nil {
		c.insert(&e)
	} else {
		c.replace(e, meta)
	}
	return nil
}

// withVersions is a METADATA row's metadata with the list of tracemig's own versions in it.
func (c *comparer) withVersions(all map[string]any) (uctables.JSON, error) {
	if len(c.versions) > 0 {
		var pairs []any
		for _, id := range slices.Sorted(maps.Keys(c.versions)) {
			pairs = append(pairs, []any{id, c.versions[id]})
		}
		all[uctables.KeyVersions] = pairs
	}
	return json.Marshal(all, json.Deterministic(true))
}
