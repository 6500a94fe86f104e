package zoo

import (
	"slices"
	"strings"
	"testing"

	"pare/safetensors"
	"pare/tensor"
)

// Weights come back to the network that they are of, whatever the file calls
// itself; those of another are refused and change nothing.
func TestWeights(t *testing.T) {
	a, err := New("vit-tiny", Options{Seed: 1, In: []int{3, 8, 8}})
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() map[string][]float32 {
		out := map[string][]float32{}
		for _, v := range a.Params() {
			out[v.Name] = v.Const.F32()
		}
		return out
	}
	f := Weights(a)
	b, err := safetensors.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(f *safetensors.File){
		"own": func(f *safetensors.File) {},
		"PyTorch's": func(f *safetensors.File) { // linear layers the other way round
			f.Meta["format"] = "pt"
			right := multiplied(a)
			for _, v := range a.Params() {
				if right[v] {
					f.Tensors[v.Name] = turned(f.Tensors[v.Name])
				}
			}
		},
		"prefixed": func(f *safetensors.File) {
			for i, name := range f.Names {
				f.Names[i] = "module." + name
				f.Tensors[f.Names[i]] = f.Tensors[name]
				delete(f.Tensors, name)
			}
		},
		"counters": func(f *safetensors.File) { f.Tensors["bn.num_batches_tracked"] = tensor.Scalar(int64(7)) },
	} {
		f, err := safetensors.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		change(f)
		c, _ := New("vit-tiny", Options{Seed: 2, In: []int{3, 8, 8}})
		if err := SetWeights(c, f); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, v := range c.Params() {
			if !slices.Equal(v.Const.F32(), fresh()[v.Name]) {
				t.Errorf("%s: %s differs", name, v.Name)
			}
		}
	}
	for want, change := range map[string]func(f *safetensors.File){
		"no place":      func(f *safetensors.File) { f.Tensors["more.weight"] = tensor.Scalar[float32](1) },
		"has no tensor": func(f *safetensors.File) { delete(f.Tensors, f.Names[0]) },
		"has shape":     func(f *safetensors.File) { f.Tensors[f.Names[1]] = tensor.New(tensor.Float32, 1) },
		"floating":      func(f *safetensors.File) { f.Tensors[f.Names[0]] = tensor.New(tensor.Int8, 1) },
	} {
		f, _ := safetensors.Decode(b)
		change(f)
		c, _ := New("vit-tiny", Options{Seed: 2, In: []int{3, 8, 8}})
		before := slices.Clone(c.Params()[0].Const.F32())
		if err := SetWeights(c, f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
		if !slices.Equal(before, c.Params()[0].Const.F32()) {
			t.Errorf("%s: weights were changed", want)
		}
	}
}
