package complete

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		answered := Within(t.Context(), func(ctx context.Context) string {
			if end, ok := ctx.Deadline(); !ok || end.Sub(began) != Limit {
				t.Errorf("the context ends after %v, want %v", end.Sub(began), Limit)
			}
			time.Sleep(Limit / 2)
			return "found"
		})
		if answered != "found" || time.Since(began) != Limit/2 {
			t.Errorf("%q after %v, want what was found after %v", answered, time.Since(began), Limit/2)
		}
		// It does not wait for what does not heed its context.
		began = time.Now()
		end := make(chan struct{})
		answered = Within(t.Context(), func(context.Context) string { <-end; return "late" })
		if answered != "" || time.Since(began) != Limit {
			t.Errorf("%q after %v, want nothing after %v", answered, time.Since(began), Limit)
		}
		close(end)
	})
}

func TestWords(t *testing.T) {
	for typed, want := range map[string][]Choice{
		"":      {{Word: "text"}, {Word: "file:", Open: true}},
		"te":    {{Word: "text"}},
		"text":  {{Word: "text"}},
		"file:": nil,
	} {
		if diff := cmp.Diff(want, Words(typed, "text", "file:")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", typed, diff)
		}
	}
}

type catalogs struct{}

func (catalogs) Catalogs(context.Context) ([]string, error) {
	return []string{"main", "my.own", "samples"}, nil
}

func (catalogs) Schemas(_ context.Context, c string) ([]string, error) {
	if c != "main" {
		return nil, errors.New("no such catalog")
	}
	return []string{"agents", "tools"}, nil
}

func (catalogs) Prefixes(_ context.Context, c, s string) ([]string, error) {
	return []string{c + "_" + s, "support"}, nil
}

func TestLocation(t *testing.T) {
	for typed, want := range map[string][]Choice{
		"":                {{Word: "main.", Open: true}, {Word: "samples.", Open: true}},
		"ma":              {{Word: "main.", Open: true}},
		"main.":           {{Word: "main.agents.", Open: true}, {Word: "main.tools.", Open: true}},
		"main.to":         {{Word: "main.tools.", Open: true}},
		"other.":          nil,
		"main.agents.":    {{Word: "main.agents.main_agents"}, {Word: "main.agents.support"}},
		"main.agents.sup": {{Word: "main.agents.support"}},
		"main.agents.a.b": nil,
	} {
		if diff := cmp.Diff(want, Location(t.Context(), catalogs{}, typed)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", typed, diff)
		}
	}
}

func TestFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, folder := range []string{
		"lake/agent_otel_spans/_delta_log", "lake/agent_otel_annotations/_delta_log", "lake/deeper", "other", ".hidden",
	} {
		if err := os.MkdirAll(filepath.FromSlash(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("list.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string][]Choice{
		"file:":        {{Word: "file:lake/", Open: true}, {Word: "file:other/", Open: true}},
		"file:./l":     {{Word: "file:./lake/", Open: true}},
		"file:.h":      {{Word: "file:.hidden/", Open: true}},
		"file:lake/":   {{Word: "file:lake/agent"}, {Word: "file:lake/deeper/", Open: true}},
		"file:lake/ag": {{Word: "file:lake/agent"}},
		"file:none/":   nil,
	} {
		if diff := cmp.Diff(want, Folder(typed)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", typed, diff)
		}
	}
}
