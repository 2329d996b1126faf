package resync

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

const hex = "0123456789abcdef0123456789abcdef"

// table holds versions of annotations as the target does.
type table map[string]uctables.Annotation

func (t table) newest() []*uctables.Annotation {
	m := map[string]*uctables.Annotation{}
	for _, a := range t {
		if was := m[a.AnnotationID]; was == nil || was.UpdatedAtMicros < a.UpdatedAtMicros {
			m[a.AnnotationID] = &a
		}
	}
	return slices.Collect(maps.Values(m))
}

func (t table) put(a uctables.Annotation) bool {
	key := fmt.Sprint(a.AnnotationID, "@", a.UpdatedAtMicros)
	_, there := t[key]
	if !there {
		t[key] = a
	}
	return !there
}

// live is what readers see: the newest versions that are not deleted, of tags of one name the newest.
func (t table) live() map[string]string {
	seen, at := map[string]string{}, map[string]int64{}
	for _, a := range t.newest() {
		key := string(a.Type) + " " + a.Name
		if a.Type != uctables.Tag {
			key += " " + a.AnnotationID
		}
		if a.DeletedAtMicros == nil && a.UpdatedAtMicros >= at[key] && a.Type != uctables.Metadata {
			comment := ""
			if a.Comment != nil {
				comment = *a.Comment
			}
			seen[key], at[key] = string(a.Value)+comment, a.UpdatedAtMicros
		}
	}
	return seen
}

type fatal interface {
	Helper()
	Fatal(...any)
}

// sync does what a run does with a trace that it takes for new: it writes the rows whose keys are missing, and
// then compares.
func (t table) sync(tt fatal, info *mlflow.TraceInfo, runs []string, now int64) Difference {
	tt.Helper()
	return t.follow(tt, info, runs, now, false)
}

// lookedAt are the MLflow runs whose traces were listed in these tests.
var lookedAt = map[string]bool{"r1": true, "r2": true}

func (t table) follow(tt fatal, info *mlflow.TraceInfo, runs []string, now int64, known bool) Difference {
	tt.Helper()
	in := convert.Input{Info: info, Runs: runs, Digest: info.Digest() + strings.Join(runs, "")}
	res, err := convert.Convert(in, convert.Options{Source: "s"})
	if err != nil {
		tt.Fatal(err)
	}
	for _, a := range res.Trace.Annotations {
		if !known {
			t.put(a)
		}
	}
	diff, err := Compare(hex, res.Trace.Annotations, t.newest(), Options{NowMicros: now, LookedAt: lookedAt, Insert: known})
	if err != nil {
		tt.Fatal(err)
	}
	for i, c := range diff.Changes {
		if c.Type == uctables.Metadata && i != len(diff.Changes)-1 {
			tt.Fatal("METADATA is not written last")
		}
		if c.UpdatedAtMicros <= c.ReplacesMicros || !t.put(c.Annotation) {
			tt.Fatal("a new version is not newer")
		}
	}
	return diff
}

var epoch = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)

func source(tags map[string]string) *mlflow.TraceInfo {
	return &mlflow.TraceInfo{TraceID: "tr-" + hex, RequestTime: epoch, State: mlflow.StateOK, Tags: tags, Metadata: map[string]string{}}
}

func feedback(id, value string, updated time.Time) mlflow.Assessment {
	return mlflow.Assessment{
		ID: id, Name: "correct", SourceType: "HUMAN", SourceID: "ann", CreateTime: epoch, LastUpdateTime: updated,
		Feedback: &mlflow.Feedback{Value: jsontext.Value(value)},
	}
}

