package measure

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/prune"
	"pare/zoo"
)

func TestConnectivity(t *testing.T) {
	for _, c := range []struct {
		e   []float64
		lmc float64
		at  int
	}{{[]float64{.10, .12, .20, .30, .20, .14}, -.18, 3}, {[]float64{.2, .1, .2}, .1, 1}, {[]float64{.3, .3, .3}, 0, 0}, {[]float64{.1, .15, .2}, .05, 0}} {
		lmc, at := Connectivity(c.e)
		near(t, "LMC", lmc, c.lmc, 1e-12)
		if at != c.at {
			t.Errorf("%v: the point is %d, want %d", c.e, at, c.at)
		}
	}
}

func TestCKA(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const m, c = 40, 3
	x, z := make([]float32, m*c), make([]float32, m*c)
	for i := range x {
		x[i], z[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
	}
	q := [3][3]float64{{2. / 3, -2. / 3, 1. / 3}, {1. / 3, 2. / 3, 2. / 3}, {2. / 3, 1. / 3, -2. / 3}} // orthogonal
	y := make([]float32, m*c)
	for i := range m {
		for k := range c {
			s := 0.0
			for l := range c {
				s += float64(x[i*c+l]) * q[l][k]
			}
			y[i*c+k] = float32(-3*s + float64(k))
		}
	}
	get := func(x, y []float32, m int) float64 {
		v, err := CKA(x, y, m)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	near(t, "of a set with itself turned, scaled and shifted", get(x, y, m), 1, 1e-6)
	if v := get(x, z, m); v < 0 || v > .5 {
		t.Errorf("of strangers it is %v", v)
	}
	ones := []float32{1, 0, -1, 0, 0, 0, 1, 0, -1, 0, 0, 0}
	near(t, "of orthogonal sets", get(ones, []float32{1, 1, -2, 1, 1, -2}, 6), 0, 1e-12)
	a, b := centred(x, m), centred(z, m)
	near(t, "by rows", inSamples(a, b, m)/inFeatures(a, b, m), 1, 1e-6)
	if v := get(x, make([]float32, m), m); !math.IsNaN(v) {
		t.Errorf("of a constant it is %v", v)
	}
	wide := make([]float32, 6*50)
	for i := range wide {
		wide[i] = float32(r.NormFloat64())
	}
	near(t, "of wide rows with themselves", get(wide, wide, 6), 1, 1e-12)
	for want, f := range map[string]func() error{
		"at least 4":       func() error { _, err := CKA(x[:9], x[:9], 3); return err },
		"do not belong to": func() error { _, err := CKA(x, x[:m*c-1], m); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}

// A network joined with itself is itself everywhere; of two under one mask, all
// between them are under it; other architectures are refused.
func TestLine(t *testing.T) {
	opt := engine.Options{Threads: 1}
	mk := func(seed uint64) *graph.Graph {
		g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: seed, Width: .25})
		if err != nil {
			t.Fatal(err)
		}
		ws, err := prune.Weights(g, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range ws {
			m := prune.NewMask(w.Len(), true)
			for i := 0; i < w.Len(); i += 3 {
				m.Set(i, false)
			}
			m.Apply(w.Data())
		}
		return g
	}
	x, y := mk(1), mk(2)
	set, _ := dataset.Glyph(2, .4, 100, 1, 1)
	e, err := Line(context.Background(), x, x, 4, set, dataset.Raw, 20, opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range e {
		if v != e[0] {
			t.Errorf("errors %v between a network and itself", e)
		}
	}
	if lmc, _ := Connectivity(e); lmc != 0 {
		t.Errorf("LMC %v", lmc)
	}
	o, err := Outputs(context.Background(), x, set, dataset.Raw, 50, 20, opt)
	if err != nil || len(o) != 500 {
		t.Fatalf("%d outputs, %v", len(o), err)
	}
	sum := float32(0)
	for _, v := range o[490:] {
		sum += v
	}
	near(t, "the sum of probabilities", float64(sum), 1, 1e-5)
	near(t, "CKA with itself", func() float64 { v, _ := CKA(o, o, 50); return v }(), 1, 1e-9)

	g, _ := x.Clone(true)
	for _, a := range []float64{0, .1, .5, 1} {
		if err := Interpolate(g, x, y, a); err != nil {
			t.Fatal(err)
		}
		ws, _ := prune.Weights(g, prune.Scope{})
		for _, w := range ws {
			p, q := x.Value(w.Name).Const.F32(), y.Value(w.Name).Const.F32()
			for i, v := range w.Data() {
				if i%3 == 0 && v != 0 || math.Abs(float64(v)-(1-a)*float64(p[i])-a*float64(q[i])) > 1e-6 {
					t.Fatalf("%s[%d] is %v at %v between %v and %v", w.Name, i, v, a, p[i], q[i])
				}
			}
		}
	}
	other, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]func() error{
		"no counterpart": func() error { return Interpolate(g, x, other, .5) },
		"at least 3":     func() error { _, err := Line(context.Background(), x, y, 2, set, dataset.Raw, 20, opt); return err },
		"training data":  func() error { _, err := Line(context.Background(), x, y, 5, nil, dataset.Raw, 20, opt); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}
