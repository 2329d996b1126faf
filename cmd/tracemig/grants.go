package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// printGrants prints the statements that grant what a run needs. Where the flags name both the location and the principal, no
// workspace is asked.
func (a *app) printGrants(o checkOptions) error {
	if o.target == "" {
		return errNoLocation
	}
	// No source is read, so what the environment says of one does not matter.
	o.source = cmp.Or(o.source, "none")
	if o.checkURI(a) != nil {
		o.trackingURI = "databricks"
	}
	_, log, err := a.prepare(o.runOptions)
	if err != nil {
		return err
	}
	if o.local() {
		return usageError("--print-grants is for tables in Unity Catalog; local ones have no grants")
	}
	if strings.ContainsFunc(o.principal, unicode.IsControl) {
		return usageError("--principal holds a control character; no principal's name does")
	}
	conn := o.connector(a, log)
	l, err := conn.location(a.stop, o.target)
	if err != nil {
		return err
	}
	if o.principal == "" {
		if o.principal, err = a.whoAmI(conn); err != nil {
			return err
		}
	}
	statements, err := o.grants(l, conn)
	if err != nil {
		return err
	}
	for _, g := range statements {
		if o.output == "json" {
			err = jsonPrinter{a.stdout}.line(grantPrinted{"grant", g})
		} else {
			_, err = fmt.Fprintln(a.stdout, g+";")
		}
		if err != nil {
			return err
		}
	}
	fmt.Fprintln(a.terminal, "Besides, it needs CAN USE on the SQL warehouse, which is given in the warehouse's permissions.")
	return nil
}

// whoAmI is the name of the identity in use.
func (a *app) whoAmI(conn *connector) (string, error) {
	ws, err := conn.workspace()
	if err != nil {
		return "", fmt.Errorf("who is it for? Name a principal with --principal, or log in: %w", err)
	}
	me, f, err := preflight.Identity(a.stop, ws)
	if f.Result != preflight.OK {
		return "", advice.With(fault.With(errors.New(f.Text), fault.Of(err)), "Name a principal with --principal")
	}
	return me.Name, nil
}

// grants are the statements for the principal to write into the tables at l, through the volume that the flags name.
// Where the source is tables, they also let it read those.
func (o *checkOptions) grants(l uctables.Location, conn *connector) ([]string, error) {
	statements := grants.Statements(l, o.principal)
	if tables, ok, err := conn.betaTables(o.source); err != nil {
		return nil, err
	} else if ok {
		for _, g := range grants.ToReadBeta(tables) {
			if s := g.Statement(o.principal); !slices.Contains(statements, s) {
				statements = append(statements, s)
			}
		}
	}
	v, err := o.volume(l)
	switch {
	case err != nil:
		return nil, err
	case v != nil && o.stage != "":
		statements = append(statements, grants.ToMakeVolume(*v).Statement(o.principal))
	case v != nil:
		statements = append(statements, grants.ToStage(*v).Statement(o.principal))
	}
	ledger, err := o.ledger()
	if err != nil || ledger == nil {
		return statements, err
	}
	// Where its table is made by somebody else, the principal needs no CREATE TABLE.
	statements = append(statements, tablesql.CreateLedger(*ledger))
	for _, g := range grants.ToKeepLedger(*ledger) {
		if s := g.Statement(o.principal); !slices.Contains(statements, s) {
			statements = append(statements, s)
		}
	}
	return statements, nil
}

// grantPrinted is a statement of --print-grants as JSON.
type grantPrinted struct {
	Type      string `json:"type"`
	Statement string `json:"statement"` // SQL, without a semicolon
}
