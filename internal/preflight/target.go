package preflight

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// short is a table's part of a code: spans, annotations, logs or metrics.
func short(t uctables.Table) Code { return Code(strings.TrimPrefix(t.Suffix, "_otel_")) }

func tableCodes() (codes []Code) {
	for _, t := range uctables.Tables {
		codes = append(codes, CodeTable+short(t))
	}
	return codes
}

// locationCodes are the probes of a location in Unity Catalog that need its tables to be open.
func (c *check) locationCodes() []Code {
	codes := append(tableCodes(), CodeViews, CodeOfficial)
	if c.Ledger != nil {
		codes = append(codes, CodeTable+ledger)
	}
	return codes
}

// target makes the probes of the target. It returns the target's name, empty where it is not known.
func (c *check) target() string {
	skip := func(needed Code, why string, more ...Code) string {
		codes := tableCodes()
		if !c.Local {
			codes = append([]Code{CodeWarehouse, CodeMayUse}, c.locationCodes()...)
			for _, g := range grants.ToWrite(uctables.Location{}) {
				codes = append(codes, grantCode(g))
			}
			if c.Ledger != nil {
				codes = append(codes, CodeGrant+ledger)
			}
		}
		c.unknown = needed
		c.needs(needed, why, append(more, codes...)...)
		return ""
	}
	if !c.Local && c.ws == nil {
		return skip(CodeIdentity, "the workspace can't be asked", CodeLocation)
	}
	t, err := c.Job.Target(c.ctx)
	if err != nil {
		c.failed(CodeLocation, err, "")
		return skip(CodeLocation, "the target is not known")
	}
	if t.Location == nil {
		c.local(t)
		return t.Name
	}
	if t.ExperimentID != "" {
		c.ok(CodeLocation, "experiment %s is bound to %s", t.ExperimentID, t.Name)
	} else {
		c.ok(CodeLocation, "%s, as named", t.Name)
	}
	missing := c.tables(t)
	c.grants(t, missing)
	c.ledgerGrants(missing[ledger])
	return t.Name
}

// local probes local tables and their folder.
func (c *check) local(t Target) {
	c.ok(CodeLocation, "%s, as named", t.Name)
	folder, err := writableFolder(t.Folder)
	// Tables that exist may belong to another user than the folder.
	for _, table := range uctables.Tables {
		dir := strings.TrimPrefix(t.Name, "file:") + table.Suffix
		for _, part := range []string{dir, filepath.Join(dir, "_delta_log")} {
			if _, serr := os.Stat(part); serr == nil && err == nil {
				if err = access(part); err != nil {
					folder = part
				}
			}
		}
	}
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		c.notChecked(CodeFolder, "this system can't tell without writing")
	case err != nil:
		c.failed(CodeFolder, fmt.Errorf("%s can't be written to: %w", folder, err), "Change its permissions, or name another folder")
	case folder != t.Folder:
		c.ok(CodeFolder, "%s will be made in %s", t.Folder, folder)
	default:
		c.ok(CodeFolder, "%s can be written to", t.Folder)
	}
	tables, err := t.Open(c.ctx, "")
	for _, table := range uctables.Tables {
		if err != nil {
			c.failed(CodeTable+short(table), err, "")
			continue
		}
		_ = c.table(tables, table, true) // nothing further is asked of a local table
	}
	c.disk(CodeDisk, t.Folder)
}

// tables probes the warehouse and the tables behind it. missing says which are not there.
func (c *check) tables(t Target) (missing map[Code]bool) {
	missing = map[Code]bool{}
	id, err := t.Warehouse()
	if err != nil {
		c.failed(CodeWarehouse, err, "")
		c.needs(CodeWarehouse, "no warehouse is named", append([]Code{CodeMayUse}, c.locationCodes()...)...)
		return missing
	}
	warehouse, stateErr := c.ws.Warehouse(c.ctx, id)
	tables, err := t.Open(c.ctx, id)
	switch {
	case err != nil:
		c.failed(CodeWarehouse, err, "")
	case stateErr != nil:
		c.failed(CodeWarehouse, stateErr, "Ask for CAN USE on it")
	case warehouse.State == "RUNNING":
		c.ok(CodeWarehouse, "%s (%s) is running", warehouse.Name, id)
	default:
		c.ok(CodeWarehouse, "%s (%s) was %s and has been started, as a run does: the tables can't be seen without",
			warehouse.Name, id, strings.ToLower(warehouse.State))
	}
	var found []Finding
	ran := false // whether any statement ran
	if err == nil {
		inner := *c
		inner.yield = func(f Finding) { found = append(found, f) }
		for _, table := range uctables.Tables {
			err := inner.table(tables, table, false)
			te, seen := errors.AsType[*target.TableError](err)
			ran = ran || seen || err == nil
			missing[short(table)] = seen && te.Missing
		}
		inner.views(t, tables)
		inner.official(t, tables)
		missing[ledger] = inner.ledger(tables)
	}
	c.mayUse(id, ran)
	for _, f := range found {
		c.yield(f)
	}
	if err != nil {
		c.needs(CodeWarehouse, "the warehouse can't be used", c.locationCodes()...)
	}
	return missing
}

