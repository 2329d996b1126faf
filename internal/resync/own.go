package resync

import (
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/uctables"
)

// wrote says whether tracemig wrote a version of an annotation of a trace with this request time. listed says whether a METADATA
// row of tracemig's lists the version. A deletion is its writer's, even if it has the updated_at of a version that is listed.
func wrote(s *uctables.Annotation, traceID string, requestMicros int64, listed bool) bool {
	if s.DeletedAtMicros != nil {
		return s.DeletedBy != nil && *s.DeletedBy == uctables.DeletedBy
	}
	return listed || convert.Inferable(s, traceID, requestMicros)
}

// Own tells which versions of a trace's annotations are tracemig's own, those that were replaced since included.
type Own struct {
	traceID   string
	source    string
	requested map[int64]bool   // request times that METADATA rows of tracemig's have, microseconds
	listed    map[version]bool // by any of those rows
}

type version struct {
	id        string
	updatedAt int64
}

// OwnOf reads all versions of the annotations of a trace of source.
func OwnOf(traceID, source string, versions []*uctables.Annotation) *Own {
	o := &Own{traceID: traceID, source: source, requested: map[int64]bool{}, listed: map[version]bool{}}
	for _, v := range versions {
		if v.Type != uctables.Metadata {
			continue
		}
		p, err := readProvenance(v)
		if err != nil || !o.metadata(v, &p) {
			continue
		}
		o.requested[v.CreatedAtMicros] = true
		for id, at := range p.Versions {
			o.listed[version{id, at}] = true
		}
	}
	return o
}

// metadata says whether a METADATA row is tracemig's, which never names who updated one and never deletes one.
func (o *Own) metadata(v *uctables.Annotation, p *provenance) bool {
	return p.Source == o.source && v.UpdatedBy == nil && v.DeletedAtMicros == nil && v.AnnotationID == uctables.MetadataID(o.traceID)
}

// Has says whether tracemig wrote a version.
func (o *Own) Has(v *uctables.Annotation) bool {
	if v.TargetID != o.traceID {
		return false
	}
	if v.Type == uctables.Metadata {
		p, err := readProvenance(v)
		return err == nil && o.metadata(v, &p)
	}
	listed := o.listed[version{v.AnnotationID, v.UpdatedAtMicros}]
	for at := range o.requested {
		if wrote(v, o.traceID, at, listed) {
			return true
		}
	}
	return false
}
