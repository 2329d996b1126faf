//go:build rig

package e2e

import (
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
)

// storedKinds are what a server may hold that OTLP does not hold, or not in the same way. No client can log them over HTTP but
// for the link: they come from clients that write into the database themselves, or from older servers. docs/reading.md lists
// what the fast way loses. An integer beyond 64 bits is in the corpus: the server then refuses the whole group.
var storedKinds = []struct {
	name   string
	member string // of the stored span
	json   string // its value; for attributes, that of the attribute "kind"
	fast   string // what the fast way makes of it
}{
	{"an ordinary value", "attributes", `"{\"a\": [1, 0.5, null]}"`, "the same"},
	{"false that is no text", "attributes", `false`, "the same"},
	{"zero that is no text", "attributes", `0`, "the same"},
	{"an empty list that is no text", "attributes", `[]`, "the same"},
	{"a key with NUL, which is kept in the spelling of its text", "attributes", `"{\"a\\u0000b\":    1}"`, "the same"},
	{"a number beyond doubles", "attributes", `"1e400"`, "the same"},
	{"a text that is no JSON", "attributes", `"not json"`, "the same"},
	{"a span ID of four bytes", "span_id", `"AQIDBA=="`, "the same"},
	{"a trace ID of 17 bytes", "trace_id", `"oQIDBAUGBwgJCgsMDQ4PEBE="`, "the same"},
	{"a link with shorter IDs", "links", `[{"trace_id": "tr-a01122334455", "span_id": "a0112233"}]`, "the same"},
	{"a key that comes twice", "attributes", `"{\"a\": 1, \"a\": 2}"`, "lost"},
	{"a link with wider IDs", "links", `[{"trace_id": "tr-a0112233445566778899aabbccddeeff00", "span_id": "a011223344556677ff"}]`, "lost"},
	{"half a surrogate pair", "attributes", `"[\"a\\ud83db\"]"`, "lost"},
	{"more digits than a double has", "attributes", `"3.14159265358979323846"`, "lost"},
	{"a small decimal without exponent", "attributes", `"[0.00001]"`, "the same number"},
	{"a member that spans do not have", "unheard", `"of"`, "lost"},
}

// TestReadFast migrates the same traces with --read fast and with --read exact. The rows differ only where docs/reading.md
// says it, and verify, which reads exactly, finds each of these traces.
func TestReadFast(t *testing.T) {
	t.Parallel()
	m, c := fillBulk(t, "tags", len(storedKinds))
	var ids []string
	for _, trace := range c.Expected {
		if trace.Case == "bulk" {
			ids = append(ids, trace.TraceID)
		}
	}
	for i, kind := range storedKinds {
		store(t, m, ids[i], kind.member, kind.json)
	}
	exact := newFixture(t, m.URI, c.Experiment).toLocal()
	exact.mustRun(0)
	fast := newFixture(t, m.URI, c.Experiment).toLocal()
	s := fast.mustRun(0, "--read", "fast").summary
	if s.Migrated != int64(len(c.Expected)) || s.ReadFast == 0 || s.ReadFast >= s.Migrated {
		t.Errorf("%d traces migrated, %d of them read fast; want %d, and some read again", s.Migrated, s.ReadFast, len(c.Expected))
	}
	spans := func(at tables) map[string][]spanRow {
		byTrace := map[string][]spanRow{}
		rows, _ := readRows(t, tables{"(SELECT * FROM " + at.spans + " ORDER BY span_id)", at.annotations})
		for _, row := range rows {
			byTrace["tr-"+row.TraceID] = append(byTrace["tr-"+row.TraceID], row)
		}
		return byTrace
	}
	want, got := spans(exact.tables), spans(fast.tables)
	v := fast.verify("verify", 4, "--deep")
	for i, kind := range storedKinds {
		d := cmp.Diff(want[ids[i]], got[ids[i]])
		if (d != "") != (kind.fast != "the same") || (v.findings[ids[i]] == "differ") != (kind.fast == "lost") {
			t.Errorf("%s: verify says %q, want %s (-exact +fast):\n%s", kind.name, v.findings[ids[i]], kind.fast, d)
		}
	}
	if v := fast.verify("repair", 0, "--deep", "--update-spans"); !v.report.Equal {
		t.Errorf("repair: %v, want an equal target", v)
	}
	got = spans(fast.tables)
	for i, kind := range storedKinds {
		if d := cmp.Diff(want[ids[i]], got[ids[i]]); d != "" && kind.fast != "the same number" {
			t.Errorf("%s, repaired (-exact +fast):\n%s", kind.name, d)
		}
	}
}

// store sets a member of a trace's root span in the server's database, or its attribute "kind".
func store(t *testing.T, m *rig.MLflow, traceID, member, value string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+m.DB+"?_pragma=busy_timeout(10000)")
	must(t, err)
	defer db.Close()
	const root = " WHERE trace_id = ? AND parent_span_id IS NULL"
	var content string
	must(t, db.QueryRowContext(t.Context(), "SELECT content FROM spans"+root, traceID).Scan(&content))
	var span, attributes map[string]json.RawMessage
	must(t, json.Unmarshal([]byte(content), &span))
	if member == "attributes" {
		must(t, json.Unmarshal(span[member], &attributes))
		attributes["kind"] = json.RawMessage(value)
		b, err := json.Marshal(attributes)
		must(t, err)
		value = string(b)
	}
	span[member] = json.RawMessage(value)
	b, err := json.Marshal(span)
	must(t, err)
	_, err = db.ExecContext(t.Context(), "UPDATE spans SET content = ?"+root, string(b), traceID)
	must(t, err)
}
