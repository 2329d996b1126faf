package mlflow

import (
	"strings"
	"testing"
)

const traceHex = "2dc9e3041b13a2e92f2482702ff5885d"

func TestTargetTraceID(t *testing.T) {
	for id, want := range map[string]string{
		traceHex:                                traceHex,
		"tr-" + traceHex:                        traceHex,
		"tr-" + strings.ToUpper(traceHex):       traceHex,
		"trace:/cat.sch.pre/" + traceHex:        traceHex,
		"trace:/a/b/" + traceHex:                traceHex,
		"":                                      "",
		"tr-":                                   "",
		"tr-custom":                             "",
		"tr-" + traceHex[1:]:                    "",
		"tr-" + traceHex + "0":                  "",
		"tr-" + strings.Repeat("0", 32):         "",
		"tr-" + strings.Repeat("g", 32):         "",
		"LcnjBBsToukvJIJwL/WIXQ==":              "",
		"trace:/" + strings.Repeat("0", 32):     "",
		"trace:/cat.sch.pre/" + traceHex + "/x": "",
	} {
		if got := TargetTraceID(id); got != want {
			t.Errorf("TargetTraceID(%q) = %q, want %q", id, got, want)
		}
	}
}

func TestParseIDs(t *testing.T) {
	const spanHex = "11fcc7409c15504d"
	for _, tt := range []struct {
		name  string
		parse func(string) (string, bool)
		text  string
		want  string
		exact bool
	}{
		{"trace, hex", ParseTraceID, traceHex, traceHex, true},
		{"trace, of MLflow", ParseTraceID, "tr-" + traceHex, traceHex, true},
		{"trace, of a location", ParseTraceID, "trace:/c.s.p/" + traceHex, traceHex, true},
		{"trace, base64", ParseTraceID, "LcnjBBsToukvJIJwL/WIXQ==", traceHex, true},
		{"trace, short hex", ParseTraceID, "ff", strings.Repeat("0", 30) + "ff", false},
		{"trace, short hex of MLflow", ParseTraceID, "tr-ff", strings.Repeat("0", 30) + "ff", false},
		{"trace, no hex", ParseTraceID, "custom", "", false},
		{"trace, zero", ParseTraceID, strings.Repeat("0", 32), "", false},
		{"trace, zero in base64", ParseTraceID, "AAAAAAAAAAAAAAAAAAAAAA==", "", true},
		{"trace, empty", ParseTraceID, "", "", false},
		{"span, hex", ParseSpanID, strings.ToUpper(spanHex), spanHex, true},
		{"span, base64", ParseSpanID, "EfzHQJwVUE0=", spanHex, true},
		{"span, short hex", ParseSpanID, "F", "000000000000000f", false},
		{"span, too long", ParseSpanID, spanHex + "0", "", false},
		{"span, of MLflow's traces", ParseSpanID, "tr-" + spanHex, "", false},
		{"span, zero", ParseSpanID, "0000000000000000", "", false},
		{"span, empty", ParseSpanID, "", "", false},
	} {
		if id, exact := tt.parse(tt.text); id != tt.want || exact != tt.exact {
			t.Errorf("%s: %q, exact %t, want %q, %t", tt.name, id, exact, tt.want, tt.exact)
		}
	}
}
