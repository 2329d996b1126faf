package preflight

import (
	"errors"
	"slices"

	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/target"
)

// ledger is the ledger's part of a code.
const ledger Code = "ledger"

// ledger probes the ledger, if one is kept. It says whether the ledger is missing.
func (c *check) ledger(tables target.TableChecker) (missing bool) {
	if c.Ledger == nil {
		return false
	}
	const code = CodeTable + ledger
	keeper, ok := tables.(target.LedgerKeeper)
	if !ok {
		c.notChecked(code, "the target keeps no ledger")
		return false
	}
	err := keeper.Ledger(*c.Ledger).Check(c.ctx)
	te, known := errors.AsType[*target.TableError](err)
	switch {
	case err == nil:
		c.ok(code, "%s has the columns of a ledger", c.Ledger)
	case known && te.Missing:
		c.ok(code, "%s will be made", c.Ledger)
		return true
	default:
		c.failed(code, err, "")
	}
	return false
}

// ledgerGrants tells what privileges the identity has and lacks to keep the ledger, or to make it where it is missing.
func (c *check) ledgerGrants(missing bool) {
	if c.Ledger == nil {
		return
	}
	const code = CodeGrant + ledger
	if c.me.Name == "" {
		c.notChecked(code, "it is not known who asks, see %s", CodeIdentity)
		return
	}
	needs := grants.ToKeepLedger(*c.Ledger)
	if missing {
		needs = grants.ToMakeLedger(*c.Ledger)
	}
	all := Finding{Result: OK}
	for _, need := range needs {
		f := Granted(c.ctx, c.ws, c.me, need)
		f.Grants = append(all.Grants, f.Grants...)
		switch worse := severity(f.Result) - severity(all.Result); {
		case worse > 0 || all.Text == "":
			all = f
		case worse == 0:
			all.Text += "; " + f.Text
			fallthrough
		default:
			all.Grants = f.Grants
		}
	}
	all.Code = code
	if missing && len(all.Grants) > 0 {
		all.Next += ", or make the table for it by those that --print-grants prints"
	}
	c.yield(all)
}

func severity(r Result) int { return slices.Index([]Result{OK, NotChecked, Warning, Failed}, r) }
