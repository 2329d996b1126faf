// Package digest says by a short text in what state a trace was, so that a later run sees whether it changed.
//
// The text holds what the source lists of the trace, and, each behind a plus sign, the runs of the source experiment
// and those of other experiments that it is linked to, where there are any. It does not end with a plus sign.
package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/runlinks"
)

// Of is the digest of a trace as it is now. noted is the digest of its last known state, or "". What this run did not
// ask for is taken from there, so that it does not count as a change.
func Of(info *mlflow.TraceInfo, links checkpoint.Links, asked runlinks.Scope, noted string) string {
	_, source, others := cut(noted)
	if asked.Asked() {
		source = ofRuns(links.Source)
	}
	if asked == runlinks.OfAll {
		others = ofRuns(links.Others)
	}
	return strings.TrimRight(info.Digest()+"+"+source+"+"+others, "+")
}

// Same says whether two digests are equal in what was asked for.
func Same(noted, now string, asked runlinks.Scope) bool {
	aListed, aSource, aOthers := cut(noted)
	bListed, bSource, bOthers := cut(now)
	return aListed == bListed && (!asked.Asked() || aSource == bSource) && (asked != runlinks.OfAll || aOthers == bOthers)
}

func cut(d string) (listed, source, others string) {
	listed, rest, _ := strings.Cut(d, "+")
	source, others, _ = strings.Cut(rest, "+")
	return listed, source, others
}

func ofRuns(runs []string) string {
	if len(runs) == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join(runs, "\n")))
	return hex.EncodeToString(sum[:8])
}
