package htmlpage

import (
	"fmt"
	"math"
	"time"
)

// Day is how many traces source and target have that were requested on a day.
type Day struct {
	Date           time.Time // midnight, in UTC
	Source, Target int64
}

// Days is a chart of traces a day.
type Days struct {
	Source, Target string // what is counted of each, such as "listed at the source"
	Days           []Day  // in their order; those without traces may be left out
	Other          Day    // traces whose day is not known, or that are of too many days
}

// mostBars is how many bars a chart has room for on a phone. Of more days several share a bar.
const mostBars = 60

// plot is a chart with its places worked out. Its bars are drawn in a box that is stretched to the width that there is, so that
// no text stands in it.
type plot struct {
	Days
	Each          int // days a bar; 0 where days without traces have none
	Bars          []placed
	Width, Pixels int
	Top, Half     string // labels of the scale
	First, Middle string // labels of bars
	Last          string
	Sources       string // sums
	Targets       string
	Differ        []differing
	MoreDiffer    int
}

// placed is a bar in a box of Width times 100.
type placed struct {
	X, SourceY, SourceH, TargetY, TargetH float64
	Label, Source, Target                 string
}

// differing is a day of which source and target don't have as many traces.
type differing struct{ Date, Source, Target, Difference string }

const (
	slot        = 10 // the width of a bar with the space around it
	shownDiffer = 10
)

// Plot works out the chart. It is nil where there is nothing to show.
func (d *Days) Plot() *plot {
	if d == nil || len(d.Days) == 0 {
		return nil
	}
	p := &plot{Days: *d}
	if days := d.Days; len(days) <= mostBars && days[len(days)-1].Date.Sub(days[0].Date) > mostBars*24*time.Hour {
		return p.place(days, days)
	}
	first, last := d.Days[0].Date, d.Days[len(d.Days)-1].Date
	days := int(last.Sub(first)/(24*time.Hour)) + 1
	if last.Year()-first.Year() > 200 { // more than a Duration holds
		days = (last.Year() - first.Year() + 1) * 366
	}
	p.Each = (days + mostBars - 1) / mostBars
	bars := make([]Day, (days+p.Each-1)/p.Each)
	for i := range bars {
		bars[i].Date = first.AddDate(0, 0, i*p.Each)
	}
	for _, one := range d.Days {
		bar := &bars[int(one.Date.Unix()-first.Unix())/86400/p.Each]
		bar.Source, bar.Target = bar.Source+one.Source, bar.Target+one.Target
	}
	return p.place(bars, d.Days)
}

// place draws bars, which stand for days.
func (p *plot) place(bars, days []Day) *plot {
	var top int64
	sum := p.Days.Other
	for _, one := range days {
		sum.Source, sum.Target = sum.Source+one.Source, sum.Target+one.Target
		if one.Source != one.Target {
			p.differ(one)
		}
	}
	p.Sources, p.Targets = number(sum.Source), number(sum.Target)
	for _, b := range bars {
		top = max(top, b.Source, b.Target)
	}
	scale := roundUp(top)
	if p.Top = number(scale); scale%2 == 0 {
		p.Half = number(scale / 2)
	}
	for i, b := range bars {
		at := placed{X: float64(i * slot), Label: date(b.Date), Source: number(b.Source), Target: number(b.Target)}
		at.SourceH, at.TargetH = height(b.Source, scale), height(b.Target, scale)
		at.SourceY, at.TargetY = 100-at.SourceH, 100-at.TargetH
		p.Bars = append(p.Bars, at)
	}
	n := len(bars)
	p.Width, p.Pixels = n*slot, max(min(n*44, 1000), 160)
	p.First = p.Bars[0].Label
	if n > 1 {
		p.Last = p.Bars[n-1].Label
	}
	if n > 8 {
		p.Middle = p.Bars[n/2].Label
	}
	return p
}

// Stands says for how much time a bar stands.
func (p *plot) Stands() string {
	switch p.Each {
	case 0:
		return "only days with traces have a bar"
	case 1:
		return "a bar a day"
	}
	return fmt.Sprintf("a bar for each %d days", p.Each)
}

func (p *plot) differ(d Day) {
	if len(p.Differ) == shownDiffer {
		p.MoreDiffer++
		return
	}
	sign := "+"
	if d.Target < d.Source {
		sign = "−"
	}
	n := d.Target - d.Source
	p.Differ = append(p.Differ, differing{date(d.Date), number(d.Source), number(d.Target), sign + number(max(n, -n))})
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// height is that of a bar for n where the scale ends at 100. What is there can be seen.
func height(n, scale int64) float64 {
	if n == 0 {
		return 0
	}
	return max(math.Round(float64(n)/float64(scale)*1000)/10, 1)
}

// roundUp is the next number whose half is easy to read too: a digit but 7 and 9, and zeros.
func roundUp(n int64) int64 {
	for size := int64(1); ; size *= 10 {
		for _, digit := range []int64{1, 2, 3, 4, 5, 6, 8} {
			if n <= digit*size {
				return digit * size
			}
		}
	}
}

// Summary is the chart in words.
func (p *plot) Summary() string {
	return fmt.Sprintf("%s, from %s to %s: %s %s, %s %s", p.Stands(), date(p.Days.Days[0].Date),
		date(p.Days.Days[len(p.Days.Days)-1].Date), p.Sources, p.Source, p.Targets, p.Target)
}

// segment is a share in a bar of a thousand.
type segment struct {
	Share
	X, W    float64
	Number  string
	Percent string
}

// stack lays shares beside each other.
func stack(shares []Share) (all []segment) {
	var sum int64
	n := 0
	for _, s := range shares {
		if sum += s.Count; s.Count > 0 {
			n++
		}
	}
	const least, gap = 6, 3 // what is there can be seen, and told from its neighbors
	room, x := 1000-float64(n)*least-float64(max(n-1, 0))*gap, 0.0
	for _, s := range shares {
		if s.Count <= 0 {
			continue
		}
		part := float64(s.Count) / float64(sum)
		w := math.Round((least+part*room)*10) / 10
		all = append(all, segment{s, math.Round(x*10) / 10, w, number(s.Count), percent(part)})
		x += w + gap
	}
	return all
}

// percent does not round to none or to all what is not.
func percent(part float64) string {
	switch p := part * 100; {
	case part == 1:
		return "100 %"
	case p < 0.1:
		return "< 0.1 %"
	case p > 99.9:
		return "> 99.9 %"
	case p < 1 || p > 99:
		return fmt.Sprintf("%.1f %%", p)
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}
