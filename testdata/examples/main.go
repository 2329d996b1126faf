// Command examples holds the folder of examples against the types of the programs that read them. It is a module of its own, so
// that these types stay out of tracemig's.
//
//	examples FOLDER RULES
//
// Kubernetes manifests and the Grafana dashboard must have no field that the types don't have. The queries of the dashboard are written
// into the file RULES, as rules that promtool can check.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: examples FOLDER RULES")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(folder, rules string) error {
	manifests, err := filepath.Glob(filepath.Join(folder, "kubernetes", "*.yaml"))
	if err == nil && len(manifests) == 0 {
		err = fmt.Errorf("%s has no Kubernetes manifests", folder)
	}
	for _, path := range manifests {
		err = errors.Join(err, named(path, checkManifests))
	}
	return errors.Join(err, named(filepath.Join(folder, "grafana", "dashboard.json"), func(text []byte) error {
		if err := checkDashboard(text); err != nil {
			return err
		}
		return writeQueries(text, rules)
	}))
}

func named(path string, f func(text []byte) error) error {
	text, err := os.ReadFile(path)
	if err == nil {
		err = f(text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// checkManifests decodes each document of a file as what its kind says.
func checkManifests(text []byte) error {
	for doc := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var of struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if err := yaml.Unmarshal(doc, &of); err != nil {
			return err
		}
		var into any
		switch of.APIVersion + " " + of.Kind {
		case "batch/v1 Job":
			into = &batchv1.Job{}
		case "batch/v1 CronJob":
			into = &batchv1.CronJob{}
		case "v1 PersistentVolumeClaim":
			into = &corev1.PersistentVolumeClaim{}
		default:
			return fmt.Errorf("no type is known of %s %s", of.APIVersion, of.Kind)
		}
		if err := yaml.UnmarshalStrict(doc, into); err != nil {
			return err
		}
	}
	return nil
}

func checkDashboard(text []byte) error {
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard
	err := d.UnmarshalJSONStrict(text)
	if found, ok := errors.AsType[cog.BuildErrors](err); ok && len(found) == 0 {
		return nil // it always returns a list
	}
	return err
}

// writeQueries writes the queries of a dashboard into a file as rules.
func writeQueries(text []byte, path string) error {
	var d struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			rules = append(rules, rule{fmt.Sprintf("query:%d", len(rules)), t.Expr})
		}
	}
	if len(rules) == 0 {
		return errors.New("it has no queries")
	}
	out, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		return err
	}
	return os.WriteFile(path, out, 0o600)
}
