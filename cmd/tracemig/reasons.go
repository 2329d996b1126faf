package main

import (
	"strings"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
)

// reason is a reason why a trace was not, or not wholly, migrated, for people.
type reason struct {
	words string // what is so, of one trace or of several
	means string // what that means, and what becomes of the trace
}

const (
	afterSkip    = "what there is of it is migrated"
	triedAgain   = "every run tries it again"
	nothingShown = "nothing of it is visible, and every run tries it again"
)

// reasons are all codes. docs/copied.md says more of each.
var reasons = map[checkpoint.Reason]reason{
	migrate.ReasonInProgress:     {"had not ended", "a later run takes it once it has"},
	migrate.ReasonSpansOpen:      {"spans not ended", "a later run takes it once they have"},
	migrate.ReasonRepair:         {"to be repaired", "verification found it wanting; the next run writes what is missing"},
	migrate.ReasonDeleted:        {"deleted meanwhile", "the source no longer has it"},
	migrate.ReasonFetch:          {"spans unreadable", triedAgain},
	migrate.ReasonSpansChanged:   {"spans changed", "they have other values at the source now; the target keeps those that it has"},
	migrate.ReasonRefused:        {"row refused", "the target does not take it: " + nothingShown},
	migrate.ReasonRowTooLarge:    {"row too large", "the target does not take so much in one row: " + nothingShown},
	migrate.ReasonSameTraceID:    {"same trace ID", "it is a copy: another trace with the same ID is migrated"},
	migrate.ReasonOfficialID:     {"Databricks' own", "Databricks' own migration has moved it under another ID, and it stays so"},
	migrate.ReasonAttachment:     {"attachment failed", "it could not be read: " + nothingShown},
	migrate.ReasonAttachmentLost: {"attachment lost", "the source does not have it: " + nothingShown},
	migrate.ReasonUnlistable:     {"can't be listed", "the source has it, and answers with an error when it is to list it; " + triedAgain},

	mlflowclient.MissingLost:       {"spans were lost", "it had spans, and the source has none any more: " + afterSkip},
	mlflowclient.MissingNever:      {"never had spans", "nothing says that it ever had any: its annotations are migrated"},
	mlflowclient.MissingIncomplete: {"spans are missing", "it reported more than there are: they are awaited for a day, then " + afterSkip},
	mlflowclient.MissingArchived:   {"archived", "its spans are where the source does not serve them: " + afterSkip},

	checkpoint.Reason(convert.NoTrace):      {"not a trace", "the source lists something without an ID; " + triedAgain},
	checkpoint.Reason(convert.SpansNotJSON): {"spans are damaged", "the source has no JSON of them; " + triedAgain},
	checkpoint.Reason(convert.SpansForm):    {"unknown form", "tracemig does not know the form of its spans; " + triedAgain},
	checkpoint.Reason(convert.OtherTrace):   {"another's spans", "the source gives those of another trace; " + triedAgain},
}

// inWords is what is known of a code; one that is not known stands for itself.
func inWords(code checkpoint.Reason) reason {
	if r, ok := reasons[code]; ok {
		return r
	}
	return reason{words: strings.ReplaceAll(string(code), "_", " ")}
}
