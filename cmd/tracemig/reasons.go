package main

import (
	"strings"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/verify"
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
	checkpoint.ReasonRemoving:    {"removal cut off", "remove it again to go on; the next run writes it anew"},
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
	mlflowclient.MissingElsewhere:  {"spans elsewhere", "they lie outside of the database, out of reach: " + nothingShown},

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

// kindWords say what each finding of a verification means, but for a match. docs/verify.md says more of each.
var kindWords = map[verify.Kind]string{
	verify.Pending:    "the target has nothing of it, and no checkpoint here says that it was moved: run again",
	verify.Missing:    "the checkpoint says that it was moved, and the target has nothing of it: repair moves it again",
	verify.Incomplete: "spans or annotations of it are missing: repair writes them",
	verify.Differ:     "a value differs, or there are spans that the source does not have",
	verify.Duplicate:  "rows of it are there more than once",
	verify.Unreadable: "the source does not give it, so nothing is proven",
	verify.Changed:    "it changed at the source after it was migrated; the next run follows",
	verify.Newer:      "it was requested after the last run began that looked at all; the next run takes it",
	verify.Open:       "it has not ended at the source; a later run takes it",
	verify.Edited:     "its annotations were changed at the target; they stay as they are there",
	verify.Extra:      "it was migrated, and the source no longer lists it",
	verify.Official:   "Databricks' own migration has moved it, and the target holds what that migration keeps",
	verify.Accepted:   "runs can't migrate it, which somebody has accepted",
}

// noteWords say what was changed of a value so that the tables can hold it.
var noteWords = map[convert.NoteCode]string{
	convert.NonFinite:     "NaN or an infinity, now a string",
	convert.InexactNumber: "a number that the tables can't hold exactly, now a string of its digits",
	convert.LoneSurrogate: "half of a character, now U+FFFD",
	convert.InvalidUTF8:   "bytes that are no UTF-8, now U+FFFD",
	convert.DuplicateKey:  "a key that is there twice: the last one stands",
	convert.NULInKey:      "a NUL in a key, now U+FFFD",
	convert.InvalidJSON:   "text that begins like JSON and is none, kept as a string",
	convert.TooDeep:       "nested too deep, kept as a string of its JSON text",
	convert.LongKey:       "a key that is too long",
	convert.TooLarge:      "too large for one value, kept in parts",
	convert.BadID:         "no OTEL ID, replaced by a derived one",
	convert.OtherTraceID:  "a span with the ID of another trace",
	convert.BadTime:       "no time in nanoseconds, replaced",
	convert.BadValue:      "a field of another type than the format has",
	convert.UnknownField:  "a field that the format does not have",
	convert.DuplicateSpan: "the same span twice",
	convert.NoRoot:        "no span without a parent: the service's views do not show the trace",
	convert.IssueLink:     "a reference to an issue, kept as feedback",
	convert.KeyCollision:  "the user's own key has a meaning for readers, and was renamed",
	convert.BadAssessment: "an assessment without an ID or a value, or whose ID comes twice",
}
