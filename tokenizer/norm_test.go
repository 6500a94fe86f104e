package tokenizer

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// The forms made here are those of the norm package, where it puts nothing between
// marks; where it does, they are without that.
func TestNormal(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	alphabet := []rune("aeoÅéǭﬁ½한각각क़\u0301\u0308\u0323\u031b\u0327\u0345\u0f71\u0f72\u0f74\u3099か\u1e9b\u212b𝅘𝅥\u093c\u05b0\u05b9")
	for range 20000 {
		s := make([]rune, rng.IntN(12))
		for i := range s {
			s[i] = alphabet[rng.IntN(len(alphabet))]
		}
		for name, f := range forms {
			apart := norm.NFD
			if strings.Contains(name, "K") {
				apart = norm.NFKD
			}
			runes, class := decomposed(apart, string(s))
			if !strings.HasSuffix(name, "D") {
				runes = composed(runes, class)
			}
			if want := f.String(string(s)); string(runes) != want {
				t.Fatalf("%s of %q: %q, want %q", name, string(s), string(runes), want)
			}
		}
	}
	long := "e" + strings.Repeat("\u0301", 40)
	if got := normal(norm.NFC, long); got != "é"+strings.Repeat("\u0301", 39) {
		t.Errorf("%q", got)
	}
	if got := normal(norm.NFC, "a\u034f"+long); got != "a\u034fé"+strings.Repeat("\u0301", 39) {
		t.Errorf("%q", got)
	}
}

// A table of replacements: one that leads from "a" to "xy".
func TestPrecompiled(t *testing.T) {
	units := make([]uint32, 512)
	units[0] = 1 << 10                          // from the root, 1 ^ label
	units[1^'a'] = 'a' | 1<<8 | uint32(200)<<10 // there is a value, at that ^ 200
	units[1^'a'^200] = 1<<31 | 3                // it is 3
	b := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint32(b, u)
	}
	p, err := readPrecompiled(append(b, "zz\x00xy\x00"...))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.normalize("cabé\u0301a"); got != "cxybé\u0301xy" {
		t.Errorf("%q", got)
	}
	for _, bad := range [][]byte{nil, b[:100], append(b[:len(b):len(b)], 0xff)} {
		if _, err := readPrecompiled(bad); err == nil {
			t.Errorf("a table of %d bytes is read", len(bad))
		}
	}
	for i := range units { // broken tables lead nowhere
		c := append(b[:len(b):len(b)], "q\x00"...)
		binary.LittleEndian.PutUint32(c[4+4*i:], 0xfffffff0+uint32(i%16))
		if p, err := readPrecompiled(c); err == nil {
			p.normalize("aab a\x00c")
		}
	}
}

// Scores are read as serde_json reads them: 17 digits are a whole number first.
func TestSerde(t *testing.T) {
	for text, want := range map[string]float64{"-2.5": -2.5, "0": 0, "3": 3, "-1.8335523863041807": -(18335523863041807.0 / 1e16), "1e-3": 7} {
		if got := serde(text, 7); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
