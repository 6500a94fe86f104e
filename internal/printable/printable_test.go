package printable

import (
	"bytes"
	"testing"
)

// What a terminal would obey is written out; what it would show is left alone.
func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"layer1.0.conv1.weight – 91 % × 2": "layer1.0.conv1.weight – 91 % × 2",
		"a\x1b[2Jb":                        `a\x1b[2Jb`,
		"bell\a":                           `bell\a`,
		"back\b\r":                         `back\b\r`,
		"\u202egnp.exe":                    `\u202egnp.exe`,
		"\u2066x\u2069 \u200f":             `\u2066x\u2069 \u200f`,
		"\u009b31m":                        `\u009b31m`,
		"\xff\xc3":                         `\xff\xc3`,
		"\ufffd":                           "\ufffd",
		"zero\u200bwidth":                  `zero\u200bwidth`,
		"two\nlines\t":                     "two\nlines\t",
		"日本 é e\u0301":                     "日本 é e\u0301",
		"":                                 "",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		for cut := range len(in) + 1 { // the same, however it is cut
			var b bytes.Buffer
			w := Writer(&b)
			for _, p := range []string{in[:cut], in[cut:]} {
				if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
			w.Write([]byte("\n")) //nolint:errcheck // a buffer
			if got := b.String(); got != want+"\n" {
				t.Errorf("%q cut at %d: %q, want %q", in, cut, got, want)
			}
		}
	}
	if got := Line("two\nlines\t"); got != `two\nlines\t` {
		t.Errorf("%q", got)
	}
}
