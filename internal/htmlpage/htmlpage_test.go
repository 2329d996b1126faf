package htmlpage

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hostile are texts as a server may give them to do harm to who looks at a report.
var hostile = []string{
	`<script>alert(1)</script>`, `</title></style><img src="http://evil.example/x" onerror="alert(2)">`,
	`" onmouseover="alert(3)" x="`, `' autofocus onfocus='alert(4)`, "`${alert(5)}`", `javascript:alert(6)`, `{{.Title}}`,
	`--></code></pre><iframe src=javascript:alert(7)>`, "a\x00b\x1b[2Jc\u0085d", "txt\u202egnp.exe", "\u2066isolated", "\xff\xfe",
	strings.Repeat("W", 3000), "a" + strings.Repeat("\u0301", 500), "مرحبا", "\u2028\u2029\ufeff\u200b", `&lt;b&gt;`,
	"]]><svg onload=alert(8)>",
}

// full is a page in which every text is the one given, and every kind of part is there.
func full(text string) Page {
	at := time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC)
	days := &Days{Source: text, Target: text, Other: Day{Source: 1}}
	for n := range 20 {
		days.Days = append(days.Days, Day{at.AddDate(0, 0, n), int64(n * 7), int64(n * n % 140)})
	}
	first := 0
	table := &Table{Columns: []Column{{Name: "number", Number: true}, {Name: "text"}, {Name: "code", Code: true}}}
	for range 3 {
		table.Rows = append(table.Rows, []Cell{
			{Text: text, Notes: []string{text}}, {Text: "failed", Tone: Bad, Notes: []string{text}}, {Text: text},
		})
	}
	part := Part{
		Heading: text, Tone: Warning, Verdict: text, Facts: []Fact{{Name: "one", Value: text}, {Name: "two", Value: text, Code: true}},
		Problem: &Problem{text, text}, Figures: []Figure{{"1,204", "traces", "of 1,300"}, {"3", "spans", ""}},
		Days: days, Blocks: []Block{{Heading: text, Texts: []string{text}, Table: table, Command: text}},
		Steps: []Step{{text, []string{text, text}}, {Why: text}},
	}
	for n, tone := range []Tone{Good, Other, Later, Warning, Bad, Plain} {
		part.Shares = append(part.Shares, Share{text, int64(1 + n*n*n*30), tone})
	}
	return Page{
		Title: text, Tone: Bad, Verdict: text, Facts: []Fact{{Name: "source", Value: text}}, Version: text, Made: at,
		Overview: &Table{Columns: []Column{{Name: "pair"}}, Rows: [][]Cell{{{Text: text, To: &first}}}},
		Sections: []Section{{Name: text, Tone: Bad, Facts: []Fact{{Name: "target", Value: text}}, Parts: []Part{part, part}}},
	}
}

