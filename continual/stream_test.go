package continual

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// builder makes networks for tests; the same seed gives the same weights for any number of
// frames.
type builder struct {
	*op.Builder
	r *rand.Rand
	x *graph.Value
}

func newBuilder(seed uint64, shape ...int) *builder {
	g := graph.New("clip", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: append(graph.Shape{graph.Sym("N")}, graph.Dims(shape...)...)}
	g.Inputs = []*graph.Value{x}
	return &builder{op.NewBuilder(g, "net"), rand.New(rand.NewPCG(seed, 1)), x}
}

func (b *builder) weight(shape ...int) *graph.Value {
	t := tensor.New(tensor.Float32, shape...)
	fan := 1
	for _, d := range shape[1:] {
		fan *= d
	}
	for i := range t.F32() {
		t.F32()[i] = float32(b.r.NormFloat64() / math.Sqrt(float64(fan)))
	}
	return b.G.Const("w", t, graph.Param)
}

type attrs map[string]any

func (b *builder) op(name string, a attrs, in ...*graph.Value) *graph.Value {
	var list []graph.Attr
	for _, k := range slices.Sorted(mapKeys(a)) {
		list = append(list, graph.MakeAttr(k, a[k]))
	}
	return b.Attr(name, list, in...)
}

func mapKeys(a attrs) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range a {
			if !yield(k) {
				return
			}
		}
	}
}

// conv1 is a convolution over time of [N, C, T].
func (b *builder) conv1(x *graph.Value, out, k, stride, dil, begin, end int) *graph.Value {
	in := x.Shape[1].Mul
	return b.op("Conv", attrs{"kernel_shape": []int{k}, "strides": []int{stride}, "dilations": []int{dil}, "pads": []int{begin, end}}, x, b.weight(out, in, k), b.weight(out))
}

func (b *builder) bn(x *graph.Value) *graph.Value {
	c := x.Shape[1].Mul
	v := tensor.New(tensor.Float32, c)
	for i := range v.F32() {
		v.F32()[i] = .5 + b.r.Float32()
	}
	return b.Op("BatchNormalization", x, b.weight(c), b.weight(c), b.weight(c), b.G.Const("v", v, graph.Stat))
}

func (b *builder) finish(t testing.TB, ys ...*graph.Value) *graph.Graph {
	t.Helper()
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	for i, y := range ys {
		y.Name = fmt.Sprintf("y%d", i)
	}
	b.G.Outputs = ys
	op.Classify(b.G)
	return b.G
}

// random is a tensor of normal numbers.
func random(seed uint64, shape ...int) *tensor.Tensor {
	r := rand.New(rand.NewPCG(seed, 2))
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(r.NormFloat64())
	}
	return t
}

// part of an axis.
func cut(t testing.TB, x *tensor.Tensor, axis, lo, hi int) *tensor.Tensor {
	t.Helper()
	shape := slices.Clone(x.Shape)
	shape[axis] = hi - lo
	y := tensor.New(x.DType, shape...)
	outer, _ := tensor.Size(x.Shape[:axis])
	inner, _ := tensor.Size(x.Shape[axis+1:])
	for o := range outer {
		copy(y.F32()[o*(hi-lo)*inner:][:(hi-lo)*inner], x.F32()[(o*x.Shape[axis]+lo)*inner:])
	}
	return y
}

// frames are the outputs that a stream gave, by number.
type frames struct {
	at    []int // the frame of the input with which each came
	value []*tensor.Tensor
}

