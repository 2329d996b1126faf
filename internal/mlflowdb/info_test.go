package mlflowdb

import (
	"math"
	"testing"
)

// The right-hand sides are what Python 3.11 and protobuf 7 print.
func TestNumbersAsThePythonServerWritesThem(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", -2.5: "-2.5", 0.1: "0.1", 1e-4: "0.0001", 1e-5: "1e-05", 1.5e-7: "1.5e-07",
		123456789012345680: "1.2345678901234568e+17",
		1e15:               "1000000000000000.0", 1e16: "1e+16", 1e22: "1e+22", 1e300: "1e+300",
		math.MaxFloat64: "1.7976931348623157e+308", 5e-324: "5e-324",
		0.00034: "0.00034", 1.0 / 3: "0.3333333333333333",
	} {
		if got := pythonFloat(f); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
	if got := pythonFloat(math.Copysign(0, -1)); got != "-0.0" {
		t.Errorf("-0.0: %s", got)
	}
	for ms, want := range map[int64]string{
		0: "0s", 1: "0.001s", 30: "0.030s", 1000: "1s", 61_250: "61.250s", -1: "-0.001s", -1500: "-1.500s",
		math.MaxInt64: "9223372036854775.807s", math.MinInt64: "-9223372036854775.808s",
	} {
		if got := duration(ms); got != want {
			t.Errorf("%d ms: %s, want %s", ms, got, want)
		}
	}
}

func TestDoubles(t *testing.T) {
	for doc, want := range map[string]string{
		"3": "3.0", "-0": "0.0", "2.50": "2.50", "1e3": "1e3", "true": "true", "null": "null", `"3"`: `"3"`, `"a\"4"`: `"a\"4"`,
		"9007199254740992": "9007199254740992.0", "9007199254740993": "9007199254740993", "-9007199254740993": "-9007199254740993",
		"123456789012345678901": "123456789012345678901", `{"5": [1, {"a": 2}], "b": "6 7"}`: `{"5": [1.0, {"a": 2.0}], "b": "6 7"}`,
		"[]": "[]", "NaN": "NaN", "[-Infinity, 1]": "[-Infinity, 1.0]",
	} {
		if got := string(doubles(doc)); got != want {
			t.Errorf("%s: %s, want %s", doc, got, want)
		}
	}
}

func TestAssessmentMetadata(t *testing.T) {
	got, err := stringMap(`{"a": "x\u00e9", "b": 1, "c": 1.5, "d": true, "e": null, "f": [1]}`)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"a": "xé", "b": "1", "c": "1.5", "d": "True", "e": "None", "f": "[1]"} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
	for _, none := range []string{"", "null", "{}"} {
		if m, err := stringMap(none); m != nil || err != nil {
			t.Errorf("%q: %v, %v", none, m, err)
		}
	}
	if _, err := stringMap("[1]"); err == nil {
		t.Error("a list is taken for metadata")
	}
}
