// Package uilinks makes the addresses at which MLflow's UI shows a trace. They hold names and IDs alone: whoever opens one logs in there.
//
// The UI opens the trace that the parameter selectedEvaluationId names, in the tab of an experiment's traces. That is how MLflow 3.17.2
// does it (its own page for /experiments/ID/traces/TRACE leads there), on a server and, below /ml in place of the fragment, in a workspace
// of Databricks, where the trace may also be one of Unity Catalog, trace:/catalog.schema.prefix/HEX.
package uilinks

import (
	"net/url"
	"strings"
)

// AtServer is the address of a trace at an MLflow server, whose own address may name a workspace: http://host:5000?workspace=team. It is
// empty where that is no address of a server.
func AtServer(server, experimentID, traceID string) string {
	base, workspace, ok := parse(server)
	if !ok {
		return ""
	}
	return base + "/#" + page(experimentID, traceID, workspace)
}

// AtWorkspace is the address of a trace at a workspace of Databricks. It is empty where host is no address.
func AtWorkspace(host, experimentID, traceID string) string {
	base, _, ok := parse(host)
	if !ok {
		return ""
	}
	return base + "/ml" + page(experimentID, traceID, "")
}

// parse takes an address apart. It leaves out users, passwords, and parameters but the workspace.
func parse(address string) (base, workspace string, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", "", false
	}
	base = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}).String()
	return base, u.Query().Get("workspace"), true
}

func page(experimentID, traceID, workspace string) string {
	q := url.Values{"selectedEvaluationId": {traceID}}
	if workspace != "" {
		q.Set("workspace", workspace)
	}
	return "/experiments/" + url.PathEscape(experimentID) + "/traces?" + q.Encode()
}
