package mlflowdb

import "net/url"

// engine is what differs from one database to another.
type engine struct {
	name    string // for people
	scheme  string // of addresses
	port    string // that servers listen on where nothing else is said
	example string
	// part is what of an address's parameters tells one database from another, as a query with its question mark; or "".
	part func(url.Values) string
}

func noPart(url.Values) string { return "" }

var sqlite = engine{name: "SQLite", scheme: "sqlite", example: "sqlite:///mlflow.db", part: noPart}

var postgres = engine{
	name: "PostgreSQL", scheme: "postgresql", port: "5432", example: "postgresql://user@host:5432/mlflow",
	part: func(params url.Values) string {
		if o := params.Get("options"); o != "" { // such as -csearch_path=team
			return "?" + url.Values{"options": {o}}.Encode()
		}
		return ""
	},
}

var mysql = engine{name: "MySQL", scheme: "mysql", port: "3306", example: "mysql://user@host:3306/mlflow", part: noPart}
