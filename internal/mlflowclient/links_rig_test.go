//go:build rig

package mlflowclient

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/uilinks"
)

// TestLinks opens addresses of traces in a browser: the UI of a real MLflow server shows the spans of each in a dialog.
func TestLinks(t *testing.T) {
	b := rig.OpenBrowser(t)
	m := rig.SharedServer(t)
	c := m.FillCases(t, "/links", "tags,otlp_gen_ai")
	opened := map[string]bool{}
	for _, trace := range c.Expected {
		name := trace.Spans[0].Name
		if opened[name] {
			continue
		}
		opened[name] = true
		address := uilinks.AtServer(m.URI, c.ExperimentID, trace.TraceID)
		b.Visit("about:blank") // else the page would only change its fragment
		b.Visit(address)
		var shown string
		b.Eval(&shown, fmt.Sprintf(dialog, name))
		if !strings.Contains(shown, name) {
			t.Errorf("%s does not show the span %s of the trace", address, name)
		}
	}
	if len(opened) < 2 {
		t.Fatalf("spans of the names %v were looked for, want two", opened)
	}
}

// dialog is the text of the dialog that shows a span of a name, once it is there.
const dialog = `new Promise(done => {
	const name = %q;
	const find = () => [...document.querySelectorAll("[role=dialog]")].map(e => e.innerText).find(text => text.includes(name));
	const look = () => find() && done(find());
	new MutationObserver(look).observe(document, {subtree: true, childList: true, characterData: true});
	setTimeout(() => done(""), 45000);
	look();
})`
