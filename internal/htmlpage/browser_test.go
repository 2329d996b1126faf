//go:build !windows

package htmlpage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

// TestBrowser opens pages with hostile texts in Chromium, as people do: on a phone and on a screen, light and dark, and printed.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	b := rig.OpenBrowser(t)
	dir := t.TempDir()
	grounds := map[string]bool{}
	var short, long []string
	for _, text := range hostile {
		if len(text) > 500 {
			long = append(long, text)
		} else {
			short = append(short, text)
		}
	}
	for i, text := range append([]string{"harmless", strings.Join(short, " ")}, long...) {
		file := filepath.Join(dir, fmt.Sprint(i, ".html"))
		if err := os.WriteFile(file, []byte(render(t, full(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, w := range []struct {
			width int
			dark  bool
		}{{360, false}, {360, true}, {700, true}, {1280, false}} {
			b.Show(file, w.width, w.dark)
			if c := b.Complaints(); len(c) > 0 {
				t.Errorf("%.40q at %d pixels: %q", text, w.width, c)
			}
			var wide int
			if b.Eval(&wide, "document.documentElement.scrollWidth"); wide > w.width {
				t.Errorf("%.40q: the page is %d pixels wide in a window of %d", text, wide, w.width)
			}
			var cut []string
			if b.Eval(&cut, outside); len(cut) > 0 {
				t.Errorf("%.40q at %d pixels: outside of the page are %q", text, w.width, cut)
			}
			var ground string
			b.Eval(&ground, "getComputedStyle(document.body).backgroundColor")
			grounds[ground] = true
		}
		if pdf := b.Print(); !bytes.HasPrefix(pdf, []byte("%PDF-")) || !bytes.Contains(pdf, []byte("/Type /Page")) {
			t.Errorf("printed: %.20q", pdf)
		}
		var bars int
		if b.Eval(&bars, seen); bars < 60 {
			t.Errorf("%d bars can be seen, want those of two charts of 20 days", bars)
		}
	}
	if len(grounds) != 2 {
		t.Errorf("grounds %v, want a light and a dark one", grounds)
	}
}

// seen is how many bars of charts can be seen.
const seen = `[...document.querySelectorAll("rect.source, rect.target")].filter(r => r.getBoundingClientRect().height > 1).length`

// outside are the elements that lie beside the page, which would be cut off in print.
const outside = `[...document.querySelectorAll("body *")].filter(e => {
	const r = e.getBoundingClientRect();
	return r.width > 1 && (r.right > document.documentElement.clientWidth + 1 || r.left < -1);
}).map(e => e.tagName + " " + e.className)`
