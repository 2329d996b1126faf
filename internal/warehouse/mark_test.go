package warehouse

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// TestMarks compares the query tags and the comments of a run's statements. A warehouse may refuse query tags, in the words of a
// real one or in others. The statement then goes once more without them, and no later one has any. No other failure is
// taken for such a refusal.
func TestMarks(t *testing.T) {
	rows := []uctables.Span{{TraceID: "1", SpanID: "1"}}
	tags := map[string]string{"tracemig_version": "v1.2.3+dirty", "tracemig_run_id": "run 7 */"}
	const lastOfRun = "/* tracemig v1.2.3+dirty run run_7_, write 2 */"
	for name, c := range map[string]struct {
		refused *scripted
		log     string
		tagged  []bool // by statement
	}{
		"taken": {log: "INSERT INSERT", tagged: []bool{true, true}},
		"not known": {
			refused: new(failedAs("[CONFIG_NOT_AVAILABLE.WITHOUT_SUGGESTION] Configuration query_tags is not available.  SQLSTATE: 42K0I", "")),
			log:     "INSERT INSERT INSERT", tagged: []bool{true, false, false},
		},
		"not known, by its state": {
			refused: new(failedAs("query_tags", "42K0I")), log: "INSERT INSERT INSERT", tagged: []bool{true, false, false},
		},
		"not known, in other words": {
			refused: new(failedAs("the configuration QUERY_TAGS is not supported", "")),
			log:     "INSERT INSERT INSERT", tagged: []bool{true, false, false},
		},
		"not valid": {
			refused: new(failedAs("[INVALID_CONF_VALUE] x. SQLSTATE: 22022", "")), log: "INSERT INSERT INSERT", tagged: []bool{true, false, false},
		},
		"another failure": {
			refused: new(failedAs("[DELTA_CONCURRENT_APPEND] the row says: query_tags are not available", "2D521")),
			log:     "INSERT wait INSERT INSERT", tagged: []bool{true, true, true},
		},
		"a lost answer": {
			refused: new(failed(requestError(io.ErrUnexpectedEOF), exchange{err: io.ErrUnexpectedEOF})),
			log:     "INSERT LOOKUP wait INSERT INSERT", tagged: []bool{true, true, true, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{}
			if c.refused != nil {
				s.answers = append(s.answers, *c.refused)
			}
			if strings.Contains(c.log, "LOOKUP") {
				s.answers = append(s.answers, scripted{rows: 0})
			}
			s.answers = append(s.answers, scripted{rows: 1}, scripted{rows: 1})
			w := s.warehouse(t)
			w.policy = fastRetry
			w.SetMark(target.Mark{Version: "v1.2.3+dirty", RunID: "run 7 */"})
			for range 2 {
				if got, err := w.WriteSpans(t.Context(), rows); err != nil || got.Inserted != 1 {
					t.Fatalf("%+v, error %v; want 1 inserted", got, err)
				}
			}
			if log := strings.Join(s.log, " "); log != c.log {
				t.Errorf("it did %s, want %s", log, c.log)
			}
			for i, got := range s.sent {
				want := map[string]string(nil)
				if i < len(c.tagged) && c.tagged[i] {
					want = tags
				}
				if !reflect.DeepEqual(got.tags, want) {
					t.Errorf("statement %d has the tags %v, want %v", i, got.tags, want)
				}
			}
			if got, want := w.TagsRefused(), !c.tagged[len(c.tagged)-1]; got != want {
				t.Errorf("query tags are refused: %t, want %t", got, want)
			}
			if last := s.sent[len(s.sent)-1].text; !strings.HasSuffix(last, "\n"+lastOfRun) {
				t.Errorf("the last statement ends in %q, want %s", last[max(0, len(last)-80):], lastOfRun)
			}
		})
	}
}

// TestUnmarked sends a statement before any run is named.
func TestUnmarked(t *testing.T) {
	s := &server{answers: []scripted{{rows: 1}}}
	if _, err := s.warehouse(t).WriteSpans(t.Context(), []uctables.Span{{TraceID: "1", SpanID: "1"}}); err != nil {
		t.Fatal(err)
	}
	if len(s.sent) != 1 || s.sent[0].tags != nil || strings.Contains(s.sent[0].text, "/*") {
		t.Errorf("sent %+v, want one statement without marks", s.sent)
	}
}
