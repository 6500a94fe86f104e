package interop

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/graph/op/cases"
	"pare/measure"
	"pare/onnx"
	"pare/tensor"
)

var record = flag.Bool("record", false, "write graph/op/testdata/runtime.json: what ONNX Runtime gives for its own operators")

// Operators of ONNX Runtime's own domain and of ai.onnx.ml give the same in Pare, where
// they are mostly written out, and in ONNX Runtime, before and after Pare has written the
// file anew; and what graph/op's test has recorded is what ONNX Runtime gives.
func TestRuntimeOperators(t *testing.T) {
	py := python(t, "numpy", "onnx", "onnxruntime")
	r := &ortRuns{dir: t.TempDir()}
	type compared struct {
		c          cases.Runtime
		opset      int
		got        [][]float32
		was, again int
	}
	var all []compared
	for _, c := range cases.Runtimes() {
		for _, opset := range []int{max(c.Opset, 13), 21} {
			k := compared{c: c, opset: opset, was: -1}
			path := filepath.Join(r.dir, fmt.Sprintf("own%d.onnx", len(all)))
			in, err := ownFile(c, opset, path)
			if err != nil {
				t.Errorf("%s: %v", c.Name(), err)
				continue
			}
			if c.Alone == "" {
				k.was = r.add(t, path, in)
			}
			g, err := onnx.Load(path)
			if err == nil {
				k.got, err = asRead(g, in)
			}
			if err == nil {
				_, err = op.Simplify(g)
			}
			if err != nil {
				t.Errorf("%s: %v", c.Name(), err)
				continue
			}
			if k.again = -1; c.Alone == "" || !c.Whole { // else no kernel for a CPU stands in the file
				k.again = r.write(t, g, onnx.Options{}, in)
			}
			all = append(all, k)
		}
	}
	r.run(t, py)
	recorded := map[string][][]float32{}
	for _, k := range all {
		what := fmt.Sprint(k.c.Name(), " opset ", k.opset)
		read := func(run int) ([][]float32, error) {
			y, err := r.outputs(t, run)
			if err == nil && k.c.First {
				y, k.got = y[:1], k.got[:1]
			}
			return y, err
		}
		if k.again >= 0 {
			again, err := read(k.again)
			if err == nil {
				err = alike(k.got, again)
			}
			if err != nil {
				t.Errorf("%s, written anew: %v", what, err)
			}
		}
		if k.was < 0 {
			continue
		}
		was, err := read(k.was)
		if err == nil {
			err = alike(k.got, was)
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		recorded[k.c.Name()] = was
	}
	if *record {
		b, err := json.Marshal(recorded)
		if err == nil {
			err = os.WriteFile("../graph/op/testdata/runtime.json", append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ownFile writes a case as the runtime's own operator, with the types of its outputs.
func ownFile(c cases.Runtime, opset int, path string) (map[string]*tensor.Tensor, error) {
	like, _ := c.Graph(opset)
	if err := op.Upgrade(like); err != nil {
		return nil, err
	}
	if err := op.InferAll(like); err != nil {
		return nil, err
	}
	g, in := c.Graph(opset)
	for i, o := range g.Outputs {
		o.DType, o.Shape = like.Outputs[i].DType, like.Outputs[i].Shape
	}
	return in, onnx.Write(path, g, onnx.Options{})
}

// asRead runs a network on the sizes of what it is fed; outputs are given as float32.
func asRead(g *graph.Graph, in map[string]*tensor.Tensor) ([][]float32, error) {
	sizes, _, err := measure.Bind(g, in, 1)
	if err != nil {
		return nil, err
	}
	p, err := engine.Compile(g, sizes, engine.Options{Threads: 2, Freeze: true})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := measure.Feed(p, in, 1); err != nil {
		return nil, err
	}
	if err := p.Run(); err != nil {
		return nil, err
	}
	var out [][]float32
	for _, name := range p.OutputNames() {
		y, err := op.Convert(p.Output(name), tensor.Float32)
		if err != nil {
			return nil, err
		}
		out = append(out, append([]float32{}, y.F32()...))
	}
	return out, nil
}

// alike compares outputs: whole numbers may differ by one, where a rounding falls the
// other way, others by 1e-4 of the largest.
func alike(got, want [][]float32) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d outputs, want %d", len(got), len(want))
	}
	for i := range got {
		whole, worst := true, 0.0
		for k, x := range want[i] {
			whole = whole && x == float32(math.Trunc(float64(x)))
			if k < len(got[i]) {
				worst = max(worst, math.Abs(float64(got[i][k])-float64(x)))
			}
		}
		if d := apart(got[i], want[i]); !(d <= 1e-4 || whole && len(got[i]) == len(want[i]) && worst <= 1) {
			return fmt.Errorf("output %d differs by %.2g of the largest\n%v\n%v", i, d, got[i], want[i])
		}
	}
	return nil
}

// Numbers of 4 bits have the meaning that they have in ONNX Runtime: scaled by rows, by
// blocks and with zero points, rounded to, turned, cast, and looked up in blocks.
func TestFourBits(t *testing.T) {
	py := python(t, "numpy", "onnx", "onnxruntime")
	r := &ortRuns{dir: t.TempDir()}
	four := func(d tensor.DType, shape ...int) *tensor.Tensor {
		x := tensor.New(d, shape...)
		for i := range x.Len() {
			if d == tensor.Int4 {
				tensor.Of[int8](x)[i] = int8(i*5%16) - 8
			} else {
				tensor.Of[uint8](x)[i] = uint8(i * 5 % 16)
			}
		}
		return x
	}
	floats := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(i%7)*.3 - .8
		}
		return x
	}
	var runs []int
	var want [][][]float32
	add := func(name string, build func(b *op.Builder, x *graph.Value) *graph.Value) {
		g := graph.New(name, 21)
		g.Opset[op.ContribDomain] = 1
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(4, 6)}
		g.Inputs = []*graph.Value{x}
		b := op.NewBuilder(g, "v")
		y := build(b, x)
		if b.Err() != nil {
			t.Fatalf("%s: %v", name, b.Err())
		}
		y.Name = "y"
		g.Outputs = []*graph.Value{y}
		in := map[string]*tensor.Tensor{"x": floats(4, 6)}
		runs = append(runs, r.write(t, g, onnx.Options{}, in))
		got, err := asRead(g, in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want = append(want, got)
	}
	attr := graph.MakeAttr
	for _, d := range []tensor.DType{tensor.Int4, tensor.Uint4} {
		add("rows", func(b *op.Builder, x *graph.Value) *graph.Value {
			return b.Op("Add", x, b.Attr("DequantizeLinear", []graph.Attr{attr("axis", 1)}, b.Const(four(d, 4, 6)), b.Const(floats(6)), b.Const(four(d, 6))))
		})
		add("blocks", func(b *op.Builder, x *graph.Value) *graph.Value {
			return b.Op("Add", x, b.Attr("DequantizeLinear", []graph.Attr{attr("axis", 1), attr("block_size", 3)}, b.Const(four(d, 4, 6)), b.Const(floats(4, 2))))
		})
		add("rounded and turned", func(b *op.Builder, x *graph.Value) *graph.Value {
			s, z := b.Const(tensor.Scalar(float32(.11))), b.Const(four(d, 1).Reshape())
			q := b.Attr("Transpose", []graph.Attr{attr("perm", []int{1, 0})}, b.Op("QuantizeLinear", x, s, z))
			return b.Op("DequantizeLinear", q, s, z)
		})
		add("cast", func(b *op.Builder, x *graph.Value) *graph.Value {
			return b.Op("Mul", x, b.Attr("Cast", []graph.Attr{attr("to", int(tensor.Float32))}, b.Const(four(d, 4, 6))))
		})
		add("looked up", func(b *op.Builder, x *graph.Value) *graph.Value {
			n := b.Node(op.ContribDomain, "GatherBlockQuantized", 1, []*graph.Value{b.Const(four(d, 5, 32)), b.Ints(4, 0, 3), b.Const(floats(5, 2))}, attr("block_size", 16), attr("quantize_axis", 1), attr("gather_axis", 0))
			return b.Op("Add", n.Outputs[0], b.Op("ReduceMax", x))
		})
	}
	r.run(t, py)
	for i, run := range runs {
		got, err := r.outputs(t, run)
		if err == nil {
			err = alike(want[i], got)
		}
		if err != nil {
			t.Errorf("network %d: %v", i, err)
		}
	}
}
