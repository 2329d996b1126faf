package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/robfig/cron/v3"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/tracemig/tracemig/internal/config"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/metrics"
	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/terminal"
	"github.com/tracemig/tracemig/testdata/sample"
)

var exampleFolder = filepath.Join(docRoot, "examples")

// exampleCommands are the commands of tracemig in each example, in their order.
var exampleCommands = map[string]struct {
	lines func(t *testing.T, text string) [][]string
	names []string
}{
	"cron/crontab":                {linesOfCrontab, []string{"run", "verify"}},
	"cron/crontab-pairs":          {linesOfCrontab, []string{"run", "verify"}},
	"systemd/tracemig.service":    {linesOfUnit, []string{"run"}},
	"kubernetes/cronjob.yaml":     {linesOfManifests, []string{"run"}},
	"kubernetes/job.yaml":         {linesOfManifests, []string{"run", "run", "run", "run"}},
	"github-actions/tracemig.yml": {linesOfWorkflow, []string{"run"}},
	"databricks/databricks.yml":   {linesOfBundle, []string{"check", "run", "run", "run", "run", "verify"}},
	"databricks-job/migrate.sql":  {linesOfNotebook, []string{"run"}},
}

// otherExamples are those without a command line; tests below and make examples look at them.
var otherExamples = []string{
	"databricks/tracemig.py", "databricks-job/databricks.yml", "grafana/dashboard.json", "prometheus/alerts.yml", "prometheus/alerts_test.yml",
	"systemd/tracemig.timer", "tracemig.yaml",
}