// views warns of views in the place of those that the service makes when it binds an experiment.
func (c *check) views(t Target, tables target.TableChecker) {
	const inTheWay = "while they stand, no experiment can be bound to the location (Failed to validate table compatibility)"
	if t.ExperimentID != "" {
		c.ok(CodeViews, "experiment %s is bound to the location, so views are in nobody's way", t.ExperimentID)
		return
	}
	asked, ok := tables.(target.LocationReader)
	if !ok {
		c.notChecked(CodeViews, "%s does not tell of views", t.Name)
		return
	}
	own, err := asked.OwnViews(c.ctx)
	var drop []string
	for _, v := range own {
		drop = append(drop, v.Drop)
	}
	switch {
	case err != nil:
		c.notChecked(CodeViews, "it can't be seen who made the views: %v", err)
	case len(own) > 0:
		c.warning(CodeViews, "If one is to be bound, run before it is created: "+strings.Join(drop, "; ")+". Otherwise leave them",
			"tracemig has made views there: %s", inTheWay)
	case c.CreateViews:
		c.warning(CodeViews, "Leave --create-views off if one is to be bound", "views will be made: %s", inTheWay)
	default:
		c.ok(CodeViews, "there are none that tracemig has made")
	}
}

// official tells what Databricks' own migration has moved of the experiment, and what it has skipped.
func (c *check) official(t Target, tables target.TableChecker) {
	asked, ok := tables.(target.LocationReader)
	if c.experiment.ID == "" || !ok {
		c.needs(CodeExperiment, "the source experiment is not known", CodeOfficial)
		return
	}
	skipped, err := asked.OfficialSkips(c.ctx, c.experiment.ID)
	progress, moved := official.ReadProgress(c.experiment.Tags, *t.Location)
	text := "Databricks' own migration has moved nothing of the experiment there"
	if moved {
		text = "Databricks' own migration has moved traces of the experiment there, " + progress.String() + ": a run takes them over"
	}
	var total int64
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(skipped)) {
		total += skipped[reason]
		reasons = append(reasons, fmt.Sprintf("%d %s", skipped[reason], reason))
	}
	if total > 0 {
		text += fmt.Sprintf("; %d that it skipped for good stand in %s.%s.%s (%s): a run moves them if it can",
			total, t.Location.Catalog, t.Location.Schema, tablesql.OfficialSkippedTable, strings.Join(reasons, ", "))
	}
	if err != nil {
		c.notChecked(CodeOfficial, "%s; what it skipped can't be counted: %v", text, err)
		return
	}
	c.ok(CodeOfficial, "%s", text)
}

// mayUse tells whether the identity may use the warehouse. That a statement ran is better proof than the permissions: few may
// read those, and they don't show what comes through groups of groups.
func (c *check) mayUse(id string, ran bool) {
	may, err := c.ws.MayUse(c.ctx, id, c.me)
	switch {
	case ran:
		c.ok(CodeMayUse, "statements run on warehouse %s", id)
	case err != nil:
		c.notChecked(CodeMayUse, "the permissions of warehouse %s can't be read: %v", id, err)
	case may:
		c.ok(CodeMayUse, "%s has CAN USE or more on warehouse %s", c.me.Name, id)
	default:
		c.failed(CodeMayUse, fmt.Errorf("%s has no CAN USE on warehouse %s", c.me.Name, id),
			"Have its owner grant CAN USE in the warehouse's permissions")
	}
}

// table probes one table. It returns the error that it reports.
func (c *check) table(tables target.TableChecker, t uctables.Table, local bool) error {
	err := tables.CheckTable(c.ctx, t)
	code := CodeTable + short(t)
	te, known := errors.AsType[*target.TableError](err)
	written := t.Suffix == uctables.Spans.Suffix || t.Suffix == uctables.Annotations.Suffix
	switch {
	case err == nil:
		c.ok(code, "it has the columns of schema version %s", uctables.SchemaVersion)
	case known && te.Missing && (c.Create || local):
		c.ok(code, "it will be made")
	case !written:
		f := failure(code, err, "")
		c.warning(code, "Nothing is migrated into it, but a trace location has it: look whether this is one", "%s", f.Text)
	case local:
		c.failed(code, err, "Check the permissions of the folder, or name another one")
	default:
		c.failed(code, err, "")
	}
	return err
}

func grantCode(g grants.Grant) Code {
	if g.Securable != "TABLE" {
		return CodeGrant + Code(strings.ToLower(g.Securable))
	}
	for _, t := range uctables.Tables {
		if strings.HasSuffix(g.Name, t.Suffix) {
			return CodeGrant + short(t)
		}
	}
	return CodeGrant + "table"
}

