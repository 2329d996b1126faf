package cookbook

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Dashboard is an AI/BI dashboard of Databricks, in the form of its files (.lvdash.json), over the last days. Its datasets are the
// recipes themselves. The form is not published as a schema: it is that of files which Databricks' own examples hold.
func Dashboard(l uctables.Location, days int) ([]byte, error) {
	tables := InCatalog(l)
	type dataset struct {
		Name    string   `json:"name"`
		Display string   `json:"displayName"`
		Lines   []string `json:"queryLines"` // put together as they are, so each ends its line
	}
	var datasets []dataset
	for _, name := range []string{"traces", "tokens", "latency", "feedback", "sessions", "storage"} {
		lines := strings.SplitAfter(tables.SQL(name, days), "\n")
		datasets = append(datasets, dataset{name, About(name), lines})
	}
	over := fmt.Sprintf(" (%d days)", days)
	page := object{
		"name": "traces", "displayName": "Traces", "pageType": "PAGE_TYPE_CANVAS", "layoutVersion": "GRID_V1",
		"layout": []object{
			heading("Traces of "+l.String()).at(0, 0, 12, 1),
			counter("Traces"+over, "traces", "traces").at(0, 1, 3, 3),
			counter("Errors"+over, "traces", "errors").at(3, 1, 3, 3),
			counter("Tokens"+over, "tokens", "total_tokens").at(6, 1, 3, 3),
			counter("Cost in USD"+over, "tokens", "cost").at(9, 1, 3, 3),
			bars("Traces a day", "traces", "day", "temporal", "traces").at(0, 4, 6, 6),
			bars("Errors a day", "traces", "day", "temporal", "errors").at(6, 4, 6, 6),
			bars("Tokens by model", "tokens", "model", "categorical", "total_tokens").at(0, 10, 6, 6),
			bars("Stored bytes by day", "storage", "day", "temporal", "bytes").at(6, 10, 6, 6),
			table("Slowest spans", "latency", "name", "type", "spans", "p50_ms", "p95_ms", "errors").at(0, 16, 12, 6),
			table("Feedback by judge", "feedback",
				"name", "judge", "judge_type", "feedbacks", "yes_count", "no_count", "mean", "errors").at(0, 22, 12, 6),
			table("Latest sessions", "sessions", "session", "traces", "errors", "first_at", "last_at", "tokens").at(0, 28, 12, 6),
		},
	}
	text, err := json.MarshalIndent(object{"datasets": datasets, "pages": []object{page}}, "", "  ")
	return append(text, '\n'), err
}

type object map[string]any

// at places a widget on the page, which is twelve columns wide.
func (o object) at(x, y, width, height int) object {
	return object{"widget": o, "position": object{"x": x, "y": y, "width": width, "height": height}}
}

func heading(text string) object {
	return object{"name": "heading", "multilineTextboxSpec": object{"lines": []string{"## " + text}}}
}

// widget shows fields of a dataset. Each is a column, or the sum of one.
func widget(title, dataset, kind string, version int, encodings object, fields ...object) object {
	// Rows that are shown as they are need no grouping.
	return object{
		"name": dataset + "-" + strings.ToLower(strings.NewReplacer(" ", "-", "(", "", ")", "").Replace(title)),
		"queries": []object{{
			"name":  "main_query",
			"query": object{"datasetName": dataset, "fields": fields, "disaggregated": kind == "table"},
		}},
		"spec": object{
			"version": version, "widgetType": kind, "encodings": encodings, "frame": object{"showTitle": true, "title": title},
		},
	}
}

func column(name string) object { return object{"name": name, "expression": "`" + name + "`"} }

func sum(name string) object {
	return object{"name": "sum(" + name + ")", "expression": "SUM(`" + name + "`)"}
}

func counter(title, dataset, of string) object {
	value := object{"fieldName": "sum(" + of + ")", "displayName": title}
	return widget(title, dataset, "counter", 2, object{"value": value}, sum(of))
}

func bars(title, dataset, x, scale, y string) object {
	return widget(title, dataset, "bar", 3, object{
		"x": object{"fieldName": x, "displayName": x, "scale": object{"type": scale}},
		"y": object{"fieldName": "sum(" + y + ")", "displayName": y, "scale": object{"type": "quantitative"}},
	}, column(x), sum(y))
}

func table(title, dataset string, columns ...string) object {
	var fields, shown []object
	for _, c := range columns {
		fields = append(fields, column(c))
		shown = append(shown, object{"fieldName": c, "displayName": c})
	}
	return widget(title, dataset, "table", 2, object{"columns": shown}, fields...)
}
