package main

import (
	_ "embed"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"text/template"

	"github.com/tracemig/tracemig/internal/replay"
)

func init() { comparisons["plot"] = plot }

//go:embed plot.svg.tmpl
var plotTemplate string

// plot writes docs/speed.svg: time and memory of whole runs into local tables by the number of traces. The source
// has no latency and no quotas, and runs on the same machine.
func plot(o options) error {
	var xs, seconds, memory []float64
	for _, n := range []int{1000, 3000, 10_000, 30_000, 100_000} {
		var s, m []float64
		for range min(o.N, max(1, 20_000/n)) {
			err := withLocalRun(&replay.Synthetic{Traces: n, Spans: 6, SpanBytes: 2000, Large: -1}, func(l *localRun) error {
				_, r, err := l.run()
				s, m = append(s, r.seconds), append(m, r.rss/1e6)
				return err
			})
			if err != nil {
				return err
			}
		}
		xs, seconds, memory = append(xs, float64(n)), append(seconds, median(s)), append(memory, median(m))
		fmt.Printf("%7d traces: %6.1f s, %4.0f MB\n", n, median(s), median(m))
	}
	count := func(v float64) string {
		if v >= 1000 {
			return strconv.FormatFloat(v/1000, 'f', -1, 64) + "k"
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	logarithm := func(from, to float64) func(float64) float64 {
		return func(v float64) float64 { return math.Log(v/from) / math.Log(to/from) }
	}
	x := scale{logarithm(xs[0]/1.4, xs[len(xs)-1]*1.4), xs, count}
	var tens []float64
	low, high := math.Pow(10, math.Floor(math.Log10(seconds[0]))), math.Pow(10, math.Ceil(math.Log10(seconds[len(seconds)-1])))
	for v := low; v <= high; v *= 10 {
		tens = append(tens, v)
	}
	most := 0.0
	for _, m := range memory {
		most = max(most, math.Ceil(m/50)*50)
	}
	var fifties []float64
	for v := 0.0; v <= most; v += 50 {
		fifties = append(fifties, v)
	}
	panels := []panel{
		newPanel(52, "Time of a run in seconds", x, scale{logarithm(low, high), tens, count},
			seconds, func(v float64) string { return strconv.FormatFloat(v, 'g', 2, 64) }),
		newPanel(412, "Peak of resident memory in MB", x, scale{func(v float64) float64 { return v / most }, fifties, count},
			memory, func(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }),
	}
	t, err := template.New("plot").Parse(plotTemplate)
	if err != nil {
		return err
	}
	f, err := os.Create("docs/speed.svg")
	if err != nil {
		return err
	}
	if err := t.Execute(f, panels); err != nil {
		f.Close()
		return err
	}
	fmt.Println("wrote docs/speed.svg")
	return f.Close()
}

// scale maps the values of an axis to 0…1. Its ticks are labelled with text.
type scale struct {
	at    func(float64) float64
	ticks []float64
	text  func(float64) string
}

// panel is one diagram of the plot. All places are in the coordinates of the picture.
type panel struct {
	Left                     float64
	Title, Line              string
	Vertical, Horizontal     []mark // ticks of the x and the y axis
	Points                   []mark
	Width, Height, TextBelow float64
}

// mark is a labelled place.
type mark struct {
	X, Y float64
	Text string
}

func newPanel(left float64, title string, x, y scale, values []float64, text func(float64) string) panel {
	p := panel{Left: left, Title: title, Width: 290, Height: 180, TextBelow: 198}
	round := func(v float64) float64 { return math.Round(v*10) / 10 }
	for _, v := range x.ticks {
		p.Vertical = append(p.Vertical, mark{round(x.at(v) * p.Width), p.Height, x.text(v)})
	}
	for _, v := range y.ticks {
		p.Horizontal = append(p.Horizontal, mark{0, round((1 - y.at(v)) * p.Height), y.text(v)})
	}
	var line []string
	for i, v := range values {
		m := mark{round(x.at(x.ticks[i]) * p.Width), round((1 - y.at(v)) * p.Height), text(v)}
		p.Points = append(p.Points, m)
		line = append(line, fmt.Sprint(m.X, ",", m.Y))
	}
	p.Line = strings.Join(line, " ")
	return p
}