// tableOf is a table's part of the code of its grants.
func tableOf(code Code) Code { return Code(strings.TrimPrefix(string(code), string(CodeGrant))) }

// grants tells what privileges the identity has and lacks. missing says which tables are not there.
func (c *check) grants(t Target, missing map[Code]bool) {
	needs := grants.ToWrite(*t.Location)
	var create []string // what the identity has to create in the schema
	if c.CreateViews || c.Create && slices.Contains(slices.Collect(maps.Values(missing)), true) {
		create = append(create, "CREATE TABLE")
	}
	if t.Volume != nil && c.makesVolume(t) {
		create = append(create, "CREATE VOLUME")
	} else if t.Volume != nil {
		needs = append(needs, grants.ToStage(*t.Volume))
	}
	for _, g := range needs {
		code := grantCode(g)
		table := tableOf(code)
		absent := g.Securable == "TABLE" && missing[table]
		switch {
		case c.me.Name == "":
			c.needs(CodeIdentity, "it is not known who asks", code)
		case absent && c.Create:
			c.ok(code, "the table will be made, and belong to %s", c.me.Name)
		case absent:
			c.needs(CodeTable+table, "the table does not exist", code)
		default:
			if g.Securable == "SCHEMA" {
				g.Privileges = append(g.Privileges, create...)
			}
			c.yield(Granted(c.ctx, c.ws, c.me, g))
		}
	}
}

// makesVolume says whether the run would make the target's volume.
func (c *check) makesVolume(t Target) bool {
	if !t.MakeVolume {
		return false
	}
	_, _, err := c.ws.Privileges(c.ctx, "VOLUME", t.Volume.FullName(), c.me)
	return errors.Is(err, databricks.ErrNotThere)
}

// allPrivileges includes what is needed on a catalog, schema or volume. On the tables it is not enough: the service owns them.
const allPrivileges = "ALL PRIVILEGES"

// Granted is the finding about the privileges that the identity needs on one securable.
func Granted(ctx context.Context, ws Workspace, me databricks.Identity, need grants.Grant) Finding {
	code := grantCode(need)
	held, complete, err := ws.Privileges(ctx, need.Securable, need.Name, me)
	switch {
	case errors.Is(err, databricks.ErrNotThere) && need.Securable != "TABLE":
		return Finding{Code: code, Result: Failed, Text: fmt.Sprintf("%s %s: %v", strings.ToLower(need.Securable), need.Name, err),
			Next: "Check the name, or have its owner run the statement", Grants: []string{need.Statement(me.Name)}}
	case err != nil:
		return Finding{Code: code, Result: NotChecked, Text: fmt.Sprintf("the privileges on %s can't be read: %v", need.Name, err)}
	}
	needed := need
	all := slices.Contains(held, allPrivileges)
	needed.Privileges = slices.DeleteFunc(slices.Clone(need.Privileges), func(p string) bool {
		return slices.Contains(held, p) || all && need.Securable != "TABLE"
	})
	if len(needed.Privileges) == 0 {
		return Finding{Code: code, Result: OK, Text: fmt.Sprintf("%s has %s on %s", me.Name, strings.Join(need.Privileges, " and "), need.Name)}
	}
	if ws.Owns(ctx, need.Securable, need.Name, me) {
		return Finding{Code: code, Result: OK, Text: fmt.Sprintf("%s owns %s", me.Name, need.Name)}
	}
	f := Finding{Code: code, Result: Failed,
		Text: fmt.Sprintf("%s lacks %s on %s", me.Name, strings.Join(needed.Privileges, " and "), need.Name),
		Next: "Have the owner of " + need.Name + " run the statement", Grants: []string{needed.Statement(me.Name)}}
	if all {
		f.Text += "; ALL PRIVILEGES, which it has, is not enough for MLflow's trace tables"
	}
	if !complete {
		f.Result = Warning
		f.Text += ", unless it has them through a group, which only the owner may see"
	}
	return f
}

// Quick makes the probes that a run makes before it reads anything: whose credentials it has, and what they lack of needs. The
// error says that the workspace does not answer, or does not accept the credentials, so that nothing else would work.
func Quick(ctx context.Context, ws Workspace, needs []grants.Grant) (lacks []Finding, err error) {
	me, f, err := Identity(ctx, ws)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case f.Result == Failed:
		return nil, advice.With(fault.With(errors.New(f.Text), fault.Of(err)), f.Next)
	case f.Result != OK:
		return []Finding{f}, nil
	}
	for _, g := range needs {
		if f := Granted(ctx, ws, me, g); f.Result == Failed || f.Result == Warning {
			lacks = append(lacks, f)
		}
	}
	return lacks, nil
}
