//go:build rig

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/verify"
)

// TestUnlistable has a feedback of NaN in a real server's store, which makes every page that holds its trace
// answer 500: the others are migrated, it is named, and plan, check and verify know of it.
func TestUnlistable(t *testing.T) {
	t.Parallel()
	m := mlflowServer(t)
	c := m.Add(t, "/e2e/"+t.Name(), 12)
	bad := ""
	for _, ids := range c.Cases {
		bad = ids[len(ids)/2]
	}
	m.SetFeedback(t, bad, "NaN")
	fx := newFixture(t, m.URI, c.Experiment).toLocal()
	o := fx.mustRun(3)
	if s := o.summary; s.Migrated != 11 || s.Failed != 1 || s.FailedReasons["unlistable"] != 1 || s.Listed != 12 {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(o.stdout, `"trace_id":"`+bad+`","state":"failed","reason":"unlistable"`) {
		t.Errorf("%s is not reported in %s", bad, o.stdout)
	}
	if out, err := fx.command("--dry-run").Output(); err != nil || !strings.Contains(string(out), `"traces_unlistable":1`) {
		t.Errorf("the plan is %s, %v", out, err)
	}
	if v := fx.verify("verify", 3); v.findings[bad] != verify.Unreadable || v.report.Kinds[verify.Match] != 11 || v.report.Listed != 12 {
		t.Errorf("verify: %+v", v)
	}
	check := exec.Command(binary(t), append(append([]string{"check"}, fx.sourceFlags...), fx.targetFlags...)...)
	check.Env, check.Dir = fx.env, fx.baseDir
	if out, err := check.Output(); err != nil || !strings.Contains(string(out), "11 are listed, and the source has 1 that it can't list") {
		t.Errorf("check: %s, %v", out, err)
	}
	// Where it is outside of the window, an earlier run has left it open.
	if s := fx.mustRun(3, "--start-time", "1h").summary; s.FailedReasons["unlistable"] != 1 {
		t.Errorf("a later window: %+v", s)
	}
	m.SetFeedback(t, bad, "0.5")
	if s := fx.mustRun(0).summary; s.Migrated != 1 || s.Failed != 0 {
		t.Errorf("once it can be listed: %+v", s)
	}
	// One that was migrated before stays as it is.
	m.SetFeedback(t, bad, "NaN")
	if s := fx.mustRun(3).summary; s.Migrated != 0 || s.FailedReasons["unlistable"] != 1 {
		t.Errorf("once it can't be listed again: %+v", s)
	}
}
