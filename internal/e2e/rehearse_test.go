//go:build rig

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tracemig/tracemig/internal/rehearsal"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/schemas"
)

var report = flag.Bool("report", false, "write docs/rehearsal.md from what TestRehearse prints")

// scratchTables returns the names of the tables in the warehouse that rehearsals of the fixture's target have created.
func (fx *fixture) scratchTables() []string {
	fx.t.Helper()
	var names []string
	for _, row := range fx.warehouse.SQL(fx.t, "SHOW TABLES IN default LIKE '"+fx.prefix+"_rehearsal*'") {
		names = append(names, fmt.Sprint(row[1]))
	}
	return names
}

// TestRehearse rehearses with a source, and interrupts a rehearsal without one. Both leave no table behind.
func TestRehearse(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "json_types,links,events,feedback_values")
	fx := newFixture(t, m.URI, c.Experiment).toWarehouse()
	command := func(flags ...string) *exec.Cmd {
		cmd := exec.Command(binary(t), append([]string{"rehearse", "--target", fx.targetFlags[1]}, flags...)...)
		cmd.Env, cmd.Dir = fx.env, fx.baseDir
		return cmd
	}
	var errOut bytes.Buffer
	cmd := command(append([]string{"-o", "json"}, fx.sourceFlags...)...)
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("rehearse: %v, want success\n%s\n%s", err, out, tail(errOut.String()))
	}
	if err := schemas.Lines(string(out)); err != nil {
		t.Error(err)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		var step struct {
			Type string
			rehearsal.Step
		}
		if err := json.Unmarshal([]byte(line), &step); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if step.Type == "step" {
			names = append(names, step.Name)
			if step.Result != rehearsal.OK {
				t.Errorf("step %+v, want result %s", step, rehearsal.OK)
			}
			if refused, told := step.Measured["query_tags_refused"]; step.Name == "commit time" && (!told || refused != false) {
				t.Errorf("step %+v, want query tags that were not refused", step)
			}
		}
	}
	want := []string{"values", "commit time", "statement size", "results", "two writers", "lost answer",
		"newer versions", "traces of the source"}
	if !slices.Equal(names, want) {
		t.Errorf("steps %q, want %q", names, want)
	}
	for _, secret := range []string{fx.prefix, "spark_catalog", fx.front.URL} {
		if strings.Contains(string(out), secret) {
			t.Errorf("the report must not name %s:\n%s", secret, out)
		}
	}
	if left := fx.scratchTables(); len(left) > 0 {
		t.Errorf("tables %q are left, want none", left)
	}
	if *report {
		writeReport(t, out)
	}

	cmd = command()
	lines, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(lines)
	first, _ := in.ReadString('\n')
	if during := fx.scratchTables(); len(during) == 0 || !strings.HasPrefix(first, "ok ") {
		t.Errorf("after the first step, %q, there are the tables %q; want an ok step and some tables", first, during)
	}
	_ = cmd.Process.Signal(syscall.SIGINT)
	_, _ = in.WriteTo(&errOut)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("interrupted, it ends with exit code %d, want 130", cmd.ProcessState.ExitCode())
	}
	if left := fx.scratchTables(); len(left) > 0 {
		t.Errorf("interrupted, it leaves the tables %q, want none", left)
	}
}

// writeReport writes docs/rehearsal.md.
func writeReport(t *testing.T, out []byte) {
	t.Helper()
	text := `# A rehearsal on the stand-in

What ` + "`tracemig rehearse --source … --target … -o json`" + ` prints on testdata/rig/warehouse.py, ` +
		`Spark 4.0 and Delta 4.4 on two cores
behind the real driver (go test -tags rig ./internal/e2e -run TestRehearse -report). It shows the report's form: seconds and sizes
here say nothing of a SQL warehouse. Reports of real ones are what tracemig's authors have none of: please send yours.

` + "```json\n" + string(out) + "```\n"
	if err := os.WriteFile(filepath.Join(rig.Root(), "docs", "rehearsal.md"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
