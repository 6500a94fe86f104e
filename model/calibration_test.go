package model

import (
	"slices"
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

// Samples that are to run in smaller batches are the same, in the same order.
func TestCalibrationTogether(t *testing.T) {
	g := graph.New("g", 17)
	word := &graph.Value{Name: "word", DType: tensor.Int64, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}
	g.Inputs = []*graph.Value{word}
	b := op.NewBuilder(g, "g")
	g.Outputs = []*graph.Value{b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", int(tensor.Float32))}, word)}
	words := make([]int32, 2*200)
	for i := range words {
		words[i] = int32(i)
	}
	set := &dataset.Set{Name: "training", Fields: []*dataset.Field{{Name: "word", Shape: []int{2}, Ints: words}}}
	read := func(n, together int) (all []int64, most int) {
		j := &Job{Graph: g, Data: &dataset.Data{Train: set, Norm: dataset.Raw}, Seed: 5, Together: together}
		batches, err := j.Calibration(n)
		if err == nil {
			err = batches(func(in map[string]*tensor.Tensor) error {
				all, most = append(all, tensor.Of[int64](in["word"])...), max(most, in["word"].Shape[0])
				return nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		return all, most
	}
	for _, n := range []int{1, 64, 65, 100, 131, 200} {
		want, _ := read(n, 0)
		for _, together := range []int{1, 7, 16, 33, 64, 100} {
			if got, most := read(n, together); !slices.Equal(got, want) || most > together {
				t.Errorf("%d samples, %d at once: %d come, %d at once, and not the %d that should", n, together, len(got)/2, most, len(want)/2)
			}
		}
	}
}
