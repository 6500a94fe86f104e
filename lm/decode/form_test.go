package decode_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/internal/kernel"
	"pare/lm/decode"
	"pare/lm/family"
)

// cut sets a share of the weights of all matrices to zero; the first of each stays.
func cut(m *decode.Model, share float64) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, w := range m.Matrices() {
		for i := range w {
			if r.Float64() < share && i > 0 {
				w[i] = 0
			}
		}
	}
}

func model(t testing.TB, f *family.Model, form decode.Form) *decode.Model {
	t.Helper()
	d, err := decode.New(f)
	if err != nil {
		t.Fatal(err)
	}
	if d, err = d.In(form); err != nil {
		t.Fatal(err)
	}
	return d
}

// logits are those of tokens that come in pieces, all of each piece.
func logits(t testing.TB, d *decode.Model, o decode.Options, pieces ...[]int) (out [][]float32) {
	t.Helper()
	s, err := d.NewSession(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, p := range pieces {
		if err := s.Run([]decode.Input{{Tokens: p, All: true}}, func(_, _ int, y []float32) error { out = append(out, slices.Clone(y)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// In every form a model gives what it gives with the same weights as float32, but for what
// int8 rounds of the activations: for prompts, which are written out, for a few tokens and
// for one; with any instructions; with the same bits for any number of threads.
func TestForms(t *testing.T) {
	old := kernel.Level()
	defer kernel.SetISA(old) //nolint:errcheck // it was in use before
	defer decode.Tile(decode.Tile(32 * 13))
	for name, config := range configs {
		for _, share := range []float64{0, .6} {
			f := draw(t, config)
			for _, form := range []decode.Form{decode.F16, decode.Int8} {
				d := model(t, f, decode.F32)
				cut(d, share)
				if d = model(t, f, form); len(d.Left()) > 0 {
					t.Fatalf("%s: %v were left", name, d.Left())
				}
				if sparse := strings.HasPrefix(d.Held()[0], "sparse"); sparse != (share > 0) {
					t.Errorf("%s with %v of zeros as %s is held as %v", name, share, form, d.Held())
				}
				a := text(1, 27)
				want := logits(t, d.Unpacked(), decode.Options{Capacity: 32}, a)
				for _, l := range kernel.Levels() {
					if err := kernel.SetISA(l); err != nil {
						t.Fatal(err)
					}
					one := logits(t, d, decode.Options{Threads: 1, Capacity: 32, Cache: decode.F32}, a[:18], a[18:25], a[25:26], a[26:])
					two := logits(t, d, decode.Options{Threads: 2, Capacity: 32, Cache: decode.F32}, a[:18], a[18:25], a[25:26], a[26:])
					for i := range want {
						far := 1e-5
						if form == decode.Int8 {
							far = .1 * float64(max(slices.Max(want[i]), -slices.Min(want[i])))
						}
						within(t, name+" "+string(form)+" "+l.String(), one[i], want[i], far)
						if !slices.Equal(one[i], two[i]) {
							t.Errorf("%s as %s: two threads give other bits", name, form)
						}
					}
				}
			}
		}
	}
}

// Auto keeps the weights, and takes the form of the fewest bytes that does.
func TestAuto(t *testing.T) {
	f := draw(t, configs["llama"])
	base := model(t, f, decode.F32)
	fill := func(v func(r *rand.Rand) float32) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, w := range base.Matrices() {
			for i := range w {
				w[i] = v(r)
			}
		}
	}
	normal := func(r *rand.Rand) float32 { return float32(.1 * r.NormFloat64()) }
	bfloat := func(r *rand.Rand) float32 { return math.Float32frombits(math.Float32bits(normal(r)) >> 16 << 16) }
	whole := func(r *rand.Rand) float32 { return []float32{-127, 3, 127}[r.IntN(3)] * 0x1p-10 }
	// float16 is half a unit of its last bit away from these: 2^-25 from the first, 2^-24 from the second
	apart := func(exp int) func(r *rand.Rand) float32 {
		return func(r *rand.Rand) float32 {
			return float32(math.Ldexp(1+float64(r.IntN(1<<10))/(1<<10)+1./(1<<11), exp))
		}
	}
	cases := map[string]func(r *rand.Rand) float32{
		"half, at the bound": apart(-14), "f32, beyond it": apart(-13),
		"f32": normal, "half": bfloat, "int8": whole,
		"sparse float": func(r *rand.Rand) float32 { return normal(r) * float32(r.IntN(3)/2) },
		"sparse half":  func(r *rand.Rand) float32 { return bfloat(r) * float32(r.IntN(3)/2) },
		"sparse int8":  func(r *rand.Rand) float32 { return whole(r) * float32(r.IntN(6)/5) },
	}
	for name, v := range cases {
		want, _, _ := strings.Cut(name, ",")
		fill(v)
		d := model(t, f, decode.Auto)
		if held := d.Held(); len(slices.Compact(held)) != 1 || held[0] != want {
			t.Errorf("%s is held as %v", want, d.Held())
		}
		if d.Read() > base.Read() || want != "f32" && d.Read() > 3*base.Read()/4 {
			t.Errorf("%s: a step reads %d bytes, and %d as float32", want, d.Read(), base.Read())
		}
		u := d.Unpacked().Matrices()
		for i, w := range base.Matrices() {
			for k, v := range w {
				if x := math.Abs(float64(v - u[i][k])); x > 0x1p-25 {
					t.Fatalf("%s: weight %v became %v", want, v, u[i][k])
				}
			}
		}
	}
}

// What a form cannot hold stays and is named; a step of any form allocates nothing.
func TestFormsOfSome(t *testing.T) {
	f := draw(t, configs["llama"])
	model(t, f, decode.F32).Matrices()[1][5] = 1e6
	d := model(t, f, decode.F16)
	if left := d.Left(); len(left) != 1 || !strings.Contains(left[0], "layers.0.self_attn.q_proj") {
		t.Errorf("%q were left", left)
	}
	if _, err := d.In("int7"); err == nil || !strings.Contains(err.Error(), `Weights "int7"`) {
		t.Errorf("a form that is none: %v", err)
	}
	if back, err := d.In(decode.F32); err != nil || len(back.Left()) > 0 || back.Read() != model(t, f, decode.F32).Read() {
		t.Errorf("back to float32: %v, %v", back.Left(), err)
	}
	s, err := d.NewSession(decode.Options{Sequences: 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in := make([]decode.Input, 20)
	for k := range in {
		in[k] = decode.Input{Seq: k, Tokens: []int{k + 3}}
	}
	none := func(_, _ int, _ []float32) error { return nil }
	for _, in := range [][]decode.Input{in, in[:3], in[:1]} {
		step := func() {
			if err := s.Run(in, none); err != nil {
				t.Fatal(err)
			}
		}
		step()
		if n := testing.AllocsPerRun(3, step); n != 0 {
			t.Errorf("%v allocations a step of %d", n, len(in))
		}
	}
}
