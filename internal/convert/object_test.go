package convert

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/race"
)

// TestObjectOwnsItsBytes adds to an object keys and texts from memory that is overwritten after each call, and changes the
// object after it has given its result.
func TestObjectOwnsItsBytes(t *testing.T) {
	var o object
	build := func(name func(s string) []byte) string {
		o.reset()
		add := func(key, value string, from source) {
			o.begin(name(`"` + key + `"`))
			o.buf = append(o.buf, value...)
			o.end(from)
		}
		add("a", `1`, source{[]byte(` 1 `), false})
		add("b", `[2]`, source{[]byte(`"[ \u0032 ]"`), true})
		o.keep("kept", name(`"text"`))
		for i := range indexFrom {
			add(fmt.Sprintf("k%d", i), `0`, source{})
		}
		add("a", `3`, source{[]byte(`3`), false})
		add("b", `4`, source{})
		got, over := o.finish("attributes")
		if len(over) > 0 {
			t.Errorf("%d values are taken out, want none", len(over))
		}
		o.reset()
		o.literal("other", bytes.Repeat([]byte("9"), len(got)))
		return string(got)
	}
	var many strings.Builder
	for i := range indexFrom {
		fmt.Fprintf(&many, `"k%d":0,`, i)
	}
	want := "{" + many.String() + `"a":3,"b":4,"tracemig.raw.kept":"\"text\"","tracemig.raw.a":" 1 ","tracemig.raw.b":"[ 2 ]"}`
	shared := make([]byte, 0, 64)
	got := build(func(s string) []byte {
		return append(shared[:0], s...) // All calls share the memory.
	})
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestHugeObject has an object over the size limit: the source's texts of the largest values are given, and stay
// when the object is used again.
func TestHugeObject(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("megabytes")
	}
	large := strings.Repeat("x", maxVariant)
	var o object
	o.reset()
	o.literal("small", []byte("1"))
	for _, key := range []string{"as it is", "with spaces"} {
		o.begin(quote(nil, key))
		o.buf = quote(o.buf, large)
		if key == "as it is" {
			o.end(source{})
		} else {
			o.end(source{[]byte(` "` + large + `" `), false})
		}
	}
	got, over := o.finish("attributes")
	o.reset()
	o.literal("other", bytes.Repeat([]byte("9"), 3*maxVariant))
	want := fmt.Sprintf(`{"small":1,"with spaces":"[tracemig.overflow: %d bytes of JSON text]",`+
		`"as it is":"[tracemig.overflow: %d bytes of JSON text]"}`, len(large)+4, len(large)+2)
	if string(got) != want {
		t.Errorf("got %.300s, want %s", got, want)
	}
	texts := map[string]string{"as it is": `"` + large + `"`, "with spaces": ` "` + large + `" `}
	if len(over) != len(texts) {
		t.Fatalf("%d values are taken out, want %d", len(over), len(texts))
	}
	for _, ov := range over {
		if ov.of != "attributes" || ov.whole || string(ov.text.text()) != texts[ov.key] {
			t.Errorf("taken out: %q of %s (whole: %t), %d bytes, want the source's text of %d",
				ov.key, ov.of, ov.whole, ov.bytes, len(texts[ov.key]))
		}
	}
}
