package tokenizer

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dlclark/regexp2"
)

// Expressions find what another engine finds, on texts made to meet their parts.
func TestExpr(t *testing.T) {
	var all []string
	for _, p := range preTokenizers {
		all = append(all, p.split...)
	}
	all = append(all, `a+?b`, `(?:ab|a)(?:c|bcd)(?:d*)`, `x{2,3}y?`, `(?:ab){1,2}?c`, `[^a-c\s]+`, `\bab\b`, `(?=a)\w+`, `a(?!b)|b`, `(?:a|ab)++c`, `[\w-]+`, `\S{2}`, `.+`)
	alphabet := []rune("aabbccdxySTs'’ltre0123 99  \n\r\t.,!-_Éßłａ中あ한ไทยह́😀½Ⅳ\u00a0\u2003ǅ")
	rng := rand.New(rand.NewPCG(3, 4))
	for _, text := range all {
		fast, err := compileExpr(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		slow := regexp2.MustCompile(strings.NewReplacer("++", "+", "?+", "?").Replace(text), regexp2.None)
		possessive := strings.Contains(text, "++")
		for range 300 {
			s := make([]rune, rng.IntN(30))
			for i := range s {
				s[i] = alphabet[rng.IntN(len(alphabet))]
			}
			f, g := &finder{fast: fast}, &finder{re: slow}
			a, err := f.find(new(work), string(s))
			if err != nil {
				t.Fatal(err)
			}
			b, err := g.find(new(work), string(s))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(a, b) && !(possessive && strings.HasPrefix(text, "(?:a|ab)")) {
				t.Fatalf("%s on %q: %v, want %v", text, string(s), a, b)
			}
		}
	}
	// What is taken for good is not given back: (?:a|ab)++c finds no abc.
	f := &finder{}
	f.fast, _ = compileExpr(`(?:a|ab)++c`)
	if at, err := f.find(new(work), "abc ac"); err != nil || len(at) != 1 || at[0] != [2]int{4, 6} {
		t.Errorf("%v, %v", at, err)
	}
}

// An expression that goes back without end is an error, soon.
func TestExprBounded(t *testing.T) {
	e, err := compileExpr(`(?:(?:a|a)+)+b`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&finder{fast: e}).find(new(work), strings.Repeat("a", 400)); !errors.Is(err, errSlow) {
		t.Errorf("%v", err)
	}
	for _, text := range []string{strings.Repeat("(", 1000), strings.Repeat("a{1000}", 9) + strings.Repeat("(?:b{1,1000}c){1000}", 3), "(?:(?:(?:ab){900}){900}){900}", `\p{Nope}`, `a)`, `[a`} {
		if _, err := compileExpr(text); err == nil {
			t.Errorf("%.40s compiles", text)
		}
	}
}

// Any expression is compiled or refused, and any search ends.
func FuzzExpr(f *testing.F) {
	f.Add(llama3, "it's 12 cats\n")
	f.Add(`[a-c&&[^b]]+|(?i:ß)`, "abc")
	f.Fuzz(func(t *testing.T, text, s string) {
		e, err := compileExpr(text)
		if err != nil || len(s) > 1000 {
			return
		}
		last := 0
		at, err := (&finder{fast: e}).find(new(work), valid(s))
		for _, m := range at {
			if m[0] < last || m[1] <= m[0] {
				t.Errorf("%v, %v", at, err)
			}
			last = m[1]
		}
	})
}
