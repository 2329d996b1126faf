// Package complete finds what a word on the command line may become, for shells that complete it. Whatever goes wrong meanwhile,
// there is nothing to choose then: a shell has no place for an error.
package complete

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Limit is how long anyone has to answer while a user waits for a word to be completed.
const Limit = 2 * time.Second

// Within returns what f returns, and nothing when f takes longer than Limit. The context of f ends then, but f is not waited for:
// the libraries of workspaces log in without a context.
func Within[T any](parent context.Context, f func(context.Context) T) (found T) {
	ctx, cancel := context.WithTimeout(parent, Limit)
	defer cancel()
	done := make(chan T, 1)
	go func() { done <- f(ctx) }()
	select {
	case found = <-done:
	case <-ctx.Done():
	}
	return found
}

// Choice is a word that what was typed may become.
type Choice struct {
	Word  string
	About string // a few words for who chooses; may be empty
	Open  bool   // more is to follow in the same word
}

// Words are those that begin with what was typed. What ends with a colon is to be continued.
func Words(typed string, words ...string) (all []Choice) {
	for _, w := range words {
		if open := strings.HasSuffix(w, ":"); strings.HasPrefix(w, typed) && !(open && w == typed) {
			all = append(all, Choice{Word: w, Open: open})
		}
	}
	return all
}

// Catalog lists what a trace location consists of.
type Catalog interface {
	Catalogs(ctx context.Context) ([]string, error)
	Schemas(ctx context.Context, catalog string) ([]string, error)
	Prefixes(ctx context.Context, catalog, schema string) ([]string, error)
}

// Location completes catalog.schema.prefix, one part at a time.
func Location(ctx context.Context, c Catalog, typed string) (all []Choice) {
	parts := strings.Split(typed, ".")
	var names []string
	switch len(parts) {
	case 1:
		names, _ = c.Catalogs(ctx)
	case 2:
		names, _ = c.Schemas(ctx, parts[0])
	case 3:
		names, _ = c.Prefixes(ctx, parts[0], parts[1])
	}
	before, open := typed[:strings.LastIndex(typed, ".")+1], len(parts) < 3
	for _, n := range names {
		if !strings.HasPrefix(n, parts[len(parts)-1]) || strings.Contains(n, ".") {
			continue
		}
		choice := Choice{Word: before + n, Open: open}
		if open {
			choice.Word += "."
		}
		all = append(all, choice)
	}
	return all
}

// Files begins targets on this machine.
const Files = "file:"

// Folder completes file:FOLDER/PREFIX: folders, and the prefixes of the tables that are in one.
func Folder(typed string) (all []Choice) {
	folder, base := filepath.Split(strings.TrimPrefix(typed, Files))
	entries, _ := os.ReadDir(filepath.Clean(folder)) // an empty one becomes .
	for _, e := range entries {
		name := e.Name()
		info, err := os.Stat(filepath.Join(folder, name)) // a link to a folder is one too
		if err != nil || !info.IsDir() || !strings.HasPrefix(name, base) || base == "" && strings.HasPrefix(name, ".") {
			continue
		}
		if _, err := os.Stat(filepath.Join(folder, name, "_delta_log")); err != nil {
			all = append(all, Choice{Word: Files + folder + name + string(filepath.Separator), Open: true})
		} else if prefix, spans := strings.CutSuffix(name, uctables.Spans.Suffix); spans {
			all = append(all, Choice{Word: Files + folder + prefix})
		}
	}
	return all
}
