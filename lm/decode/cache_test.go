package decode_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pare/internal/kernel"
	"pare/lm/decode"
)

// Caches of float16 give the logits that caches of float32 give, but for what their rounding
// comes to: a part in 2,000 of a number, which no logit may show more than five times as
// large, against the largest. It is not nothing either.
func TestCache(t *testing.T) {
	const bound = 5. / 2048
	old := kernel.Level()
	defer kernel.SetISA(old) //nolint:errcheck // it was in use before
	defer decode.Part(decode.Part(16))
	for name, config := range configs {
		d := model(t, draw(t, config), decode.F16)
		a := text(1, 27)
		pieces := [][]int{a[:18], a[18:25], a[25:26], a[26:]}
		for _, l := range kernel.Levels() {
			if err := kernel.SetISA(l); err != nil {
				t.Fatal(err)
			}
			want := logits(t, d, decode.Options{Threads: 1, Capacity: 32, Cache: decode.F32}, pieces...)
			got := logits(t, d, decode.Options{Threads: 1, Capacity: 32}, pieces...)
			two := logits(t, d, decode.Options{Threads: 2, Capacity: 32}, pieces...)
			most, far := 0., 0.
			for i := range want {
				for k, v := range want[i] {
					most, far = max(most, math.Abs(float64(v))), max(far, math.Abs(float64(v-got[i][k])))
				}
				if !slices.Equal(got[i], two[i]) {
					t.Errorf("%s %v: two threads give other bits", name, l)
				}
			}
			if !(far <= bound*most) || far == 0 {
				t.Errorf("%s %v: logits of up to %.3g are %.3g apart", name, l, most, far)
			}
		}
	}
}

// However many parts the attention of a row has, it is that of the whole.
func TestParts(t *testing.T) {
	for _, name := range []string{"llama", "mistral", "gemma2"} { // one after another, windows, caps
		d, a := model(t, draw(t, configs[name]), decode.F32), text(3, 30)
		want := logits(t, d, decode.Options{Capacity: 32}, a)
		before := decode.Part(16)
		for _, threads := range []int{1, 2} {
			for _, pieces := range [][][]int{{a}, {a[:27], a[27:29], a[29:]}} {
				for i, y := range logits(t, d, decode.Options{Capacity: 32, Threads: threads}, pieces...) {
					near(t, name, y, want[i])
				}
			}
		}
		decode.Part(before)
	}
}

// A model whose matrices are float32 has caches of float32, others of float16 in half the
// memory, unless it is said; other forms are refused, and so is a value beyond float16.
func TestCacheForms(t *testing.T) {
	f := draw(t, configs["llama"])
	d := model(t, f, decode.F32)
	if d.Cache() != decode.F32 || model(t, f, decode.Int8).Cache() != decode.F16 {
		t.Errorf("caches are %s and %s", d.Cache(), model(t, f, decode.Int8).Cache())
	}
	if one, half := d.CacheBytes(decode.F32), d.CacheBytes(decode.F16); half != one/2 || one != 2*4*2*(8+16) { // layers, bytes, heads, keys and values filled up to 16
		t.Errorf("a token takes %d and %d bytes", one, half)
	}
	if _, err := d.NewSession(decode.Options{Cache: decode.Int8}); err == nil || !strings.Contains(err.Error(), `Cache "int8" is none of ["f32" "f16"]`) {
		t.Errorf("a cache of int8: %v", err)
	}
	most := d.CacheBytes(decode.F32)*32*1024 + 10<<20
	if _, err := d.NewSession(decode.Options{Sequences: 2048, Most: most}); err == nil {
		t.Error("caches of float32 take twice what they may")
	}
	s, err := d.NewSession(decode.Options{Sequences: 2000, Most: most, Cache: decode.F16})
	if err != nil {
		t.Errorf("caches of float16 would fit: %v", err)
	} else {
		s.Close()
	}
	d.Spoil(1)
	for _, cache := range []decode.Form{decode.F32, decode.F16} {
		s, err := d.NewSession(decode.Options{Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Run([]decode.Input{{Tokens: []int{1, 2}}}, nil)
		if want := "layer 1 has a key or a value above 65504, which float16 cannot hold: Cache f32 holds it"; cache == decode.F32 && err != nil || cache == decode.F16 && (err == nil || err.Error() != want || s.Len(0) != 0) {
			t.Errorf("values that float16 cannot hold, in caches of %s: %v, %d tokens", cache, err, s.Len(0))
		}
		s.Close()
	}
}
