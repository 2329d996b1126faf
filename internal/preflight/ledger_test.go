package preflight

import (
	"context"
	"errors"
	"testing"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// keptLedger is a ledger of which Check says err. It must not be written.
type keptLedger struct {
	target.Ledger
	err error
}

func (l keptLedger) Check(context.Context) error { return l.err }

// Ledger is the ledger of tables. Its error stands under its name.
func (t tables) Ledger(name uctables.Location) target.Ledger { return keptLedger{err: t[name.Prefix]} }

func TestLedger(t *testing.T) {
	const table, grant = CodeTable + ledger, CodeGrant + ledger
	gone := &target.TableError{Table: "m.ops.runs", Missing: true, Problem: "does not exist", Next: "a run makes it."}
	for name, c := range map[string]struct {
		change func(*fixture)
		want   map[Code]Result // of those that are not OK
		says   map[Code]string
	}{
		"there": {says: map[Code]string{
			table: "m.ops.runs has the columns of a ledger",
			grant: "ann has USE CATALOG on m; ann has USE SCHEMA on m.ops; ann has SELECT and MODIFY on m.ops.runs",
		}},
		"missing": {
			change: func(b *fixture) { b.tables["runs"] = gone },
			says:   map[Code]string{table: "m.ops.runs will be made", grant: "ann has USE SCHEMA and CREATE TABLE on m.ops"},
		},
		"missing, and may not be made": {
			change: func(b *fixture) { b.tables["runs"], b.ws.lacks = gone, []string{"m.ops"} },
			want:   map[Code]Result{grant: Failed},
			says: map[Code]string{grant: "ann lacks USE SCHEMA and CREATE TABLE on m.ops\n" +
				"Have the owner of m.ops run the statement, or make the table for it by those that --print-grants prints\n" +
				"GRANT USE SCHEMA, CREATE TABLE ON SCHEMA `m`.`ops` TO `ann`"},
		},
		"another table": {
			change: func(b *fixture) {
				b.tables["runs"] = &target.TableError{Table: "m.ops.runs", Problem: "has no column run_id", Next: "Name another."}
			},
			want: map[Code]Result{table: Failed},
			says: map[Code]string{table: "m.ops.runs has no column run_id\nName another"},
		},
		"not to be asked": {
			change: func(b *fixture) { b.tables["runs"] = errors.New("500") },
			want:   map[Code]Result{table: Failed},
		},
		"may not be written": {
			change: func(b *fixture) {
				b.ws.lacks, b.ws.absent, b.ws.partial = []string{"m.ops.runs"}, []string{"m.ops"}, true
			},
			want: map[Code]Result{grant: Failed},
			says: map[Code]string{grant: "\nCheck the name, or have its owner run the statement\n" +
				"GRANT USE SCHEMA ON SCHEMA `m`.`ops` TO `ann`\nGRANT MODIFY ON TABLE `m`.`ops`.`runs` TO `ann`"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			b.job.Ledger = &uctables.Location{Catalog: "m", Schema: "ops", Prefix: "runs"}
			if c.change != nil {
				c.change(b)
			}
			found := b.run(t)
			expect(t, found, c.want, c.says)
			if n := len(found); n != 25 {
				t.Errorf("%d probes, want 25", n)
			}
		})
	}
	b := newFixture(t)
	b.job.Ledger = &uctables.Location{Catalog: "m", Schema: "ops", Prefix: "runs"}
	b.target.Warehouse = func() (string, error) { return "", errors.New("none is named") }
	if f := b.run(t)[table]; f.Result != NotChecked {
		t.Errorf("without a warehouse: %+v, want it not checked", f)
	}
}
