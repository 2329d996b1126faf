package main

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/verify"
)

// next is the command that is to follow, and what for; the zero next is none.
type next struct {
	why  string // a clause
	args []string
}

func (n next) String() string {
	words := make([]string, len(n.args))
	for i, a := range n.args {
		words[i] = shellWord(a)
	}
	return "tracemig " + strings.Join(words, " ")
}

// shellWord is s as a shell takes it for one word.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@%+=:,./-", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// withoutPassword is an argument of a command line as it may be printed.
func withoutPassword(arg string) string {
	flag, value, given := strings.Cut(arg, "=")
	if !given || !strings.HasPrefix(flag, "--") {
		flag, value = "", arg
	} else {
		flag += "="
	}
	u, err := url.Parse(value)
	switch {
	case mlflowdb.Names(value):
		return flag + mlflowdb.WithoutPassword(value)
	case strings.Contains(value, "://") && strings.Contains(value, "@") && (err != nil || u.User != nil):
		return flag + "…" // who runs it again knows the address
	}
	return arg
}

// again is the command line of this process.
func (a *app) again(why string) next {
	n := next{why: why}
	for _, arg := range a.args {
		n.args = append(n.args, withoutPassword(arg))
	}
	return n
}

// flags are flags of a command line.
type flags []string

func (f *flags) add(name, value string) {
	if value != "" {
		*f = append(*f, "--"+name, withoutPassword(value))
	}
}

func (f *flags) addIf(name string, given bool) {
	if given {
		*f = append(*f, "--"+name)
	}
}

// args are the flags that name the pair, as another command takes them.
func (o *pairOptions) args() (f flags) {
	f.add("source", o.source)
	f.add("target", o.target)
	f.add("tracking-uri", o.trackingURI)
	f.add("source-name", o.sourceName)
	f.add("server", o.server)
	f.add("artifacts-destination", o.artifacts)
	f.add("workspace", o.workspace)
	f.addIf("insecure-http", o.insecureHTTP)
	f.add("profile", o.profile)
	f.add("source-profile", o.sourceProfile)
	f.add("target-profile", o.targetProfile)
	f.add("host", o.host)
	f.add("warehouse-id", o.warehouseID)
	f.add("checkpoint", o.checkpoint)
	if o.shard.Count > 0 {
		f.add("shard", o.shard.String())
	}
	return f
}

// comparisonArgs are the flags of the pair and of what is compared of it.
func (o *runOptions) comparisonArgs() flags {
	f := o.pairOptions.args()
	if o.hasStartMs {
		f.add("start-time-ms", strconv.FormatInt(o.startMs, 10))
	}
	f.add("start-time", o.startTime)
	f.add("end-time", o.endTime)
	f.add("run-links", string(o.runLinks))
	f.add("service-name", o.serviceName)
	return f
}

func command(name string, args flags, more ...string) []string {
	return append(append([]string{name}, args...), more...)
}

// afterRun is what is to follow a run.
func (s *session) afterRun(sum *migrate.Summary) next {
	o := &s.opts
	switch {
	case sum.Stopped == report.AtLimit && (o.verify || o.repair): // a comparison follows
		return next{}
	case sum.Outcome != report.Done && sum.Outcome != report.Partial:
		return s.again("to go on where it ended")
	case sum.Failed > 0:
		return next{"to see each that failed, and why", command("status", o.pairOptions.args(), "--list", "failed")}
	case sum.Duplicates != nil && *sum.Duplicates > 0:
		return next{"to see which are there twice", command("verify", o.comparisonArgs())}
	case sum.Listed == 0:
		return next{"to see what the source has", command("check", o.pairOptions.args())}
	case o.verify, o.repair: // follows by itself
		return next{}
	}
	return next{"to prove it, value by value", command("verify", o.comparisonArgs(), "--deep")}
}

// afterVerification is what is to follow a verification.
func (s *session) afterVerification(r *verify.Report) next {
	o := &s.opts
	var deep []string
	if o.deep {
		deep = []string{"--deep"}
	}
	wrong, pending := r.Wrong(), r.Kinds[verify.Pending]
	switch {
	case r.Outcome != report.Done:
		return s.again("to begin it again")
	case r.Compared == 0:
		return next{"to see what the source has", command("check", o.pairOptions.args())}
	case wrong > 0 && wrong == pending:
		return next{"to move what is missing", command("run", o.comparisonArgs())}
	case wrong > 0:
		return next{"to write again what is missing or differs", command("repair", o.comparisonArgs(), deep...)}
	case r.Kinds[verify.Unreadable] > 0:
		return s.again("once the source gives them")
	case r.Kinds[verify.Changed]+r.Kinds[verify.Newer] > 0:
		return next{"to follow the source", command("run", o.comparisonArgs())}
	case !o.deep:
		args := o.comparisonArgs()
		args.add("verify-from", o.verifyFrom)
		return next{"to compare every value too", command("verify", args, "--deep")}
	}
	return next{}
}

// tellNext prints what is to follow. The demo has said what to do, in its own words.
func (s *session) tellNext(n next) error {
	if len(n.args) == 0 || s.opts.demo {
		return nil
	}
	return s.out.next(n)
}