func render(t *testing.T, p Page) string {
	t.Helper()
	b, err := Render(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var command = regexp.MustCompile(`<code[^>]*>[^<]*</code>`)

var tag = regexp.MustCompile(`<[^>]*>`)

// TestHostile wants the same elements with the same attributes around every text: none of them makes any of its own.
func TestHostile(t *testing.T) {
	shape := func(page string) string {
		_, body, _ := strings.Cut(page, "</style>")
		tags := strings.Join(tag.FindAllString(body, -1), "\n")
		return regexp.MustCompile(`aria-label="[^"]*"`).ReplaceAllString(tags, "aria-label")
	}
	want := shape(render(t, full("harmless")))
	for _, text := range hostile {
		page := render(t, full(text))
		if d := cmp.Diff(want, shape(page)); d != "" {
			t.Errorf("%.60q changes the page:\n%s", text, d)
		}
		for _, r := range page {
			if (r < ' ' && r != '\n' && r != '\t') || r == 0x85 || (r >= 0x2028 && r <= 0x202e) || r == 0x2066 || r == 0xfeff {
				t.Errorf("%.60q leaves %U in the page", text, r)
				break
			}
		}
		page = command.ReplaceAllString(page, "") // half a command would be worse than a long one
		if strings.Contains(page, strings.Repeat("W", longest+1)) || strings.Contains(page, strings.Repeat("\u0301", marks+1)) {
			t.Errorf("%.20q is not bounded", text)
		}
	}
}

// TestAsksNobody looks for what a page could be made to ask for.
func TestAsksNobody(t *testing.T) {
	page := render(t, full("harmless"))
	for _, part := range []string{"http:", "https:", "//", "@import", "url(", "<link", "<script", "<img", " src=", " style="} {
		if strings.Contains(page, part) {
			t.Errorf("the page has %q", part)
		}
	}
	if !strings.Contains(page, `content="default-src &#39;none&#39;; style-src &#39;sha256-`) {
		t.Error("the page has no policy that forbids everything else")
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain – text, 日本語 e\u0301": "plain – text, 日本語 e\u0301",
		"a\nb\tc":                   "a b c", "\x1b[0m": `\u001b[0m`, "\u202eb": `\u202eb`, "\xff": "\ufffd",
		"👩‍🔬": `👩\u200d🔬`, "a\u00a0b": "a\u00a0b",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPlot(t *testing.T) {
	at := time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC)
	day := func(n int, source, target int64) Day { return Day{at.AddDate(0, 0, n), source, target} }
	many := func(n int, source, target int64) (days []Day) {
		for i := range n {
			days = append(days, day(i, source, target))
		}
		return days
	}
	for name, c := range map[string]struct {
		days           []Day
		bars, each     int
		top, last      string
		differ, hidden int
	}{
		"one day":             {days: []Day{day(0, 3, 3)}, bars: 1, each: 1, top: "3", last: ""},
		"a gap":               {days: []Day{day(0, 3, 2), day(4, 1200, 1201)}, bars: 5, each: 1, top: "2,000", last: "2026-03-03", differ: 2},
		"few days far apart":  {days: []Day{day(0, 3, 3), day(4000, 1, 1)}, bars: 2, each: 0, top: "3", last: "2037-02-09"},
		"days that share":     {days: many(300, 2, 2), bars: 60, each: 5, top: "10", last: "2026-12-19"},
		"more than are shown": {days: many(12, 1, 0), bars: 12, each: 1, top: "1", last: "2026-03-10", differ: 10, hidden: 2},
	} {
		p := (&Days{Days: c.days}).Plot()
		if len(p.Bars) != c.bars || p.Each != c.each || p.Top != c.top || p.Last != c.last ||
			len(p.Differ) != c.differ || p.MoreDiffer != c.hidden {
			t.Errorf("%s: %d bars of %d days up to %s, the last %s, %d and %d that differ; want %+v",
				name, len(p.Bars), p.Each, p.Top, p.Last, len(p.Differ), p.MoreDiffer, c)
		}
		for _, b := range p.Bars {
			if b.SourceY < 0 || b.SourceY+b.SourceH > 100.01 || b.X+slot > float64(p.Width) {
				t.Errorf("%s: a bar lies outside: %+v", name, b)
			}
		}
	}
	if (*Days)(nil).Plot() != nil || (&Days{}).Plot() != nil {
		t.Error("a chart of no day")
	}
}

// TestPlotOfAnyTime has request times that a source has made up.
func TestPlotOfAnyTime(t *testing.T) {
	var days []Day
	for year := -9999; year < 9999; year += 100 {
		days = append(days, Day{time.Date(year, 7, 1, 0, 0, 0, 0, time.UTC), 1, 1})
	}
	p := (&Days{Days: days}).Plot()
	sum := 0
	for _, b := range p.Bars {
		n, _ := strconv.Atoi(b.Source)
		sum += n
	}
	if len(p.Bars) > mostBars || sum != len(days) {
		t.Errorf("%d bars of %d traces, want at most %d of %d", len(p.Bars), sum, mostBars, len(days))
	}
}

func TestStack(t *testing.T) {
	all := stack([]Share{{"a", 1_000_000, Good}, {"none", 0, Bad}, {"b", 1, Bad}})
	if len(all) != 2 || all[0].Percent != "> 99.9 %" || all[1].Percent != "< 0.1 %" || all[1].W < 4 {
		t.Errorf("%+v", all)
	}
	if end := all[1].X + all[1].W; math.Abs(end-1000) > 1 {
		t.Errorf("the bar ends at %g, want 1000", end)
	}
	if stack(nil) != nil {
		t.Error("a bar of nothing")
	}
}

var color = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})`)

// TestContrast wants 4.5:1 of each text on each ground that it stands on, as WCAG asks for, and 3:1 of what is drawn.
func TestContrast(t *testing.T) {
	schemes := strings.Split(styles, ":root {")[1:]
	if len(schemes) != 3 {
		t.Fatalf("%d color schemes, want those of light, dark and print", len(schemes))
	}
	for i, scheme := range schemes {
		scheme, _, _ = strings.Cut(scheme, "}")
		light := map[string]float64{}
		for _, m := range color.FindAllStringSubmatch(scheme, -1) {
			light[m[1]] = luminance(m[2], m[3], m[4])
		}
		on := map[string][]string{
			"text": {"ground", "card", "soft", "good-soft", "other-soft", "later-soft", "warning-soft", "bad-soft", "plain-soft"}, "link": {"card"},
			"muted": {"ground", "card", "soft"}, "card": {"good", "other", "later", "warning", "bad", "plain"},
		}
		for _, tone := range []string{"good", "other", "later", "warning", "bad", "plain"} {
			on[tone] = []string{tone + "-soft"}
		}
		for text, grounds := range on {
			for _, ground := range grounds {
				if r := contrast(light[text], light[ground]); r < 4.5 {
					t.Errorf("scheme %d: %s on %s has a contrast of %.2f", i, text, ground, r)
				}
			}
		}
		if r := contrast(light["source"], light["target"]); r < 2.5 {
			t.Errorf("scheme %d: bars of the target on those of the source have a contrast of %.2f", i, r)
		}
	}
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

func luminance(rgb ...string) (l float64) {
	for i, part := range rgb {
		n, _ := strconv.ParseUint(part, 16, 8)
		c := float64(n) / 255
		if c <= 0.03928 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += c * []float64{0.2126, 0.7152, 0.0722}[i]
	}
	return l
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	page := Page{Title: "first"}
	write := func(name string) error {
		f, err := OpenFile(path(name))
		if err == nil {
			err = f.Write(page)
		}
		return err
	}
	if err := write("new.html"); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path("new.html")); info.Mode().Perm() != 0o600 {
		t.Errorf("a new report has mode %v", info.Mode())
	}
	os.Chmod(path("new.html"), 0o644)
	os.Symlink(path("new.html"), path("link.html"))
	page.Title = "second"
	if err := write("link.html"); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path("new.html"))
	if info, _ := os.Lstat(path("link.html")); info.Mode().IsRegular() || !strings.Contains(string(b), "<title>second</title>") {
		t.Error("the link was replaced, and not the file that it leads to")
	}
	if info, _ := os.Stat(path("new.html")); info.Mode().Perm() != 0o644 {
		t.Errorf("a replaced report has mode %v", info.Mode())
	}
	os.WriteFile(path("empty"), nil, 0o640)
	if err := write("empty"); err != nil {
		t.Error(err)
	}
	os.WriteFile(path("notes.txt"), []byte("do not lose this"), 0o600)
	for name, want := range map[string]string{
		"notes.txt": "no report of tracemig", "nowhere/x.html": "nowhere/x.html: no such file", ".": "no file that can be replaced",
	} {
		if _, err := OpenFile(path(name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if b, _ := os.ReadFile(path("notes.txt")); string(b) != "do not lose this" {
		t.Error("a file of somebody else was changed")
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 4 {
		t.Errorf("left behind: %s", fmt.Sprint(entries))
	}
}