// However tags, assessments and run links change at the source between two runs, the target shows the source's
// present state after each, and a run that finds no change writes nothing.
func TestFollowsTheSource(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := table{}
		now := epoch.Add(time.Hour).UnixMicro()
		for range rapid.IntRange(1, 8).Draw(t, "runs") {
			info := source(rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.SampledFrom([]string{"", "1", "2"})).Draw(t, "tags"))
			for _, id := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"f1", "f2"}), rapid.ID).Draw(t, "assessments") {
				updated := epoch.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "updated")) * time.Minute)
				a := feedback(id, rapid.SampledFrom([]string{"true", "false", "null"}).Draw(t, "value"), updated)
				info.Assessments = append(info.Assessments, a)
			}
			info.Metadata["k"] = rapid.SampledFrom([]string{"1", "2"}).Draw(t, "metadata")
			runs := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"r1", "r2"}), rapid.ID).Draw(t, "run links")
			now++
			target.follow(t, info, runs, now, rapid.Bool().Draw(t, "known"))

			want := table{}
			want.sync(t, info, runs, now)
			if d := cmp.Diff(want.live(), target.live()); d != "" {
				t.Fatalf("(-source +target):\n%s", d)
			}
			now++
			if again := target.follow(t, info, runs, now, rapid.Bool().Draw(t, "known again")); len(again.Changes) > 0 || again.Kept > 0 {
				t.Fatalf("nothing changed, and the second run finds %+v, want no changes", again)
			}
		}
	})
}

func TestChangesAtTheTargetStay(t *testing.T) {
	now := epoch.Add(time.Hour).UnixMicro()
	tag := func(target table, name string) *uctables.Annotation {
		for _, a := range target.newest() {
			if a.Name == name {
				return a
			}
		}
		return nil
	}
	for name, edit := range map[string]func(target table){
		"a newer version": func(target table) {
			a := *tag(target, "a")
			a.Value, a.UpdatedAtMicros = uctables.JSON(`"mine"`), now+1
			target.put(a)
		},
		"a tag of its own": func(target table) {
			a := *tag(target, "a")
			a.AnnotationID, a.Value, a.UpdatedAtMicros, a.CreatedAtMicros = "other", uctables.JSON(`"mine"`), now+1, now+1
			target.put(a)
		},
		"a newer version, and a tag of its own": func(target table) {
			a := *tag(target, "a")
			own := a
			a.Value, a.UpdatedAtMicros = uctables.JSON(`"newest"`), now+2
			target.put(a)
			own.AnnotationID, own.Value, own.UpdatedAtMicros, own.CreatedAtMicros = "other", uctables.JSON(`"mine"`), now+1, now+1
			target.put(own)
		},
		"deleted": func(target table) {
			a, at := *tag(target, "a"), now+1
			a.DeletedAtMicros, a.UpdatedAtMicros = &at, now+1
			target.put(a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			target := table{}
			target.sync(t, source(map[string]string{"a": "1", "b": "1"}), nil, now)
			edit(target)
			want := target.live()["TAG a"]
			for i, tags := range []map[string]string{{"a": "2", "b": "2"}, {"b": "3"}, {"a": "4"}} {
				diff := target.sync(t, source(tags), nil, now+10+int64(i))
				if got := target.live()["TAG a"]; got != want {
					t.Errorf("with %v at the source the tag is %s, want %s as before", tags, got, want)
				}
				if _, there := tags["a"]; there && diff.Kept != 1 {
					t.Errorf("with %v at the source %d rows were kept, want 1", tags, diff.Kept)
				}
				if b := target.live()["TAG b"]; b != "" && b != `"`+tags["b"]+`"` {
					t.Errorf("the other tag is %s, want %q", b, tags["b"])
				}
			}
			// What others wrote stays, whatever the source has.
			others := *tag(target, "a")
			others.AnnotationID, others.Name = "of others", "theirs"
			target.put(others)
			target.sync(t, source(map[string]string{}), nil, now+20)
			if _, there := target.live()["TAG theirs"]; there != (others.DeletedAtMicros == nil) {
				t.Errorf("another writer's tag is live: %t, want %t", there, others.DeletedAtMicros == nil)
			}
		})
	}
}

