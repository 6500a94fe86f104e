package interop

import (
	"math/rand/v2"
	"strings"
)

// scripts are characters that texts of languages are made of.
var scripts = [][][2]rune{
	{{'a', 'z'}, {'A', 'Z'}, {'0', '9'}},
	{{0xc0, 0x17f}, {'a', 'z'}},
	{{0x391, 0x3a1}, {0x3a3, 0x3a9}, {0x3b1, 0x3c9}, {0x1f00, 0x1f15}},
	{{0x400, 0x45f}},
	{{0x5d0, 0x5ea}, {0x5b0, 0x5b9}},
	{{0x621, 0x63a}, {0x640, 0x652}, {0x660, 0x669}, {0x6f0, 0x6f9}},
	{{0x904, 0x939}, {0x93e, 0x94d}, {0x966, 0x96f}, {0x200c, 0x200d}},
	{{0x985, 0x98c}, {0x995, 0x9a8}, {0x9be, 0x9c4}},
	{{0xe01, 0xe3a}, {0xe40, 0xe4e}, {0xe50, 0xe59}},
	{{0x10d0, 0x10f0}},
	{{0x3041, 0x3096}, {0x30a1, 0x30fa}, {0x4e00, 0x4fff}, {0x3001, 0x3002}},
	{{0x4e00, 0x9fa5}, {0x3400, 0x3450}, {0x20000, 0x20100}, {0xff01, 0xff5e}},
	{{0xac00, 0xd7a3}, {0x1100, 0x1112}, {0x1161, 0x1175}, {0x11a8, 0x11c2}},
	{{0x1f600, 0x1f64f}, {0x1f3fb, 0x1f3ff}, {0x200d, 0x200d}, {0xfe0f, 0xfe0f}, {0x1f468, 0x1f469}, {0x1f1e6, 0x1f1ff}, {0x2764, 0x2764}},
	{{'a', 'e'}, {0x300, 0x33f}, {0x1d165, 0x1d169}},
	{{0, 0x1f}, {0x7f, 0x9f}, {'a', 'c'}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0xfeff, 0xfeff}, {0xfffd, 0xfffd}},
	{{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}, {0x2010, 0x2027}, {0x2030, 0x205e}, {0xa1, 0xbf}, {0x20a0, 0x20b5}, {0x2190, 0x21ff}},
	{{0xbc, 0xbe}, {0x2160, 0x2180}, {0x2460, 0x249b}, {0xfb00, 0xfb06}, {0xff10, 0xff19}, {0x1d400, 0x1d433}},
}

// blanks are what stands between words.
var blanks = []string{" ", " ", " ", " ", "  ", "\t", "\n", "\r\n", "\n\n", "   \n ", "\u00a0", "\u2003", "\u3000", ".", ", ", "'s ", "'LL ", "'ſ", "…"}

// polyglot makes lines of many scripts, with runs of blanks and of digits, special
// tokens, and words of English between.
func polyglot(rng *rand.Rand, words []string, n int) []string {
	special := []string{"<|endoftext|>", "<s>", "</s>", "[MASK]", "<mask>", "[CLS]", "<|im_start|>", "▁", "##", "<0x41>", "tokens", "Emoji", "we", "Ġ", "</w>"}
	out := make([]string, n)
	for i := range out {
		var b strings.Builder
		script := scripts[rng.IntN(len(scripts))]
		for range 1 + rng.IntN(5) {
			if rng.IntN(6) == 0 {
				script = scripts[rng.IntN(len(scripts))]
			}
			switch rng.IntN(14) {
			case 0:
				b.WriteString(strings.Repeat(blanks[rng.IntN(7)], 1+rng.IntN(20)))
			case 1:
				for range 1 + rng.IntN(15) {
					b.WriteByte(byte('0' + rng.IntN(10)))
				}
			case 2:
				b.WriteString(special[rng.IntN(len(special))])
			case 3:
				b.WriteString(strings.Repeat(string(pick(rng, script)), 1+rng.IntN(40)))
			case 4, 5, 6:
				b.WriteString(words[rng.IntN(len(words))])
			default:
				for range 1 + rng.IntN(10) {
					b.WriteRune(pick(rng, script))
				}
			}
			b.WriteString(blanks[rng.IntN(len(blanks))])
		}
		out[i] = b.String()
	}
	return out
}

func pick(rng *rand.Rand, script [][2]rune) rune {
	k := script[rng.IntN(len(script))]
	return k[0] + rune(rng.IntN(int(k[1]-k[0])+1))
}

// familiar says whether a text has no characters but those of the scripts: the tables of
// Unicode of two libraries are not of one year.
func familiar(s string) bool {
	for _, r := range s {
		in := r < 128 || r == 0xfffd
		for _, script := range scripts {
			for _, k := range script {
				in = in || r >= k[0] && r <= k[1]
			}
		}
		if !in {
			return false
		}
	}
	return true
}

// broken are lines with bytes that are no UTF-8.
func broken(rng *rand.Rand, lines []string) []string {
	out := make([]string, len(lines))
	for i := 0; i < len(lines); i++ {
		b := []byte(lines[i])
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(b))
			switch rng.IntN(3) {
			case 0:
				b[at] = byte(rng.IntN(256))
			case 1:
				b = b[:at+1]
			default:
				b = append(b[:at:at], append([]byte{byte(0x80 + rng.IntN(128))}, b[at:]...)...)
			}
		}
		if out[i] = string(b); !familiar(out[i]) {
			i--
		}
	}
	return out
}
