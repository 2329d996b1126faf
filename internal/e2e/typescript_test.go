//go:build rig

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// TestTypeScript has a trace stored as MLflow's TypeScript SDK stores it. Its strings stay strings, whatever they contain.
func TestTypeScript(t *testing.T) {
	t.Parallel()
	m := rig.SharedServer(t)
	c := m.FillCases(t, "/e2e/"+t.Name(), "typescript")
	fx := newFixture(t, m.URI, c.Experiment).toLocal()
	if o := fx.mustRun(0); o.summary.Migrated != 1 || len(o.summary.Notes) > 0 {
		t.Errorf("%+v, want one trace migrated and no notes", o.summary)
	}
	trace := c.Cases["typescript"][0]
	var got map[string]any
	if err := fx.openLake().ReadSpans(t.Context(), []string{strings.TrimPrefix(trace, "tr-")}, target.AllTimes, func(s *uctables.Span) error {
		return json.Unmarshal(s.Attributes, &got)
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"digits": "123", "truth": "true", "nothing": "null", "text": `{"answer": 42}`, "cut off": `{"answer`, "number": 123.,
		"mlflow.spanInputs": map[string]any{"limit": "5"}, "mlflow.spanOutputs": `{"answer": 42}`,
		"mlflow.spanType": "AGENT", "mlflow.traceRequestId": trace,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("attributes differ (-want +got):\n%s", d)
	}
	if v := fx.verify("verify", 0, "--deep"); !v.report.Equal {
		t.Errorf("verify: %v, want an equal target", v)
	}
}