// A run that lists the traces of fewer MLflow runs than an earlier one deletes no link that only the earlier one
// could see.
func TestLinksOfRunsNotLookedAtStay(t *testing.T) {
	info, now := source(nil), epoch.Add(time.Hour).UnixMicro()
	target := table{}
	target.sync(t, info, []string{"r1", "r2", "r3"}, now)
	linked := func() (runs []string) {
		for _, a := range target.newest() {
			if a.Type == uctables.RunLink && a.DeletedAtMicros == nil {
				runs = append(runs, linkedRun(a))
			}
		}
		slices.Sort(runs)
		return runs
	}
	for i, step := range []struct {
		has  []string
		asks map[string]bool
		want []string
	}{
		{[]string{"r1", "r2"}, map[string]bool{"r1": true, "r2": true}, []string{"r1", "r2", "r3"}},
		{[]string{"r1"}, map[string]bool{"r1": true, "r2": true}, []string{"r1", "r3"}},
		{nil, nil, []string{"r1", "r3"}},
		{[]string{"r1"}, map[string]bool{"r1": true, "r2": true, "r3": true}, []string{"r1"}},
		{[]string{"r1", "r3"}, map[string]bool{"r1": true, "r3": true}, []string{"r1", "r3"}},
	} {
		res, err := convert.Convert(convert.Input{Info: info, Runs: step.has, Digest: "d"}, convert.Options{Source: "s"})
		if err != nil {
			t.Fatal(err)
		}
		o := Options{NowMicros: now + int64(i) + 1, LookedAt: step.asks, Insert: true}
		diff, err := Compare(hex, res.Trace.Annotations, target.newest(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range diff.Changes {
			target.put(c.Annotation)
		}
		if got := linked(); !slices.Equal(got, step.want) {
			t.Errorf("step %d: linked to %v, want %v", i, got, step.want)
		}
		o.NowMicros++
		if diff, err = Compare(hex, res.Trace.Annotations, target.newest(), o); err != nil || len(diff.Changes) > 0 {
			t.Errorf("step %d, again: %+v, error %v, want no changes", i, diff, err)
		}
	}
}

func TestSpansLostAtTheSourceLater(t *testing.T) {
	target := table{}
	info := source(map[string]string{"a": "1"})
	spans := []byte(`[{"name":"root","span_id":"0000000000000001","parent_span_id":null,"start_time_unix_nano":1}]`)
	first, err := convert.Convert(convert.Input{Info: info, Spans: spans}, convert.Options{Source: "s"})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range first.Trace.Annotations {
		target.put(a)
	}
	info.Tags["a"] = "2"
	later, err := convert.Convert(convert.Input{Info: info, SpansMissing: "lost"}, convert.Options{Source: "s"})
	if err != nil {
		t.Fatal(err)
	}
	diff, err := Compare(hex, later.Trace.Annotations, target.newest(), Options{NowMicros: epoch.Add(time.Hour).UnixMicro()})
	if err != nil {
		t.Fatal(err)
	}
	meta := diff.Changes[len(diff.Changes)-1]
	got, err := readProvenance(&meta.Annotation)
	if err != nil || got.Spans != 1 || got.SpansMissing != "" {
		t.Errorf("%+v, error %v, want 1 span and none missing: the target still has it", got.Provenance, err)
	}
}

// That the same experiment has another address is no change.
func TestAnotherAddress(t *testing.T) {
	target, info := table{}, source(map[string]string{"a": "1"})
	target.sync(t, info, nil, epoch.Add(time.Hour).UnixMicro())
	res, err := convert.Convert(convert.Input{Info: info, Digest: info.Digest()}, convert.Options{Source: "another"})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{NowMicros: epoch.Add(2 * time.Hour).UnixMicro(), LookedAt: lookedAt}
	diff, err := Compare(hex, res.Trace.Annotations, target.newest(), o)
	if err != nil || len(diff.Changes) > 0 {
		t.Errorf("got %+v, error %v, want no changes", diff, err)
	}
}