func TestExamplesAreKnown(t *testing.T) {
	known := slices.Concat(slices.Collect(maps.Keys(exampleCommands)), otherExamples)
	err := filepath.WalkDir(exampleFolder, func(path string, d fs.DirEntry, err error) error {
		if name, _ := filepath.Rel(exampleFolder, path); err == nil && !d.IsDir() && !slices.Contains(known, filepath.ToSlash(name)) {
			t.Errorf("no test looks at the example %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestExamplesRun runs each command line of the examples as it is, but against the sample's server and local tables.
func TestExamplesRun(t *testing.T) {
	experiment, err := replay.Load(sample.Files)
	if err != nil {
		t.Fatal(err)
	}
	for name, example := range exampleCommands {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(experiment)
			defer server.Close()
			dir := t.TempDir()
			var names []string
			for _, line := range example.lines(t, readDoc(t, filepath.Join(exampleFolder, name))) {
				names = append(names, line[0])
				args := rewritten(t, line, server.URL, dir)
				if code, said := runHere(t, dir, args); code != exitOK {
					t.Errorf("tracemig %s: exit code %d\n%s", strings.Join(args, " "), code, said)
				}
			}
			if !slices.Equal(names, example.names) {
				t.Errorf("it runs %v, want %v", names, example.names)
			}
			if _, err := os.Stat(filepath.Join(dir, "agent_otel_spans")); err != nil {
				t.Error(err)
			}
		})
	}
}

// rewritten is a command line with what the sample needs in place of what only the example's surroundings have.
func rewritten(t *testing.T, line []string, server, dir string) []string {
	t.Helper()
	c, rest, err := newRootCommand(&app{}).Find(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Fatalf("%v: %v", line, err)
	}
	if len(c.Flags().Args()) > 0 {
		t.Fatalf("%v: it has the arguments %q", line, c.Flags().Args())
	}
	args := []string{c.Name(), "--tracking-uri=" + server}
	c.Flags().Visit(func(f *pflag.Flag) {
		value := f.Value.String()
		switch f.Name {
		case "warehouse-id":
			return // Local tables have none.
		case "start-time":
			return // The sample is older.
		case "source":
			value = "/Shared/support-agent"
		case "target":
			value = "file:" + dir + "/agent"
		case "metrics-file", "summary-file", "report":
			value = filepath.Join(dir, filepath.Base(value))
		case "metrics-addr":
			value = "0"
		case "config":
			value = rewrittenConfig(t, dir)
		}
		args = append(args, "--"+f.Name+"="+value)
	})
	return args
}

// rewrittenConfig is the example's file of pairs for the sample: without patterns, of which its server has no experiments.
func rewrittenConfig(t *testing.T, dir string) string {
	t.Helper()
	var file struct {
		Defaults map[string]any   `yaml:"defaults"`
		Pairs    []map[string]any `yaml:"pairs"`
	}
	if err := yaml.Unmarshal([]byte(readDoc(t, filepath.Join(exampleFolder, "tracemig.yaml"))), &file); err != nil {
		t.Fatal(err)
	}
	file.Pairs = slices.DeleteFunc(file.Pairs, func(p map[string]any) bool { return config.IsPattern(p["source"].(string)) })
	file.Defaults["target"] = "file:" + dir + "/agent"
	delete(file.Defaults, "warehouse_id")
	delete(file.Defaults, "start_time")
	for _, key := range []string{"metrics_file", "summary_file"} {
		file.Defaults[key] = filepath.Join(dir, filepath.Base(file.Defaults[key].(string)))
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "tracemig.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExampleOfPairs holds the file of pairs against what tracemig config check says, and against the schema.
func TestExampleOfPairs(t *testing.T) {
	text := readDoc(t, filepath.Join(exampleFolder, "tracemig.yaml"))
	if err := validates(t, compiledConfigSchema(t), text); err != nil {
		t.Error(err)
	}
	a, file := configApp(t, text, nil)
	if _, problems, err := checkConfig(a, file); err != nil || len(problems) > 0 {
		t.Errorf("%v%v", err, problems)
	}
}

// runHere runs a command in this process.
func runHere(t *testing.T, dir string, args []string) (code int, said string) {
	t.Helper()
	log, err := os.CreateTemp(dir, "log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	getenv := func(name string) string { // GOMEMLIMIT: the limit of memory would hold for the whole test
		return map[string]string{"XDG_STATE_HOME": filepath.Join(dir, "state"), "HOME": dir, "GOMEMLIMIT": "off"}[name]
	}
	a := &app{
		stdout: newResults(&bytes.Buffer{}), terminal: terminal.New(log, getenv), waits: &retry.Waits{}, getenv: getenv, args: args,
		ctx: t.Context(), stop: t.Context(),
	}
	code = a.execute(newRootCommand(a), func() bool { return false })
	return code, readDoc(t, log.Name())
}

// shellLine are the arguments of a simple command line, without the program and what is redirected.
func shellLine(t *testing.T, line string) []string {
	t.Helper()
	if strings.ContainsAny(line, `"'`+"`") {
		t.Fatalf("this test knows no quotes: %s", line)
	}
	words := strings.Fields(line)
	if end := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w, ">|") }); end >= 0 {
		words = words[:end]
	}
	return words[1:]
}

var joinedLines = strings.NewReplacer("\\\n", " ")

func linesOfCrontab(t *testing.T, text string) (all [][]string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || regexp.MustCompile(`^\w+=`).MatchString(line) {
			continue
		}
		if strings.Contains(line, "%") {
			t.Errorf("cron ends a command at a %%: %s", line)
		}
		fields := strings.Fields(line)
		checkSchedule(t, strings.Join(fields[:5], " "))
		all = append(all, shellLine(t, strings.Join(fields[5:], " ")))
	}
	return all
}

func checkSchedule(t *testing.T, schedule string) {
	t.Helper()
	if _, err := cron.ParseStandard(schedule); err != nil {
		t.Errorf("schedule %q: %v", schedule, err)
	}
}

func linesOfUnit(t *testing.T, text string) (all [][]string) {
	for line := range strings.Lines(joinedLines.Replace(text)) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart="); ok {
			all = append(all, shellLine(t, command))
		}
	}
	return all
}

// each calls f for every mapping of a YAML document, from the outside in.
func each(node any, f func(map[string]any)) {
	switch node := node.(type) {
	case map[string]any:
		f(node)
		for _, key := range slices.Sorted(maps.Keys(node)) {
			each(node[key], f)
		}
	case []any:
		for _, one := range node {
			each(one, f)
		}
	}
}

func decodeYAML(t *testing.T, text string) (documents []any) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var v any
		err := d.Decode(&v)
		if err == io.EOF {
			return documents
		}
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, v)
	}
}

func texts(list any) (all []string) {
	items, _ := list.([]any)
	for _, item := range items {
		all = append(all, item.(string))
	}
	return all
}

