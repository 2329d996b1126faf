// Package grants names the privileges of Unity Catalog that tracemig needs, and the statements that give them.
package grants

import (
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Grant is privileges on one securable of Unity Catalog.
type Grant struct {
	Privileges []string // as SQL names them: USE CATALOG, SELECT
	Securable  string   // CATALOG, SCHEMA, TABLE or VOLUME
	Name       string   // full name, as the REST API takes it
	quoted     string   // full name in SQL
}

// Statement grants the privileges to a principal: a user name, the application ID of a service
// principal, or a group.
func (g Grant) Statement(principal string) string {
	return fmt.Sprintf("GRANT %s ON %s %s TO %s", strings.Join(g.Privileges, ", "), g.Securable, g.quoted, uctables.QuoteName(principal))
}

// toReach are the privileges that are needed to reach anything in the location's schema.
func toReach(l uctables.Location) []Grant {
	catalog, schema := uctables.QuoteName(l.Catalog), uctables.QuoteName(l.Schema)
	return []Grant{
		{[]string{"USE CATALOG"}, "CATALOG", l.Catalog, catalog},
		{[]string{"USE SCHEMA"}, "SCHEMA", l.Catalog + "." + l.Schema, catalog + "." + schema},
	}
}

// ToWrite are the privileges that are needed to write to the location.
func ToWrite(l uctables.Location) []Grant {
	g := toReach(l)
	for _, t := range []uctables.Table{uctables.Spans, uctables.Annotations} {
		g = append(g, Grant{[]string{"SELECT", "MODIFY"}, "TABLE", l.Name(t), l.Quoted(t.Suffix)})
	}
	return g
}

// ToLog are the privileges that MLflow needs to log traces to the location, and the service to bind an experiment to it: SELECT
// and MODIFY on all four tables.
func ToLog(l uctables.Location) []Grant {
	g := toReach(l)
	for _, t := range uctables.Tables {
		g = append(g, Grant{[]string{"SELECT", "MODIFY"}, "TABLE", l.Name(t), l.Quoted(t.Suffix)})
	}
	return g
}

// ToReadBeta are the privileges that are needed to read the tables of the beta form of a schema.
func ToReadBeta(l uctables.Location) []Grant {
	g := toReach(l)
	for _, t := range []uctables.Table{uctables.BetaSpans, uctables.BetaLogs} {
		g = append(g, Grant{[]string{"SELECT"}, "TABLE", l.Name(t), l.Quoted(t.Suffix)})
	}
	return g
}

// Statements are the statements that let a principal write to the location.
func Statements(l uctables.Location, principal string) []string {
	var g []string
	for _, n := range ToWrite(l) {
		g = append(g, n.Statement(principal))
	}
	return g
}

// ToKeepLedger are the privileges that are needed to keep a ledger that is there.
func ToKeepLedger(l uctables.Location) []Grant {
	return append(toReach(l), Grant{[]string{"SELECT", "MODIFY"}, "TABLE", l.Name(uctables.Ledger), l.Quoted(uctables.Ledger.Suffix)})
}

// ToMakeLedger are the privileges that are needed to make a ledger. Its maker owns it.
func ToMakeLedger(l uctables.Location) []Grant {
	g := toReach(l)
	g[1].Privileges = append(g[1].Privileges, "CREATE TABLE")
	return g
}

// ToStage are the privileges that are needed to put files into the volume and to have statements read them.
func ToStage(v uctables.Volume) Grant {
	return Grant{[]string{"READ VOLUME", "WRITE VOLUME"}, "VOLUME", v.FullName(), v.Quoted()}
}

// ToMakeVolume is the privilege that is needed to make the volume. Its maker owns it.
func ToMakeVolume(v uctables.Volume) Grant {
	schema := uctables.QuoteName(v.Catalog) + "." + uctables.QuoteName(v.Schema)
	return Grant{[]string{"CREATE VOLUME"}, "SCHEMA", v.Catalog + "." + v.Schema, schema}
}
