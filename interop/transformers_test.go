package interop

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"

	"pare/graph"
	"pare/model"
	"pare/onnx"
	"pare/prune/structure"
	"pare/tensor"
)

// filled are ids below most, and ones where the input is a mask; caches are normal.
func filled(g *graph.Graph, sizes map[string]int, most int) map[string]*tensor.Tensor {
	r := rand.New(rand.NewPCG(8, 9))
	in := map[string]*tensor.Tensor{}
	for _, v := range g.Inputs {
		shape, _ := v.Shape.Bind(sizes).Ints()
		t := tensor.New(v.DType, shape...)
		for i := range t.Len() {
			switch {
			case v.DType == tensor.Float32:
				t.F32()[i] = float32(r.NormFloat64())
			case v.Name == "attention_mask":
				tensor.Of[int64](t)[i] = 1
			case v.Name == "position_ids":
				tensor.Of[int64](t)[i] = int64(sizes["past"] + i%sizes["length"])
			case v.Name == "token_type_ids":
				tensor.Of[int64](t)[i] = int64(r.IntN(2))
			default:
				tensor.Of[int64](t)[i] = int64(r.IntN(most))
			}
		}
		in[v.Name] = t
	}
	return in
}

// Transformers that ONNX Runtime's tools have written, with fused attention, caches and
// weights of 4 bits, give in Pare what they give in ONNX Runtime; and what is left when
// their channels are cut gives the same in both, and is smaller.
func TestTransformers(t *testing.T) {
	py := python(t, "numpy", "onnx", "onnxruntime")
	r := &ortRuns{dir: t.TempDir()}
	if out, err := exec.Command(py, "encoders.py", r.dir).CombinedOutput(); err != nil {
		t.Fatalf("encoders.py: %v\n%s", err, out)
	}
	type compared struct {
		what string
		got  [][]float32
		run  int
	}
	var all []compared
	for _, c := range []struct {
		file   string
		sizes  map[string]int
		groups int // of channels that can be cut
	}{
		{"encoder", map[string]int{"batch": 2, "length": 7}, 5}, // width, heads and the inner width of both layers
		{"decoder", map[string]int{"batch": 2, "length": 5, "past": 0, "total": 5}, 1},
		{"decoder", map[string]int{"batch": 2, "length": 1, "past": 6, "total": 7}, 1},
	} {
		path := filepath.Join(r.dir, c.file+".onnx")
		g, err := onnx.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		in := filled(g, c.sizes, 40)
		if m := in["attention_mask"]; c.file == "encoder" {
			tensor.Of[int64](m)[5], tensor.Of[int64](m)[6] = 0, 0
		}
		add := func(what string, g *graph.Graph, run int) {
			got, err := asRead(g, in)
			if err != nil {
				t.Fatalf("%s, %s: %v", c.file, what, err)
			}
			all = append(all, compared{fmt.Sprint(c.file, " ", c.sizes, ", ", what), got, run})
		}
		add("as it comes", g, r.add(t, path, in))
		r.jobs[len(r.jobs)-1].Foreign = true
		if _, err := model.Prepare(g); err != nil {
			t.Fatal(err)
		}
		add("written anew", g, r.write(t, g, onnx.Options{}, in))
		groups, whole := structure.Groups(g)
		if len(groups) != c.groups {
			t.Fatalf("%s: groups %v, want %d; whole %v", c.file, groups, c.groups, whole)
		}
		s := structure.All(groups)
		for i, grp := range groups {
			for k := range len(grp.Channels) / 2 {
				s[i].Set(2*k, false)
			}
		}
		cut, err := structure.Cut(g, groups, s)
		if err != nil {
			t.Fatal(err)
		}
		if was, now := structure.CostOf(g).Params, structure.CostOf(cut).Params; now >= was {
			t.Errorf("%s: %d of %d parameters are left", c.file, now, was)
		}
		add("half cut", cut, r.write(t, cut, onnx.Options{}, in))
	}
	r.run(t, py)
	for _, k := range all {
		want, err := r.outputs(t, k.run)
		if err == nil {
			err = differ(k.got, want, 1e-4)
		}
		if err != nil {
			t.Errorf("%s: %v", k.what, err)
		}
	}
}
