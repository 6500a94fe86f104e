package model

import (
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Samples come as the network's own inputs: turned and cast where it takes them so, by
// the names of fields where it has several, and no more than were asked for.
func TestCalibration(t *testing.T) {
	g := graph.New("g", 17)
	image := &graph.Value{Name: "image", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2), graph.N(3), graph.N(1)}}
	word := &graph.Value{Name: "word", DType: tensor.Int64, Shape: graph.Shape{graph.Sym("N"), graph.N(4)}}
	g.Inputs = []*graph.Value{image, word}
	b := op.NewBuilder(g, "g")
	x := b.Op("Flatten", image)
	y := b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", int(tensor.Float32))}, word)
	g.Outputs = []*graph.Value{b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, x, y)}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	const n = 10
	pixels, words := make([]float32, n*6), make([]int32, n*4)
	for i := range pixels {
		pixels[i] = float32(i)
	}
	for i := range words {
		words[i] = int32(i)
	}
	set := &dataset.Set{Name: "training", Fields: []*dataset.Field{{Name: "image", Shape: []int{1, 2, 3}, Floats: pixels}, {Name: "word", Shape: []int{4}, Ints: words}}}
	j := &Job{Graph: g, Data: &dataset.Data{Train: set, Norm: dataset.Raw}}
	for _, want := range []int{10, 4} {
		batches, err := j.Calibration(want)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for range 2 { // the same each time
			got = 0
			if err := batches(func(in map[string]*tensor.Tensor) error {
				x, w := in["image"], in["word"]
				if len(in) != 2 || x.Shape[3] != 1 || x.Shape[1] != 2 {
					t.Fatalf("inputs %v", in)
				}
				for k := range w.Shape[0] {
					sample := tensor.Of[int64](w)[4*k] / 4
					for i := range 6 {
						if x.F32()[k*6+i] != float32(int(sample)*6+i) {
							t.Fatalf("the image of sample %d begins with %v", sample, x.F32()[k*6])
						}
					}
				}
				got += w.Shape[0]
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if got != want {
			t.Errorf("%d samples, want %d", got, want)
		}
	}
	j.Samples = func(yield func(map[string]*tensor.Tensor) error) error {
		for range 5 {
			if err := yield(map[string]*tensor.Tensor{"image": tensor.New(tensor.Float32, 3, 2, 3, 1)}); err != nil {
				return err
			}
		}
		return nil
	}
	batches, err := j.Calibration(6)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	if err := batches(func(map[string]*tensor.Tensor) error { seen++; return nil }); err != nil || seen != 2 {
		t.Errorf("%d batches of 3 make 6 samples: %v", seen, err)
	}
}

// Labels have no say in what goes into layers: an embedding is calibrated on samples of
// more classes than it has numbers.
func TestCalibrationIgnoresLabels(t *testing.T) {
	g := graph.New("g", 17)
	g.Inputs = []*graph.Value{{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}}
	b := op.NewBuilder(g, "g")
	g.Outputs = []*graph.Value{b.Op("Tanh", g.Inputs[0])}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	set := &dataset.Set{Name: "training", Fields: []*dataset.Field{{Name: "x", Shape: []int{2}, Floats: make([]float32, 10)}, {Name: "label", Ints: []int32{0, 1, 2, 3, 4}, Classes: 5}}}
	batches, err := (&Job{Graph: g, Data: &dataset.Data{Train: set, Norm: dataset.Raw}}).Calibration(5)
	if err != nil {
		t.Fatal(err)
	}
	if err := batches(func(in map[string]*tensor.Tensor) error {
		if len(in) != 1 || in["x"].Shape[0] != 5 {
			t.Errorf("inputs %v", in)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
