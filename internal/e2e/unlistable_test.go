//go:build rig

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/verify"
)

// TestUnlistable has a feedback of NaN in a real server's store. The server answers 500 to each page of the listing with its
// trace. The other traces are migrated, that one is named, and plan, check and verify tell of it.
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
		t.Errorf("%+v, want 12 listed, 11 migrated and one failed as unlistable", s)
	}
	if !strings.Contains(o.stdout, `"trace_id":"`+bad+`","state":"failed","reason":"unlistable"`) {
		t.Errorf("the run reports %s\nwant trace %s failed as unlistable", o.stdout, bad)
	}
	if out, err := fx.command("--dry-run").Output(); err != nil || !strings.Contains(string(out), `"traces_unlistable":1`) {
		t.Errorf("the plan is %s (%v), want one unlistable trace", out, err)
	}
	if v := fx.verify("verify", 3); v.findings[bad] != verify.Unreadable || v.report.Kinds[verify.Match] != 11 || v.report.Listed != 12 {
		t.Errorf("verify: %v, want 11 of 12 traces to match and %s to be unreadable", v, bad)
	}
	check := exec.Command(binary(t), append(append([]string{"check"}, fx.sourceFlags...), fx.targetFlags...)...)
	check.Env, check.Dir = fx.env, fx.baseDir
	const note = "11 listed, and the source has 1 that it can't list"
	if out, err := check.Output(); err != nil || !strings.Contains(string(out), note) {
		t.Errorf("check: %s (%v), want %q", out, err, note)
	}
	// A run reports it even if it is outside of the window, since an earlier run could not migrate it.
	if s := fx.mustRun(3, "--start-time", "1h").summary; s.FailedReasons["unlistable"] != 1 {
		t.Errorf("a later window: %+v, want one trace failed as unlistable", s)
	}
	// Accepted, it is no fault any more, until it can be listed.
	accept := exec.Command(binary(t), append(append([]string{"accept", bad, "--reason", "known"}, fx.sourceFlags...), fx.targetFlags...)...)
	accept.Env, accept.Dir = fx.env, fx.baseDir
	if out, err := accept.CombinedOutput(); err != nil {
		t.Errorf("accept: %s (%v)", out, err)
	}
	if s := fx.mustRun(0).summary; s.Failed != 0 || s.AcceptedReasons["unlistable"] != 1 {
		t.Errorf("accepted: %+v, want it accepted as unlistable and none failed", s)
	}
	if v := fx.verify("verify", 0); v.findings[bad] != verify.Accepted || v.report.Kinds[verify.Match] != 11 {
		t.Errorf("verify: %v, want 11 traces to match and %s to be accepted", v, bad)
	}
	m.SetFeedback(t, bad, "0.5")
	if s := fx.mustRun(0).summary; s.Migrated != 1 || s.Failed != 0 || s.AcceptancesEnded != 1 {
		t.Errorf("once it can be listed: %+v, want it migrated, none failed, and the acceptance ended", s)
	}
	// A migrated trace that can no longer be listed stays as it is.
	m.SetFeedback(t, bad, "NaN")
	if s := fx.mustRun(3).summary; s.Migrated != 0 || s.FailedReasons["unlistable"] != 1 {
		t.Errorf("once it can't be listed again: %+v, want it failed as unlistable and none migrated", s)
	}
}
