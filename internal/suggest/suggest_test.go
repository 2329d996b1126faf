package suggest

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"source", "target", "dry-run", "tracking-uri", "start-time-ms", "start-time", "deep"}
	for word, want := range map[string]string{
		"traget":      "target",
		"TARGET":      "target",
		"dryrun":      "dry-run",
		"dry_run":     "dry-run",
		"tracking":    "tracking-uri",
		"start":       "start-time",
		"starttimems": "start-time-ms",
		"deap":        "deep",
		"de":          "",
		"d":           "",
		"":            "",
		"frobnicate":  "",
	} {
		if got := Nearest(word, names...); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := Nearest("x"); got != "" {
		t.Errorf("Nearest among nothing = %q, want nothing", got)
	}
}