// streamed runs a stream of frames through a step network, and gives what counts of each
// output.
func streamed(t testing.TB, s *Step, x *tensor.Tensor, axis int, end bool) map[string]*frames {
	t.Helper()
	r, err := NewStream(s, x.Shape[0], engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := map[string]*frames{}
	for _, o := range s.Out {
		out[o.Name] = &frames{}
	}
	at := 0
	collect := func() error {
		for _, o := range s.Out {
			y := r.Output(o.Name)
			for j, ok := range r.Valid(o.Name) {
				if ok < .5 {
					continue
				}
				v := y.Clone()
				if o.Axis >= 0 {
					v = cut(t, y, o.Axis, j, j+1)
				}
				out[o.Name].at, out[o.Name].value = append(out[o.Name].at, at), append(out[o.Name].value, v)
			}
		}
		return nil
	}
	for ; at < x.Shape[axis]; at++ {
		ready, err := r.Push(context.Background(), map[string]*tensor.Tensor{"x": cut(t, x, axis, at, at+1)})
		if err != nil {
			t.Fatal(err)
		}
		if ready {
			collect() //nolint:errcheck // never fails
		}
	}
	if end {
		if err := r.End(context.Background(), collect); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// difference is the largest of two arrays, of numbers above 1 as a share of the largest.
func difference(a, b *tensor.Tensor) float64 {
	if a.Len() != b.Len() {
		return math.Inf(1)
	}
	d, size := 0., 1.
	for i, x := range a.F32() {
		size = math.Max(size, math.Abs(float64(b.F32()[i])))
		if e := math.Abs(float64(x - b.F32()[i])); !(e <= d) {
			d = e
		}
	}
	return d / size
}

// offline evaluates a network by the reference definitions.
func offline(t testing.TB, g *graph.Graph, x *tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	out, err := op.Run(g, map[string]*tensor.Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// mustConvert makes a step network, which must survive being opened.
func mustConvert(t testing.TB, g *graph.Graph, o Options) *Step {
	t.Helper()
	s, err := Convert(g, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err = Open(s.Graph)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The steps of the specification: kernel (1,2,3) on 1,2,3,4.
func TestByHand(t *testing.T) {
	for _, c := range []struct {
		pad   int
		delay int
		want  []float32
		at    []int
	}{{0, 2, []float32{14, 20}, []int{2, 3}}, {1, 1, []float32{8, 14, 20, 11}, []int{1, 2, 3, 4}}} {
		b := newBuilder(1, 1, 4)
		w := b.G.Const("w", tensor.From([]float32{1, 2, 3}, 1, 1, 3), graph.Param)
		g := b.finish(t, b.op("Conv", attrs{"pads": []int{c.pad, c.pad}}, b.x, w))
		s := mustConvert(t, g, Options{Axes: map[string]int{"x": 2}})
		if s.Delay != c.delay || s.Frames != 1 {
			t.Errorf("padding %d: delay %d, %d frames a step", c.pad, s.Delay, s.Frames)
		}
		got := streamed(t, s, tensor.From([]float32{1, 2, 3, 4}, 1, 1, 4), 2, true)["y0"]
		var values []float32
		for _, v := range got.value {
			values = append(values, v.F32()...)
		}
		if !slices.Equal(values, c.want) || !slices.Equal(got.at, c.at) {
			t.Errorf("padding %d: %v at %v, want %v at %v", c.pad, values, got.at, c.want, c.at)
		}
	}
}

// nets are networks over the whole of a stream: their outputs have frames.
var nets = map[string]func(b *builder) []*graph.Value{
	"conv": func(b *builder) []*graph.Value { return []*graph.Value{b.conv1(b.x, 3, 4, 1, 1, 0, 0)} },
	"padded": func(b *builder) []*graph.Value {
		return []*graph.Value{b.conv1(b.Op("Relu", b.conv1(b.x, 3, 3, 1, 1, 1, 1)), 2, 5, 1, 1, 2, 2)}
	},
	"dilated": func(b *builder) []*graph.Value {
		return []*graph.Value{b.conv1(b.conv1(b.x, 3, 3, 1, 2, 2, 2), 2, 2, 1, 4, 0, 0)}
	},
	"strided": func(b *builder) []*graph.Value {
		return []*graph.Value{b.conv1(b.Op("Relu", b.conv1(b.x, 3, 3, 2, 1, 1, 1)), 2, 3, 3, 1, 0, 0)}
	},
	"causal": func(b *builder) []*graph.Value {
		return []*graph.Value{b.conv1(b.Op("Tanh", b.conv1(b.x, 3, 3, 1, 1, 2, 0)), 3, 3, 1, 2, 4, 0)}
	},
	"chomp": func(b *builder) []*graph.Value {
		y := b.conv1(b.x, 3, 3, 1, 1, 2, 2)
		y = b.Op("Slice", y, b.Ints(0), b.Ints(-2), b.Ints(2))
		return []*graph.Value{b.conv1(y, 3, 3, 1, 1, 0, 0)}
	},
	"pad node": func(b *builder) []*graph.Value {
		return []*graph.Value{b.conv1(b.Op("Pad", b.Op("Sigmoid", b.conv1(b.x, 3, 2, 1, 1, 0, 0)), b.Ints(0, 0, 2, 0, 0, 1)), 2, 3, 1, 1, 0, 0)}
	},
	"residual": func(b *builder) []*graph.Value {
		y := b.bn(b.conv1(b.x, 4, 3, 1, 1, 1, 1))
		return []*graph.Value{b.Op("Relu", b.Op("Add", y, b.conv1(b.x, 4, 1, 1, 1, 0, 0)))}
	},
	"strided residual": func(b *builder) []*graph.Value {
		y := b.Op("Relu", b.bn(b.conv1(b.x, 4, 3, 2, 1, 1, 1)))
		y = b.conv1(y, 4, 3, 1, 1, 1, 1)
		return []*graph.Value{b.Op("Relu", b.Op("Add", y, b.conv1(b.x, 4, 1, 2, 1, 0, 0)))}
	},
	"centred residual": func(b *builder) []*graph.Value {
		y := b.conv1(b.x, 2, 5, 1, 1, 0, 0)
		return []*graph.Value{b.Op("Add", y, b.Op("Slice", b.x, b.Ints(2), b.Ints(-2), b.Ints(2)))}
	},
	"every second": func(b *builder) []*graph.Value {
		return []*graph.Value{b.Op("Slice", b.conv1(b.x, 2, 3, 1, 1, 1, 1), b.Ints(1), b.Ints(1000), b.Ints(2), b.Ints(2))}
	},
	"concat": func(b *builder) []*graph.Value {
		y := b.op("Concat", attrs{"axis": 1}, b.conv1(b.x, 2, 3, 1, 1, 1, 1), b.conv1(b.x, 3, 7, 1, 1, 3, 3), b.x)
		return []*graph.Value{b.conv1(y, 2, 1, 1, 1, 0, 0)}
	},
	"pools": func(b *builder) []*graph.Value {
		y := b.op("AveragePool", attrs{"kernel_shape": []int{3}, "pads": []int{1, 1}}, b.conv1(b.x, 3, 3, 1, 1, 1, 1))
		y = b.op("MaxPool", attrs{"kernel_shape": []int{3}, "pads": []int{1, 1}, "strides": []int{2}}, b.Op("Sub", y, b.Scalar(3, y)))
		return []*graph.Value{b.op("AveragePool", attrs{"kernel_shape": []int{2}, "pads": []int{1, 0}, "count_include_pad": 1}, y)}
	},
	"two outputs": func(b *builder) []*graph.Value {
		y := b.conv1(b.x, 3, 3, 2, 1, 0, 0)
		return []*graph.Value{b.conv1(y, 2, 3, 1, 1, 0, 0), b.conv1(b.x, 2, 2, 1, 1, 0, 0)}
	},
	"log": func(b *builder) []*graph.Value { // of zeros, before the stream
		y := b.Op("Log", b.Op("Abs", b.op("Conv", attrs{"pads": []int{1, 1}}, b.x, b.weight(3, 2, 3))))
		return []*graph.Value{b.conv1(y, 2, 3, 1, 1, 1, 1), b.op("MaxPool", attrs{"kernel_shape": []int{3}, "pads": []int{1, 1}}, y)}
	},
}

// Steps give what the network gives for the whole stream, in order, from the frame of the
// delay on, and with the end what its padding there gives.
func TestStream(t *testing.T) {
	const clip, length = 12, 31
	for name, build := range nets {
		t.Run(name, func(t *testing.T) {
			make := func(frames int) *graph.Graph {
				b := newBuilder(7, 2, frames)
				return b.finish(t, build(b)...)
			}
			x := random(3, 2, 2, length)
			s := mustConvert(t, make(clip), Options{Axes: map[string]int{"x": 2}})
			want := offline(t, make(length), x)
			first := 0
			for name, got := range streamed(t, s, x, 2, true) {
				w := want[name]
				if len(got.value) != w.Shape[2] {
					t.Fatalf("%s: %d frames, want %d", name, len(got.value), w.Shape[2])
				}
				first = max(first, got.at[0])
				for k, v := range got.value {
					if d := difference(v, cut(t, w, 2, k, k+1)); d > 1e-5 {
						t.Fatalf("%s: frame %d differs by %v", name, k, d)
					}
				}
			}
			if first != s.Delay {
				t.Errorf("the first output came with frame %d, the delay is %d", first, s.Delay)
			}
		})
	}
}

// A sum ends with the branch that ends first: of 31 frames there are 16 windows of one
// frame, and 15 of two.
func TestShorterBranch(t *testing.T) {
	build := func(frames int) *graph.Graph {
		b := newBuilder(7, 2, frames)
		return b.finish(t, b.Op("Add", b.conv1(b.x, 3, 1, 2, 1, 0, 0), b.conv1(b.x, 3, 2, 2, 1, 0, 0)))
	}
	x := random(3, 1, 2, 31)
	want := offline(t, build(30), cut(t, x, 2, 0, 30))["y0"]
	got := streamed(t, mustConvert(t, build(12), Options{Axes: map[string]int{"x": 2}}), x, 2, true)["y0"].value
	if len(got) != 15 {
		t.Fatalf("%d frames, want 15", len(got))
	}
	for k, v := range got {
		if d := difference(v, cut(t, want, 2, k, k+1)); d > 1e-5 {
			t.Errorf("frame %d differs by %v", k, d)
		}
	}
}

// Two convolutions of kernel 3, the first of stride 2: seven frames are reached.
func TestDelayOfTwo(t *testing.T) {
	b := newBuilder(1, 2, 20)
	g := b.finish(t, b.conv1(b.conv1(b.x, 2, 3, 2, 1, 0, 0), 2, 3, 1, 1, 0, 0))
	s := mustConvert(t, g, Options{Axes: map[string]int{"x": 2}})
	if s.Delay != 6 || s.Frames != 2 || s.Out[0].Every != 2 {
		t.Errorf("delay %d, %d frames a step, one of %d comes out", s.Delay, s.Frames, s.Out[0].Every)
	}
	got := streamed(t, s, random(1, 1, 2, 15), 2, false)["y0"]
	if !slices.Equal(got.at, []int{6, 8, 10, 12, 14}) {
		t.Errorf("outputs came with frames %v", got.at)
	}
}

// The products of a step are those of a clip for each of its outputs.
func TestCount(t *testing.T) {
	b := newBuilder(1, 2, 20)
	y := b.conv1(b.Op("Relu", b.conv1(b.x, 8, 1, 1, 1, 0, 0)), 4, 3, 1, 1, 0, 0)
	g := b.finish(t, y)
	s := mustConvert(t, g, Options{Axes: map[string]int{"x": 2}})
	if s.MACs != 8*2+4*8*3 {
		t.Errorf("a step takes %d", s.MACs)
	}
}

// A stream that was saved between any two frames and restored gives what one that was not
// gives; a state of another network, or of other streams, is refused.
func TestSaved(t *testing.T) {
	const clip, length = 12, 25
	for _, name := range []string{"strided residual", "padded"} {
		b := newBuilder(7, 2, clip)
		s := mustConvert(t, b.finish(t, nets[name](b)...), Options{Axes: map[string]int{"x": 2}})
		x := random(3, 2, 2, length)
		open := func(n int) *Stream {
			r, err := NewStream(s, n, engine.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(r.Close)
			return r
		}
		run := func(r *Stream, x *tensor.Tensor, end bool) *Record {
			out, err := r.Run(context.Background(), map[string]*tensor.Tensor{"x": x}, end)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		want := run(open(2), x, true).Out["y0"]
		for _, at := range []int{0, 1, 6, 7, 24} {
			first, second := open(2), open(2)
			a := run(first, cut(t, x, 2, 0, at), false).Out["y0"]
			if err := second.Restore(first.Save()); err != nil {
				t.Fatal(err)
			}
			got := run(second, cut(t, x, 2, at, length), true).Out["y0"]
			n := 0
			if a != nil {
				n = a.Shape[2]
			}
			if d := difference(got, cut(t, want, 2, n, want.Shape[2])); d != 0 {
				t.Errorf("%s, saved at %d: differs by %v", name, at, d)
			}
		}
		b = newBuilder(8, 2, clip)
		other := mustConvert(t, b.finish(t, nets[name](b)...), Options{Axes: map[string]int{"x": 2}})
		r, err := NewStream(other, 2, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if r.Restore(open(2).Save()) == nil {
			t.Errorf("%s: the state of another network was taken", name)
		}
		if open(3).Restore(open(2).Save()) == nil {
			t.Errorf("%s: the state of other streams was taken", name)
		}
	}
}

// A step allocates nothing.
func TestNothingAllocated(t *testing.T) {
	b := newBuilder(7, 2, 12)
	s := mustConvert(t, b.finish(t, nets["strided residual"](b)...), Options{Axes: map[string]int{"x": 2}})
	r, err := NewStream(s, 1, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	frame := map[string]*tensor.Tensor{"x": random(1, 1, 2, 1)}
	step := func() {
		if _, err := r.Push(context.Background(), frame); err != nil {
			t.Fatal(err)
		}
	}
	step()
	step()
	if n := testing.AllocsPerRun(20, step); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
