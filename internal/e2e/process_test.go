//go:build rig

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/schemas"
)

// runTimeout is the time after which a run counts as hung.
const runTimeout = 10 * time.Minute

// outcome is what a run ended with and printed.
type outcome struct {
	code           int
	summary        migrate.Summary
	traces         []migrate.TraceReport
	stdout, stderr string
}

// message is what the summary says of a failure; empty for none.
func (o *outcome) message() string {
	if o.summary.Error == nil {
		return ""
	}
	return advice.Join(o.summary.Error.Message, o.summary.Error.Next)
}

// process is a run that has been started.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

// wait waits for the end of the run and returns its outcome. The exit code of a killed run is -1.
func (p *process) wait() outcome {
	p.t.Helper()
	hung := time.AfterFunc(runTimeout, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) })
	err := p.cmd.Wait()
	if !hung.Stop() {
		p.t.Fatalf("the run took longer than %v:\n%s", runTimeout, tail(p.stderr.String()))
	}
	if err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			p.t.Fatal(err)
		}
	}
	o := outcome{code: p.cmd.ProcessState.ExitCode(), stdout: p.stdout.String(), stderr: p.stderr.String()}
	if o.code == 66 {
		p.t.Fatalf("data race:\n%s", o.stderr)
	}
	if o.code == -1 {
		return o
	}
	if err := schemas.Lines(o.stdout); err != nil {
		p.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
	for i, line := range lines {
		var typed struct{ Type string }
		var into any = &o.summary
		if err := json.Unmarshal([]byte(line), &typed); err != nil {
			p.t.Fatalf("standard output has the line %q: %v\n%s", line, err, tail(o.stderr))
		}
		if i < len(lines)-1 {
			o.traces = append(o.traces, migrate.TraceReport{})
			into = &o.traces[i]
		}
		if want := map[bool]string{true: "trace", false: "summary"}[i < len(lines)-1]; typed.Type != want {
			p.t.Fatalf("line %d of standard output has type %q, want %q", i, typed.Type, want)
		}
		if err := json.Unmarshal([]byte(line), into); err != nil {
			p.t.Fatal(err)
		}
	}
	return o
}

// tail returns the end of a long text.
func tail(s string) string {
	if len(s) > 4000 {
		return "… " + s[len(s)-4000:]
	}
	return s
}

// command returns the command of a run with further flags.
func (fx *fixture) command(flags ...string) *exec.Cmd {
	fx.t.Helper()
	args := []string{"run", "-o", "json", "--log-level", "debug"}
	cmd := exec.Command(binary(fx.t), slices.Concat(args, fx.rateFlags, fx.sourceFlags, fx.targetFlags, flags)...)
	cmd.Env, cmd.Dir = fx.env, fx.baseDir
	return cmd
}

// start starts a run with further flags.
func (fx *fixture) start(flags ...string) *process {
	fx.t.Helper()
	p := &process{t: fx.t, cmd: fx.command(flags...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		fx.t.Fatal(err)
	}
	return p
}

// run starts a run and waits for its end.
func (fx *fixture) run(flags ...string) outcome {
	fx.t.Helper()
	return fx.start(flags...).wait()
}

// mustRun is run for a run that must end with this exit code.
func (fx *fixture) mustRun(code int, flags ...string) outcome {
	fx.t.Helper()
	o := fx.run(flags...)
	if o.code == code && (code == 0 || code == 3) {
		fx.dropCreateFlags()
	}
	if o.code != code {
		fx.t.Fatalf("exit code %d, want %d\n%s\n%s", o.code, code, tail(o.stdout), tail(o.stderr))
	}
	return o
}
