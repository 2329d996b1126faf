package mlflow

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Digest is the SHA-256, in hex, of everything that is listed of the trace. Any difference gives another digest, also
// that between an absent and an empty text. The order in which a server lists map keys, JSON object members or
// assessments makes no difference, because it may change between two calls.
func (t *TraceInfo) Digest() string {
	d := digester{sha256.New()}
	d.text("tracemig trace info 1") // to be changed with this function, so that every digest changes
	d.text(t.TraceID)
	d.text(t.ExperimentID)
	d.time(t.RequestTime)
	d.optional(t.ExecutionDuration)
	d.text(string(t.State))
	d.optional(t.ClientRequestID)
	d.optional(t.RequestPreview)
	d.optional(t.ResponsePreview)
	d.dict(t.Metadata)
	d.dict(t.Tags)
	sums := make([][]byte, len(t.Assessments))
	for i := range t.Assessments {
		sums[i] = t.Assessments[i].digest()
	}
	slices.SortFunc(sums, bytes.Compare)
	d.number(int64(len(sums)))
	for _, s := range sums {
		d.bytes(s)
	}
	if len(t.Runs) > 0 || t.Spans > 0 {
		d.number(int64(t.Spans))
		for _, run := range slices.Sorted(slices.Values(t.Runs)) {
			d.text(run)
		}
	}
	return hex.EncodeToString(d.h.Sum(nil))
}

func (a *Assessment) digest() []byte {
	d := digester{sha256.New()}
	d.text(a.ID)
	d.text(a.Name)
	d.text(a.TraceID)
	d.optional(a.SpanID)
	d.text(a.SourceType)
	d.text(a.SourceID)
	d.time(a.CreateTime)
	d.time(a.LastUpdateTime)
	if d.present(a.Feedback != nil) {
		d.json(a.Feedback.Value)
		if e := a.Feedback.Error; d.present(e != nil) {
			d.optional(e.Code)
			d.optional(e.Message)
			d.optional(e.StackTrace)
		}
	}
	if d.present(a.Expectation != nil) {
		d.json(a.Expectation.Value)
		if s := a.Expectation.Serialized; d.present(s != nil) {
			d.text(s.Format)
			d.text(s.Value)
		}
	}
	d.optional(a.Issue)
	d.optional(a.Rationale)
	d.dict(a.Metadata)
	d.optional(a.Overrides)
	if d.present(a.Valid != nil) {
		d.present(*a.Valid)
	}
	return d.h.Sum(nil)
}

// digester writes fields so that no two sequences of fields give the same bytes: every text has its length before
// it, and everything that may be absent a mark.
type digester struct{ h hash.Hash }

func (d digester) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	d.h.Write(b[:])
}

func (d digester) bytes(b []byte) {
	d.number(int64(len(b)))
	d.h.Write(b)
}

func (d digester) text(s string) { d.bytes([]byte(s)) }

func (d digester) present(yes bool) bool {
	mark := byte(0)
	if yes {
		mark = 1
	}
	d.h.Write([]byte{mark})
	return yes
}

func (d digester) optional(s *string) {
	if d.present(s != nil) {
		d.text(*s)
	}
}

func (d digester) time(t time.Time) {
	d.number(t.Unix())
	d.number(int64(t.Nanosecond()))
}

func (d digester) dict(m map[string]string) {
	if !d.present(m != nil) {
		return
	}
	d.number(int64(len(m)))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		d.text(k)
		d.text(m[k])
	}
}

func (d digester) json(v jsontext.Value) {
	if !d.present(v != nil) {
		return
	}
	// Numbers stay as they are spelled: two integers that round to one double must not have the same digest.
	canonical := v.Clone()
	if canonical.Compact(jsontext.ReorderRawObjects(true), jsontext.PreserveRawStrings(false)) == nil {
		v = canonical
	}
	d.bytes(v)
}
