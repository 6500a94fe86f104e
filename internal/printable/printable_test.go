package printable

import (
	"bytes"
	"encoding/json"
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

// A JSON text means the same, and shows nothing that a terminal would obey.
func TestJSON(t *testing.T) {
	in := []string{"a\x1b[2J\a\x7f\u009b\u202e\U000e0041\xff", "日本 é", "\u2028"}
	b, err := json.MarshalIndent(in, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	j := JSON(b)
	var was, is []string
	if err := json.Unmarshal(b, &was); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(j, &is); err != nil || len(is) != 3 || is[0] != was[0] || is[1] != in[1] || is[2] != in[2] {
		t.Errorf("%v: %q, want %q", err, is, was)
	}
	if Text(string(j)) != string(j) {
		t.Errorf("%s", j)
	}
}

// Of many names the first three stand.
func TestFew(t *testing.T) {
	for want, names := range map[string][]string{"": nil, "a": {"a"}, "a, b, c": {"a", "b", "c"}, "a, b, c, …": {"a", "b", "c", "d", "e"}} {
		if got := Few(names); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
