package config

import (
	"strings"
	"testing"
)

func TestCollisions(t *testing.T) {
	for name, c := range map[string]struct{ pairs, want string }{
		"other targets":                 {"{name: a, source: x, target: m.a.p}\n{name: b, source: x, target: m.a.q}", ""},
		"several sources in one target": {"{name: a, source: x, target: m.a.p}\n{name: b, source: y, target: m.a.p}", ""},
		"the same twice": {
			"{name: a, source: x, target: m.a.p}\n{name: b, source: x, target: m.a.p}",
			"f:3: pair b: it has the source and the target of pair a in line 2; leave one out, or give each a shard",
		},
		"the same in other cases": {
			"{name: a, source: x, target: m.a.p}\n{name: b, source: x, target: M.A.p}", "pair b: it has the source and the target of pair a",
		},
		"two shards": {"{name: a, source: x, target: m.a.p, shard: 0/2}\n{name: b, source: x, target: m.a.p, shard: 1/2}", ""},
		"one shard twice": {
			"{name: a, source: x, target: m.a.p, shard: 0/2}\n{name: b, source: x, target: m.a.p, shard: 0/2}",
			"pair b: it has",
		},
		"shards of two counts": {
			"{name: a, source: x, target: m.a.p, shard: 0/2}\n{name: b, source: x, target: m.a.p, shard: 1/4}",
			"pair b: it has",
		},
		"a shard and the whole": {"{name: a, source: x, target: m.a.p, shard: 0/2}\n{name: b, source: x, target: m.a.p}", "pair b: it has"},
		"two windows": {
			"{name: a, source: x, target: m.a.p, start_time: 1d}\n{name: b, source: x, target: m.a.p, start_time: 2d}", "pair b: it has",
		},
		"one target written in two ways": {
			"{name: a, source: x, target: m.a.p}\n{name: b, source: y, target: m.A.p}",
			"f:3: pair b: target m.A.p is that of pair a in line 2, which writes it m.a.p; write it in one way",
		},
		"backquotes that change nothing": {"{name: a, source: x, target: m.a.p}\n{name: b, source: y, target: '`m`.a.p'}", ""},
		"two servers": {
			"{name: a, source: x, target: m.a.p, tracking_uri: 'http://h'}\n{name: b, source: x, target: m.a.p, tracking_uri: 'http://i'}", "",
		},
		"one server": {
			"{name: a, source: x, target: m.a.p, tracking_uri: 'http://h'}\n{name: b, source: x, target: m.a.p, tracking_uri: 'http://H/'}",
			"pair b: it has",
		},
		"two workspaces of sources": {
			"{name: a, source: x, target: m.a.p, source_profile: p}\n{name: b, source: x, target: m.a.p, source_profile: q}", "",
		},
		"two workspaces of targets": {
			"{name: a, source: x, target: m.a.p, target_profile: p}\n{name: b, source: x, target: m.A.p, target_profile: q}", "",
		},
		"one workspace by two keys": {
			"{name: a, source: x, target: m.a.p, profile: p}\n{name: b, source: x, target: m.a.p, source_profile: p, target_profile: p}",
			"pair b: it has",
		},
		"one folder": {
			"{name: a, source: x, target: 'file:./lake/p'}\n{name: b, source: x, target: 'file:lake/../lake/p'}", "pair b: it has",
		},
		"a folder in a table": {
			"{name: a, source: x, target: 'file:lake/p'}\n{name: b, source: y, target: 'file:lake/p_otel_spans/q'}",
			"pair b: target lies in the folder of a table of pair a",
		},
		"a table around a folder": {
			"{name: b, source: y, target: 'file:lake/p_otel_spans/q'}\n{name: a, source: x, target: 'file:lake/p'}",
			"pair a: target has a table in whose folder lies that of pair b in line 2",
		},
		"a folder beside a table": {"{name: a, source: x, target: 'file:lake/p'}\n{name: b, source: y, target: 'file:lake/p_otel_more'}", ""},
		"one checkpoint": {
			"{name: a, source: x, target: m.a.p, checkpoint: c.db}\n{name: b, source: y, target: m.a.q, checkpoint: ./c.db}",
			"f:3: pair b: checkpoint is a file of pair a in line 2 too; name another",
		},
		"one file for two keys": {"{name: a, source: x, target: m.a.p, checkpoint: c, extra: c}", "pair a: extra is the file of another key too"},
		"one file for a pattern": {
			"{name: a, source: 'x*', target: m.a.p, checkpoint: c.db}", "pair a: checkpoint is one file for all experiments of a pattern",
		},
		"a pattern into one target": {"{name: a, source: '/x/*', target: m.a.p}\n{name: b, source: /y, target: m.a.p}", ""},
		"a pattern twice": {
			"{name: a, source: 'x*', target: 'm.a.{name}'}\n{name: b, source: 'x*', target: 'm.a.{name}'}",
			"pair b: it has",
		},
		"a pattern into two targets": {"{name: a, source: 'x*', target: 'm.a.{name}'}\n{name: b, source: 'x*', target: 'm.b.{name}'}", ""},
		"two patterns":               {"{name: a, source: 'x*', target: 'm.a.{name}'}\n{name: b, source: 'y*', target: 'm.a.{name}'}", ""},
		"one of a pattern": {
			"{name: a, source: '/x/*', target: 'm.a.{name}'}\n{name: b, source: /x/Y z, target: m.a.y_z}",
			"pair b: it has",
		},
		"one of a pattern, the other way": {
			"{name: b, source: /x/y, target: m.a.y}\n{name: a, source: '/x/*', target: 'm.a.{name}'}",
			"pair a: it has",
		},
		"one of a pattern, elsewhere":       {"{name: a, source: '/x/*', target: 'm.a.{name}'}\n{name: b, source: /x/y, target: m.a.z}", ""},
		"one below a pattern":               {"{name: a, source: '/x/*', target: 'm.a.{name}'}\n{name: b, source: /x/y/z, target: m.a.z}", ""},
		"one by its ID, which says no more": {"{name: a, source: '/x/*', target: 'm.a.{name}'}\n{name: b, source: 123, target: m.a.y}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			file, problems := Parse("f", []byte("pairs:\n- "+strings.ReplaceAll(c.pairs, "\n", "\n- ")+"\n"), testKeys)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			got := problemLines(file, file.Collisions())
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("collisions:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}
