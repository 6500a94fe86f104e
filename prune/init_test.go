package prune

import (
	"math"
	"testing"

	"pare/zoo"
)

func TestInit(t *testing.T) {
	g, err := zoo.New("resnet8", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Consts() { // as if trained
		for i := range v.Const.F32() {
			v.Const.F32()[i] += 3
		}
	}
	if err := (Init{Seed: 5}).Apply(g); err != nil {
		t.Fatal(err)
	}
	ws, err := Weights(g, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range ws {
		want := math.Sqrt(2 * float64(w.Const.Shape[w.Out]) / float64(w.Len()))
		sum, sq := 0.0, 0.0
		for _, x := range w.Data() {
			sum, sq = sum+float64(x), sq+float64(x)*float64(x)
		}
		n := float64(w.Len())
		if got := math.Sqrt(sq / n); math.Abs(sum/n) > 4*want/math.Sqrt(n) || math.Abs(got/want-1) > 4/math.Sqrt(2*n) {
			t.Errorf("%s: mean %.4g, deviation %.4g, want 0 and %.4g", w.Name, sum/n, got, want)
		}
	}
	for _, n := range g.Nodes {
		if !n.Is("BatchNormalization") {
			continue
		}
		for k, want := range []float32{1, 0, 0, 1} {
			for _, x := range n.In(k + 1).Const.F32() {
				if x != want {
					t.Fatalf("%s: %v, want %v", n.In(k+1).Name, x, want)
				}
			}
		}
	}
	first := append([]float32{}, ws[0].Data()...)
	if err := (Init{Seed: 6}).Apply(g); err != nil {
		t.Fatal(err)
	}
	if first[0] == ws[0].Data()[0] {
		t.Error("another seed drew the same weights")
	}
	if err := (Init{Seed: 5}).Apply(g); err != nil {
		t.Fatal(err)
	}
	for i, x := range ws[0].Data() {
		if x != first[i] {
			t.Fatal("the same seed drew other weights")
		}
	}
}

// Every weight has numbers of its own, also where two have the same shape.
func TestInitStreams(t *testing.T) {
	g, err := zoo.New("mlp:16-16-16-16", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := (Init{Seed: 5}).Apply(g); err != nil {
		t.Fatal(err)
	}
	ws, err := Weights(g, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[float32]string{}
	for _, w := range ws {
		if other := seen[w.Data()[0]]; other != "" {
			t.Errorf("%s begins as %s does", w.Name, other)
		}
		seen[w.Data()[0]] = w.Name
	}
}