// filledIn is a command line with a value in the place of a variable.
func filledIn(line []string, variable, value string) (filled []string) {
	for _, word := range line {
		filled = append(filled, strings.ReplaceAll(word, variable, value))
	}
	return filled
}

func linesOfManifests(t *testing.T, text string) (all [][]string) {
	pods := 1
	each(decodeYAML(t, text), func(m map[string]any) {
		if schedule, ok := m["schedule"].(string); ok {
			checkSchedule(t, schedule)
		}
		if n, ok := m["completions"].(int); ok {
			pods = n
		}
		if m["image"] != nil {
			for i := range pods {
				all = append(all, filledIn(texts(m["args"]), "$(INDEX)", strconv.Itoa(i)))
			}
		}
	})
	return all
}

func linesOfWorkflow(t *testing.T, text string) (all [][]string) {
	each(decodeYAML(t, text), func(m map[string]any) {
		if schedule, ok := m["cron"].(string); ok {
			checkSchedule(t, schedule)
		}
		script, _ := m["run"].(string)
		for line := range strings.Lines(joinedLines.Replace(script)) {
			if strings.HasPrefix(strings.TrimSpace(line), "tracemig ") {
				all = append(all, shellLine(t, line))
			}
		}
	})
	return all
}

// jobOfBundle is the job of a bundle, whose fields have to be those that the SDK's types have.
func jobOfBundle(t *testing.T, text string) map[string]any {
	t.Helper()
	var bundle struct {
		Variables map[string]any
		Resources struct {
			Jobs map[string]map[string]any
		}
	}
	if err := yaml.Unmarshal([]byte(text), &bundle); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\$\{var\.(\w+)\}`).FindAllStringSubmatch(text, -1) {
		if bundle.Variables[m[1]] == nil {
			t.Errorf("the bundle uses the variable %s, which it does not have", m[1])
		}
	}
	job := bundle.Resources.Jobs["tracemig"]
	checkFields(t, "job", reflect.TypeFor[jobs.JobSettings](), job)
	return job
}

func linesOfBundle(t *testing.T, text string) (all [][]string) {
	tasks := jobOfBundle(t, text)["tasks"].([]any)
	for _, task := range tasks {
		inputs := []string{""}
		each(task, func(m map[string]any) {
			if text, ok := m["inputs"].(string); ok {
				if err := json.Unmarshal([]byte(text), &inputs); err != nil {
					t.Errorf("inputs %s: %v", text, err)
				}
			}
			if parameters := texts(m["parameters"]); len(parameters) > 2 {
				for _, input := range inputs { // the line is behind the binary and the secret scope, see tracemig.py
					all = append(all, filledIn(parameters[2:], "{{input}}", input))
				}
			}
		})
	}
	return all
}

// shellOfNotebook is the script in the only cell of a notebook.
func shellOfNotebook(t *testing.T, text string) string {
	t.Helper()
	text, isNotebook := strings.CutPrefix(text, "-- Databricks notebook source\n-- MAGIC %sh -e\n")
	if !isNotebook || strings.Contains(text, "COMMAND ----------") {
		t.Fatal("it is not a notebook of one cell that runs a shell")
	}
	var script strings.Builder
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "-- MAGIC")
		if !ok {
			t.Fatalf("the notebook would take this for SQL: %s", line)
		}
		script.WriteString(strings.TrimPrefix(rest, " "))
	}
	return script.String()
}

// linesOfNotebook has source and target behind the flags, which the script gives as variables.
func linesOfNotebook(t *testing.T, text string) (all [][]string) {
	for line := range strings.Lines(joinedLines.Replace(shellOfNotebook(t, text))) {
		if _, args, ok := strings.Cut(line, `"$folder/tracemig" run`); ok {
			all = append(all, append(shellLine(t, "tracemig run"+args), "--source=/Shared/support-agent", "--target=main.agents.support"))
		}
	}
	return all
}

// checkFields wants that the type has all fields that a value has.
func checkFields(t *testing.T, path string, typ reflect.Type, value any) {
	t.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch value := value.(type) {
	case []any:
		if typ.Kind() != reflect.Slice {
			t.Fatalf("%s is a list, and %s in the SDK", path, typ)
		}
		for _, one := range value {
			checkFields(t, path, typ.Elem(), one)
		}
	case map[string]any:
		if typ.Kind() != reflect.Struct {
			return
		}
		fields := map[string]reflect.Type{}
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields[name] = f.Type
		}
		for name, one := range value {
			if fields[name] == nil {
				t.Errorf("%s has no field %s in the SDK (%s)", path, name, typ)
				continue
			}
			checkFields(t, path+"."+name, fields[name], one)
		}
	}
}

// TestExamplesOfSystemd has systemd itself look at the units.
func TestExamplesOfSystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var units []string
	for _, name := range []string{"tracemig.service", "tracemig.timer"} {
		text := strings.ReplaceAll(readDoc(t, filepath.Join(exampleFolder, "systemd", name)), "/usr/local/bin/tracemig", program)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		units = append(units, path)
	}
	out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) || strings.Contains(string(out), "tracemig") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestExamplesOfMetrics holds that alerts and dashboard ask for metrics, and for values of labels, that there are.
func TestExamplesOfMetrics(t *testing.T) {
	for name, least := range map[string]int{"prometheus/alerts.yml": 4, "prometheus/alerts_test.yml": 4, "grafana/dashboard.json": 10} {
		text := readDoc(t, filepath.Join(exampleFolder, name))
		found := map[string]bool{}
		for _, metric := range metricName.FindAllString(text, -1) {
			if metrics.Help[metric] == "" {
				t.Errorf("%s asks for %s, which there is not", name, metric)
			}
			found[metric] = true
		}
		if len(found) < least {
			t.Errorf("%s asks for %d metrics, want at least %d", name, len(found), least)
		}
	}
	var dashboard any
	if err := json.Unmarshal([]byte(readDoc(t, filepath.Join(exampleFolder, "grafana", "dashboard.json"))), &dashboard); err != nil {
		t.Error(err)
	}
}

// TestExamplesOfExitCodes holds that the exit codes that the examples act on are some that there are.
func TestExamplesOfExitCodes(t *testing.T) {
	known := []int{exitOK, exitFailed, exitPartial, exitFound, exitStopped, exitInterrupted}
	for _, k := range fault.Kinds {
		known = append(known, k.ExitCode)
	}
	for name, form := range map[string]string{
		"systemd/tracemig.service":   `(?m)^(?:SuccessExitStatus|RestartPreventExitStatus)=(.*)$`,
		"kubernetes/cronjob.yaml":    `values: \[(.*)\]`,
		"kubernetes/job.yaml":        `values: \[(.*)\]`,
		"prometheus/alerts.yml":      `tracemig_exit_code(?:\{.*\})? == (\d+)`,
		"databricks/tracemig.py":     `code not in \((.*)\)`,
		"databricks-job/migrate.sql": `(?m)^-- MAGIC   ([\d|]+)\) exit`,
		"grafana/dashboard.json":     `"(\d+)": \{\s*"text"`,
	} {
		found := regexp.MustCompile(form).FindAllStringSubmatch(readDoc(t, filepath.Join(exampleFolder, name)), -1)
		if len(found) == 0 {
			t.Errorf("%s acts on no exit code", name)
		}
		for _, m := range found {
			for _, digits := range regexp.MustCompile(`\d+`).FindAllString(m[1], -1) {
				if code, _ := strconv.Atoi(digits); !slices.Contains(known, code) {
					t.Errorf("%s acts on the exit code %d, which there is not", name, code)
				}
			}
		}
	}
}

// TestExampleForDatabricks runs the Python file that starts the program as a task, with a stand-in for the SDK. Exit codes that another
// try would not change end a task well.
func TestExampleForDatabricks(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("databricks/__init__.py", "", 0o600)
	file("databricks/sdk.py", `
class WorkspaceClient:
    class config: host = "https://host"
    class dbutils:
        class secrets:
            def get(scope, key): return f"{scope} {key}"
`, 0o600)
	binary := file("binary", `#!/bin/sh
[ "$1 $DATABRICKS_HOST $DATABRICKS_CLIENT_ID $DATABRICKS_CLIENT_SECRET" = "run https://host s client-id s client-secret" ] || exit 99
mkdir -p "$XDG_STATE_HOME" && exit $2
`, 0o600)
	for code, well := range map[string]bool{"0": true, "3": true, "5": true, "1": false, "12": false, "13": false} {
		c := exec.Command(python, filepath.Join(exampleFolder, "databricks", "tracemig.py"), binary, "s", "run", code)
		c.Env = []string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=" + dir, "PYTHONDONTWRITEBYTECODE=1"}
		out, err := c.CombinedOutput()
		if well != (err == nil) || !well && !strings.Contains(string(out), "tracemig run ended with exit code "+code+":") {
			t.Errorf("exit code %s: %v, %s; want it to end well: %v", code, err, out, well)
		}
	}
}

// TestExampleOfNotebook runs the script of the notebook with the variables of the bundle's cluster. The checkpoint comes back in the next
// night, also after a run that failed, and nothing else of the cluster's surroundings reaches the program.
func TestExampleOfNotebook(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(exampleFolder, "databricks-job")
	job := jobOfBundle(t, readDoc(t, filepath.Join(folder, "databricks.yml")))
	task := job["tasks"].([]any)[0].(map[string]any)
	name := task["notebook_task"].(map[string]any)["notebook_path"].(string)
	script := shellOfNotebook(t, readDoc(t, filepath.Join(folder, name)))
	cluster := job["job_clusters"].([]any)[0].(map[string]any)
	if cluster["job_cluster_key"] != task["job_cluster_key"] {
		t.Errorf("the task runs on %v, and the bundle has %v", task["job_cluster_key"], cluster["job_cluster_key"])
	}
	state := filepath.Join(dir, "volume", "state")
	folders := strings.NewReplacer("${workspace.file_path}", dir, "${var.state_folder}", state)
	env := []string{"PATH=" + os.Getenv("PATH"), "DATABRICKS_TOKEN=of-the-cluster"}
	for variable, value := range cluster["new_cluster"].(map[string]any)["spark_env_vars"].(map[string]any) {
		env = append(env, variable+"="+folders.Replace(value.(string)))
	}
	program := `#!/bin/sh
[ "$1 $TRACEMIG_SOURCE $TRACEMIG_TARGET $TRACEMIG_WAREHOUSE_ID" = 'run ${var.source} ${var.target} ${var.warehouse_id}' ] || exit 99
[ "$DATABRICKS_HOST" = '${workspace.host}' ] && [ -z "$DATABRICKS_TOKEN$MIGRATION_CLIENT_SECRET" ] || exit 98
[ "$DATABRICKS_CLIENT_ID$DATABRICKS_CLIENT_SECRET" = \
	'{{secrets/${var.secret_scope}/client-id}}{{secrets/${var.secret_scope}/client-secret}}' ] || exit 97
mkdir -p "$XDG_STATE_HOME/tracemig" && echo . >>"$XDG_STATE_HOME/tracemig/nights"
exit $(wc -l <"$XDG_STATE_HOME/tracemig/nights")
`
	if err := os.WriteFile(filepath.Join(dir, "tracemig"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	for code := 1; code <= 6; code++ { // the program ends with the number of nights that the checkpoint knows
		c := exec.Command("sh", "-e")
		c.Stdin, c.Env = strings.NewReader(script), append(env, "TMPDIR="+t.TempDir())
		out, err := c.CombinedOutput()
		want := code
		if code == 3 || code == 5 {
			want = 0
		}
		if c.ProcessState.ExitCode() != want || !strings.Contains(string(out), fmt.Sprintf("ended with exit code %d\n", code)) {
			t.Errorf("night %d: %v, want %d\n%s", code, err, want, out)
		}
		if left, _ := filepath.Glob(strings.TrimPrefix(c.Env[len(c.Env)-1], "TMPDIR=") + "/*"); len(left) > 0 {
			t.Errorf("night %d left %v", code, left)
		}
	}
	if err := os.Truncate(filepath.Join(state, "state.tar"), 1540); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-e")
	c.Stdin, c.Env = strings.NewReader(script), env
	if out, _ := c.CombinedOutput(); c.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "can't be read") {
		t.Errorf("with half a checkpoint: exit code %d, want 1 as in the first night\n%s", c.ProcessState.ExitCode(), out)
	}
}
